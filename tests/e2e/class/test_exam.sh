#!/bin/bash
# A class's exam: the tasks of everybody in a variant of his own, against the clock; a stop leaves nobody who keeps the time.
. "$SOURCE_DIR/tests/e2e/class/class.sh"
class start small:make other --exam --minutes 60 --students 2 --quiet >/dev/null
eq "tasks" "make other" "$(class status -o json | jq -r '[.tasks[] | .only // .lab] | join(" ")')"
eq "points that can be had" 7 "$(class status -o json | jq .of)"
eq "seeds" "student-01 student-02" "$(class status -o json | jq -r '[.students[].tasks[0].seed] | join(" ")')"
fails as student-01 hint
has "no help" "exam" "$out"

say "a task is done"
export KUBECONFIG
KUBECONFIG=$(told student-01 .kubeconfig)
k create configmap m --from-literal=size="$(as student-01 text | sed -n 's/.*the size \([0-9]Gi\).*/\1/p')" >/dev/null
as student-01 check >/dev/null
eq "student-01" "done 3" "$(told student-01 '"\(.tasks[0].state) \(.points)"')"
eq "student-02" "working 0" "$(told student-02 '"\(.tasks[0].state) \(.points)"')"
fails class next
has "no next" "any order" "$out"

say "stopped, and on again"
class stop --quiet
assert_nothing_left
keeps_time() {
    for pid in $(pgrep -f 'lab exam keep-time'); do
        if grep -qsF "$WORK" "/proc/$pid/environ"; then return 0; fi
    done
    return 1
}
within 10 "nobody keeps the time" not keeps_time
class start --quiet >/dev/null
eq "student-01" "up done 3" "$(told student-01 '"\(.cluster) \(.tasks[0].state) \(.points)"')"
eq "the same time" 3600 "$("$STOWAGE" class status -o json | jq '.minutes * 60')"
as student-01 exam end >/dev/null
eq "over" "no lab" "$(told student-01 .cluster)"
eq "points" "3 of 7" "$(class export --lab small:make --format json | jq -r '.students[0].report | "\(.points)"') of $(class status -o json | jq .of)"
