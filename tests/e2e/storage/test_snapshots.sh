#!/bin/sh
# Snapshots with bytes: taken of a volume that is in use, restored, pre-provisioned, kept or deleted by policy; what the
# objects, the events and the files say.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
class disks
snapshots() { find "$WORK/data/disks" -name 'snap-*' | wc -l; }
snapshot_class() {
    printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"%s"%s},"driver":"ebs.csi.aws.com","deletionPolicy":"%s"}' \
        "$1" "${3:-}" "$2" | k apply -f - >/dev/null
}
# snapshot NAME CLAIM CLASS
snapshot() {
    printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"%s"},"spec":{"source":{"persistentVolumeClaimName":"%s"}%s}}' \
        "$1" "$2" "${3:+,\"volumeSnapshotClassName\":\"$3\"}" | k apply -f - >/dev/null
}
ready() { within 300 "$1 is ready" value_is true of volumesnapshot "$1" .status.readyToUse; } # kubectl 1.20 cannot wait for a field

say "the definitions are there from the start"
eq "definitions" "volumesnapshotclasses.snapshot.storage.k8s.io volumesnapshotcontents.snapshot.storage.k8s.io volumesnapshots.snapshot.storage.k8s.io" \
    "$(k get crd -o 'jsonpath={.items[*].metadata.name}')"
k describe crd volumesnapshots.snapshot.storage.k8s.io >/dev/null
eq "short names" "vs" "$(k api-resources --api-group=snapshot.storage.k8s.io --no-headers | awk '$1=="volumesnapshots" {print $2}')"

say "a snapshot of a volume in use, restored"
claim data disks 1Gi
holder writer data
runs writer
on writer 'head -c 30000000 /dev/urandom > /data/f; mkdir /data/d; echo before > /data/d/when; sha256sum < /data/f > /data/sum'
fails k get volumesnapshot none
snapshot_class csi Delete
snapshot first data csi
ready first
on writer 'echo after > /data/d/when; rm /data/f'
content=$(of volumesnapshot first .status.boundVolumeSnapshotContentName)
eq "content" "snapcontent-$(of volumesnapshot first .metadata.uid)" "$content"
eq "finalizers" '["snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection","snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"]' \
    "$(of volumesnapshot first .metadata.finalizers)"
eq "restore size" 1Gi "$(of volumesnapshot first .status.restoreSize)"
eq "content's" "1073741824 true Delete ebs.csi.aws.com Filesystem" \
    "$(k get vsc "$content" -o 'jsonpath={.status.restoreSize} {.status.readyToUse} {.spec.deletionPolicy} {.spec.driver} {.spec.sourceVolumeMode}')"
within 5 "the claim is let go" sh -c "! $KUBECTL get pvc data -o yaml | grep -q as-source"
within 5 "events" value_is "Normal CreatingSnapshot snapshot-controller: Waiting for a snapshot default/first to be created by the CSI driver.
Normal SnapshotCreated snapshot-controller: Snapshot default/first was successfully created by the CSI driver.
Normal SnapshotReady snapshot-controller: Snapshot default/first is ready to use." events VolumeSnapshot first
has "columns" "NAME READYTOUSE SOURCEPVC SOURCESNAPSHOTCONTENT RESTORESIZE SNAPSHOTCLASS SNAPSHOTCONTENT CREATIONTIME AGE" \
    "$(k get vs first | head -1 | tr -s ' ')"
has "row" "first true data 1Gi csi $content" "$(k get vs first --no-headers | tr -s ' ')"
claim restored disks 2Gi '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"first"}'
eq "mirrored" '{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"first"}' "$(of pvc restored .spec.dataSourceRef)"
holder reader restored
runs reader
on reader 'sha256sum < /data/f | cmp - /data/sum && grep -qx before /data/d/when' || die "the bytes are not those of that moment"
[ "$(kib reader)" -gt 1900000 ] || die "the restored filesystem has $(kib reader) KiB"
on writer 'grep -qx after /data/d/when && touch /data/more' || die "the source is not what it was"

