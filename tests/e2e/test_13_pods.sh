#!/bin/sh
# How pods end, wait, are probed, and what of them is left, as a user sees it.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

shows() { [ "$(k get pod "$1" --no-headers 2>/dev/null | awk '{print $3}')" = "$2" ]; }
ready() { [ "$(k get pod "$1" --no-headers 2>/dev/null | awk '{print $2}')" = "$2" ]; }
logs_are() { [ "$(k logs "$1")" = "$2" ]; }
state() { k get pod "$1" -o "jsonpath={.status.containerStatuses[0].$2}"; }
# pod NAME CONTAINER-MEMBERS [SPEC-MEMBERS]: members as JSON
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"terminationGracePeriodSeconds":2,"containers":[{"name":"c","image":"busybox",%s}]%s}}' \
        "$1" "$2" "${3:+,$3}" | k apply -f - >/dev/null
}
sh_c() { printf '"command":["sh","-c","%s"]' "$1"; }

say "what the STATUS column says"
pod crash "$(sh_c 'echo hello; echo last words >/dev/termination-log; exit 3')"
pod good "$(sh_c 'echo fine')" '"restartPolicy":"Never"'
pod fail "$(sh_c 'echo one; echo two; exit 7'),\"terminationMessagePolicy\":\"FallbackToLogsOnError\"" '"restartPolicy":"Never"'
pod noimage '"command":["true"],"imagePullPolicy":"Never"'
pod nocommand '"command":["nosuchcommand"]'
pod noconfig "$(sh_c 'sleep 9'),\"envFrom\":[{\"configMapRef\":{\"name\":\"none\"}}]"
pod root "$(sh_c 'sleep 9')" '"securityContext":{"runAsNonRoot":true}'
pod init "$(sh_c 'sleep 9')" '"restartPolicy":"Never","initContainers":[{"name":"i","image":"busybox","command":["sh","-c","echo from init; exit 4"]}]'
pod late "$(sh_c 'sleep 100')" '"activeDeadlineSeconds":1'
printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pull"},"spec":{"containers":[{"name":"c","image":"no.such/image:1"}]}}' | k apply -f -
within 20 "crash" shows crash CrashLoopBackOff
within 20 "good" shows good Completed
within 20 "fail" shows fail Error
within 20 "pull" shows pull ImagePullBackOff
within 20 "nocommand" shows nocommand CrashLoopBackOff
within 20 "noconfig" shows noconfig CreateContainerConfigError
within 20 "root" shows root CreateContainerConfigError
within 20 "init" shows init Init:Error
within 20 "late" value_is DeadlineExceeded k get pod late -o 'jsonpath={.status.reason}'
eq "exit code" 3 "$(state crash lastState.terminated.exitCode)"
eq "termination message" "last words" "$(state crash lastState.terminated.message)"
eq "log as message" "one two" "$(state fail state.terminated.message | tr '\n' ' ' | sed 's/ $//')"
has "start error" 'exec: "nosuchcommand": executable file not found in $PATH' "$(state nocommand lastState.terminated.message)"
has "config error" 'configmap "none" not found' "$(state noconfig state.waiting.message)"
within 5 "back-off" event_says crash "Back-off restarting failed container c in pod crash_default"

say "logs: of ended containers, of init containers, of the previous one"
eq "good" fine "$(k logs good)"
within 5 "crash" logs_are crash hello
eq "crash before" hello "$(k logs crash --previous)"
eq "init" "from init" "$(k logs init -c i)"
eq "tail" two "$(k logs fail --tail=1)"
fails k logs pull
has "waiting" 'container "c" in pod "pull" is waiting to start: trying and failing to pull image' "$out"

say "a log that is rotated while it is followed"
k apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: rotate}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'echo begin; until [ -e /tmp/go ]; do sleep 0.1; done; awk "BEGIN{for(i=1;i<=250000;i++) print i, 12345678901234567890123456789012345678901234567890123456789012345678901234567890 i}"; echo end']
YAML
within 20 "rotate" ready rotate 1/1
k logs -f rotate >rotate.log &
follower=$!
within 5 "somebody follows" test -s rotate.log
k exec rotate -- touch /tmp/go
wait $follower
eq "lines" 250002 "$(wc -l <rotate.log)"
eq "in order" "" "$(awk '$1 != NR - 1 && $1 != "begin" && $1 != "end" {print; exit}' rotate.log)"

