#!/bin/bash
# Who may use the console: a link that is good once, a cookie that counts only for the console's own pages, a pasted token with
# no more rights than it has.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster --simulate
jar="$WORK/jar"
link() { "$STOWAGE" console --no-open --data "$WORK/data" 2>/dev/null; }
one=$(link)
base=${one%/console/*}
port=${base##*:}
# status CURL-ARGUMENTS...: the answer's status; body in $WORK/body, headers in $WORK/headers
status() { curl -s -o "$WORK/body" -D "$WORK/headers" -w '%{http_code}' --max-time 120 "$@"; }
mine() { status -b "$jar" "$@"; }
pods="$base/api/v1/namespaces/default/pods"
map='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"}}'
create() { name=$1; shift; mine -H 'Content-Type: application/json' -d "${map/NAME/$name}" "$@" "$base/api/v1/namespaces/default/configmaps"; }

say "nobody yet"
eq "pods" 403 "$(status "$pods")"
has "as nobody" 'system:anonymous' "$(cat "$WORK/body")"
eq "a call" 403 "$(status -X POST -H "Origin: $base" "$base/console/api/status")"
eq "a token in a header is not for this door" 403 "$(status -H "Authorization: Bearer $(k config view --raw -o 'jsonpath={.users[0].user.token}')" "$pods")"

say "a link: once"
eq "it signs in" 303 "$(status -c "$jar" "$one")"
has "cookie" "HttpOnly; SameSite=Strict" "$(cat "$WORK/headers")"
eq "pods" 200 "$(mine "$pods")"
eq "again" 303 "$(status "$one")"
has "nobody by it" "?expired" "$(cat "$WORK/headers")"
eq "again, by who is signed in" 303 "$(mine "$one&view=labs")"
has "goes on" "/console/labs" "$(grep -i '^location:' "$WORK/headers")"
lacks "keeps the cookie" "Max-Age=0" "$(cat "$WORK/headers")"
eq "an invented one" 303 "$(status "$base/console/login?code=0123")"
has "nobody by it" "Max-Age=0" "$(cat "$WORK/headers")"

say "only for our own pages"
eq "changes from here" 201 "$(create one -H "Origin: $base")"
eq "from another site" 403 "$(create two -H 'Origin: http://evil.example')"
eq "from nowhere" 403 "$(create two)"
eq "from another port" 403 "$(create two -H 'Origin: http://127.0.0.1:1')"
eq "read for another site" 403 "$(mine -H 'Sec-Fetch-Site: cross-site' "$pods")"
eq "by another name" 403 "$(mine -H 'Host: evil.example' "$pods")"
eq "by another name that fits" 403 "$(create two -H "Host: evil.example:$port" -H "Origin: http://evil.example:$port")"
eq "by localhost" 200 "$(mine "http://localhost:$port/api/v1/namespaces" -H "Cookie: $(awk '/stowage-/ { print $6 "=" $7 }' "$jar")")"
socket() { mine --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' -H 'Sec-WebSocket-Protocol: v5.channel.k8s.io' "$@" || true; }
eq "a WebSocket from another site" 403 "$(socket -H 'Origin: http://evil.example' "$base/console/shell?node=node01&stdin=true&stdout=true&tty=true")"
eq "a WebSocket without a site" 403 "$(socket "$base/console/shell?node=node01&stdin=true&stdout=true&tty=true")"
fails k get configmap two

say "calls"
call() { op=$1; shift; mine -X POST -H "Origin: $base" -H 'Content-Type: application/json' "$@" "$base/console/api/$op"; }
eq "status" 200 "$(call status)"
eq "why" 404 "$(call why -d '{"kind":"pvc","namespace":"default","name":"none"}')"
eq "down is not for a page" 400 "$(call down)"
eq "unknown" 400 "$(call no-such-thing)"
eq "no JSON" 400 "$(call why -d 'x')"
eq "GET" 405 "$(mine "$base/console/api/status")"
eq "still there" 200 "$(call status)"

say "pages"
page=$(status --compressed "$base/console/")
if [ "$page" = 501 ]; then
    has "left out" "built without its console" "$(cat "$WORK/body")"
else
    eq "the page" 200 "$page"
    has "policy" "Content-Security-Policy: default-src 'none'; script-src 'self';" "$(cat "$WORK/headers")"
    has "no sniffing" "X-Content-Type-Options: nosniff" "$(cat "$WORK/headers")"
    grep -qi 'onload=\|<script>' "$WORK/body" && die "an inline script"
    eq "a view's own address" 200 "$(status --compressed "$base/console/object/pods/default/web")"
    eq "no such file" 404 "$(status "$base/console/assets/none.js")"
    eq "no way out" 404 "$(status --path-as-is "$base/console/../../etc/passwd.txt")"
fi

say "a token has its own rights"
k create serviceaccount guest
token=$(k create token guest 2>/dev/null || k get --raw /api/v1/namespaces/default/serviceaccounts/guest/token -X POST 2>/dev/null || true)
if [ -n "$token" ]; then
    eq "sign in" 200 "$(status -c "$WORK/guest" -H "Origin: $base" -H 'Content-Type: application/json' -d "{\"token\":\"$token\"}" "$base/console/login")"
    eq "pods" 403 "$(status -b "$WORK/guest" "$pods")"
    has "as itself" 'system:serviceaccount:default:guest' "$(cat "$WORK/body")"
    eq "calls" 403 "$(status -b "$WORK/guest" -X POST -H "Origin: $base" "$base/console/api/disk-list")"
fi
eq "a wrong one" 401 "$(status -H "Origin: $base" -d '{"token":"x"}' "$base/console/login")"
eq "from another site" 403 "$(status -H 'Origin: http://evil.example' -d '{"token":"x"}' "$base/console/login")"

say "what is kept tells nobody's cookie, and lets go on after a restart"
eq "mode" 600 "$(stat -c %a "$WORK/data/console.json")"
! grep -q "$(awk '/stowage-/ { print $7 }' "$jar")" "$WORK/data/console.json" || die "the cookie is in the file"
"$STOWAGE" down --data "$WORK/data"
cluster --simulate
eq "pods" 200 "$(mine "$pods")"
eq "sign out" 200 "$(mine -X POST -H "Origin: $base" "$base/console/logout")"
eq "pods" 403 "$(mine "$pods")"
