#!/bin/sh
# How a cluster starts and ends besides `up` and `down`: detached from its caller, ephemeral, interrupted, two at once, on a
# full disk; whatever the end, nothing stays.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cd "$WORK"
up() { "$STOWAGE" up --nodes 1 --nodefs 256Mi --listen 127.0.0.1:0 "$@"; }
# foreground DIR [flags]: in the background of this shell; its process is $pid
foreground() {
    dir=$1
    shift
    : >up.out # else the last one's words may be read before the new process empties it
    "$STOWAGE" up --nodes 1 --nodefs 256Mi --listen 127.0.0.1:0 --data "$dir" "$@" >up.out 2>up.err &
    pid=$!
    within 20 "started" grep -q "Cluster ready" up.out
}
# gone NAME: no process with that in its command line
gone() { ! pgrep -f "$1" >/dev/null; }
empty() { [ -z "$(ls -A "$1")" ]; }

say "detached: nobody holds the caller's pipe"
out=$(timeout 300 "$STOWAGE" up --detach --nodes 1 --data "$WORK/data" --listen 127.0.0.1:0 2>&1) || die "up --detach in \$(): $out"
has "welcome" "export KUBECONFIG=$WORK/data/kubeconfig" "$out"
export KUBECONFIG="$WORK/data/kubeconfig"

say "down does not wait for grace periods"
k run stubborn --image=busybox --overrides='{"spec":{"terminationGracePeriodSeconds":3600}}' -- sh -c 'trap "" TERM; while true; do sleep 1; done'
k wait --for=condition=Ready pod/stubborn --timeout=300s
timeout 600 "$STOWAGE" down --data "$WORK/data" || die "down waits"

say "two clusters side by side"
up --detach --quiet --data "$WORK/one"
up --detach --quiet --data "$WORK/two" --profile killercoda
eq "one" gp2 "$(k --kubeconfig one/kubeconfig get sc -o 'jsonpath={.items[*].metadata.name}')"
eq "two" local-path "$(k --kubeconfig two/kubeconfig get sc -o 'jsonpath={.items[*].metadata.name}')"
for c in one two; do k --kubeconfig $c/kubeconfig run p --image=busybox --env WHO=$c -- sleep 1000; done
for c in one two; do k --kubeconfig $c/kubeconfig wait --for=condition=Ready pod/p --timeout=300s; done
"$STOWAGE" down --data "$WORK/one"
eq "two lives on" two "$(k --kubeconfig two/kubeconfig exec p -- sh -c 'echo $WHO')"
"$STOWAGE" down --data "$WORK/two"

say "ephemeral: found by its directory; gone after down, interruption and kill -9"
mkdir eph
up --ephemeral --detach --data "$WORK/eph" >up.out
has "status" "$WORK/eph/ephemeral-" "$("$STOWAGE" status --data "$WORK/eph")"
has "down" "gone" "$("$STOWAGE" down --data "$WORK/eph")"
within 5 "gone after down" empty eph
for how in INT TERM HUP KILL; do
    foreground "$WORK/eph" --ephemeral
    kill -$how $pid
    wait $pid && code=0 || code=$?
    [ $how = KILL ] || eq "exit code after SIG$how" 0 $code
    within 5 "directory gone after SIG$how" empty eph
    within 5 "processes gone after SIG$how" gone "$WORK/eph"
done
foreground "$WORK/eph" --ephemeral
kill -9 $(pgrep -P $pid) $pid
wait $pid || true
up --ephemeral --detach --quiet --data "$WORK/eph"
eq "what two killed processes left went with the next start" 1 "$(ls eph | wc -l)"
"$STOWAGE" down --data "$WORK/eph" >/dev/null
within 5 "gone" empty eph

say "Ctrl-C on a terminal; nohup keeps its promise"
python3 - "$STOWAGE" "$WORK/fg" <<'PY' >fg.out || die "Ctrl-C: $(cat fg.out)"
import os, pty, sys
pid, tty = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], ["stowage", "up", "--nodes", "1", "--data", sys.argv[2], "--listen", "127.0.0.1:0"])
said = b""
while b"Ctrl-C stops" not in said:
    said += os.read(tty, 4096)
