#!/bin/bash
# Verbs that look and wait, ours beside the real one: wait, events, top, auth.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
. "$SOURCE_DIR/tests/e2e/kubectl/same.sh"

k apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: busybox, command: [sleep, "10000"], volumeMounts: [{name: d, mountPath: /d}]}]
  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
YAML

say "wait: what comes true while it waits"
out=$(ours wait pod/web --for=condition=Ready --timeout=120s)
eq "ready" "pod/web condition met" "$out"
met() { # COMMAND that makes it true, WAIT ARGS...: perhaps before anybody waits for it on a busy machine, then it says nothing
    change=$1
    shift
    "$STOWAGE" kubectl wait "$@" --timeout=300s >"$WORK/waited" &
    waiter=$!
    sleep 1
    k $change configmap later >/dev/null
    wait $waiter
    [ "$(cat "$WORK/waited")" = "configmap/later condition met" ]
}
met create cm/later --for=create || die "created: $(cat "$WORK/waited")"
deleted() { k create configmap later || true; met delete cm/later --for=delete; }
within 30 "deleted" deleted

say "wait: what is so, or is not"
same wait pod/web --for=condition=Ready
same wait pods -l app=web --for=condition=ready
same wait pod/web --for=condition=Ready=false --timeout=1s
same wait pod/nothing --for=condition=Ready --timeout=1s
same wait pod -l app=nothing --for=condition=Ready --timeout=1s
same wait pvc/data '--for=jsonpath={.status.phase}=Bound'
same wait pvc/data '--for=jsonpath={.status.phase}'
same wait pvc/data '--for=jsonpath={.status.phase}=Lost' --timeout=1s
same wait pvc/data '--for=jsonpath={.status.capacity}=1' --timeout=1s
same wait pvc/data "--for=jsonpath='{.status.phase}'=Bound" --timeout=1s
same wait pvc/data '--for=jsonpath={.status.phase}=' --timeout=1s
same wait pod/nothing --for=delete
same wait pod/web --for=delete --timeout=1s
same wait pod/web --for=delete --timeout=0
same wait pod/web --for=condition=Ready=false --timeout=0
same wait pod/web --for=create
same wait pod/nothing --for=create --timeout=1s
same wait pod/web --for=foo
same wait pods --for=condition=Ready
same wait pod/web --for=condition=Ready -o name

say "events"
same events --types=Warning
same events --types=x
same events --for web
same events -n kube-public
of_web() { "$@" events --for pod/web --no-headers | awk '{$1=""; print}' | sort; }
same_events() { [ "$(of_web k)" = "$(of_web ours)" ]; }
within 10 "the events of a pod" same_events
ours events --for cm/seen --watch >"$WORK/watched" 2>&1 &
watcher=$!
seen() {
    k create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Event
metadata: {generateName: seen.}
involvedObject: {apiVersion: v1, kind: ConfigMap, name: seen, namespace: default}
reason: Seen
message: by a watcher
type: Normal
YAML
    grep -q "ConfigMap/seen   by a watcher" "$WORK/watched"
}
within 30 "the event" seen
kill $watcher
wait $watcher || true

say "top"
measured() { k top pod web; }
within 60 "metrics" measured
same top node --sort-by=x
same top node nothing
same top pod nothing
same top pod -n kube-public
same top node --no-headers
same top node node01
same top pod -A --containers
same top pod web --sum

say "auth"
for words in 'create pods' 'get pods/web --subresource=log' 'list nodes' 'foo pods' 'get /healthz' 'get nothing' --list get 'get pods -q' \
    'list pods -A'; do
    same auth can-i $words
done
same auth whoami
same auth whoami -o yaml
