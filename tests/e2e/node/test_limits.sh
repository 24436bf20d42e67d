#!/bin/sh
# What a container may use, where control groups are writable: memory, CPU, processes; and that the node survives it.
. "$SOURCE_DIR/tests/e2e/lib.sh"
"$STOWAGE" doctor | grep -q '^ok *control groups' || { echo "skipped: control groups are not writable here"; exit 77; }
cluster
cd "$WORK"

status() { k get pod "$1" -o "jsonpath={.status.containerStatuses[0].$2}"; }
k apply -f - <<'YAML' >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: hog}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'x=a; while :; do x=$x$x$x; done']
    resources: {limits: {memory: 40Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: busy}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sleep, "100000"]
    resources: {limits: {cpu: 100m, memory: 40Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: bomb}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: c, image: busybox, command: [sh, -c, 'until [ -e /tmp/go ]; do sleep 0.1; done; b() { b | b & }; b; sleep 100000']}
---
apiVersion: v1
kind: Pod
metadata: {name: deaf}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: c, image: busybox, command: [sh, -c, 'trap "" TERM; while :; do sleep 0.2; done']}
YAML

say "more memory than its limit: the kernel kills it"
within 30 "hog" phase_is pod hog Failed
eq "reason" "OOMKilled 137" "$(status hog state.terminated.reason) $(status hog state.terminated.exitCode)"

say "limits stand in its control groups"
within 20 "busy" phase_is pod busy Running
limit=$(k exec busy -- sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true')
eq "memory" 41943040 "$limit"
quota=$(k exec busy -- sh -c 'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us 2>/dev/null; true' | cut -d' ' -f1)
eq "cpu" 10000 "$quota"

say "a fork bomb gets its share, and goes with its pod"
within 20 "bomb" phase_is pod bomb Running
k exec bomb -- touch /tmp/go
many() { [ "$("$STOWAGE" shell --data "$WORK/data" node01 -- sh -c 'ls -d /proc/[0-9]* | wc -l')" -gt 500 ]; }
few() { [ "$("$STOWAGE" shell --data "$WORK/data" node01 -- sh -c 'ls -d /proc/[0-9]* | wc -l')" -lt 100 ]; }
within 30 "many processes" many
k get pods >/dev/null
k delete pod bomb >/dev/null
within 30 "they are gone" few

say "who does not hear SIGTERM is killed after its grace"
within 20 "deaf" phase_is pod deaf Running
k delete pod deaf >/dev/null
eq "gone" "" "$(k get pod deaf --ignore-not-found -o name)"
