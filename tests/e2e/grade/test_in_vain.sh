#!/bin/bash
# A check that can not pass any more is not waited for, however patient it is: neither one of objects nor one of what runs in a pod. Nobody
# could wait an hour here; nodes' heartbeats, which never end, do not count as change. And a graded cluster's objects are only in memory.
. "$SOURCE_DIR/tests/e2e/lib.sh"
command -v jq >/dev/null || { echo "skipped: needs jq"; exit 77; }
export TMPDIR="$WORK" STOWAGE_DATA="$WORK/mine"

mkdir -p "$WORK/lab" "$WORK/subs/half"
cat >"$WORK/lab/lab.yaml" <<'Y'
title: In vain
cluster: {profile: none, nodes: 1, images: [busybox]}
steps:
- name: one
  checks:
  - {name: the pod runs, within: 10m, jsonpath: {of: pod/p, path: '{.status.phase}', is: Running}}
  - {name: nothing is on a disk, shell: {run: '[ -d "$STOWAGE_DATA" ] && [ ! -e "$STOWAGE_DATA/state.db" ] && stowage status --json | grep -q ephemeral'}}
  - {name: the map is there, within: 1h, jsonpath: {of: cm/m, path: '{.data.size}', is: big}}
  - {name: the file is there, within: 1h, exec: {pod: p, command: test -e /tmp/file}}
Y
cat >"$WORK/subs/half/one.yaml" <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: busybox, command: [sleep, "1000000"]}]}
Y

say "what is missing is missing before the hour is over"
timeout 900 "$STOWAGE" grade --quiet --no-book --timeout 5m --format json "$WORK/lab" "$WORK/subs" >"$WORK/out.json"
seen=$(jq -c '[.students[].report.steps[].checks[] | .passed]' "$WORK/out.json")
eq "two of four" "[true,true,false,false]" "$seen"
