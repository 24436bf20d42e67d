#!/bin/bash
# run, expose, set, debug, proxy and completion of our own kubectl, beside the real one.
. "$SOURCE_DIR/tests/e2e/lib.sh"
. "$SOURCE_DIR/tests/e2e/kubectl/streams.sh"

say "run: what is made, and what is refused"
both run x --image=nginx --port 80 --expose --dry-run=client -o yaml
both run x --image=nginx -n kube-system --dry-run=client -o yaml --env A=b --env C= --labels a=b,c=d --privileged -it \
    --attach=false --annotations a=b --command -- sh -c ls
both run x --image=nginx --overrides='{"spec":{"nodeName":"n"}}' --dry-run=client -o yaml
both run x --image=nginx --overrides='{"spec":{"containers":[{"name":"x","tty":true}]}}' --override-type=strategic --dry-run=client -o yaml
for args in "x --image=nginx --dry-run=server" "x --image=nginx --dry-run=client" "x --image=nginx --dry-run=client -o name" "--image=nginx" \
    "x --image=Bad" "x --image=nginx --overrides=x" "x --image=nginx --port=x" "x --image=nginx --env=x" "x --image=nginx -l a" \
    "x --image=nginx --restart=No" "x --image=nginx --annotations=x" "x --image=nginx --rm" "x --image=nginx -t" "x --image=nginx --expose" \
    "x --image=nginx -i --dry-run=client" "x --image=nginx --image-pull-policy=Some" "two --image=nginx"; do
    # shellcheck disable=SC2086
    both run $args
done
MASK='s/^E[0-9]+ [0-9:.]+ +[0-9]+ /E /' both run x
again "k delete pod/p svc/p --now" run p --image=nginx --port=80 --expose
say "run: attached until the end; the exit code is the container's"
eq "output" "hello" "$(echo hello | ours run one --image=busybox --restart=Never --rm -i -q -- cat 2>/dev/null)"
fails k get pod one
code=0
printf 'a line\n' | ours run three --image=busybox --restart=Never --rm -i -q -- sh -c 'read -r x; exit 3' >"$WORK/out" 2>"$WORK/err" || code=$?
eq "its code" 3 "$code"
has "why" "pod default/three terminated (Error)" "$(cat "$WORK/err")"
printf 'echo is $((40+2))\r exit\r' >"$WORK/keys"
has "a shell" "is 42" "$(script -qec "$STOWAGE kubectl run sh --image=busybox --restart=Never --rm -it -- sh" /dev/null <"$WORK/keys" | tr -d '\r')"

say "expose"
k label deploy web tier=front >/dev/null
gone='k delete svc a b c d e'
again "$gone" expose deploy web --name a
again "$gone" expose deploy web --name a --dry-run=client -o yaml
again "$gone" expose deploy web --port 90 --target-port http --name b --type NodePort
again "$gone" expose svc web --name c --port 90 --target-port=8080 --selector a=b -l x=y --session-affinity=ClientIP
again "$gone" expose deploy/web --name d --cluster-ip=None
again "$gone" expose svc web --name e
for args in "pod done" "cm kube-root-ca.crt" "deploy nope" "" "deploy" "svc web --name f --port=80,81 --external-ip=1.2.3.4 --dry-run=server" \
    "deploy web --name g --session-affinity=x" "deploy web --name h --port=x" "deploy web --name i --selector=x" \
    "svc web --name j --protocol=UDP --dry-run=client -o yaml"; do
    # shellcheck disable=SC2086
    both expose $args
done

say "set"
k create deploy d2 --image=nginx >/dev/null
back='k set image deploy/d2 nginx=nginx; k set env deploy/d2 A- B- C-; k set sa deploy/d2 default; k set selector svc web app=web'
for args in "image deploy/d2 nginx=httpd" "image deployment d2 *=httpd" "image deploy/d2 nginx=nginx" "image deploy/d2 nginx=httpd --dry-run=server" \
    "image deploy/d2 nginx=httpd --dry-run=client" "image deploy/d2" "image deploy/d2 x=y" "image deploy/d2 nginx=a web" \
    "image cm/kube-root-ca.crt a=b" "image deploy/d2 a=b *=d" "image a=b" "image" \
    "env deploy/d2 A=b B=c" "env deploy/d2 A=b B- --list" "env deploy/d2 --list" "env deploy/d2 A" "env cm/kube-root-ca.crt A=b" \
    "env deploy/d2 A=b -c nope" "env deploy/d2 C- C=d" "env" "resources deploy/d2 --limits=cpu=1,memory=1Gi --requests=cpu=10m --dry-run=server" \
    "resources deploy/d2" "resources deploy/d2 --limits=cpu" "resources deploy/d2 --limits=cpu=x" "resources deploy/d2 --limits=cpu=1 -c x" \
    "sa deploy/d2 robot" "sa deploy/d2" "sa" "selector svc/web a=b" "selector svc web" "selector deploy/web a=b" "subject" "subject deploy/d2 --user x"; do
    # shellcheck disable=SC2086
    again "$back" set $args
