#!/bin/sh
# The machine's own filesystem is full: the pod's writes fail as on a broken disk, its claim says why, the API goes on storing, and
# another volume can be read. Pods that end then are another matter: the nodes' filesystems lie on the same disk, and ext4 may make
# them read-only, so theirs is a forced deletion.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
truncate -s 1G "$WORK/small.img"
mkfs.ext4 -q -F -m0 "$WORK/small.img"
mkdir "$WORK/data"
mount -o loop "$WORK/small.img" "$WORK/data" || { echo "skipped: no loop mounts here"; exit 77; }
trap '"$STOWAGE" down --data "$WORK/data" >/dev/null 2>&1 || true; umount "$WORK/data" 2>/dev/null; finish' EXIT
cluster
cd "$WORK"
class disks
claim other disks 1Gi
holder other other
claim data disks 2Gi
holder writer data
runs other
runs writer
on other 'echo other > /data/kept; sync'
on writer 'echo kept > /data/kept; sync'

say "the pod fills what is not there"
fails on writer 'dd if=/dev/zero of=/data/big bs=1M count=1500 conv=fsync'
case $out in
*"No space left on device"* | *"Input/output error"* | *"Read-only file system"*) ;;
*) die "the pod saw: $out" ;;
esac

say "the claim says why, the cluster goes on"
within 60 "told" told PersistentVolumeClaim data "Warning NoRoomForDisk stowage: the filesystem of this machine that holds the disk of volume \"$(volume_of data)\" is full"
within 60 "objects are stored" k create configmap still
eq "the other volume" other "$(on other 'cat /data/kept')"
phase_is pod writer Running || die "the pod is $(of pod writer .status.phase)"

say "the pod is taken away by force, what was stored stays"
k delete pod writer --grace-period=0 --force >/dev/null 2>&1
k get configmap still >/dev/null || die "what was stored is gone"
