#!/bin/bash
# `lab exam`: tasks in any order, each with a cluster of its own, no help; a clock that no kill and no restart resets; it ends by
# itself, what comes late does not count, and the result stays.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export STOWAGE_DATA="$WORK/mine" STOWAGE_LABS="$WORK/labs"
lab() { "$STOWAGE" lab "$@"; }
clusters() { find "$WORK/mine/labs" -maxdepth 1 -name 'task-*' 2>/dev/null; }
end() {
    code=$?
    lab exam end >/dev/null 2>&1 || true
    for task in $(clusters); do "$STOWAGE" down --data "$task/data" >/dev/null 2>&1 || true; done
    finish "$code"
}
trap end EXIT
book() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30); c.execute(sys.argv[2]); c.commit()' "$WORK/mine/labs/book.db" "$1"; }
keepers() { pgrep -f "lab exam keep-tim[e]" | while read -r p; do grep -qzxF "STOWAGE_DATA=$STOWAGE_DATA" "/proc/$p/environ" && echo "$p"; done; }

has_keeper() { [ -n "$(keepers)" ]; }
# of 31 minutes, on a machine that may take some of them for a cluster
in_time() { lab exam status | grep -Eq '^(3[01]|2[0-9])m'; }

for name in one two; do
    mkdir -p "$WORK/labs/$name"
    cat >"$WORK/labs/$name/lab.yaml" <<Y
title: Lab $name
minutes: 20
cluster: {profile: none, nodes: 1}
steps:
- name: map
  title: A map in $name
  hints: [{text: Make it.}]
  checks:
  - {name: there, points: 3, within: 1s, jsonpath: {of: cm/$name, path: '{.data.a}', is: b}}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: $name}, data: {a: b}}]
- name: more
  title: More in $name
  checks:
  - {name: there too, points: 2, within: 1s, jsonpath: {of: cm/more, path: '{.data.a}', is: b}}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: more}, data: {a: b}}]
Y
done
in_task() { KUBECONFIG="$WORK/mine/labs/task-$1/data/kubeconfig" k "${@:2}"; }

say "an exam of two tasks, one of them a single step"
fails lab exam status
has "what to do" "lab exam" "$out"
fails lab exam one two:nothing
has "which step" 'no step "nothing"' "$out"
out=$(lab exam one two:more)
has "its time" "exam of 31 minutes, with 2 tasks" "$out"
has "the first task" "A map in one" "$out"
in_time || die "$(lab exam status)"
out=$(lab exam status)
has "points there are" "one  0 of 5 points  step 1 of 2" "$out"
has "the other task" "two:more  0 of 2 points  not begun" "$out"
for word in hint solution stop; do
    fails lab $word
    has "no help" "not to be had in an exam" "$out"
done
fails lab start one
within 10 "somebody keeps the time" has_keeper

say "in any order"
out=$(lab exam task 2)
has "the second task" "More in two" "$out"
eq "what comes before the step is done" b "$(in_task 2 get cm two -o 'jsonpath={.data.a}')"
in_task 2 create configmap more --from-literal=a=b >/dev/null
out=$(lab check) || die "$out"
has "that was all of it" "This task is done" "$out"
out=$(lab exam task 1)
has "back in the first" "A map in one" "$out"

say "a reset, a killed cluster, a killed timekeeper: the clock goes on"
in_task 1 create configmap wrong --from-literal=a=b >/dev/null
lab reset >/dev/null
fails in_task 1 get configmap wrong
kill -9 "$("$STOWAGE" status --data "$WORK/mine/labs/task-1/data" | sed -n 's,^process *,,p')"
for p in $(keepers); do kill -9 "$p"; done
in_time || die "$(lab exam status)"
in_task 1 create configmap one --from-literal=a=b >/dev/null 2>&1 || { lab text >/dev/null; in_task 1 create configmap one --from-literal=a=b >/dev/null; }
out=$(lab check) || die "$out"
has "the next step" "More in one" "$out"
within 10 "there is a timekeeper again" has_keeper

say "the time is over: judged as it stands, by itself"
in_task 1 create configmap more --from-literal=a=b >/dev/null
book "UPDATE exam SET until = CAST(strftime('%s', 'now') AS INTEGER)"
gone() { [ -z "$(clusters)" ]; }
within 90 "the clusters are gone" gone
out=$(lab exam status)
has "the result" "exam 1: 7 of 7 points (100%)" "$out"
has "in the history" "(exam 1)" "$(lab history)"
within 30 "nobody keeps time" not has_keeper
for word in check submit text; do
    fails lab $word
    has "$word: it is over" "The time is over" "$out"
    has "$word: the final score" "exam 1: 7 of 7 points (100%)" "$out"
