#!/bin/sh
# Down and up again, and kill -9 of every process: objects and volume bytes are there, pods run again, nothing leaks.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"
claim_data >app.yaml
cat >>app.yaml <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: keeper}
spec:
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      containers:
      - name: box
        image: busybox
        command: [sh, -c, 'trap exit TERM; while true; do sleep 0.1; done']
        volumeMounts: [{name: v, mountPath: /data}]
      volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
YAML
k apply -f app.yaml
k rollout status deploy/keeper --timeout=300s
pod() { k get pod -l app=keeper -o 'jsonpath={.items[0].metadata.name}'; }
kept() { [ "$(k exec "$(pod)" -- cat /data/f)" = precious ]; }
k exec "$(pod)" -- sh -c 'echo precious > /data/f && sync'
eq "status" 0 "$("$STOWAGE" status --data "$WORK/data" >/dev/null; echo $?)"

say "down, up"
"$STOWAGE" down --data "$WORK/data"
assert_nothing_left || die "something was left after down"
fails "$STOWAGE" status --data "$WORK/data"
has "status of nothing" "no cluster runs" "$out"
cluster
k wait --for=condition=Ready pod -l app=keeper --timeout=300s
within 20 "bytes" kept # Ready may be what was written before the stop

say "kill -9 of the API process, then of the helper"
for victim in api helper; do
    pids=$(pgrep -f "$WORK/data")
    [ -n "$pids" ] || die "no process runs"
    api=$("$STOWAGE" status --data "$WORK/data" --json | jq .pid)
    if [ $victim = api ]; then kill -9 "$api"
    else kill -9 "$(pgrep -P "$api" -f __helper)"; fi
    "$STOWAGE" down --data "$WORK/data" >/dev/null 2>&1 || true
    assert_nothing_left || die "something was left after kill -9 of the $victim"
    cluster
    k wait --for=condition=Ready pod -l app=keeper --timeout=300s
    within 20 "bytes after kill -9 of the $victim" kept
done
