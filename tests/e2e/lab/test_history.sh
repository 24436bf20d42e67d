#!/bin/bash
# Checks that look at what became of objects, not only at what is there in the end: what was deleted and made again, in which order,
# and what a claim was before it was bound. Each says what it saw.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK"
lab=$WORK/past

# lab_with SOLUTION: a lab about a map that must be replaced, and one that must not
lab_with() {
    mkdir -p "$lab"
    cat >"$lab/lab.yaml" <<Y
title: Past
cluster: {profile: none, nodes: 1}
setup:
- objects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: old, labels: {of: past}}, data: {size: small}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {size: small}}
steps:
- name: one
  checks:
  - name: gone and made again
    within: 3s
    history:
    - {of: cm/old, with: {data: {size: small}}}
    - {of: cm/old, is: deleted}
    - {of: cm/old, is: created, with: {data: {size: big}}}
  - name: old went before new came
    within: 3s
    history:
    - {of: configmap, selector: of=past, is: deleted}
    - {of: cm/new, is: created}
  - {name: kept has another size, within: 3s, history: [{of: cm/kept, is: changed, with: {data: {size: big}}}]}
  - {name: kept is kept, within: 3s, same: {of: cm/kept}}
  - {name: old is another, within: 3s, recreated: {of: cm/old}}
  solution:
  - run: |
$(printf '%s\n' "$1" | sed 's/^/      /')
Y
}
judged() {
    code=0
    "$STOWAGE" run "$lab" >"$WORK/out" 2>&1 || code=$?
    out=$(cat "$WORK/out")
}
new='kubectl create cm new'
again='kubectl create cm old --from-literal=size=big'
grow="kubectl patch cm kept -p '{\"data\": {\"size\": \"big\"}}'"

say "as it should be"
lab_with "kubectl delete cm old
$new
$again
$grow"
judged
has "all five" "100 of 100" "$out"

say "the same end by another way: changed in place, deleted too late, made anew instead of changed"
lab_with "$new
kubectl patch cm old -p '{\"data\": {\"size\": \"big\"}}'
kubectl delete cm kept
kubectl create cm kept --from-literal=size=big"
judged
eq "exit code" 1 "$code"
has "seen" "observed  cm/old: there, changed" "$out"
has "wanted" 'since the step began: cm/old there with {"data":{"size":"small"}}, then cm/old deleted, then cm/old created' "$out"
has "not deleted" "configmap (of=past): there, changed" "$out"
has "another" "cm/kept is the one that was there when the step began" "$out"
has "created" "it is another one, created 20" "$out"
has "the same" "it is the same" "$out"
lacks "none passed" "  ok  " "$out"

say "the order counts"
lab_with "$new
kubectl delete cm old
$again
$grow"
judged
has "four of five" "80 of 100" "$out"
has "which" "FAIL old went before new came" "$out"

say "a student: what was done before a reset does not count; a cluster that was killed says that it has forgotten"
export STOWAGE_DATA="$WORK/mine"
mine=$WORK/mine/labs/cluster/data
end() { code=$?; "$STOWAGE" down --data "$mine" >/dev/null 2>&1 || true; finish $code; }
trap end EXIT
up() { k --kubeconfig "$mine/kubeconfig" get --raw /readyz; }
solve() { env KUBECONFIG="$mine/kubeconfig" bash -ec "$(printf 'kubectl delete cm old\n%s\n%s\n%s' "$new" "$again" "$grow")" >/dev/null; }
"$STOWAGE" lab start "$lab" >/dev/null
solve
"$STOWAGE" lab reset >/dev/null
fails "$STOWAGE" lab check
has "undone" "observed  cm/old: there" "$out"
solve
out=$("$STOWAGE" lab check)
has "done again" "5 of 5 points" "$("$STOWAGE" lab status)"
"$STOWAGE" lab stop >/dev/null
"$STOWAGE" lab start "$lab" >/dev/null
solve
pid=$("$STOWAGE" status --data "$mine" | sed -n 's,^process *,,p')
kill -9 "$pid"
within 30 "it is down" not up
fails "$STOWAGE" lab check
has "forgotten" "has forgotten what was before: begin the step anew" "$out"
has "but who is who is known" "ok   kept is kept" "$out"
"$STOWAGE" lab reset >/dev/null
solve
"$STOWAGE" lab check >/dev/null
has "all" "5 of 5 points" "$("$STOWAGE" lab status)"
"$STOWAGE" lab stop >/dev/null
