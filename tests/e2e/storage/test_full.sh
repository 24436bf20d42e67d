#!/bin/sh
# The machine's own filesystem is full. Who writes sees a full disk, its claim says why, and nothing else breaks: other pods
# write what little they have, objects are stored, pods and claims go; deleting gives room back, and then all works again.
# In mounts of its own: a cluster of another test that starts meanwhile must not inherit its small disk.
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare -m "$0"
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
truncate -s 1400M "$WORK/small.img"
mkfs.ext4 -q -F -m0 "$WORK/small.img"
mkdir "$WORK/data"
mount -o loop "$WORK/small.img" "$WORK/data" || { echo "skipped: no loop mounts here"; exit 77; }
end() {
    code=$?
    set +e
    "$STOWAGE" down --data "$WORK/data" >/dev/null 2>&1
    umount "$WORK/data" 2>/dev/null
    finish "$code"
}
trap end EXIT
cluster
cd "$WORK"
class disks
room() { df -k --output=avail "$WORK/data" | tail -1 | tr -d ' '; }
has_room() { [ "$(room)" -gt "$1" ]; }
# our loop devices, by the filesystem that their files lie on; what the kernel says of their filesystems: none was hurt
ours() { losetup -a | sed -n "s|^/dev/\\(loop[0-9]*\\): \\[0*$(stat -c %d "$WORK/data")\\].*|\\1|p"; }
unhurt() { for l in $(ours); do grep -qvx 0 /sys/fs/ext4/"$l"/errors_count 2>/dev/null && return 1; done; return 0; }
full() { case $out in *"No space left on device"*) ;; *) die "the pod saw: $out" ;; esac; }

# Room is shared out in steps, and what a burst may not have at once is there a moment later: until the last is gone.
refused() { ! out=$(on "$1" "dd if=/dev/zero bs=1M count=100 >> $2" 2>&1); }

claim other disks 1Gi
holder other other
claim data disks 3Gi
holder writer data
claim third disks 1Gi
holder third third
for pod in other writer third; do
    runs $pod
    on $pod "echo $pod > /data/kept; dd if=/dev/urandom of=/data/bytes bs=1M count=5 2>/dev/null; sha256sum </data/bytes >/data/sum; sync"
done

say "the pod fills what is there, and no more"
fails on writer 'dd if=/dev/zero of=/data/big bs=1M count=2500 conv=fsync'
full
has_room 30000 || die "nothing was kept: $(room) KiB"
within 60 "nothing is left" refused writer /data/more
full
on writer 'sync' || die "what was written cannot be synced"

say "its claim says why, the others' do not"
within 60 "told" told PersistentVolumeClaim data "Warning NoRoomForDisk stowage: the filesystem of this machine that holds the disk of volume \"$(volume_of data)\" is full"
lacks "the other claim" NoRoomForDisk "$(events PersistentVolumeClaim other)"

say "the cluster goes on, other pods write a little, also into the node's own filesystem"
k create configmap still >/dev/null
on other 'echo more >> /data/kept; sync; cat /data/kept' | grep -q more || die "the other pod cannot write"
on other 'echo x > /tmp/x; sync'

say "a pod ends as ever, a claim goes, and gives back its room"
k delete pod third >/dev/null
k delete pvc third --wait=false >/dev/null
within 60 "the claim goes" gone pvc third
within 60 "its volume goes" eval '[ "$(k get pv -o name | wc -l)" = 2 ]'

say "new pods and claims: they come as far as there is room, and in the end they run"
claim late disks 1Gi
holder late late

say "what the pod deletes is given back, and then there is room for others"
on writer 'rm /data/big /data/more; sync'
within 60 "room" has_room 500000
runs late
until_written() { on late 'dd if=/dev/zero of=/data/new bs=1M count=200 conv=fsync'; }
within 60 "writes succeed" until_written
within 60 "the writer writes again" on writer 'dd if=/dev/zero of=/data/big bs=1M count=200 conv=fsync'

say "full again by the node's own filesystem"
fails on other 'dd if=/dev/zero of=/tmp/big bs=1M count=2500 conv=fsync'
full
k delete pod late >/dev/null
k delete pod other >/dev/null
within 60 "room" has_room 300000

say "full by what is not ours: writes fail, nothing is lost, all comes back with the room"
fallocate -l $(($(room) - 20000))K "$WORK/data/foreign"
within 60 "nothing is left again" refused writer /data/again
full
k create configmap still2 >/dev/null
k delete pod writer >/dev/null
rm "$WORK/data/foreign"
holder writer2 data
holder other2 other
runs writer2
runs other2
kept() { on "$1" 'sha256sum < /data/bytes | cmp - /data/sum'; }
for pod in writer2 other2; do kept $pod || die "bytes of $pod are lost"; done
[ "$(ours | wc -l)" -ge 4 ] || die "whose loop devices are these? $(losetup -a)"
unhurt || die "a filesystem was hurt: $(grep . /sys/fs/ext4/loop*/errors_count)"

say "and over a restart"
"$STOWAGE" down --data "$WORK/data" >/dev/null
"$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0 >/dev/null 2>up.err || die "$(cat up.err)"
runs writer2
runs other2
for pod in writer2 other2; do within 30 "the bytes of $pod" kept $pod; done # Running may be what was written before the stop

if command -v mkfs.xfs >/dev/null && "$STOWAGE" shell --data "$WORK/data" node01 -- grep -qw xfs /proc/filesystems; then
    say "an xfs is held back in time, too"
    class xfs '"parameters":{"csi.storage.k8s.io/fstype":"xfs"}'
    on writer2 'rm -f /data/big /data/more; sync'
    within 60 "room" has_room 500000
    claim other-kind xfs 3Gi
    holder other-kind other-kind
    runs other-kind
    on other-kind 'echo kept > /data/kept; sync'
    fails on other-kind 'dd if=/dev/zero of=/data/big bs=1M count=2500 conv=fsync'
    full
    has_room 10000 || die "nothing was kept: $(room) KiB"
    on writer2 'echo x >> /data/kept; sync' || die "another pod cannot write"
    eq "it is not shut down" kept "$(on other-kind 'rm /data/big; sync; cat /data/kept; echo again > /data/again')"
fi
