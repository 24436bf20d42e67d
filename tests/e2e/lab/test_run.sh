#!/bin/bash
# A lab is played and judged in a cluster of its own (those that are shipped: lint_lab.sh): what fails is explained;
# reports; other clusters; scripts; a check that does not look is found.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK"
run() { "$STOWAGE" run "$@"; }

say "labs are listed"
has "they are listed" "claims-practice-test" "$(STOWAGE_LABS=$SOURCE_DIR/scenarios "$STOWAGE" lab list)"
fails env STOWAGE_LABS="$SOURCE_DIR/scenarios" "$STOWAGE" lab lint frist-volume
has "and the nearest name is told" 'did you mean "first-volume"?' "$out"

say "what fails is shown beside what was expected; exit code, reports"
mkdir -p "$WORK/small"
cat >"$WORK/small/lab.yaml" <<'Y'
title: Small
cluster: {profile: none, nodes: 1}
steps:
- name: one
  checks:
  - {name: a map, points: 3, within: 20s, assert: {apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {size: big}}}
  - {name: wrong on purpose, within: 50ms, jsonpath: {of: cm/m, path: '{.data.size}', is: small}, look: kubectl get cm m}
  solution:
  - objects:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {size: big}}
Y
code=0
run --junit "$WORK/j.xml" --json "$WORK/r.json" --tap "$WORK/t" "$WORK/small" >"$WORK/out" || code=$?
eq "exit code" 1 "$code"
has "expected" "expected  cm/m {.data.size}: small" "$(cat "$WORK/out")"
has "observed" "observed  big" "$(cat "$WORK/out")"
has "look" "look      kubectl get cm m" "$(cat "$WORK/out")"
has "score" "small: 75 of 100 (3 of 4 points)" "$(cat "$WORK/out")"
eq "json" "75 big" "$(jq -r '"\(.score) \(.steps[0].checks[1].observed)"' "$WORK/r.json")"
has "junit" 'tests="2" failures="1"' "$(cat "$WORK/j.xml")"
has "tap" "not ok 2 - one: wrong on purpose" "$(cat "$WORK/t")"

say "a file that is wrong: line and column, and nothing is started"
sed -i 's/within: 50ms/withing: 50ms/' "$WORK/small/lab.yaml"
fails run "$WORK/small"
has "where" 'lab.yaml:7:30: steps[0].checks[1].withing: a check has no field "withing"; did you mean "within"?' "$out"
sed -i '/wrong on purpose/d' "$WORK/small/lab.yaml"

say "kept when it failed, with how to look inside"
sed -i 's/size: big}}}/size: huge}}}/; s/within: 20s/within: 50ms/' "$WORK/small/lab.yaml"
fails run --keep "$WORK/small"
kept=$(printf '%s\n' "$out" | sed -n 's/^ *export KUBECONFIG=//p')
eq "it runs" big "$(KUBECONFIG=$kept k get cm m -o 'jsonpath={.data.size}')"

say "the same checks in another cluster; what it can not do is said before"
sed -i 's/size: huge}}}/size: big}}}/' "$WORK/small/lab.yaml"
KUBECONFIG=$kept k delete cm m >/dev/null
run --cluster "$kept" "$WORK/small" >"$WORK/out" || die "$(cat "$WORK/out")"
has "there" "100 of 100" "$(cat "$WORK/out")"
fails run --cluster "$kept" "$SOURCE_DIR/scenarios/claims-practice-test"
has "named" 'check "the node has the log": it looks at a node from inside' "$out"
eq "nothing was begun" "" "$(KUBECONFIG=$kept k get pods -o name)"
"$STOWAGE" down --data "$(dirname "$kept")" >/dev/null
rm -r "$(dirname "$(dirname "$kept")")"

say "a script, its output and its exit code"
printf 'kubectl get nodes -o name\nexit 7\n' >"$WORK/script"
code=0
run --profile none --nodes 1 "$WORK/script" >"$WORK/out" || code=$?
eq "exit code" "7 node/controlplane" "$code $(cat "$WORK/out")"

say "and reported as a lab's is, for it was asked for"
fails run --profile none --nodes 1 --junit "$WORK/j.xml" --tap "$WORK/t" --json - "$WORK/script"
eq "json" "0 1 exit code 7" "$(printf '%s\n' "$out" | sed -n '/^{/,$p' | jq -r '"\(.points) \(.of) \(.steps[0].checks[0].observed)"')"
has "junit" 'tests="1" failures="1"' "$(cat "$WORK/j.xml")"
has "tap" "not ok 1 - script: the script succeeds" "$(cat "$WORK/t")"

say "an image or a class that is not there: said before anything is begun"
sed 's/nodes: 1}/nodes: 1, images: [busibox]}/' "$WORK/small/lab.yaml" >"$WORK/lab.yaml"
fails run "$WORK/lab.yaml"
has "image" 'lab.yaml:2:45: cluster.images[0]: there is no image "busibox" here; did you mean "busybox"?' "$out"
sed 's/profile: none, nodes: 1}/profile: eks, nodes: 1, classes: [gp3]}\nsetup: [{run: "touch begun"}]/' "$WORK/small/lab.yaml" >"$WORK/lab.yaml"
fails run --keep "$WORK/lab.yaml"
has "class" 'the lab wants a storage class "gp3", and there is only gp2; did you mean "gp2"?' "$out"
kept=$(printf '%s\n' "$out" | sed -n 's/^ *export KUBECONFIG=//p')
[ ! -e "$(dirname "$(dirname "$kept")")/work/begun" ] || die "its set-up was begun"
"$STOWAGE" down --data "$(dirname "$kept")" >/dev/null
rm -r "$(dirname "$(dirname "$kept")")"

