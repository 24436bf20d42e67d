#!/bin/bash
# A student's way through a lab: each word, answers and points, a cluster that is killed in between, a step begun anew.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export STOWAGE_DATA="$WORK/mine" STOWAGE_LABS="$WORK/labs"
lab() { "$STOWAGE" lab "$@"; }
end() { code=$?; "$STOWAGE" down --data "$WORK/mine/labs/cluster/data" >/dev/null 2>&1 || true; finish $code; }
trap end EXIT
cluster_up() { KUBECONFIG="$WORK/mine/labs/cluster/data/kubeconfig" k get --raw /readyz; }

mkdir -p "$WORK/labs/small"
cat >"$WORK/labs/small/lab.yaml" <<'Y'
title: Small
cluster: {profile: none, nodes: 1}
variants: {size: [1Gi, 2Gi, 3Gi]}
steps:
- name: make
  title: Make it
  text: Make a map `m` with the size ${size}.
  setup:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: start}}]
  hints:
  - {text: It is a ConfigMap.}
  - {text: "kubectl create configmap", cost: 1}
  checks:
  - {name: it is there, points: 3, within: 1h, jsonpath: {of: cm/m, path: '{.data.size}', is: '${size}'}}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {size: '${size}'}}]
  - wait: {of: cm/m, path: '{.data.size}', is: '${size}'}
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: old}}]
    namespace: kube-public
  - run: mkdir -p /data
    node: controlplane
  - disk: {name: mine, zone: us-east-1b, size: 1Gi}
  - delete: {of: cm/old, namespace: kube-public, wait: false}
- name: ask
  title: A question
  checks:
  - {name: kind, quiz: {ask: What is m?, answer: [ConfigMap, cm]}}
  solution:
  - answer: {check: kind, with: cm}
Y

say "nothing is under way"
fails lab check
has "what to do" "stowage lab start" "$out"

say "start: the text, the cluster, the set-up"
out=$(lab start small)
has "title" "Make it" "$out"
has "variant" "the size 1Gi" "$out"
export KUBECONFIG="$WORK/mine/labs/cluster/data/kubeconfig"
has "said" "export KUBECONFIG=$KUBECONFIG" "$out"
eq "set up" start "$(k get cm start -o 'jsonpath={.metadata.name}')"
fails lab start small
has "one at a time" "small is under way" "$out"

say "check: what is wrong, beside what was expected; hints and their price"
code=0
out=$(timeout 900 "$STOWAGE" lab check) || code=$? # nobody waits an hour for what nobody does
eq "exit code" 1 "$code"
has "expected" "expected  cm/m {.data.size}: 1Gi" "$out"
has "observed" 'configmaps "m" not found' "$out"
has "first hint" "It is a ConfigMap." "$(lab hint)"
has "second hint" "it cost 1 point" "$(lab hint)"
fails lab hint
has "solution" "size: 1Gi" "$(lab solution)"
out=$(lab solution)
has "in which namespace" "kubectl apply -n kube-public -f - <<'EOF'" "$out"
has "on which node" "stowage shell controlplane <<'EOF'
mkdir -p /data
EOF" "$out"
has "a disk" "DISK_MINE=\$(stowage disk create --zone us-east-1b --size 1Gi --tag Name=mine)" "$out"
has "what is waited for" "kubectl wait cm/m '--for=jsonpath={.data.size}=1Gi' --timeout=60s" "$out"
has "a deletion that is not waited for" "kubectl delete cm/old -n kube-public --wait=false" "$out"

say "the cluster is killed: the next word starts it again, progress and objects are there"
k create cm m --from-literal=size=1Gi >/dev/null
pid=$("$STOWAGE" status --data "$WORK/mine/labs/cluster/data" | sed -n 's,^process *,,p')
kill -9 "$pid"
within 30 "it is down" not cluster_up
out=$(lab check)
has "passed" "ok   it is there (3 of 3)" "$out"
has "goes on" "A question" "$out"
has "score" "small: 2 of 4 points (hints took 1)" "$(lab status)"

say "a step begins anew: what came before is there, what was done since is not"
k create cm mine >/dev/null
lab reset >/dev/null
fails k get cm mine
eq "step one's work" 1Gi "$(k get cm m -o 'jsonpath={.data.size}')"

say "questions"
fails lab check
has "no answer" "no answer yet" "$out"
lacks "the answer is not given away" "ConfigMap, cm" "$out"
lab answer A  configmap. >/dev/null
fails lab check
lab answer  configmap. >/dev/null
out=$(lab check)
has "the end" "That was the last step" "$out"
has "score" "small: 3 of 4 points" "$out"

say "stop: the cluster goes, the result stays"
lab stop >/dev/null
[ ! -e "$WORK/mine/labs/cluster" ] || die "the cluster's folder is still there"
has "history" "small                           3 points" "$(lab history)"
fails lab status

say "a variant by name, and an end without points"
lab start --seed somebody small >/dev/null
lab next >/dev/null
has "no points" "small: 0 of 4 points" "$(lab stop)"
