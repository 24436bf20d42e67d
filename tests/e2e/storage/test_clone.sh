#!/bin/sh
# Claims made from claims: the bytes of that moment, then two lives of their own.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
class disks
clone_of() { printf '"dataSource":{"kind":"PersistentVolumeClaim","name":"%s"}' "$1"; }

say "a clone of a volume that is in use"
claim data disks 1Gi
holder writer data
runs writer
on writer 'head -c 20000000 /dev/urandom > /data/f; sha256sum < /data/f > /data/sum; echo before > /data/when'
claim twin disks 1Gi "$(clone_of data)"
eq "mirrored" '{"kind":"PersistentVolumeClaim","name":"data"}' "$(of pvc twin .spec.dataSourceRef | sed 's/"apiGroup":null,//')"
within 30 "twin" phase_is pvc twin Bound
on writer 'echo after > /data/when'
holder reader twin
runs reader
on reader 'sha256sum < /data/f | cmp - /data/sum && grep -qx before /data/when' || die "not the bytes of that moment"
on reader 'echo twin > /data/when'
on writer 'grep -qx after /data/when' || die "the clone writes to its source"
within 30 "the source is let go" value_is '["kubernetes.io/pvc-protection"]' of pvc data .metadata.finalizers

say "a larger clone has a larger filesystem"
claim large disks 3Gi "$(clone_of data)"
holder large large
runs large
[ "$(kib large)" -gt 2900000 ] || die "the filesystem has $(kib large) KiB"

say "of another namespace: a 1.32 server has that switched off, and drops it"
claim abroad disks 1Gi '"dataSourceRef":{"kind":"PersistentVolumeClaim","name":"data","namespace":"kube-system"}'
eq "dropped" "" "$(of pvc abroad .spec.dataSourceRef)$(of pvc abroad .spec.dataSource)"
k delete pvc abroad >/dev/null

say "what is refused"
claim small disks 500Mi "$(clone_of data)"
within 30 "size" told PersistentVolumeClaim small 'failed to provision volume with StorageClass "disks": error getting handle for DataSource Type PersistentVolumeClaim by Name data: error, new PVC request must be greater than or equal in size to the specified PVC data source, requested 524288000 but source is 1073741824'
claim none disks 1Gi "$(clone_of nosuch)"
within 30 "missing" told PersistentVolumeClaim none 'error getting handle for DataSource Type PersistentVolumeClaim by Name nosuch: error getting PVC nosuch (namespace "default") from api server: persistentvolumeclaims "nosuch" not found'
claim raw disks 1Gi "\"volumeMode\":\"Block\",$(clone_of data)"
within 30 "mode" told PersistentVolumeClaim raw "the source PVC and destination PVCs must have the same volume mode for cloning.  Source is Filesystem, but new PVC requested Block"

say "a clone survives its source"
k delete pod writer >/dev/null
k delete pvc small none raw data >/dev/null
within 30 "source gone" gone pvc data
on reader 'sha256sum < /data/f | cmp - /data/sum' || die "the clone lost bytes with its source"