say "its nodes are in the zones that it wants"
cat >"$WORK/lab.yaml" <<'Y'
title: Zones
cluster: {profile: none, nodes: 3, zones: [us-east-1c, us-east-1a]}
steps:
- name: one
  checks:
  - name: in turn
    shell:
      run: kubectl get nodes -o 'jsonpath={.items[*].metadata.labels.topology\.kubernetes\.io/zone}'
      output: {is: us-east-1c us-east-1a us-east-1c}
Y
run "$WORK/lab.yaml" >"$WORK/out" || die "$(cat "$WORK/out")"
sed -i 's/us-east-1a/us-west-9a/' "$WORK/lab.yaml"
fails run "$WORK/lab.yaml"
has "no zone" 'expected a zone from us-east-1a to us-east-1f, found "us-west-9a"' "$out"
fails "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0 --nodes 2 --zones us-east-1d,us-east
has "nor for up" '"us-east" is no zone' "$out"
cluster --profile none --nodes 1 --zones us-east-1d
"$STOWAGE" down --data "$WORK/data" >/dev/null
fails "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0 --nodes 1 --zones us-east-1e
has "they stay there" "are in us-east-1d, and stay there" "$out"
cluster --profile none --nodes 1
has "also when it is not said again" "us-east-1d" "$(k get node controlplane -o 'jsonpath={.metadata.labels.topology\.kubernetes\.io/zone}')"
"$STOWAGE" disk create --data "$WORK/data" --zone us-east-1d --size 1Gi >"$WORK/id"
"$STOWAGE" disk attach --data "$WORK/data" "$(cat "$WORK/id")" controlplane >/dev/null || die "its disks are elsewhere"
"$STOWAGE" down --data "$WORK/data" >/dev/null

say "a check that does not look lets a near-miss survive; one that is met by itself is found"
cat >"$WORK/small/lab.yaml" <<'Y'
title: Careless
cluster: {profile: none, nodes: 1}
steps:
- name: one
  checks:
  - {name: any claim, within: 50ms, assert: {apiVersion: v1, kind: PersistentVolumeClaim}}
  - {name: no pod, within: 50ms, error: {apiVersion: v1, kind: Pod}}
  solution:
  - objects:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata: {name: data}
      spec: {storageClassName: "x", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
Y
fails "$STOWAGE" lab lint --play "$WORK/small"
has "met by itself" "a fresh cluster scores 1 of 2 points" "$out"
has "solved" "the solution scores 100" "$out"
has "size" "SURVIVED: one: PersistentVolumeClaim data: twice the size" "$out"
lacks "left out is noticed" "data: left out" "$out"
has "counted" "2 of 6 near-misses noticed" "$out"

say "what the lab declares to be no miss is believed, unless it is noticed or no near-miss at all"
cat >>"$WORK/small/lab.yaml" <<'Y'
equivalent:
- {nearMiss: "one: PersistentVolumeClaim data: twice the size", why: any size will do}
- {nearMiss: "one: PersistentVolumeClaim data: left out", why: it is noticed}
- {nearMiss: "one: PersistentVolumeClaim data: painted red", why: nobody does}
Y
fails "$STOWAGE" lab lint --play "$WORK/small"
lacks "believed" "SURVIVED: one: PersistentVolumeClaim data: twice the size" "$out"
has "noticed" "declared equivalent, but noticed: one: PersistentVolumeClaim data: left out" "$out"
has "unknown" "there is no such near-miss: one: PersistentVolumeClaim data: painted red" "$out"

say "what is made anew, what is left out of a script and what is too large in it are near-misses, too"
cat >"$WORK/small/lab.yaml" <<'Y'
title: Scripts
cluster: {profile: none, nodes: 1}
setup:
- objects: [{apiVersion: v1, kind: Pod, metadata: {name: idle}, spec: {nodeName: nowhere, containers: [{name: a, image: busybox}]}}]
steps:
- name: one
  checks:
  - {name: there, within: 1s, jsonpath: {of: cm/m, path: '{.data.size}', matches: Gi}}
  - {name: labelled, within: 1s, jsonpath: {of: pod/idle, path: '{.metadata.labels.seen}', is: "yes"}}
  solution:
  - run: kubectl create cm m --from-literal=size=4Gi
  - run: kubectl label pod idle seen=yes
Y
fails "$STOWAGE" lab lint --play "$WORK/small"
has "size" 'SURVIVED: one: `kubectl create cm m --from-literal=size=4Gi`: twice the size' "$out"
has "identity" 'SURVIVED: at the end: Pod idle: deleted and created again' "$out"
has "counted" "2 of 4 near-misses noticed" "$out"
eq "nothing left of them" "" "$(compgen -G "$WORK/stowage-run.*" || true)"
