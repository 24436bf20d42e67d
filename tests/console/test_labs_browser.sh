#!/bin/bash
# Labs in a real browser: what labs.mjs does, from the catalogue to the file that is handed in; and that the file counts.
. "$SOURCE_DIR/tests/e2e/lib.sh"
command -v node >/dev/null || { echo "skipped: no Node.js on this machine"; exit 77; }
[ -d "$SOURCE_DIR/web/node_modules/playwright-core" ] || { echo "skipped: web/node_modules is not there (npm ci in web/)"; exit 77; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "skipped: no Chromium on this machine"; exit 77; }
export STOWAGE_LABS="$WORK/labs"
end() {
    code=$?
    set +e
    STOWAGE_DATA="$WORK/data" "$STOWAGE" lab exam end >/dev/null 2>&1 || true
    for data in "$WORK"/data/labs/*/data; do "$STOWAGE" down --data "$data" >/dev/null 2>&1 || true; done
    (exit $code)
    finish
}
trap end EXIT
mkdir "$WORK/labs" "$WORK/handed-in"
cp -r "$SOURCE_DIR/scenarios/first-volume" "$SOURCE_DIR/scenarios/wrong-zone" "$SOURCE_DIR/scenarios/volumes-and-claims" "$WORK/labs/"
mkdir "$WORK/labs/by-hand"
cat >"$WORK/labs/by-hand/lab.yaml" <<'Y'
title: A claim by hand
about: A claim of a class that makes nothing, a volume for it, and what they are to each other.
topics: [claims, volumes]
minutes: 10
cluster: {profile: none, nodes: 1}
steps:
- name: claim
  title: Make a claim
  text: |
    Create a claim `data` of **1Gi** with the class `hand`, and a volume for it. Nothing makes volumes of that class:

    1. the claim waits,
    2. the volume comes, and they are bound.

    A claim of your own begins like this:

        kubectl create -f - <<X
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
         "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "hand", "resources": {"requests": {"storage": "1Gi"}}}}
        X

    Text stays text: <img src=x onerror="window.hurt = 1">
  hints:
  - {text: The class is hand., cost: 1}
  checks:
  - name: data is bound
    points: 4
    within: 2s
    assert: {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, status: {phase: Bound}}
    look: kubectl describe pvc data
  solution:
  - objects:
    - {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], storageClassName: hand, resources: {requests: {storage: 1Gi}}}}
    - {apiVersion: v1, kind: PersistentVolume, metadata: {name: mine}, spec: {accessModes: [ReadWriteOnce], storageClassName: hand, capacity: {storage: 2Gi}, hostPath: {path: /mnt/mine}}}
- name: questions
  title: Two questions
  text: Look at the volume.
  checks:
  - {name: policy, quiz: {ask: What is its policy?, kind: choice, choices: [Delete, Retain], answer: Retain}}
  - {name: size, quiz: {ask: How many GiB has it?, kind: number, answer: 2}}
  solution:
  - answer: {check: policy, with: Retain}
  - answer: {check: size, with: 2}
Y
cluster --simulate
LINK=$("$STOWAGE" console --no-open --view labs --data "$WORK/data" 2>/dev/null)
[ "$(curl -s -o /dev/null -w '%{http_code}' "${LINK%/login*}/")" = 200 ] || { echo "skipped: built without the console"; exit 77; }
pictures="$BUILD_DIR/console-pictures"
mkdir -p "$pictures"
export LINK BROWSER_PROGRAM="$browser" PICTURES="$pictures" BUNDLE="$WORK/handed-in/student.json" BOOK="$WORK/data/labs/book.db"
timeout 1700 node "$SOURCE_DIR/tests/console/labs.mjs"

say "what the browser handed in is worth its points"
out=$("$STOWAGE" grade "$WORK/labs/by-hand" "$WORK/handed-in" --format csv 2>&1) || die "$out"
has "graded" "student" "$out"
say "and nothing of it is left"
gone() { [ -z "$(find "$WORK/data/labs" -maxdepth 1 \( -name cluster -o -name 'task-*' \))" ]; }
within 30 "clusters" gone
