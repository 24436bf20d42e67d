#!/bin/sh
# Talking to containers: exec, attach, logs, cp, debug; sessions that are cut, and very many at a time.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

running() { value_is "$2" k get pod "$1" -o 'jsonpath={range .status.containerStatuses[*]}{.ready} {end}'; }
on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- "$@"; }
k apply -f - <<'YAML' >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
  - {name: i, image: busybox, command: [echo, from init]}
  containers:
  - {name: a, image: busybox, command: [sh, -c, 'for i in 1 2 3; do echo a$i; done; exec sleep 100000']}
  - {name: b, image: busybox, command: [cat], stdin: true}
YAML
within 20 "p" running p "true true "

say "logs"
of_one() { k logs p -c a | tr '\n' ' '; }
within 20 "of one" value_is "a1 a2 a3 " of_one
eq "of all" 4 "$(k logs p --all-containers | wc -l)"
eq "the last" a3 "$(k logs p -c a --tail=1)"
k logs p -c a --timestamps --tail=1 | grep -qE '^[0-9]{4}-[0-9-]*T[0-9:.]*Z a3$' || die "timestamps"
eq "since" "" "$(k logs p -c a --since-time=2100-01-01T00:00:00Z)"
eq "bytes" a1 "$(k logs p -c a --limit-bytes=2)"
fails k logs p -c nobody
has "no such container" "container nobody is not valid for pod p" "$out"
fails k logs p -c a -p
has "no previous one" 'previous terminated container "a" in pod "p" not found' "$out"

say "attach"
has "echo" hello "$(echo hello | timeout 60 "$KUBECTL" attach p -c b -i 2>/dev/null)"
has "run and remove" "from stdin" "$(echo from stdin | k run r -i --rm --image=busybox --restart=Never -- cat 2>/dev/null)"

say "cp, both ways"
mkdir -p files/deep
head -c 300000 /dev/urandom >files/big
echo x >files/deep/small
k cp files p:/tmp/files -c a >/dev/null
k cp p:/tmp/files back -c a >/dev/null 2>&1
diff -r files back || die "cp changed the files"

say "a session that is cut leaves no process"
# The second has left the group of the first.
"$KUBECTL" exec p -c a -- sh -c 'setsid sleep 4711 & exec sleep 4712' >/dev/null 2>&1 &
session=$!
runs() { on_node pgrep -xf 'sleep 471[12]'; }
within 20 "it runs" runs
kill -9 $session
within 20 "it is gone" not runs

say "very many at a time"
# kubectl loses what is answered before it looks ("Unknown stream id 1, discarding message"): then it is asked again.
seq 100 | timeout 1200 xargs -P 25 -I{} sh -c 'until [ "$("$0" exec p -c a -- echo {} 2>/dev/null)" = {} ]; do :; done' "$KUBECTL" ||
    die "not all were answered"
idle() { [ "$(on_node sh -c 'ls -d /proc/[0-9]* | wc -l')" -lt 30 ]; }
within 20 "nothing of them is left" idle

say "debug: the processes of the target; the node; a copy"
k debug p --image=busybox --target=a --container=look -- sleep 100002 >/dev/null 2>&1 || die "debug"
looks() { k exec p -c look -- ps | grep -q 'sleep 100000'; }
within 20 "target in sight" looks
if since 25; then
    k debug node/node01 --image=busybox -- chroot /host cat /etc/hostname >debug.out 2>&1
    debugger=$(k get pods -o name | grep node-debugger)
    says() { [ "$(k logs "$debugger")" = node01 ]; }
    within 20 "the node's file" says
fi
k debug p --image=busybox --copy-to=copy --container=more -- sleep 100003 >/dev/null 2>&1 || die "copy"
within 20 "copy" running copy "true true true "
