# class.sh - what the tests of classes share: a small lab, and the words of a student and of the teacher.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export STOWAGE_DATA="$WORK/data" STOWAGE_LABS="$WORK/labs"
room="$WORK/data/class"
class() { "$STOWAGE" class "$@"; }
# as STUDENT WORD...: a word of the lab, said by a student
as() {
    student=$1
    shift
    STOWAGE_DATA="$room/students/$student" "$STOWAGE" lab "$@"
}
# its STUDENT KUBECTL-WORDS...: in the student's cluster
its() {
    student=$1
    shift
    k --kubeconfig "$room/students/$student/labs/cluster/data/kubeconfig" "$@"
}
# told STUDENT PATH: what `class status` says of the student
told() { class status -o json | jq -r --arg s "$1" ".students[] | select(.student == \$s) | $2"; }
process_of() { "$STOWAGE" status --data "$room/students/$1/labs/cluster/data" | sed -n 's,^process *,,p'; }
end() { code=$?; class stop --quiet >/dev/null 2>&1 || true; finish $code; }
trap end EXIT

mkdir -p "$WORK/labs/small" "$WORK/labs/other"
cat >"$WORK/labs/small/lab.yaml" <<'Y'
title: Small
cluster: {profile: none, nodes: 1}
variants: {size: [1Gi, 2Gi, 3Gi, 4Gi, 5Gi]}
steps:
- name: make
  title: Make it
  text: Make a map `m` with the size ${size}.
  hints:
  - {text: "kubectl create configmap", cost: 1}
  checks:
  - {name: it is there, points: 3, within: 2s, jsonpath: {of: cm/m, path: '{.data.size}', is: '${size}'}}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {size: '${size}'}}]
- name: ask
  title: A question
  checks:
  - {name: kind, quiz: {ask: What is m?, answer: [ConfigMap, cm]}}
  solution:
  - answer: {check: kind, with: cm}
Y
sed 's/Small/Other/; s/variants.*//; s/[$]{size}/7Gi/g' "$WORK/labs/small/lab.yaml" >"$WORK/labs/other/lab.yaml"
