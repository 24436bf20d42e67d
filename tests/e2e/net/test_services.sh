#!/bin/bash
# Pods and services: addresses, balancing, who is seen to call, node ports on the loopback of the machine, what is refused.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
cluster --nodes 2
caller a controlplane
caller b node01
page web 3
ready pod/a pod/b

say "pods reach each other, on their node and across"
for pod in $(k get pods -l app=web -o name); do
    for from in a b; do
        within 10 "$from to $pod" answers "web ${pod#pod/}" "$from" "http://$(k get "$pod" -o 'jsonpath={.status.podIP}')/"
    done
done

say "a service spreads calls over its pods"
within 30 "all three answer" sh -c "[ \"\$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do '$KUBECTL' exec a -- wget -qO- -T 5 http://web/; done | sort -u | wc -l)\" = 3 ]"

say "the caller is seen, not somebody between"
ip=$(field pod a .status.podIP)
get a http://web/ >/dev/null
within 10 "the log names the pod that called" sh -c "'$KUBECTL' logs -l app=web --tail=50 | grep -q '^$ip '"

say "affinity keeps a client at one pod"
k patch service web -p '{"spec":{"sessionAffinity":"ClientIP"}}' >/dev/null
within 30 "one pod for one client" sh -c "[ \"\$(for i in 1 2 3 4 5 6 7 8 9 10; do '$KUBECTL' exec a -- wget -qO- -T 5 http://web/; done | sort -u | wc -l)\" = 1 ]"

say "and is forgotten after the time that the service says, of the cluster's clock"
k patch service web -p '{"spec":{"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":600}}}}' >/dev/null
first=$(get a http://web/)
elsewhere() {
    "$STOWAGE" clock forward 30m --data "$WORK/data" >/dev/null
    [ "$(get a http://web/)" != "$first" ]
}
within 120 "another pod" elsewhere
fails k patch service web -p '{"spec":{"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":86401}}}}'
has "at most a day" 'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400' "$out"

say "a node port is open on this machine's loopback, and only while somebody is there"
k expose deployment web --port 80 --name np --type NodePort >/dev/null
port=$(field service np '.spec.ports[0].nodePort')
[ "$port" -ge 30000 ] && [ "$port" -le 32767 ] || die "node port $port"
within 10 "the node port answers" sh -c "curl -sf http://127.0.0.1:$port/ | grep -q '^web '"

say "a port of this machine that another program has is told"
mkfifo "$WORK/hold"
python3 -c "
import random, socket, sys
while True:
    s, port = socket.socket(), random.randint(30000, 32767)
    try: s.bind(('127.0.0.1', port)); break
    except OSError: s.close()
s.listen(1); print(port, flush=True); sys.stdin.read()" <"$WORK/hold" >"$WORK/held" &
exec 8>"$WORK/hold"
within 10 "a port is held" test -s "$WORK/held"
taken=$(cat "$WORK/held")
k create service nodeport busy --tcp=80:80 --node-port=$taken >/dev/null
k patch service busy -p '{"spec":{"selector":{"app":"web"}}}' >/dev/null
within 10 "the event" event_says busy "cannot listen on 127.0.0.1:$taken (TCP) of this machine"
exec 8>&-
within 20 "the port is had once it is free" sh -c "curl -sf http://127.0.0.1:$taken/ | grep -q '^web '"

say "nobody there: refused, on every way"
k scale deployment web --replicas=0 >/dev/null
within 10 "no endpoints" value_is "" k get endpoints web -o 'jsonpath={.subsets}'
within 10 "the cluster IP refuses" refused a web 80
within 10 "the node port refuses" sh -c "curl -s -m 5 http://127.0.0.1:$port/; [ \$? = 7 ]"
if filters; then within 15 "a port that the service has not is not answered" silent a web 81; fi

say "named target ports, externalIPs, no service at that address"
k run named --image=nginx --labels=app=named --overrides='{"spec":{"containers":[{"name":"named","image":"nginx","ports":[{"name":"http","containerPort":80}]}]}}' >/dev/null
k apply -f - >/dev/null <<'Y'
{"apiVersion":"v1","kind":"Service","metadata":{"name":"named"},"spec":{"selector":{"app":"named"},"externalIPs":["203.0.113.9"],"ports":[{"port":8080,"targetPort":"http"}]}}
Y
ready pod/named
within 10 "by its name" answers "Welcome to nginx" a http://named:8080/
within 10 "by its external address" answers "Welcome to nginx" a http://203.0.113.9:8080/
if filters; then within 15 "an address of no service is not answered" silent a 10.111.222.33 80; fi

say "addresses: static, taken, out of range, given back"
k create service clusterip one --tcp=80 --clusterip=10.96.77.7 >/dev/null
fails k create service clusterip two --tcp=80 --clusterip=10.96.77.7
has "taken" 'spec.clusterIPs: Invalid value: []string{"10.96.77.7"}: failed to allocate IP 10.96.77.7: provided IP is already allocated' "$out"
fails k create service clusterip two --tcp=80 --clusterip=10.1.1.1
has "out of range" 'the provided IP (10.1.1.1) is not in the valid range. The range of valid IPs is 10.96.0.0/12' "$out"
k delete service one >/dev/null
k create service clusterip two --tcp=80 --clusterip=10.96.77.7 >/dev/null
fails k create service nodeport three --tcp=80 --node-port=$taken
has "taken node port" "provided port is already allocated" "$out"
fails k create service nodeport three --tcp=80 --node-port=40000
has "out of range" "provided port is not in the valid range. The range of valid ports is 30000-32767" "$out"
