#!/bin/sh
# Pods that a node runs because of a file of its own, and probes over gRPC.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- "$@"; }
running() { value_is true k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].ready}'; }
uid() { k get pod web-node01 -o 'jsonpath={.metadata.uid}'; }

say "a manifest becomes a pod"
cat >web.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: busybox, command: [sleep, "100000"]}]
YAML
sed 's/name: web/name: hidden/' web.yaml | on_node sh -c 'cat >/etc/kubernetes/manifests/.web.yaml.bak'
on_node sh -c 'cat >/etc/kubernetes/manifests/web.yaml' <web.yaml
within 20 "mirror" running web-node01
eq "no file that is hidden" "" "$(k get pod hidden-node01 --ignore-not-found -o name)"
eq "source" file "$(k get pod web-node01 -o 'jsonpath={.metadata.annotations.kubernetes\.io/config\.source}')"
eq "owner" "Node node01" "$(k get pod web-node01 -o 'jsonpath={.metadata.ownerReferences[0].kind} {.metadata.ownerReferences[0].name}')"

say "its mirror deleted, it comes again, and the container did not notice"
eq "logs by the hash" "default_web-node01_$(k get pod web-node01 -o 'jsonpath={.metadata.annotations.kubernetes\.io/config\.hash}')" \
    "$(on_node sh -c 'cd /var/log/pods && ls -d default_web-node01_*')"
container() { k get pod web-node01 -o 'jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {.status.startTime}'; }
first=$(uid) before=$(container)
k exec web-node01 -- touch /mine
k delete pod web-node01 >/dev/null
within 20 "again" running web-node01
second=$(uid)
[ "$first" != "$second" ] || die "the same mirror"
eq "the same container" "$before" "$(container)"
k exec web-node01 -- test -e /mine
k delete pod web-node01 --force --grace-period=0 >/dev/null 2>&1
within 20 "again" running web-node01
eq "forced, too" "$before" "$(container)"

say "changed, it is another; without its file it is gone"
sed 's/app: web/app: changed/' web.yaml | on_node sh -c 'cat >/etc/kubernetes/manifests/web.yaml'
within 20 "changed" value_is changed k get pod web-node01 -o 'jsonpath={.metadata.labels.app}'
on_node rm /etc/kubernetes/manifests/web.yaml
within 20 "gone" value_is "" k get pod web-node01 --ignore-not-found -o name

say "a gRPC health check: of a server that says SERVING, of one that is none"
k apply -f - <<'YAML' >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: serving}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command:
    - sh
    - -c
    - |
      printf '\000\000\000\004\000\000\000\000\000\000\000\023\001\004\000\000\000\001\210\137\020application/grpc' >/a
      printf '\000\000\007\000\000\000\000\000\001\000\000\000\000\002\010\001' >>/a
      printf '\000\000\017\001\005\000\000\000\001\000\013grpc-status\0010' >>/a
      exec nc -ll -p 5000 -e sh -c 'cat /a; sleep 1'
    readinessProbe: {grpc: {port: 5000}, periodSeconds: 1, timeoutSeconds: 60}
---
apiVersion: v1
kind: Pod
metadata: {name: silent}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sleep, "100000"]
    readinessProbe: {grpc: {port: 5000}, periodSeconds: 1}
YAML
within 20 "serving" running serving
within 20 "silent" event_says silent 'Readiness probe failed: timeout: failed to connect service'
running silent && die "ready without an answer"
exit 0