done
eval "$back" >/dev/null
ours set image deploy/d2 nginx=httpd >/dev/null
ours set env deploy/d2 COLOUR=blue >/dev/null
ours set env deploy/d2 --from=cm/kube-root-ca.crt --prefix=X_ >/dev/null 2>&1
ours set resources deploy/d2 --limits=cpu=1 >/dev/null
eq "what became of it" "httpd blue 1 kube-root-ca.crt" "$(k get deploy d2 -o 'jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value} {.spec.template.spec.containers[0].resources.limits.cpu} {.spec.template.spec.containers[0].env[1].valueFrom.configMapKeyRef.name}')"
eq "as the real one lists it" "$(k set env deploy/d2 --list)" "$(ours set env deploy/d2 --list)"

say "debug: a container beside, a copy, a node"
for args in "two" "two --image=Bad" "two --image=busybox --profile=x" "two --image=busybox --replace" "two --copy-to=x" "--image=busybox" \
    "two --image=busybox -t" "deploy/web --image=busybox" "nope --image=busybox" "two --image=busybox --target=a --copy-to=b"; do
    # shellcheck disable=SC2086
    both debug $args
done
has "beside" "line 5" "$(echo 5 | ours debug two --image=busybox --target=main --profile=general -i -q -c look -- sh -c 'read -r n; tail -n 1 /proc/1/root/etc/hostname >/dev/null; echo "line $n"' 2>"$WORK/err")"
eq "it has the capability" SYS_PTRACE "$(k get pod two -o 'jsonpath={.spec.ephemeralContainers[0].securityContext.capabilities.add[0]}')"
ours debug two --copy-to=copy --set-image='main=nginx' --profile=general --share-processes -q >/dev/null
eq "the copy" "nginx true" "$(k get pod copy -o 'jsonpath={.spec.containers[0].image} {.spec.shareProcessNamespace}')"
has "a node" node01 "$(echo go | ours debug node/node01 --image=busybox -i -q --profile=sysadmin -- sh -c 'read -r _; cat /host/etc/hostname')"

say "proxy"
: >"$WORK/proxy"
"$STOWAGE" kubectl proxy --port=0 >"$WORK/proxy" 2>&1 &
proxy=$!
within 20 "it serves" grep -q "Starting to serve on 127.0.0.1:" "$WORK/proxy"
url=http://127.0.0.1:$(sed 's/.*://' "$WORK/proxy")
eq "the API" two "$(curl -s "$url/api/v1/namespaces/default/pods/two" | jq -r .metadata.name)"
eq "a write" made "$(curl -s -X POST -H 'Content-Type: application/json' -d '{"metadata":{"name":"made"}}' "$url/api/v1/namespaces/default/configmaps" | jq -r .metadata.name)"
eq "exec is refused" 403 "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/namespaces/default/pods/two/exec")"
eq "in another spelling, too" 403 "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/namespaces/default/pods/two/%65xec")"
exec 3<>"/dev/tcp/127.0.0.1/${url##*:}" # a request behind one that is told to be of another protocol
printf 'GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: none\r\n\r\nGET /api/v1/namespaces/default/pods/two HTTP/1.1\r\nHost: localhost\r\n\r\n' >&3
answer=$(timeout 10 cat <&3 || true)
exec 3>&-
has "the first is answered" '"gitVersion"' "$answer"
! grep -q '"name":"two"' <<<"$answer" || die "a request was carried that nobody had looked at"
eq "other hosts are refused" 403 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: example.com' "$url/version")"
eq "our kubectl through it" pod/two "$(ours --server="$url" get pod two -o name)"
kill $proxy
wait $proxy || true

