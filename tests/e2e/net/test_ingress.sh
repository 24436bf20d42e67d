#!/bin/bash
# Ingress: hosts, kinds of paths, defaults, TLS, and what is answered when nobody is there. Load balancers.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
cluster --nodes 2
page shop
page cart

say "status tells the address, a class is there"
at=$("$STOWAGE" status --data "$WORK/data" --json | jq -r .ingress)
case $at in 127.*) ;; *) die "no ingress: $("$STOWAGE" status --data "$WORK/data")" ;; esac
has "status" "ingress      http://$at" "$("$STOWAGE" status --data "$WORK/data")"
address=${at%:*}
[ "$at" = "$address" ] || { echo "skipped: another program listens on port 80 of every address here"; exit 77; }
eq "class" "k8s.io/ingress-nginx" "$(field ingressclass nginx .spec.controller)"

# fetch CODE HOST PATH [curl flags]: the code is as expected; the body is in $body
fetch() {
    want=$1 host=$2 path=$3
    shift 3
    seen=$(curl -s -m 20 -o "$WORK/body" -w '%{http_code}' --resolve "$host:80:$address" --resolve "$host:443:$address" "$@" "${scheme:-http}://$host$path")
    body=$(cat "$WORK/body" 2>/dev/null)
    [ "$seen" = "$want" ]
}
serves() { fetch 200 "$2" "$3" && case $body in *"$1"*) ;; *) return 1 ;; esac; }

say "no rule: 404 in nginx' words"
within 5 "404" fetch 404 nobody.example.com /
has "page" "<center><h1>404 Not Found</h1></center>" "$body"

say "by host and path"
k create ingress web --class=nginx --rule="shop.example.com/*=shop:80" --rule="shop.example.com/cart*=cart:80" --rule="*.shops.example.com/*=cart:80" \
    --annotation nginx.ingress.kubernetes.io/rewrite-target=/ >/dev/null
within 10 "the address is told" value_is "$address" k get ingress web -o 'jsonpath={.status.loadBalancer.ingress[0].ip}'
has "table" "$address   80" "$(k get ingress web)"
within 10 "the host" serves "shop " shop.example.com /
within 10 "the longer path" serves "cart " shop.example.com /cart
within 10 "below it, rewritten" serves "cart " shop.example.com /cart/3
within 10 "a wildcard" serves "cart " a.shops.example.com /
fetch 404 b.a.shops.example.com / || die "a wildcard stands for one label"
within 10 "the event" event_says web "Scheduled for sync"
has "describe" "shop:80 (10.244." "$(k describe ingress web)"

say "exact and prefix paths, backends by port name, a default backend"
k patch service cart --type=json -p '[{"op":"add","path":"/spec/ports/0/name","value":"http"}]' >/dev/null
k apply -f - >/dev/null <<'Y'
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: paths}
spec:
  defaultBackend: {service: {name: shop, port: {number: 80}}}
  rules:
  - host: paths.example.com
    http:
      paths:
      - {path: /index.html, pathType: Exact, backend: {service: {name: cart, port: {name: http}}}}
Y
within 10 "exact" serves "cart " paths.example.com /index.html
within 10 "not the exact one: the default backend" fetch 404 paths.example.com /index.html/
within 10 "the default backend" serves "shop " paths.example.com /

say "requests with bodies, many on one connection, HEAD"
seen=$(curl -s -m 20 --resolve "shop.example.com:80:$address" -o /dev/null -o /dev/null -o /dev/null -w '%{http_code} %{num_connects};' \
    http://shop.example.com/ http://shop.example.com/cart http://shop.example.com/)
eq "one connection" "200 1;200 0;200 0;" "$seen"
has "HEAD" "200 OK" "$(curl -s -m 20 -I --resolve "shop.example.com:80:$address" http://shop.example.com/)"
head -c 300000 /dev/zero >"$WORK/big"
fetch 405 shop.example.com / --data-binary "@$WORK/big" || fetch 200 shop.example.com / --data-binary "@$WORK/big" || die "a body of 300 kB: $seen"

say "TLS with the host's certificate, others get the made-up one, http is sent to https"
openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=tls.example.com -addext subjectAltName=DNS:tls.example.com \
    -keyout "$WORK/key" -out "$WORK/crt" 2>/dev/null
k create secret tls cert --cert="$WORK/crt" --key="$WORK/key" >/dev/null
k create ingress tls --class=nginx --rule="tls.example.com/*=shop:80,tls=cert" >/dev/null
scheme=https
within 10 "TLS" fetch 200 tls.example.com / --cacert "$WORK/crt"
has "over TLS" "shop " "$body"
has "the made-up certificate" "Kubernetes Ingress Controller Fake Certificate" \
    "$(curl -svk -m 20 --resolve "other.example.com:443:$address" https://other.example.com/ 2>&1)"
scheme=http
within 10 "sent on" fetch 308 tls.example.com /a?b=c
has "where to" "https://tls.example.com/a?b=c" "$(curl -sI -m 20 --resolve "tls.example.com:80:$address" 'http://tls.example.com/a?b=c')"

say "nobody there: 503; a class of another controller: not ours"
k scale deployment shop --replicas=0 >/dev/null
within 20 "503" fetch 503 shop.example.com /
has "page" "<center><h1>503 Service Temporarily Unavailable</h1></center>" "$body"
k create ingress other --class=traefik --rule="other.example.com/*=cart:80" >/dev/null
within 5 "still 404" fetch 404 other.example.com /
eq "no address" "" "$(field ingress other .status.loadBalancer.ingress)"
k delete ingress web >/dev/null
within 10 "gone with its ingress" fetch 404 shop.example.com /

say "a load balancer has a loopback address and answers there, on its own port"
k expose deployment cart --port 8088 --target-port 80 --name lb --type LoadBalancer >/dev/null
within 10 "an address" sh -c "'$KUBECTL' get service lb -o 'jsonpath={.status.loadBalancer.ingress[0].ip}' | grep -q ^127"
ip=$(field service lb '.status.loadBalancer.ingress[0].ip')
within 10 "it answers" sh -c "curl -sf -m 5 http://$ip:8088/ | grep -q '^cart '"
within 10 "events" event_says lb "Ensured load balancer"
k patch service lb -p '{"spec":{"type":"ClusterIP"}}' >/dev/null
within 10 "the address is given back" value_is "" k get service lb -o 'jsonpath={.status.loadBalancer.ingress}{.metadata.finalizers}'
within 10 "and closed" sh -c "curl -s -m 5 http://$ip:8088/; [ \$? = 7 ]"
k patch service lb -p '{"spec":{"type":"LoadBalancer"}}' >/dev/null
within 10 "again" sh -c "curl -sf -m 5 http://$ip:8088/ | grep -q '^cart '"
k delete service lb --timeout=60s >/dev/null
