#!/bin/bash
# A lab from the prompt: the prompt becomes the lab's and comes back; what is typed is recorded, and can be given to a prompt again.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK/tmp" STOWAGE_DATA="$WORK/user"
mkdir -p "$TMPDIR" "$WORK/small"
cat >"$WORK/small/lab.yaml" <<Y
title: Small
cluster: {profile: none, nodes: 1}
steps:
- name: one
  text: Make a ConfigMap named m with x=y.
  hints:
  - text: It has a key.
  checks:
  - {name: it is there, points: 5, jsonpath: {of: cm/m, path: '{.data.x}', is: "y"}}
  solution:
  - objects:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {x: "y"}}
Y
finish_lab() { "$STOWAGE" lab stop >/dev/null 2>&1 || true; }
trap 'code=$?; finish_lab; finish $code' EXIT

say "start, help, check"
out=$("$STOWAGE" repl --nodes 1 -c "get ns -o name | wc -l
lab start $WORK/small
get nodes -o name
check
hint
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
data: {x: \"y\"}
---end
get cm m -o jsonpath={.data.x} && check" 2>&1) || die "the lab: $out"
has "its cluster" "node/" "$out"
has "a hint" "It has a key." "$out"
has "made" "configmap/m created" "$out"
has "points" "5 of 5 points" "$out"

say "a prompt that is begun now is the lab's"
has "it has what was made" "configmap/m" "$("$STOWAGE" repl -c 'get cm -o name')"
eq "no other cluster was needed" "" "$(ls -A "$TMPDIR")"

say "the record"
log="$WORK/user/labs/session.jsonl"
eq "for its owner alone" 600 "$(stat -c %a "$log")"
eq "lines and exit codes" "get nodes -o name 0
check 1
hint 0
apiVersion: v1 0
get cm m -o jsonpath={.data.x} && check 0
get cm -o name 0" "$(jq -r '"\(.line | split("\n")[0]) \(.exit)"' "$log")"
eq "of this lab" "small default" "$(jq -r '"\(.lab) \(.namespace)"' "$log" | sort -u)"

say "given to a prompt again it does the same"
cluster --profile none --nodes 1
jq -r 'select(.exit == 0).line | select(test("check|hint") | not)' "$log" >"$WORK/again"
"$STOWAGE" repl -e --kubeconfig "$KUBECONFIG" "$WORK/again" >"$WORK/out" || die "again: $(cat "$WORK/out")"
eq "made anew" "y" "$(k get cm m -o 'jsonpath={.data.x}')"

say "stopped: the prompt has a cluster of its own again"
lacks "nothing of the lab" "configmap/m
" "$("$STOWAGE" repl --nodes 1 -c 'lab stop; get cm -o name')"