os.write(tty, b"\x03")
try:
    while more := os.read(tty, 4096):
        said += more
except OSError:
    pass
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
has "says so" "stowage: stopping" "$(cat fg.out)"
trap '' HUP
foreground "$WORK/fg"
trap - HUP
kill -HUP $pid
sleep 0.3
kill -0 $pid || die "a hang-up that was to be ignored stopped it"
kill $pid
wait $pid

say "the node helper dies: one line, exit code 1"
foreground "$WORK/fg"
kill -9 "$(pgrep -P $pid -f __helper)"
wait $pid && code=0 || code=$?
eq "exit code" 1 $code
has "message" "the node helper died, so the cluster stops" "$(cat up.err)"
has "what is left" "objects and volumes are kept" "$(cat up.err)"
eq "one line" 1 "$(wc -l <up.err)"
foreground "$WORK/fg" --ephemeral
kill -9 "$(pgrep -P $pid -f __helper)"
wait $pid || :
has "what is left" "objects and volumes are gone, it was ephemeral" "$(cat up.err)"

say "in a chroot: the cluster lives there, and its pods end up in no other place"
for d in usr proc dev tmp etc data; do mkdir -p "machine/$d"; done
for d in bin sbin lib lib64; do ln -s "usr/$d" "machine/$d"; done
cp "$STOWAGE" machine/stowage
# inside PREPARATION COMMAND...: its mounts are seen there only, and go with the last process there
inside() {
    unshare -m --propagation private sh -c \
        "$1; cd machine"' && mount --bind /usr usr && mount --bind /dev dev && mount -t proc proc proc && exec chroot . /stowage "$@"' "$@"
}
trap 'code=$?; set +e; inside true down --data /data >/dev/null 2>&1; finish $code' EXIT # if something fails
for before in true 'mount --bind machine machine'; do
    inside "$before" doctor >/dev/null || die "doctor in a chroot: $(inside "$before" doctor)"
    inside "$before" up --detach --quiet --nodes 1 --nodefs 256Mi --listen 127.0.0.1:0 --data /data
    export KUBECONFIG="$WORK/machine/data/kubeconfig"
    k run inner --image=busybox -- sleep 1000
    k wait --for=condition=Ready pod/inner --timeout=60s
    eq "exec is in the pod" inner "$(k exec inner -- cat /etc/hostname)"
    has "its root" "overlay / overlay" "$(k exec inner -- cat /proc/mounts)"
    lacks "nothing of the machine" "$WORK" "$(k exec inner -- cat /proc/mounts)"
    fails k exec inner -- ls /machine "$WORK"
    inside "$before" down --data /data
    rm -rf machine/data
done
trap finish EXIT

say "a disk that is full at the start, and one that fills"
mkdir small
mount -t tmpfs -o size=96k tmpfs small
fails up --detach --data "$WORK/small/d"
has "full" "No space left on device; make room there, or choose a directory on another disk with --data" "$out"
eq "one line" 1 "$(printf '%s\n' "$out" | wc -l)"
within 5 "no loop device" sh -c "! losetup -a | grep -q $WORK/small"
umount small
mount -t tmpfs -o size=3m tmpfs small
up --detach --quiet --data "$WORK/small/d"
export KUBECONFIG="$WORK/small/d/kubeconfig"
head -c 150000 /dev/urandom | base64 -w0 >big
made=0
while [ $made -lt 30 ] && out=$(k create cm c$made --from-file=big 2>&1); do made=$((made + 1)); done
has "a full disk refuses" "No space left on device" "$out"
[ $made -ge 3 ] || die "only $made ConfigMaps fit"
all() { k get cm -o name | grep -c '/c[0-9]'; }
eq "what was acknowledged is there" $made "$(all)"
mount -o remount,size=32m small
k create cm c999 --from-literal=a=b
"$STOWAGE" down --data "$WORK/small/d"
up --detach --quiet --data "$WORK/small/d" --listen "127.0.0.1:$(sed -n 's/.*server:.*:\([0-9]*\)"*$/\1/p' "$KUBECONFIG")"
eq "and after a restart" $((made + 1)) "$(all)"
"$STOWAGE" down --data "$WORK/small/d"
within 5 "let go" umount small
