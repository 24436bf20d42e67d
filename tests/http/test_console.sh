#!/bin/sh
# What a page may ask of the console's half: what reaches beyond the cluster is not for a token; a server that ends while
# something is under way.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve --console

expect_in "a call" '"op":"status"' "$(api POST /console/api/status)"
expect_in "with members" '"name":"web"' "$(api POST /console/api/why -d '{"name":"web"}')"
expect "a page ends no server" 400 "$(status POST /console/api/down)"
jar=$dir/jar
curl -sS --cacert "$dir/pki/ca.crt" -o /dev/null -c "$jar" -H "Origin: $url" -d "{\"token\":\"$token\"}" "$url/console/login"
browse() { curl -sS --max-time 60 --cacert "$dir/pki/ca.crt" -b "$jar" -H "Origin: $url" -X POST "$@"; }
expect_in "signed in by the token" '"op":"status"' "$(browse "$url/console/api/status")"
for op in lab-start lab-job class-status image-import; do
    expect_in "$op is not for a session by it" "only for who signed in by a link" "$(browse -d '{}' "$url/console/api/$op")"
    expect_in "$op is not for the token" "only for who signed in by a link" "$(api POST /console/api/$op -d '{"lab":"/tmp/x","refs":["/etc/passwd"]}')"
done
api POST /api/v1/namespaces/default/serviceaccounts -d '{"metadata":{"name":"robot"}}' >/dev/null
expect "others may not" 403 "$(status POST /console/api/status -H 'Impersonate-User: system:serviceaccount:default:robot')"

# What is asked is still under way when the server ends, and comes to its end after that.
mkfifo "$dir/hold"
api POST /console/api/slow -d "{\"hold\":\"$dir/hold\"}" >"$dir/answer" 2>/dev/null &
asked=$!
# In a process of its own, which lets go by itself: should something fail here, the server is waited for.
hold() {
    exec 8>"$dir/hold" # returns when the other end is open
    : >"$dir/held"
    for _ in $(seq 900); do
        [ ! -e "$dir/let-go" ] || break
        sleep 0.1
    done
    echo >&8
}
hold &
await "it is under way" test -e "$dir/held"
kill "$pid"
told() { grep -q "the cluster stops" "$dir/answer" || ! kill -0 $asked 2>/dev/null; }
await "the page is told, or its connection has ended" told
: >"$dir/let-go"
wait $asked || true