done

say "what comes late does not count"
lab exam one --minutes 60 >/dev/null
for p in $(keepers); do kill -9 "$p"; done
in_task 3 create configmap one --from-literal=a=b >/dev/null
book "UPDATE exam SET until = CAST(strftime('%s', 'now') AS INTEGER) - 1 WHERE ended = 0"
code=0
out=$(lab check) || code=$?
eq "exit code" 1 "$code"
has "said" "The time is over" "$out"
has "nothing of it" "exam 2: 0 of 5 points (0%)" "$out"
within 30 "its cluster is gone" gone

say "ended by hand"
lab exam two --minutes 5 >/dev/null
in_task 4 create configmap two --from-literal=a=b >/dev/null
out=$(lab exam end)
has "judged" "exam 3: 3 of 5 points (60%)" "$out"
fails lab check
has "said" "The exam is over" "$out"
has "it stays" "exam 3: 3 of 5 points (60%)" "$out"

say "nobody there at the end: each cluster lets nothing be changed from then on, and how it stood counts"
# seal TASK WHEN: as its own clock does at that moment
seal() { python3 -c 'import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])
s.send(json.dumps({"op": "seal", "at": int(sys.argv[2])}).encode()); assert b"pass" in s.recv(65536)' "$WORK/mine/labs/task-$1/data/run/control.sock" "$2"; }
lab exam one two --minutes 60 >/dev/null
lab exam task 2 >/dev/null
for p in $(keepers); do kill -9 "$p"; done
eq "each knows its end" "$(jq .at "$WORK"/mine/labs/task-5/data/seal.json)" "$(jq .at "$WORK"/mine/labs/task-6/data/seal.json)"
in_task 5 create configmap one --from-literal=a=b >/dev/null
in_task 6 create configmap two --from-literal=a=b >/dev/null
inside=
if [ -z "$("$STOWAGE" status --json --data "$WORK/mine/labs/task-5/data" | jq -r '.simulated // empty')" ]; then # there are pods
    in_task 5 run inside --image=busybox --restart=Never -- sleep 1000000 >/dev/null
    in_task 5 wait --for=condition=Ready pod/inside --timeout=100s >/dev/null
    mkfifo "$WORK/typed"
    in_task 5 exec -i inside -- sh -c 'echo begun; cat' <"$WORK/typed" >"$WORK/said" 2>&1 &
    inside=$!
    exec 4>"$WORK/typed"
    within 20 "a shell in a pod" grep -q begun "$WORK/said"
    code=0
    "$STOWAGE" shell --data "$WORK/mine/labs/task-5/data" -- sh -c 'exit 3' || code=$?
    eq "a shell on a node tells its exit code" 3 "$code"
    mkfifo "$WORK/on-node"
    "$STOWAGE" shell --data "$WORK/mine/labs/task-5/data" -- sh -c 'echo begun; cat' <"$WORK/on-node" >"$WORK/node-said" 2>&1 &
    on_node=$!
    exec 5>"$WORK/on-node"
    within 20 "one that stays open" grep -q begun "$WORK/node-said"
fi
now=$(date +%s)
for task in 5 6; do seal $task "$now"; done
if [ -n "$inside" ]; then
    within 20 "and the one on the node" not kill -0 "$on_node"
    exec 5>&-
    has "which says why" "the exam is over" "$(cat "$WORK/node-said")"
    within 20 "it has ended with the exam" not kill -0 "$inside"
    exec 4>&-
fi
fails in_task 5 delete configmap one
has "nothing is changed" "the exam is over" "$out"
fails in_task 5 apply --server-side -f - <<<'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}, "data": {"a": "b"}}'
has "nor made" "the exam is over" "$out"
fails "$STOWAGE" shell --data "$WORK/mine/labs/task-5/data" -- true
has "nor by a node" "the exam is over" "$out"
fails "$STOWAGE" checkpoint restore lab-step --data "$WORK/mine/labs/task-5/data"
has "nor taken back" "the exam is over" "$out"
eq "but looked at" b "$(in_task 5 get configmap one -o 'jsonpath={.data.a}')"
kill -9 "$("$STOWAGE" status --data "$WORK/mine/labs/task-5/data" | sed -n 's,^process *,,p')"
# who ended it got as far as the second task, and was killed
book "UPDATE exam SET until = $now WHERE ended = 0; "
book "UPDATE attempt SET ended = $now WHERE id = 6"
fails lab check
has "the first as it stood" "one  3 of 5 points" "$out"
has "the second as it was judged" "two  0 of 5 points" "$out"
has "the whole" "exam 4: 3 of 10 points (30%)" "$out"
within 30 "the clusters are gone" gone
