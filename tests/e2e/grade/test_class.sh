#!/bin/bash
# A class is judged: every form of submission, everything hostile that we could think of, in parallel; each gets its score, none harms
# another or the grader, and judging again gives the same.
. "$SOURCE_DIR/tests/e2e/lib.sh"
. "$SOURCE_DIR/tests/e2e/grade/class.sh"
command -v jq >/dev/null && command -v python3 >/dev/null || { echo "skipped: needs jq and python3"; exit 77; }
export TMPDIR="$WORK" STOWAGE_DATA="$WORK/data"
grade() { "$STOWAGE" grade --quiet --book "$WORK/book.db" "$@"; }
fingerprint() { find "$WORK/lab" "$WORK/subs" -type f -size -1M -exec sha256sum {} + | sort; }

small_lab "$WORK/lab"
mkdir "$WORK/subs"
echo CANARY-4711 >"$WORK/secret"
good_students "$WORK/subs"
hostile_students "$WORK/subs"
LC_ALL=C sort -o "$WORK/expected" "$WORK/expected"
fingerprint >"$WORK/before"

say "$(wc -l <"$WORK/expected") submissions, each with its points"
grade --timeout 20s --cpu 5s --disk 16Mi --memory 128Mi --pids 64 --cluster-memory 512Mi --out "$WORK/out" --format table "$WORK/lab" "$WORK/subs" >"$WORK/table" || die "$(cat "$WORK/table")"
results "$WORK/out/results.json" >"$WORK/seen"
diff "$WORK/expected" "$WORK/seen" || die "other results (expected <, seen >): $(jq -c '.students[] | {student, error, remarks, notes: [.report.steps[].notes]}' "$WORK/out/results.json")"

say "nothing was harmed, nothing was told"
fingerprint | diff "$WORK/before" - || die "the lab or a submission has changed"
[ ! -e "$WORK/subs/x" ] || die "a file was written beside the submissions"
lacks "the secret" CANARY-4711 "$(cat "$WORK"/out/*.* "$WORK"/out/students/*/*)"
within 30 "nothing of it runs any more" not pgrep -f 'sleep 1000000'

say "what was wrong is explained"
why() { jq -r --arg s "$1" '.students[] | select(.student == $s) | [.error, .report.refused, .remarks[], (.report.steps[] | .notes[]? | .says), (.report.steps[].checks[] | .observed)] | map(select(. != null)) | join("\n")' "$WORK/out/results.json"; }
has "hangs" "still running when the time was over" "$(why hangs)"
has "dots" "leads out of the submission" "$(why dots)"
has "bomb" "more than 4 MiB in a file" "$(why tar-bomb)"
has "zip" "this zip archive is damaged" "$(why not-a-zip)"
has "yaml" "m.yaml: yaml: line" "$(why malformed)"
has "links" "no plain file, so it was left out" "$(why links)"
has "laughs" "excessive aliasing" "$(why laughs)"
has "wrong" "small" "$(why wrong)"
has "script" "it ended with 3" "$(why prints)"
eq "a pod that forks takes nothing from its student's script" "" "$(why pod-forks)"

say "the forms: what a student wrote is text"
out=$(cat "$WORK/out/results.html")
has "escaped" "&lt;b&gt;=1+1" "$out"
lacks "no markup of theirs" "<script>" "$out"
has "expected beside observed" "<td><pre>cm/m {.data.size}: big</pre></td><td><pre>small</pre></td>" "$out"
has "title" "Small &amp; &lt;b&gt;smaller" "$out"
has "no formula" '"'"'"'=1+1' "$(sed 's/<b>//' "$WORK/out/results.csv" | sed 's/^"=/"'"'"'=/')"
lacks "no codes" "$(printf '\033')" "$(cat "$WORK/table" "$WORK/out/results.txt" "$WORK/out/results.csv")"
python3 - "$WORK/out" <<'P' || die "a form is not what it must be"
import csv, json, sys, xml.dom.minidom
out = sys.argv[1]
rows = list(csv.DictReader(open(out + "/results.csv", newline="")))
assert any(r["student"] == "folder" and r["points"] == "4" and r["make"] == "3" and r["ask"] == "1" for r in rows), rows
assert len(xml.dom.minidom.parse(out + "/junit.xml").getElementsByTagName("testsuite")) == len(rows)
g = json.load(open(out + "/students/wrong/gradescope.json"))
assert g["score"] == 1 and sum(t["max_score"] for t in g["tests"]) == 4 and g["tests"][0]["status"] == "failed", g
c = json.load(open(out + "/students/tar.tar/classroom.json"))
assert c["version"] == 1 and c["status"] == "pass" and c["max_score"] == 4 and len(c["tests"]) == 2, c
n = {r["student_id"]: r for r in json.load(open(out + "/nbgrader.json"))}
assert n["wrong"]["raw_score"] == 1 and n["wrong"]["max_score"] == 4 and n["wrong"]["assignment"] == "lab", n
P

say "again: the same, but for times"
# Which of two limits a loop meets first is for the machine's load to say.
limits='it used more of the processor than it may (--cpu)|it was still running when the time was over'
same() { jq -S 'del(.graded, .seconds, .students[].ms, .students[].report.steps[].checks[].ms)' "$1" | sed -E "s/${limits//[()]/.}/its time was over/"; }
grade --timeout 20s --cpu 5s --disk 16Mi --memory 128Mi --pids 64 --cluster-memory 512Mi --jobs 3 --out "$WORK/again" "$WORK/lab" "$WORK/subs" >/dev/null
same "$WORK/out/results.json" >"$WORK/first.json"
same "$WORK/again/results.json" | diff "$WORK/first.json" - || die "another result"

say "a pod that fills its disk ends its cluster, and no more"
mkdir "$WORK/filler"
subs=$WORK/filler
{
    pod 'i=0; while :; do dd if=/dev/zero of=/data/$i bs=1M count=64 conv=fsync; i=$((i + 1)); done'
    echo 'while kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done'
} | script fills 0 good
grade --no-book --timeout 10m --cluster-disk 512Mi --format json "$WORK/lab" "$WORK/filler" >"$WORK/filled.json"
eq "refused" "fills 0 refused" "$(results "$WORK/filled.json")"
has "why" "wrote more to disks than they may" "$(cat "$WORK/filled.json")"

say "the gradebook remembers both"
eq "twice" 2 "$("$STOWAGE" grade history --book "$WORK/book.db" lab --student folder | grep -c '100.0  4/4  graded')"
eq "nobody" "" "$("$STOWAGE" grade history --book "$WORK/book.db" other)"
