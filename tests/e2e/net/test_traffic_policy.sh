#!/bin/bash
# Who gets to which pods of a service: traffic policies, source ranges, pods that are not ready.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
cluster --nodes 2
filters || { echo "skipped: no packet filter on this machine"; exit 77; }
caller a controlplane
caller b node01
ready pod/a pod/b
k run web --image=nginx --labels=app=web --overrides='{"spec":{"nodeName":"node01"}}' >/dev/null
ready pod/web
on_node() { "$STOWAGE" shell --data "$WORK/data" "$1" -- sh -c "$2"; }

say "internalTrafficPolicy Local: pods of the caller's node only, silence elsewhere"
k apply -f - >/dev/null <<'Y'
{"apiVersion":"v1","kind":"Service","metadata":{"name":"near"},"spec":{"selector":{"app":"web"},"internalTrafficPolicy":"Local","ports":[{"port":80}]}}
Y
within 10 "its own node" answers "Welcome to nginx" b http://near/
within 15 "another node's pod does not answer" silent a near 80
k patch service near -p '{"spec":{"internalTrafficPolicy":"Cluster"}}' >/dev/null
within 10 "no longer Local" answers "Welcome to nginx" a http://near/

say "externalTrafficPolicy Local: the node that is called has a pod, or says nothing"
k apply -f - >/dev/null <<'Y'
{"apiVersion":"v1","kind":"Service","metadata":{"name":"edge"},"spec":{"type":"NodePort","selector":{"app":"web"},"externalTrafficPolicy":"Local","ports":[{"port":80}]}}
Y
port=$(field service edge '.spec.ports[0].nodePort')
calls() { on_node "$1" "curl -s -m 3 http://$2:$port/" | grep -q "Welcome to nginx"; }
within 10 "the node with the pod" calls controlplane 172.30.0.11
within 10 "the node without a pod does not" not calls node01 172.30.0.10
within 10 "this machine's loopback" sh -c "curl -sf -m 5 http://127.0.0.1:$port/ | grep -q 'Welcome to nginx'"
within 10 "its cluster IP is not concerned" answers "Welcome to nginx" a http://edge/
k patch service edge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}' >/dev/null
within 10 "no longer Local" calls node01 172.30.0.10

say "loadBalancerSourceRanges: whoever is not in them does not get in"
k expose pod web --port 80 --name lb --type LoadBalancer >/dev/null
within 10 "an address" sh -c "[ -n \"\$('$KUBECTL' get service lb -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')\" ]"
address=$(field service lb '.status.loadBalancer.ingress[0].ip')
gets() { curl -sf -m 5 "http://$address/" | grep -q 'Welcome to nginx'; }
within 10 "everybody" gets
k patch service lb -p '{"spec":{"loadBalancerSourceRanges":["10.0.0.0/8"]}}' >/dev/null
within 10 "nobody of here" not gets
k patch service lb -p '{"spec":{"loadBalancerSourceRanges":["10.0.0.0/8","127.0.0.0/8"]}}' >/dev/null
within 10 "this machine" gets

say "a pod that is not ready: out, unless the service wants it; serving tells the truth"
k apply -f - >/dev/null <<'Y'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"slow","labels":{"app":"slow"}},"spec":{"containers":[{"name":"c","image":"nginx","readinessProbe":{"exec":{"command":["false"]}}}]}}
Y
k expose pod slow --port 80 --name slow >/dev/null
k expose pod slow --port 80 --name eager >/dev/null
k patch service eager -p '{"spec":{"publishNotReadyAddresses":true}}' >/dev/null
conditions() { k get endpointslices -l "kubernetes.io/service-name=$1" -o 'jsonpath={range .items[*].endpoints[*].conditions}{.ready} {.serving} {.terminating}{end}'; }
within 20 "slow" value_is "false false false" conditions slow
within 20 "eager" value_is "true false false" conditions eager
within 10 "published" answers "Welcome to nginx" a http://eager/
within 15 "a pod that is not ready gets no call" refused a slow 80
