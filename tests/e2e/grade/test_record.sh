#!/bin/bash
# What is handed in can be played elsewhere: files that commands read are in the record, `stowage kubectl` writes it as the prompt
# does, and what another kubectl made is not lost.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK" STOWAGE_DATA="$WORK/mine" STOWAGE_LABS="$WORK/labs"
lab() { "$STOWAGE" lab "$@"; }
end() { code=$?; "$STOWAGE" down --data "$WORK/mine/labs/cluster/data" >/dev/null 2>&1 || true; finish $code; }
trap end EXIT
mkdir -p "$WORK/labs/files" "$WORK/subs" "$WORK/home/work/folder"
cat >"$WORK/labs/files/lab.yaml" <<'Y'
title: Five maps
cluster: {profile: none, nodes: 1}
steps:
- name: maps
  title: Make them
  text: Make `a` to `f`.
  checks:
  - {name: a, points: 1, within: 5s, jsonpath: {of: cm/a, path: '{.data.x}', is: "1"}}
  - {name: b, points: 1, within: 5s, jsonpath: {of: cm/b, path: '{.data.x}', is: "1"}}
  - {name: c, points: 1, within: 5s, jsonpath: {of: cm/c, path: '{.data.x}', is: "1"}}
  - {name: d, points: 1, within: 5s, jsonpath: {of: cm/d, path: "{.data['page\\.html']}", is: "it's <here>"}}
  - {name: e, points: 1, within: 5s, jsonpath: {of: cm/e, path: '{.data.x}', is: "1"}}
  - {name: f, points: 1, within: 5s, jsonpath: {of: cm/f, path: '{.data.x}', is: "1"}}
  solution:
  - run: for m in a b c e f; do kubectl create configmap $m --from-literal=x=1; done; kubectl create configmap d --from-literal="page.html=it's <here>"
Y
map() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {x: "%s"}\n' "$1" "${2:-1}"; }

say "a lab, done in every way but one's memory"
lab start files >"$WORK/start"
cd "$WORK/home/work"
map a >a.yaml
map b >folder/b.yaml
map c >c.yaml
printf "it's <here>" >page.html
"$STOWAGE" repl <<'R'
apply -f a.yaml
apply -f folder
apply -f - < c.yaml
R
(
    export KUBECONFIG="$WORK/mine/labs/cluster/data/kubeconfig"
    "$STOWAGE" kubectl create configmap d --from-file=page.html
    map e | "$STOWAGE" kubectl apply -f -
    map f | k apply -f - # by a kubectl that we do not see
    "$STOWAGE" kubectl get configmaps -o name >/dev/null
)
lab check >"$WORK/check" || true
lab submit -o "$WORK/subs/alice.json" >"$WORK/out"
has "told" "6 of 6 points, 6 commands, signed" "$(cat "$WORK/out")"
lab stop >/dev/null
cd "$WORK"
rm -r "$WORK/home/work"

say "the record: what was read, as it was read"
log() { jq -c ".payload | fromjson | .log[] | $1" "$WORK/subs/alice.json"; }
eq "files" '["a.yaml"]
["folder/b.yaml"]
["c.yaml"]
["page.html"]' "$(log 'select(.files) | .files | keys')"
eq "the line of a kubectl" '"create configmap d --from-file=page.html"' "$(log 'select(.files["page.html"]) | .line')"
has "its input" "metadata: {name: e}" "$(log 'select(.line | startswith("apply -f - <<")) | .line')"

say "played again where none of these files is"
"$STOWAGE" grade --quiet --no-book --out "$WORK/out.d" files "$WORK/subs" >/dev/null
eq "points" "6" "$(jq '.students[0].report.points' "$WORK/out.d/results.json")"
