#!/bin/sh
# Point 10: the glass disk says of each layer what the kernel says: mountinfo, statfs, losetup, stat.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile killercoda
cd "$WORK"
export STOWAGE_DATA="$WORK/data"
glass() { "$STOWAGE" disk show "$@"; }
field() { jq -r "$1" <"$WORK/glass.json"; }

say "a claim from a class: every layer is there, and agrees with the kernel"
class glass
claim data glass 1Gi
holder web data
runs web
on web 'dd if=/dev/zero of=/data/file bs=1M count=8 2>/dev/null && touch /data/a /data/b && sync'
vol=$(of pv "$(volume_of data)" .spec.csi.volumeHandle)
glass pvc/data -o json >glass.json
eq "volume" "$(volume_of data)" "$(field .volume.name)"
eq "disk" "$vol in-use" "$(field '.disk | "\(.VolumeId) \(.State)"')"
eq "pod" "default web /data" "$(field '.pods[0] | "\(.namespace) \(.name) \(.containers[0].path)"')"
image=$(image_of data)
loop=$(losetup -n -O NAME -j "$image" | tr -d ' ')
[ -n "$loop" ] || die "no loop device has $image"
eq "loop device" "$loop" "$(field '.pods[0].device.loop')"
eq "device bytes" "$(blockdev --getsize64 "$loop")" "$(field '.pods[0].device.bytes')"
eq "backing file" "$image" "$(field '.pods[0].device.backingFile')"
eq "file length" "$(stat -c %s "$image")" "$(field .file.bytes)"
eq "file inode" "$(stat -c %i "$image")" "$(field .file.inode)"
node=$(of pod web .spec.nodeName)
mount=$(field '.pods[0].mount.path')
"$STOWAGE" shell "$node" -- findmnt -n -o SOURCE,FSTYPE "$mount" >mount.txt
eq "mount" "$(awk '{print $1, $2}' mount.txt)" "$(field '.pods[0] | "\(.mount.source) \(.mount.fstype)"')"
"$STOWAGE" shell "$node" -- stat -f -c '%b %S %c %d' "$mount" >statfs.txt
eq "filesystem bytes" "$(awk '{print $1 * $2}' statfs.txt)" "$(field '.pods[0].filesystem.bytes')"
eq "inodes" "$(awk '{print $3, $3 - $4}' statfs.txt)" "$(field '.pods[0].filesystem | "\(.inodes) \(.inodesUsed)"')"
[ "$(field '.pods[0].filesystem.used')" -ge 8388608 ] || die "8 MiB written, used: $(field '.pods[0].filesystem.used')"
[ "$(field .file.used)" -lt "$(field .file.bytes)" ] || die "the file is not sparse"

say "as text, and by the names of the volume and the disk"
text=$(glass pvc/data)
has "claim" "claim default/data: Bound, 1Gi asked, 1Gi given" "$text"
has "device" "/dev/xvdba on $node is $loop" "$text"
has "file" "file $image: 1Gi long" "$text"
# What moves by itself is left out: others use this machine's disk too, and the kernel writes when it likes.
still() { sed 's/[0-9.]*[KMGT]i* \(in use\|free there\|used\|available\)/\1/g'; }
eq "pv/" "$(echo "$text" | still)" "$(glass "pv/$(volume_of data)" | still)"
eq "by id" "$(echo "$text" | still)" "$(glass "$vol" | still)"

say "a volume that is a directory ends in its node's disk"
k apply -f - <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: local}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
YAML
holder here local
runs here
glass pvc/local -o json >glass.json
has "path" /opt/local-path-provisioner/ "$(field .volume.path)"
eq "filesystem" ext4 "$(field '.pods[0].mount.fstype')"
eq "the node's disk" "$(stat -c %s "$(field '.pods[0].device.backingFile')")" "$(field '.pods[0].device.bytes')"

say "nobody uses it: only what is left is told"
k delete pod web --now
within 30 "detached" sh -c "[ \"\$($STOWAGE disk show $vol -o json | jq -r .disk.State)\" = available ]"
glass pvc/data -o json >glass.json
eq "no pod, no device" "[] null" "$(field '"\(.pods) \(.attached)"')"
eq "file" "$(stat -c %s "$image")" "$(field .file.bytes)"
fails glass pvc/none
has "none" 'persistentvolumeclaims "none" not found' "$out"
fails glass vol-00000000000000000
has "no disk" 'no disk "vol-00000000000000000"' "$out"
"$STOWAGE" down --data "$WORK/data" >/dev/null
fails glass pvc/data
has "not running" "no cluster runs in $WORK/data" "$out"
