#!/bin/sh
# Block volumes: the device itself in the pod, its bytes kept over pods and nodes, grown, cloned; what is refused.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
class disks
# raw POD CLAIM [MEMBERS OF SPEC]: a pod with the claim as /dev/blk
raw() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox","command":["sleep","100000"],"volumeDevices":[{"name":"v","devicePath":"/dev/blk"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"%s"}}]%s}}' \
        "$1" "$2" "${3:+,$3}" | k apply -f - >/dev/null
}

say "a device in the pod"
claim data disks 1Gi '"volumeMode":"Block"'
raw one data
runs one
on one 'test -b /dev/blk' || die "no block device"
eq "size" 1073741824 "$(on one 'blockdev --getsize64 /dev/blk')"
on one 'head -c 5000000 /dev/urandom > /tmp/r; dd if=/tmp/r of=/dev/blk bs=64k seek=100 conv=notrunc 2>/dev/null; sync; sha256sum < /tmp/r' >sum
eq "no filesystem type" "" "$(of pv "$(volume_of data)" .spec.csi.fsType)"
mapped="Normal SuccessfulMountVolume kubelet: MapVolume.MapPodDevice succeeded for volume \"$(volume_of data)\""
of_maps() { events Pod one | grep MapPodDevice; }
within 10 "events" value_is "$mapped globalMapPath \"/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/$(volume_of data)/dev\"
$mapped volumeMapPath \"/var/lib/kubelet/pods/$(of pod one .metadata.uid)/volumeDevices/kubernetes.io~csi\"" of_maps

say "the bytes stay over pods and nodes"
k delete pod one >/dev/null
raw two data '"nodeSelector":{"kubernetes.io/hostname":"controlplane"},"tolerations":[{"operator":"Exists"}]'
runs two
eq "node" controlplane "$(of pod two .spec.nodeName)"
on two 'dd if=/dev/blk bs=64k skip=100 count=77 2>/dev/null | head -c 5000000 | sha256sum' | cmp - sum || die "bytes changed"

say "it grows under the pod, without a filesystem"
k patch pvc data -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
within 30 "capacity" value_is 2Gi of pvc data .status.capacity.storage
eq "size" 2147483648 "$(on two 'blockdev --getsize64 /dev/blk')"

say "a clone has the same bytes"
claim twin disks 2Gi '"volumeMode":"Block","dataSource":{"kind":"PersistentVolumeClaim","name":"data"}'
raw three twin
runs three
on three 'dd if=/dev/blk bs=64k skip=100 count=77 2>/dev/null | head -c 5000000 | sha256sum' | cmp - sum || die "not the same bytes"

say "modes do not mix"
holder wrong data
within 30 "as a directory" told Pod wrong "volume v has volumeMode Block, but is specified in volumeMounts"
claim files disks 1Gi
raw wrong2 files
within 30 "as a device" told Pod wrong2 "volume v has volumeMode Filesystem, but is specified in volumeDevices"

say "the CSI hostpath driver has them too, with snapshots"
printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"csi-hostpath-sc"},"provisioner":"hostpath.csi.k8s.io","allowVolumeExpansion":true}' | k apply -f - >/dev/null
printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"csi-hostpath-snapclass"},"driver":"hostpath.csi.k8s.io","deletionPolicy":"Delete"}' | k apply -f - >/dev/null
claim hp csi-hostpath-sc 64Mi '"volumeMode":"Block"'
raw hp hp
runs hp
eq "size" 67108864 "$(on hp 'blockdev --getsize64 /dev/blk')"
on hp 'head -c 1000000 /dev/urandom > /tmp/r; dd if=/tmp/r of=/dev/blk bs=64k conv=notrunc 2>/dev/null; sync; sha256sum < /tmp/r' >sum
printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"snap"},"spec":{"volumeSnapshotClassName":"csi-hostpath-snapclass","source":{"persistentVolumeClaimName":"hp"}}}' | k apply -f - >/dev/null
within 30 "ready" value_is true of volumesnapshot snap .status.readyToUse
claim hp-restored csi-hostpath-sc 64Mi '"volumeMode":"Block","dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"snap"}'
raw hp-restored hp-restored
runs hp-restored
on hp-restored 'head -c 1000000 /dev/blk | sha256sum' | cmp - sum || die "not the same bytes"
claim hp-wrong csi-hostpath-sc 64Mi '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"snap"}'
within 30 "modes" told PersistentVolumeClaim hp-wrong "modifies the mode of the source volume"
handle=$(of pv "$(volume_of hp)" .spec.csi.volumeHandle)
[ -f "$WORK/data/disks/$handle.img" ] || die "no file $handle.img"
k delete pod hp >/dev/null
k delete pvc hp >/dev/null
within 30 "its file is gone" not [ -e "$WORK/data/disks/$handle.img" ]
