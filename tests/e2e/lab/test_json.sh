#!/bin/bash
# Labs as JSON: every word tells where one is; nothing is told too early; progress comes as lines; a look starts nothing.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export STOWAGE_DATA="$WORK/mine" STOWAGE_LABS="$WORK/labs"
end() {
    code=$?
    set +e
    "$STOWAGE" lab exam end >/dev/null 2>&1 || true
    for data in "$WORK"/mine/labs/*/data; do "$STOWAGE" down --data "$data" >/dev/null 2>&1 || true; done
    finish "$code"
}
trap end EXIT

mkdir -p "$WORK/labs/small"
cat >"$WORK/labs/small/lab.yaml" <<'Y'
title: Small
about: Two steps.
topics: [maps]
minutes: 7
cluster: {profile: none, nodes: 1}
steps:
- name: make
  title: Make it
  text: Make a map `m`.
  hints: [{text: It is a ConfigMap., cost: 1}]
  checks:
  - {name: it is there, points: 3, within: 1s, jsonpath: {of: cm/m, path: '{.data.size}', is: 1Gi}}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {size: 1Gi}}]
- name: ask
  title: A question
  text: What is it?
  checks:
  - {name: kind, quiz: {ask: What is m?, kind: choice, choices: [Secret, ConfigMap], answer: ConfigMap}}
  solution:
  - answer: {check: kind, with: ConfigMap}
Y
# is WHAT EXPECTED FILTER: what the filter gives of $out
is() { eq "$1" "$2" "$(jq -c "$3" <<<"$out")"; }
lab() { out=$("$STOWAGE" lab "$@"); }
lab_fails() { if out=$("$STOWAGE" lab "$@"); then die "expected to fail: lab $*"; fi; }

say "before: a catalogue, and no lab"
lab list -o json
is "row" '["small","Small",["maps"],7,4,2,0,false]' '.[0] | [.name, .title, .topics, .minutes, .of, .steps, .goes, .current]'
lab status -o json
is "none" '{"lab":null,"exam":null}' .

say "start: what goes on, line by line, and then where one is"
lab start small -o jsonl
has "progress" "{\"progress\":\"starting the lab's cluster\"}" "$out"
out=$(tail -n 1 <<<"$out" | jq .result)
is "step" '["small",0,"now","later"]' '[.lab, .step, .steps[].state]'
is "text" '["Make a map `m`.",null]' '[.steps[].text]'
is "the hint is not told" '{"of":1,"taken":[],"next":{"cost":1}}' '.steps[0].hints'
is "not judged yet" '[null,0,3]' '.steps[0].checks[0] | [.passed, .points, .of]'
is "its cluster" true .cluster.up
has "a link" "/console/login?code=" "$(jq -r .console <<<"$out")"
lacks "the answer" '"answer"' "$out"

say "check: expected beside observed, and it stays known"
lab_fails check -o json
is "report" '["it is there",false]' '.report.checks[0] | [.name, .passed]'
lab status -o json
is "expected" '"cm/m {.data.size}: 1Gi"' '.steps[0].checks[0].expected'
has "observed" "not found" "$(jq -r '.steps[0].checks[0].observed' <<<"$out")"
is "tries" '[1,1]' '[.steps[0].tries, .steps[0].checks[0].tries]'

say "hint, solution"
lab hint -o json
is "hint" '["It is a ConfigMap.",1,1]' '[.hint.text, .cost, (.steps[0].hints.taken | length)]'
is "no more" null '.steps[0].hints.next'
lab solution -o json
has "solution" "kind: ConfigMap" "$(jq -r .solution <<<"$out")"

say "a look starts no cluster"
"$STOWAGE" down --data "$WORK/mine/labs/cluster/data" >/dev/null
lab status -o json
is "down" false .cluster.up
lab status -o json
is "still" false .cluster.up
"$STOWAGE" lab text >/dev/null
lab status -o json
is "for people it is started" true .cluster.up

say "the next step; an answer"
KUBECONFIG="$WORK/mine/labs/cluster/data/kubeconfig" k create configmap m --from-literal=size=1Gi >/dev/null
lab check -o jsonl
has "a line a check" '{"check":{"name":"it is there","passed":true' "$out"
out=$(tail -n 1 <<<"$out" | jq .result)
is "on" '[1,2,"done","now"]' '[.step, .points, .steps[].state]'
is "question" '{"ask":"What is m?","kind":"choice","choices":["Secret","ConfigMap"],"answered":null}' '.steps[1].checks[0].quiz'
lab answer -o json --to kind ConfigMap
is "answered" '"ConfigMap"' '.steps[1].checks[0].quiz.answered'
lab check -o json
is "done" '[true,3,4]' '[.done, .points, .of]'
"$STOWAGE" lab submit -o "$WORK/bundle.json" >/dev/null 2>&1
lab reset -o json
lab stop -o json
is "over" null .lab
lab history -o json
is "history" '[["small",3]]' '[.history[] | [.lab, .points]]'
lab list -o json
is "in the catalogue" '[1,3]' '.[0] | [.goes, .best]'

say "an exam"
lab exam small:make small:ask --minutes 60 -o json
is "tasks" '[[1,"make",true],[2,"ask",false]]' '[.exam.tasks[] | [.number, .only, .chosen]]'
is "time" true '.exam.left > 3000 and .exam.ended == null'
lab_fails hint -o json
lab exam task 2 -o json
is "the other" '["left out","now"]' '[.steps[].state]'
lab exam end -o json
is "ended" '[null,true,0]' '[.lab, .exam.ended != null, .exam.left]'
