#!/bin/bash
# What is reached at a node: node ports and host ports, from pods, other nodes and the node itself; pods on the node's network.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
filters || { echo "skipped: this kernel has no nf_tables"; exit 77; }
cluster --nodes 2
caller here controlplane
caller there node01
page web
k expose deployment web --port 80 --name np --type NodePort >/dev/null
port=$(field service np '.spec.ports[0].nodePort')
on() { node=$1; shift; "$STOWAGE" shell --data "$WORK/data" "$node" -- "$@" </dev/null; }
ready pod/here pod/there
first=$(field node controlplane '.status.addresses[0].address')
second=$(field node node01 '.status.addresses[0].address')

say "a node port, at each node, from each"
for from in here there; do
    for node in "$first" "$second"; do
        within 10 "$from at $node" answers "web " $from "http://$node:$port/"
    done
done
within 10 "from a node at itself" sh -c "'$STOWAGE' shell --data '$WORK/data' node01 -- curl -s -m 5 http://127.0.0.1:$port/ </dev/null | grep -q '^web '"
within 10 "from a node at another" sh -c "'$STOWAGE' shell --data '$WORK/data' node01 -- curl -s -m 5 http://$first:$port/ </dev/null | grep -q '^web '"
within 10 "from a node by the service's address" sh -c "'$STOWAGE' shell --data '$WORK/data' node01 -- curl -s -m 5 http://$(field service web .spec.clusterIP)/ </dev/null | grep -q '^web '"

say "a host port: at its node alone"
k run hosted --image=nginx --overrides='{"spec":{"nodeName":"node01","containers":[{"name":"hosted","image":"nginx","ports":[{"containerPort":80,"hostPort":8081}]}]}}' >/dev/null
ready pod/hosted
for from in here there; do
    within 10 "$from at its node" answers "Welcome to nginx" $from "http://$second:8081/"
    refused $from "$first" 8081 || die "$from is refused elsewhere"
done
within 10 "from the node itself" sh -c "'$STOWAGE' shell --data '$WORK/data' node01 -- curl -s -m 5 http://127.0.0.1:8081/ </dev/null | grep -q 'Welcome to nginx'"
k delete pod hosted --now >/dev/null
within 10 "gone with its pod" refused there "$second" 8081

say "the node's network"
k run onnode --image=nginx --overrides='{"spec":{"nodeName":"node01","hostNetwork":true,"containers":[{"name":"onnode","image":"nginx","ports":[{"containerPort":80}]}]}}' >/dev/null
ready pod/onnode
eq "its address" "$second" "$(field pod onnode .status.podIP)"
within 10 "from a pod of another node" answers "Welcome to nginx" here "http://$second/"
within 10 "from a pod of this node" answers "Welcome to nginx" there "http://$second/"
curl -s -m 3 "http://127.0.0.1:80/" | grep -q 'Welcome to nginx' && die "the user's own network has it"
k expose pod onnode --port 80 --name onnode >/dev/null
within 10 "by a service" answers "Welcome to nginx" here http://onnode/
within 10 "by a service, same node" answers "Welcome to nginx" there http://onnode/