say "what is refused, and in which words"
claim small disks 500Mi '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"first"}'
within 30 "too small" told PersistentVolumeClaim small 'failed to provision volume with StorageClass "disks": error getting handle for DataSource Type VolumeSnapshot by Name first: requested volume size 524288000 is less than the size 1073741824 for the source snapshot first'
claim none disks 1Gi '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"nosuch"}'
within 30 "no such snapshot" told PersistentVolumeClaim none 'error getting handle for DataSource Type VolumeSnapshot by Name nosuch: error getting snapshot nosuch from api server: volumesnapshots.snapshot.storage.k8s.io "nosuch" not found'
claim raw disks 1Gi '"volumeMode":"Block","dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"first"}'
within 30 "mode" told PersistentVolumeClaim raw "requested volume default/raw modifies the mode of the source volume but does not have permission to do so. snapshot.storage.kubernetes.io/allow-volume-mode-change annotation is not present on snapshotcontent $content"
k delete pvc small none raw >/dev/null
snapshot lost nosuch csi
within 30 "no claim" told VolumeSnapshot lost "Warning SnapshotContentCreationFailed snapshot-controller: Failed to create snapshot content with error snapshot controller failed to update lost on API server: cannot get claim from snapshot"
has "status" "cannot get claim from snapshot" "$(of volumesnapshot lost .status.error.message)"
snapshot nodefault data
within 30 "no default" told VolumeSnapshot nodefault "Warning SetDefaultSnapshotClassFailed snapshot-controller: Failed to set default snapshot class with error cannot find default snapshot class"
snapshot noclass data nosuch
within 30 "no class" told VolumeSnapshot noclass 'Failed to get snapshot class with error failed to retrieve snapshot class nosuch from the informer: "volumesnapshotclass.snapshot.storage.k8s.io \"nosuch\" not found"'
fails k patch vs first --type merge -p '{"spec":{"source":{"persistentVolumeClaimName":"other"}}}'
has "immutable" "spec.source.persistentVolumeClaimName: Invalid value: \"string\": persistentVolumeClaimName is immutable" "$out"
k delete vs lost noclass >/dev/null

say "a default class appears: what waited for it goes on"
snapshot_class kept Retain ',"annotations":{"snapshot.storage.kubernetes.io/is-default-class":"true"}'
ready nodefault
eq "class" kept "$(of volumesnapshot nodefault .spec.volumeSnapshotClassName)"

say "deletion: with policy Delete the bytes go, with Retain they stay"
files=$(snapshots)
k delete vs first >/dev/null
within 30 "content gone" gone volumesnapshotcontent "$content"
eq "files" $((files - 1)) "$(snapshots)"
on reader 'sha256sum < /data/f | cmp - /data/sum' || die "the restored volume lost bytes with its snapshot"
content=$(of volumesnapshot nodefault .status.boundVolumeSnapshotContentName)
handle=$(of volumesnapshotcontent "$content" .status.snapshotHandle)
k delete vs nodefault >/dev/null
k get vsc "$content" >/dev/null
eq "files" $((files - 1)) "$(snapshots)"
k delete vsc "$content" >/dev/null
within 30 "content gone" gone volumesnapshotcontent "$content"
eq "files" $((files - 1)) "$(snapshots)"

say "pre-provisioned: the snapshot that stayed is used again"
k apply -f - >/dev/null <<YAML
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: old}
spec:
  deletionPolicy: Delete
  driver: ebs.csi.aws.com
  source: {snapshotHandle: $handle}
  volumeSnapshotRef: {name: again, namespace: default}
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: again}
spec: {source: {volumeSnapshotContentName: old}}
YAML
ready again
eq "bound" "$(of volumesnapshot again .metadata.uid)" "$(of volumesnapshotcontent old .spec.volumeSnapshotRef.uid)"
claim second disks 1Gi '"dataSourceRef":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"again"}'
holder second second
runs second
on second 'grep -qx after /data/d/when && ! test -e /data/f' || die "not the bytes of that snapshot"
k delete vs again >/dev/null
within 30 "content gone" gone volumesnapshotcontent old
eq "files" $((files - 2)) "$(snapshots)"

say "a snapshot that never was: what stands for it can be deleted at once, however often it was looked for"
printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotContent","metadata":{"name":"ghost"},"spec":{"deletionPolicy":"Delete","driver":"ebs.csi.aws.com","source":{"snapshotHandle":"snap-00000000000000bad"},"volumeSnapshotRef":{"name":"ghost","namespace":"default"}}}' | k apply -f - >/dev/null
printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"ghost"},"spec":{"source":{"volumeSnapshotContentName":"ghost"}}}' | k apply -f - >/dev/null
within 30 "told" told VolumeSnapshotContent ghost "failed to get snapshot status snap-00000000000000bad"
for _ in 1 2 3 4 5 6 7 8 9 10; do # the pauses between two looks become long
    "$STOWAGE" clock forward 6m --data "$WORK/data" >/dev/null
    sleep 0.3
done
k delete vs ghost --wait=false >/dev/null
within 5 "gone" gone volumesnapshotcontent ghost
within 5 "gone" gone vs ghost