say "proxy: files of a folder"
www="$WORK/www"
mkdir -p "$www/sub" "$www/indexed"
echo '<h1>hi' >"$www/page.html"
echo text >"$www/plain"
echo '  <!DOCTYPE html>' >"$www/looks"
printf 'x' >"$www/sub/b & <c>\"'.css"
printf '\0\1\2binary' >"$www/sub/data"
printf '\211PNG\r\n\032\n' >"$www/picture"
echo '{}' >"$www/x.json"
echo 'a' >"$www/x.js"
echo idx >"$www/indexed/index.html"
: >"$www/empty"
ln -s ../plain "$www/sub/link"
echo secret >"$WORK/outside"
# proxied WHO FLAGS COMMAND...: a proxy of that kubectl; $url is its address
proxied() {
    : >"$WORK/proxy"
    "$@" >"$WORK/proxy" 2>"$WORK/proxy.err" &
    proxy=$!
    within 20 "it serves" grep -q "Starting to serve on 127.0.0.1:" "$WORK/proxy"
    url=http://127.0.0.1:$(sed 's/.*://' "$WORK/proxy")
}
# all that is asked of both: status, headers but the time and the connection's, body
ask_for_files() {
    while read -r path; do
        for method in GET HEAD POST; do
            echo "== $method $path"
            [ $method = HEAD ] && set -- -I || set -- -X $method -i
            curl -s "$@" --path-as-is --max-time 20 "$url$path" | tr -d '\r' | grep -avE '^(Date|Connection): ' | { sed '/^$/q' | sort; cat; }
        done
    done <<'P'
/st/
/st
/st?a=b
/st/page.html
/st/plain
/st/looks
/st/sub
/st/sub/
/st/sub/data
/st/sub/link
/st/sub/b%20%26%20%3Cc%3E%22%27.css
/st/indexed/
/st/indexed
/st/indexed/index.html?x
/st/none
/st/x.json
/st/x.js
/st/picture
/st/empty
/st/../st/plain
/st//plain
/st/%2e%2e/outside
/st/sub/%2e%2e/%2e%2e/%2e%2e/outside
/st/plain/
P
    for range in 1-2 2- -2 0-100 100-200; do
        echo "== range $range"
        curl -s -i -r "$range" "$url/st/plain" | tr -d '\r' | grep -avE '^(Date|Connection): ' | sort
    done
    curl -s -i -H 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT' "$url/st/plain" | tr -d '\r' | grep -avE '^(Date|Connection): ' | sort
    curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: example.com' "$url/st/plain"
    curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: example.com' "$url/version"
}
server=$(k config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
for who in real ours; do
    [ $who = real ] && set -- "$KUBECTL" || set -- "$STOWAGE" kubectl
    proxied "$@" proxy --port=0 --www="$www" --www-prefix=/st
    ask_for_files >"$WORK/files.$who"
    eq "the API is beside them" default "$(curl -s "$url/api/v1/namespaces/default" | jq -r .metadata.name)"
    kill $proxy
    wait $proxy || true
    proxied "$@" proxy --port=0 --www="$WORK/no-such" --disable-filter
    { sed 's/^W[^]]*\] //' "$WORK/proxy.err"; curl -s "$url/static/"; curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: example.com' "$url/version"; } >>"$WORK/files.$who"
    kill $proxy
    wait $proxy || true
    for below in "" --append-server-path; do
        # shellcheck disable=SC2086 # a flag or none
        proxied "$@" --server="$server/elsewhere" proxy --port=0 $below
        echo "== server with a path $below: $(curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/namespaces/default")" >>"$WORK/files.$who"
        kill $proxy
        wait $proxy || true
    done
done
has "the whole path" "== server with a path : 200" "$(cat "$WORK/files.ours")"
has "below the server's" "== server with a path --append-server-path: 404" "$(cat "$WORK/files.ours")"
lacks "nothing from outside" secret "$(cat "$WORK/files.ours")"
[ "$(grep -c '200 OK' "$WORK/files.ours")" -gt 30 ] || die "$(cat "$WORK/files.ours")"
diff "$WORK/files.real" "$WORK/files.ours" || die "files are not served as kubectl does"

say "completion: bash asks, and what is answered"
ln -s "$STOWAGE" "$WORK/kubectl"
export STOWAGE
complete() { bash -c 'source <("$STOWAGE" kubectl completion bash); compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); __kubectl_complete; printf "%s\n" "${COMPREPLY[@]}"' _ "$WORK/kubectl" "$@" | sort | tr '\n' ' '; }
eq "verbs" "exec explain expose " "$(complete ex)"
eq "names of pods" "two " "$(complete exec tw)"
eq "kinds" "deployments " "$(complete get deploym)"
eq "names of a kind" "web " "$(complete get deploy w)"
eq "behind a slash" "deploy/web " "$(complete logs deploy/w)"
eq "flags" "--tail= " "$(complete logs --tai)"
eq "namespaces" "kube-system " "$(complete get pods -n kube-s)"
eq "containers" "side " "$(complete logs two -c si)"
has "the real one's script understands it" ":4" "$(ours __complete get deploy w)"
both completion
both completion a b
both completion ksh
for shell in zsh fish; do ours completion $shell | grep -q __complete || die "$shell"; done
