#!/bin/bash
# `lab reset`: back to where the step began, objects and bytes of volumes, from a checkpoint; answers too, points stay. It works
# again and again, after the cluster was killed, and by playing where there is no checkpoint.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export STOWAGE_DATA="$WORK/mine" STOWAGE_LABS="$WORK/labs"
lab() { "$STOWAGE" lab "$@"; }
end() { code=$?; "$STOWAGE" down --data "$WORK/mine/labs/cluster/data" >/dev/null 2>&1 || true; finish $code; }
trap end EXIT

mkdir -p "$WORK/labs/pages"
cat >"$WORK/labs/pages/lab.yaml" <<'Y'
title: Pages
cluster: {profile: eks, nodes: 2}
steps:
- name: write
  title: Write a page
  setup:
  - objects:
    - {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
    - apiVersion: v1
      kind: Pod
      metadata: {name: web}
      spec:
        terminationGracePeriodSeconds: 0
        containers: [{name: c, image: busybox, command: [sleep, "1000000"], volumeMounts: [{name: d, mountPath: /d}]}]
        volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
  checks:
  - {name: a page, points: 2, exec: {pod: web, command: 'grep -qx first /d/page'}}
  solution:
  - run: kubectl wait --for=condition=Ready pod/web --timeout=100s && kubectl exec web -- sh -c 'echo first > /d/page'
- name: keep
  title: Keep it
  checks:
  - {name: a map, jsonpath: {of: cm/kept, path: '{.data.a}', is: b}, within: 1s}
  - {name: what, quiz: {ask: What?, answer: yes it is}}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: b}}]
  - answer: {check: what, with: yes it is}
Y

say "the second step"
lab start pages >"$WORK/out" || die "$(cat "$WORK/out")"
export KUBECONFIG="$WORK/mine/labs/cluster/data/kubeconfig"
data="$WORK/mine/labs/cluster/data"
k wait --for=condition=Ready pod/web --timeout=100s >/dev/null
k exec web -- sh -c 'echo first >/d/page; sync'
out=$(lab check) || die "$out"
has "goes on" "Keep it" "$out"
has "kept" lab-step "$("$STOWAGE" checkpoint ls --data "$data")"
out=$(lab status)
has "the steps" "done 1. Write a page: 2 of 2 points" "$out"
has "the one it is at" "-> 2. Keep it: 0 of 2 points" "$out"
has "the way back" "lab reset" "$out"

page() { k exec web -- cat /d/page; }
spoil() {
    k exec web -- sh -c 'echo spoilt >/d/page; echo more >/d/other; sync'
    k create configmap mine --from-literal=x=y >/dev/null
    lab answer wrong >/dev/null
}
is_back() {
    fails k get configmap mine
    k wait --for=condition=Ready pod/web --timeout=100s >/dev/null
    eq "the page" first "$(page)"
    eq "other files" "lost+found page " "$(k exec web -- ls /d | tr '\n' ' ')"
    out=$(lab check) && die "it passed: $out"
    has "no answer" "what" "$out"
    lacks "an answer given before" wrong "$out"
    has "points stay" "pages: 2 of 4 points" "$(lab status)"
}
say "spoilt, and back: twice"
for _ in 1 2; do
    spoil
    out=$(lab reset) || die "$out"
    has "the step again" "Keep it" "$out"
    is_back
done

say "the claim and its pod are gone, and come back with their bytes"
uid=$(k get pvc data -o 'jsonpath={.metadata.uid}')
k delete pod web --now >/dev/null
k delete pvc data >/dev/null
k create configmap mine --from-literal=x=y >/dev/null
lab reset >/dev/null
is_back
eq "the same claim" "$uid" "$(k get pvc data -o 'jsonpath={.metadata.uid}')"

say "the cluster was killed"
spoil
pid=$("$STOWAGE" status --data "$data" | sed -n 's,^process *,,p')
kill -9 "$pid"
within 30 "it is down" not kill -0 "$pid"
lab reset >/dev/null
is_back

say "no checkpoint: it is played"
spoil
"$STOWAGE" checkpoint rm lab-step --data "$data" >/dev/null
lab reset >/dev/null
is_back
has "kept again" lab-step "$("$STOWAGE" checkpoint ls --data "$data")"
lab stop >/dev/null
[ ! -e "$data" ] || die "the cluster's folder is still there"
