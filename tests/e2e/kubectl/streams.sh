# streams.sh - what the tests of streams share: a cluster with a few pods, and commands given to our kubectl and to the real one.
# Sourced after lib.sh.
since 30 || { echo "skipped: this kubectl is older than 1.30, and others' words are not ours"; exit 77; }
ours() { "$STOWAGE" kubectl "$@"; }

# run_as NAME WHO ARGS...: stdout, stderr and exit code into files; stdin is $IN
run_as() {
    into=$WORK/$1 who=$2
    shift 2
    code=0
    "$who" "$@" <"${IN:-/dev/null}" >"$into.out" 2>"$into.err" || code=$?
    echo "$code" >"$into.code"
}
# again RESET ARGS...: what changes something is undone, by the shell command RESET, before each of both. Both have the same output,
# messages and exit code; what goes away by itself is masked with sed -E "$MASK"
again() {
    reset=$1
    shift
    eval "$reset" >/dev/null 2>&1 || true
    run_as real k "$@"
    eval "$reset" >/dev/null 2>&1 || true
    run_as ours ours "$@"
    for f in out err code; do
        for who in real ours; do sed -E "${MASK:-}" "$WORK/$who.$f" >"$WORK/$who.$f.m"; done
        diff "$WORK/real.$f.m" "$WORK/ours.$f.m" >"$WORK/difference" || die "not the same ($f): kubectl $*
$(cat "$WORK/difference")"
    done
}
both() { again : "$@"; }

cluster
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {app: two}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers: [{name: first, image: busybox, command: [echo, was here]}]
  containers:
  - {name: main, image: busybox, command: [sh, -c, 'for i in 1 2 3 4 5; do echo line $i; done; sleep 100000'], ports: [{name: web, containerPort: 80}]}
  - {name: side, image: busybox, command: [sh, -c, 'echo from the side; sleep 100000']}
---
apiVersion: v1
kind: Pod
metadata: {name: done}
spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [echo, bye]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: nginx, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: front, port: 8000, targetPort: http}, {name: names, port: 53, protocol: UDP}]}
Y
within 60 "the pod" k wait --for=condition=Ready pod/two --timeout=1s
within 60 "the deployment" k rollout status deploy/web --timeout=1s
within 60 "the one that ends" phase_is pod "done" Succeeded