say "probes: ready when it says so, started again when it does not live"
k apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sleep, "10000"]
    startupProbe: {exec: {command: [cat, /tmp/live]}, periodSeconds: 1, failureThreshold: 10000, timeoutSeconds: 60}
    readinessProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 1, timeoutSeconds: 60}
    livenessProbe: {exec: {command: [cat, /tmp/live]}, periodSeconds: 1, failureThreshold: 2, timeoutSeconds: 60}
YAML
within 20 "running" shows probed Running
within 5 "unhealthy" event_says probed "Unhealthy: Startup probe failed: cat: can't open '/tmp/live': No such file or directory"
ready probed 0/1 || die "ready before its probe was"
k exec probed -- touch /tmp/ready /tmp/live
within 20 "ready" ready probed 1/1
k exec probed -- rm /tmp/ready
within 20 "unready" ready probed 0/1
k exec probed -- rm /tmp/live
within 20 "restarted" value_is 1 k get pod probed -o 'jsonpath={.status.containerStatuses[0].restartCount}'
within 5 "killing" event_says probed "Killing: Container c failed liveness probe, will be restarted"

say "hooks and sidecars: what starts first ends last"
k apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: order}
spec:
  initContainers:
  - name: side
    image: busybox
    restartPolicy: Always
    command: [sh, -c, 'trap "echo side ends; exit 0" TERM; echo side; while :; do sleep 0.1; done']
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'trap "echo main ends; exit 0" TERM; echo main; while :; do sleep 0.1; done']
    lifecycle:
      postStart: {exec: {command: [sleep, "0.5"]}}
      preStop: {exec: {command: [sh, -c, "sleep 0.5; echo stopping >/proc/1/fd/1"]}}
YAML
within 20 "both ready" ready order 2/2
k logs -f order -c c --timestamps >main.log 2>&1 &
k logs -f order -c side --timestamps >side.log 2>&1 &
within 5 "main's log" grep -q main main.log
within 5 "side's log" grep -q side side.log
k delete pod order >/dev/null
wait
has "hook" stopping "$(cat main.log)"
eq "who ended first" "main ends" "$(cat main.log side.log | grep ' ends$' | sort | head -n 1 | cut -d' ' -f2-)"

say "a subPath does not lead out of its volume"
k apply -f - <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
YAML
volume='"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}}]'
pod maker "$(sh_c 'cd /v; ln -s /etc out; ln -s ../../../../../.. up; mkdir d; ln -s d in; echo kept >d/f; sleep 1000'),\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]" "$volume"
within 30 "maker" k exec maker -- cat /v/d/f
for path in out up/etc in; do
    pod "sub-$(echo $path | tr / -)" "$(sh_c 'cat /s/f /s/passwd; sleep 1000'),\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/s\",\"subPath\":\"$path\"}]" "$volume"
done
within 20 "link inside" ready sub-in 1/1
within 20 "link out" shows sub-out CreateContainerConfigError
within 20 "link up" shows sub-up-etc CreateContainerConfigError
has "words" 'failed to prepare subPath for volumeMount "v" of container "c"' "$(state sub-out state.waiting.message)"
within 5 "content" sh -c "$KUBECTL logs sub-in | grep -q kept"

say "fsGroup: those who may write"
pod group "$(sh_c 'id; echo x >/e/f; echo y >/v/g; ls -ln /e /v; sleep 1000'),\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"},{\"name\":\"e\",\"mountPath\":\"/e\"}]" \
    '"securityContext":{"runAsUser":1000,"runAsGroup":3000,"fsGroup":2000},"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}},{"name":"e","emptyDir":{}}]'
within 20 "group" ready group 1/1
its_files() { [ "$(k logs group | grep -c "1000 *2000 *2 ")" = 2 ]; }
within 5 "its files" its_files

say "nothing of them is left"
k delete pods --all >/dev/null
k delete pvc data >/dev/null
within 20 "volume" value_is "" k get pv -o name
left=$("$STOWAGE" shell --data "$WORK/data" node01 -- sh -c 'ls /var/lib/kubelet/pods /var/log/pods /var/lib/containerd/io.containerd.runtime.v2.task/k8s.io; grep -c kubelet /proc/mounts' 2>&1 || true)
eq "on the node" "" "$(echo "$left" | grep -vE '^/var/.*:$|^0$|^$' || true)"
