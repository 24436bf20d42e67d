#!/bin/bash
# The API server as a proxy to pods and services: kubectl get --raw, and kubectl proxy with a browser's kind of client.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
cluster --nodes 2
page web 2
k run one --image=nginx --port=80 >/dev/null
k run echo --image=traefik/whoami --port=80 >/dev/null
ready pod/one pod/echo
ns=/api/v1/namespaces/default

say "a service, by number and by name"
within 30 "the service's pods" sh -c "'$KUBECTL' get --raw $ns/services/web:80/proxy/ | grep -q '^web '"
has "http:" "web web-" "$(k get --raw "$ns/services/http:web:80/proxy/")"
has "its only port has no name" "web web-" "$(k get --raw "$ns/services/web/proxy/")"

say "a pod"
has "the declared port" "Welcome to nginx" "$(k get --raw "$ns/pods/one/proxy/")"
has "a port" "Welcome to nginx" "$(k get --raw "$ns/pods/one:80/proxy/index.html")"
said=$(k get --raw "$ns/pods/echo/proxy/a")
has "it is asked by its own path" "GET /a HTTP/1.1" "$said"
has "and told ours" "X-Forwarded-Uri: $ns/pods/echo/proxy/a" "$said"
lacks "but no credentials" "Authorization" "$said"

say "refusals"
fails k get --raw "$ns/pods/one/proxy/nosuch"
has "nginx' own 404" "the server could not find the requested resource" "$out"
fails k get --raw "$ns/pods/one:81/proxy/"
ip=$(field pod one .status.podIP)
has "refused" "error trying to reach service: dial tcp $ip:81: connect: connection refused" "$out"
fails k get --raw "$ns/services/web:81/proxy/"
has "no such port" 'no service port 81 found for service "web"' "$out"
k scale deployment web --replicas=0 >/dev/null
within 30 "no endpoints" sh -c "'$KUBECTL' get --raw $ns/services/web:80/proxy/ 2>&1 | grep -q 'no endpoints available for service \"web'"
k scale deployment web --replicas=1 >/dev/null

say "kubectl proxy"
"$KUBECTL" proxy --port=0 >"$WORK/proxy" 2>&1 &
proxy=$!
within 10 "it listens" grep -q '^Starting to serve on 127.0.0.1:' "$WORK/proxy"
base=http://$(sed -n 's/^Starting to serve on //p' "$WORK/proxy")$ns
has "a page" "Welcome to nginx" "$(curl -s "$base/pods/one/proxy/")"
has "nginx' words" "<h1>404 Not Found</h1>" "$(curl -s "$base/pods/one/proxy/nosuch")"
eq "its code" 404 "$(curl -s -o "$WORK/page" -w '%{http_code}' "$base/pods/one/proxy/nosuch")"
has "without a slash" "Welcome to nginx" "$(curl -sL "$base/pods/one/proxy")"
eq "what nginx does not take" 405 "$(curl -s -o "$WORK/page" -w '%{http_code}' -d x=y "$base/pods/one/proxy/index.html")"
eq "HEAD" 200 "$(curl -sI -o "$WORK/page" -w '%{http_code}' "$base/pods/one/proxy/")"
has "something is sent" "POST /x HTTP/1.1" "$(curl -s -d y=z "$base/pods/echo/proxy/x")"
kill $proxy
wait $proxy 2>/dev/null || true
