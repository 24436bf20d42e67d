#!/bin/bash
# A class: each student's cluster, who is where and stuck on what; what is killed goes on; a stop leaves no process and all work.
. "$SOURCE_DIR/tests/e2e/class/class.sh"

say "who can not be a class"
fails class status
has "no class" "class start LAB" "$out"
printf 'alice\nalice\n' >"$WORK/who"
fails class start small --students "$WORK/who"
has "twice" "who:2: alice is there twice" "$out"
printf 'a/b\n' >"$WORK/who"
fails class start small --students "$WORK/who"
has "no folder" "can not be a folder's name" "$out"
fails class start none-such --students 2
fails class start small
has "whose" "--students" "$out"
[ ! -e "$room/class.json" ] || die "a class was made of nothing"

say "it begins"
printf 'name,mail\n# a remark\n\nalice,a@x\n"bob",b@x\n carol \nDave Ö\n' | sed 1d >"$WORK/who"
class start small other --students "$WORK/who" >"$WORK/handed" 2>"$WORK/said"
eq "links" 4 "$(grep -c '/console/login?code=.*view=labs' "$WORK/handed")"
eq "up" "up up up up" "$(class status -o json | jq -r '[.students[].cluster] | join(" ")')"
eq "whose variants" "alice bob carol Dave Ö" "$(class status -o json | jq -r '[.students[].tasks[0].seed] | join(" ")')"
fails class start small --students 3
has "one in a folder" "there is a class" "$out"
for student in alice bob carol; do
    its "$student" create configmap "of-$student" >/dev/null
    eq "a cluster of its own" "of-$student" "$(its "$student" get cm -o name | sed -n 's,configmap/\(of-.*\),\1,p')"
done

say "one is done with it, one is stuck, one has not looked"
as alice solution >"$WORK/solution"
its alice apply -f <(sed '/^kubectl/d; /^EOF/d' "$WORK/solution") >/dev/null
as alice check >/dev/null
as alice answer cm >/dev/null
as alice check >/dev/null
fails as bob check
as bob hint >/dev/null
fails as bob check
eq "alice" "done 4" "$(told alice '"\(.tasks[0].state) \(.points)"')"
eq "bob" "stuck 0 1 2" "$(told bob '"\(.state) \(.points) \(.hints) \(.stuck.tries)"')"
eq "on" "small make it is there" "$(told bob '"\(.stuck.lab) \(.stuck.step) \(.stuck.check)"')"
has "saw" "not found" "$(told bob .stuck.observed)"
[ "$(told bob .stuck.since)" -le "$(told bob .last)" ] || die "stuck since a time that is yet to come"
eq "carol" "working 0" "$(told carol '"\(.state) \(.points)"')"
has "a table" "Make it: it is there, " "$(class status)"
has "with marks" "## .." "$(class status | grep alice)"
has "a spreadsheet" '"bob",up,stuck,0,1,1' "$(class status -o csv)"

say "a cluster is killed: seen, started again, as it was"
server=$(its carol config view -o 'jsonpath={.clusters[0].cluster.server}')
kill -9 "$(process_of carol)"
within 10 "it is seen" value_is down told carol .cluster
class start --quiet >/dev/null
eq "up again" up "$(told carol .cluster)"
eq "what was made" of-carol "$(its carol get cm of-carol -o 'jsonpath={.metadata.name}')"
eq "where it was" "$server" "$(its carol config view -o 'jsonpath={.clusters[0].cluster.server}')"

say "the teacher's look at everybody's step counts, and is nothing that a student did"
its carol create configmap m --from-literal=size="$(as carol text | sed -n 's/.*the size \([0-9]Gi\).*/\1/p')" >/dev/null
last=$(told carol .last)
class grade --quiet --lab small --format json >"$WORK/grades.json"
eq "points" "alice 4, bob 0, carol 3, Dave Ö 0" "$(jq -r '[.students[] | "\(.student) \(.report.points)"] | join(", ")' "$WORK/grades.json")"
eq "carol did not look" "working $last" "$(told carol '"\(.state) \(.last)"')"
eq "nor is Dave stuck" working "$(told 'Dave Ö' .state)"

say "the gradebook"
class export --out "$WORK/out" >"$WORK/table"
has "a table a lab" "alice" "$(cat "$WORK/table")"
for file in small/results.csv small/results.html small/nbgrader.json small/students/bob/gradescope.json small/students/alice/classroom.json other/results.csv; do
    [ -s "$WORK/out/$file" ] || die "no $file"
done
has "csv" '"alice",graded,100,4,4,3,1' "$(cat "$WORK/out/small/results.csv")"
eq "gradescope" "0 failed" "$(jq -r '"\(.score | floor) \(.tests[0].status)"' "$WORK/out/small/students/bob/gradescope.json")"
has "kept" "alice" "$("$STOWAGE" grade history small --book "$room/book.db")"
fails class export --format csv
has "which lab" "--lab" "$out"

say "the next lab"
class next alice >/dev/null 2>&1
eq "alice" "done working 4" "$(told alice '"\(.tasks[0].state) \(.tasks[1].state) \(.points)"')"
fails its alice get cm of-alice
eq "bob stays" "stuck not begun" "$(told bob '"\(.tasks[0].state) \(.tasks[1].state)"')"
fails class next mallory
has "who" 'no student "mallory"' "$out"

say "stopped: no process, no mount, no loop device; the work is there"
class stop --quiet
assert_nothing_left
eq "seen" "stopped stopped stopped stopped" "$(class status -o json | jq -r '[.students[].cluster] | join(" ")')"
eq "points" "4 0 3 0" "$(class status -o json | jq -r '[.students[].points] | join(" ")')"

say "it goes on; its starter is killed in between"
"$STOWAGE" class start --quiet >/dev/null 2>&1 &
starter=$!
within 10 "it began" not value_is "stopped stopped stopped stopped" eval 'class status -o json | jq -r "[.students[].cluster] | join(\" \")"'
kill -9 "$starter"
wait "$starter" 2>/dev/null || true
class start --quiet >/dev/null
eq "all" "up up up up" "$(class status -o json | jq -r '[.students[].cluster] | join(" ")')"
eq "bob's" of-bob "$(its bob get cm of-bob -o 'jsonpath={.metadata.name}')"
eq "points" "4 0 3 0" "$(class status -o json | jq -r '[.students[].points] | join(" ")')"
