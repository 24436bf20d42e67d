#!/bin/bash
# kubectl get: every form of output, selectors, sorting, what is not there.
. "$SOURCE_DIR/tests/e2e/kubectl/compare.sh"
cluster --profile eks
k run p --image=nginx
k wait --for=condition=Ready pod/p --timeout=120s
k create configmap b --from-literal=a=1

same get pods
same get pods -A
same get nodes -o wide
same get po,svc
same get all
same get all -A
same get nothing
same get pods x
same get pods p x
same get pod/p svc/kubernetes
same get pod/p svc
same get pods -o yaml
same get pods -o json
same get pod p -o yaml
same get pod p -o json
same get pod p -o name
same get pods,svc -o name
same get pod p -o jsonpath='{.status.podIP}'
same get pods -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}'
same get pods -o custom-columns=A:.metadata.name,B:.spec.nodeName,C:.metadata.foo
same get pods -o custom-columns=A
same get nodes --sort-by=.metadata.name
same get nodes --sort-by=.metadata.creationTimestamp
same get nodes --show-labels
same get nodes -L kubernetes.io/hostname,foo
same get sc
same get pv
same get pvc
same get pvc -A
same get pods -l app=x
same get pods --field-selector status.phase=Running
same get pods --field-selector foo=bar
same get pods -l 'a in (b'
same get --raw /version
same get --raw /foo
same get
same get pods --no-headers
same get pods -n nope
same get pods --ignore-not-found nope
same get nope/x
same get pod/
same get pods a/b
same get pods -A p
same get pod,svc a
same get node node01 --show-kind
same get events
same get deployments.apps
same get deployments.v1.apps
same get deploy.v1.apps/x
same get cm -A -o wide
same get secrets -o yaml
same get ns default -o yaml
same get pods -o jsonpath
same get pods -o wide --server-print=false
same get nodes --subresource=status -o name
same get pod p -o jsonpath-as-json='{.spec.containers[*].image}'
same get csinodes,csidrivers
same get pods -lfoo -ojson
same get pods -s https://127.0.0.1:1
same get pods,svc -w
same get nodes -o jsonpath-file=/nope
same get pods --as=nobody
same get pods --user=nobody
mkdir "$WORK/empty"
same create -f "$WORK/empty"

# A watch shows what is there and what comes, in columns that stay.
"$STOWAGE" kubectl get configmaps -w >"$WORK/watch" 2>&1 &
watcher=$!
within 10 "the list is out" grep -q '^b ' "$WORK/watch"
k create configmap later >/dev/null
within 10 "the change is out" grep -q '^later ' "$WORK/watch"
kill "$watcher"
wait "$watcher" || true
compared
