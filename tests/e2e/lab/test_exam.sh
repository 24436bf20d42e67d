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
within 60 "the clusters are gone" gone
out=$(lab exam status)
has "the result" "exam 1: 7 of 7 points (100%)" "$out"
has "in the history" "(exam 1)" "$(lab history)"
within 10 "nobody keeps time" not has_keeper

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
has "nothing is under way" "no lab is under way" "$out"
