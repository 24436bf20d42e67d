#!/bin/sh
# Local volumes: a directory of the node, or a disk there; who may use them together, and as which group.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
export STOWAGE_DATA="$WORK/data"
# volume NAME PATH MODES [MEMBERS OF SPEC]: a local volume on node01 and its claim
volume() {
    printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"%s"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":[%s],"persistentVolumeReclaimPolicy":"Retain","storageClassName":"local","claimRef":{"namespace":"default","name":"%s"},"local":{"path":"%s"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["node01"]}]}]}}%s}}' \
        "$1" "$3" "$1" "$2" "${4:+,$4}" | k apply -f - >/dev/null
    printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"%s"},"spec":{"accessModes":[%s],"storageClassName":"local","resources":{"requests":{"storage":"1Gi"}}%s}}' \
        "$1" "$3" "${4:+,$4}" | k apply -f - >/dev/null
    within 30 "$1 bound" phase_is pvc "$1" Bound
}
node() { "$STOWAGE" shell --data "$WORK/data" node01 -- sh -c "$1"; }

say "a directory, and what is none"
volume dir /mnt/dir '"ReadWriteOnce"'
holder one dir
within 60 "its words" told Pod one 'MountVolume.NewMounter initialization failed for volume "dir" : path "/mnt/dir" does not exist'
command=$("$STOWAGE" why --data "$WORK/data" pod/one -o json | jq -r '.changes[0].command')
eq "what would help" "stowage shell node01 -- mkdir -p /mnt/dir" "$command"
node 'echo text > /mnt/dir'
within 150 "its words" told Pod one 'MountVolume.NewMounter initialization failed for volume "dir" : only directory and block device are supported'
k delete pod one --now >/dev/null
node 'rm /mnt/dir; mkdir /mnt/dir; echo here > /mnt/dir/file'

say "the first pod gives it its group; who wants another is told"
holder first dir '"securityContext":{"fsGroup":2000}'
runs first
eq "content" here "$(on first 'cat /data/file')"
eq "owners" "2775 0:2000" "$(on first 'stat -c "%a %u:%g" /data')"
holder second dir '"securityContext":{"fsGroup":3000}'
runs second
within 10 "told" told Pod second 'The requested fsGroup is 3000, but the volume dir has GID 2000. The volume may not be shareable.'
eq "owners" "2775 0:2000" "$(on second 'stat -c "%a %u:%g" /data')"
holder third dir '"securityContext":{"fsGroup":2000}'
runs third
told Pod third "may not be shareable" && die "the same group is fine"
k delete pod first second third --now >/dev/null
holder fourth dir '"securityContext":{"fsGroup":3000}'
runs fourth
eq "owners" "2775 0:3000" "$(on fourth 'stat -c "%a %u:%g" /data')"
eq "in use" "" "$(of node node01 .status.volumesInUse)"

say "ReadWriteOncePod: one pod, also of those that name their node"
node 'mkdir /mnt/alone'
volume alone /mnt/alone '"ReadWriteOncePod"'
holder p1 alone '"nodeName":"node01"'
runs p1
holder p2 alone '"nodeName":"node01"'
within 60 "refused" told Pod p2 'MountVolume.SetUp failed for volume "alone" : volume uses the ReadWriteOncePod access mode and is already in use by another pod'
k delete pod p1 --now >/dev/null
within 150 "the other's turn" phase_is pod p2 Running

say "a disk of the node gets a filesystem, and is let go by its last pod"
id=$("$STOWAGE" disk create --zone "$(of node node01 '.metadata.labels.topology\.kubernetes\.io/zone')" --size 1Gi)
"$STOWAGE" disk attach "$id" node01 --device /dev/sdf >/dev/null
volume disk /dev/sdf '"ReadWriteOnce"'
holder d1 disk
holder d2 disk
runs d1
runs d2
eq "filesystem" ext4 "$(on d1 "awk '\$2 == \"/data\" {print \$3}' /proc/mounts")"
on d1 'echo kept > /data/f'
eq "one filesystem" kept "$(on d2 'cat /data/f')"
node 'grep -q " /var/lib/kubelet/plugins/kubernetes.io/local-volume/mounts/disk " /proc/mounts' || die "not where the kubelet has it"
k delete pod d1 --now >/dev/null
eq "still there" kept "$(on d2 'cat /data/f')"
k delete pod d2 --now >/dev/null
within 30 "let go" node '! grep -q sdf /proc/mounts'
holder d3 disk
runs d3
eq "its bytes" kept "$(on d3 'cat /data/f')"
k delete pod d3 --now >/dev/null
"$STOWAGE" disk detach "$id" >/dev/null
