#!/bin/sh
# Classes of every provisioner that courses use: each claim is bound by its own driver, a pod writes to it, its volume
# looks as it does in reality, and what was made goes with the claim.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none

# sc NAME PROVISIONER [MEMBERS]
sc() {
    printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"%s"},"provisioner":"%s"%s}' \
        "$1" "$2" "${3:+,$3}" | k apply -f - >/dev/null
}
# shared NAME CLASS: a claim that many may write to
shared() {
    printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"%s"},"spec":{"accessModes":["ReadWriteMany"],"storageClassName":"%s","resources":{"requests":{"storage":"1Gi"}}}}' \
        "$1" "$2" | k apply -f - >/dev/null
}
bound() { within 60 "claim $1 is bound" phase_is pvc "$1" Bound; }
on_node() { printf '"nodeName":"%s","tolerations":[{"operator":"Exists"}]' "$1"; }
away() { k delete pod "$@" --grace-period=0 --force >/dev/null 2>&1; }

say "files that pods on two nodes see together: EFS, NFS, FSx, Portworx"
sc efs-sc efs.csi.aws.com '"parameters":{"provisioningMode":"efs-ap","fileSystemId":"fs-92107410","directoryPerms":"700"}'
sc nfs-csi nfs.csi.k8s.io '"parameters":{"server":"nfs-server.default","share":"/"},"mountOptions":["nfsvers=4.1"]'
sc fsx-sc fsx.csi.aws.com '"parameters":{"subnetId":"subnet-0eabfaa81fb22bcaf"}'
sc px-repl2 kubernetes.io/portworx-volume '"parameters":{"repl":"2"},"allowVolumeExpansion":true'
for c in efs-sc nfs-csi fsx-sc px-repl2; do shared "$c" "$c"; done
for c in efs-sc nfs-csi fsx-sc px-repl2; do
    bound "$c"
    holder "$c-a" "$c" "$(on_node node01)"
    holder "$c-b" "$c" "$(on_node controlplane)"
    runs "$c-a"
    on "$c-a" "echo from-node01 > /data/page"
    runs "$c-b"
    eq "$c: seen on the other node" from-node01 "$(on "$c-b" cat /data/page)"
    on "$c-b" "echo back >> /data/page"
    eq "$c: and the other way" back "$(on "$c-a" tail -n 1 /data/page)"
    away "$c-a" "$c-b"
done
holder efs-user efs-sc '"securityContext":{"runAsUser":1000,"fsGroup":2000}'
runs efs-user
on efs-user 'echo mine > /data/mine' # an access point lets in whoever has it; owners are not changed in it
eq "owner" 0 "$(on efs-user 'stat -c %g /data')"
away efs-user
has "EFS handle" "fs-92107410::fsap-" "$(of pv "$(volume_of efs-sc)" .spec.csi.volumeHandle)"
has "NFS handle" "nfs-server.default##pvc-" "$(of pv "$(volume_of nfs-csi)" .spec.csi.volumeHandle)"
eq "mount options" '["nfsvers=4.1"]' "$(of pv "$(volume_of nfs-csi)" .spec.mountOptions)"
eq "FSx sells 1200Gi at least" 1200Gi "$(of pvc fsx-sc .status.capacity.storage)"
eq "Portworx in its old form" "$(volume_of px-repl2)" "$(k get pv -o 'jsonpath={.items[?(@.spec.portworxVolume)].metadata.name}')"
eq "nothing is attached for files" "" "$(k get volumeattachments -o name)"

say "the drivers were installed by being named"
drivers=$(k get csidrivers -o name)
for d in efs.csi.aws.com nfs.csi.k8s.io fsx.csi.aws.com pxd.portworx.com; do
    has csidrivers "$d" "$drivers"
    has "CSINode" "$d" "$(of csinode node01 '.spec.drivers[*].name')"
done
lacks csidrivers hostpath.csi.k8s.io "$drivers"

say "disks of other clouds: attached, formatted, of their zone"
sc standard-rwo pd.csi.storage.gke.io '"volumeBindingMode":"WaitForFirstConsumer","parameters":{"type":"pd-balanced"}'
sc managed-csi disk.csi.azure.com '"parameters":{"skuName":"StandardSSD_LRS"}'
sc gce-old kubernetes.io/gce-pd
for c in standard-rwo managed-csi gce-old; do
    claim "$c" "$c" 10Gi
    holder "$c" "$c"
    runs "$c"
    on "$c" "echo $c > /data/name; sync"
    has "$c is a device" /dev/xvd "$(on "$c" df /data)"
done
has "GCE handle" "projects/stowage/zones/us-east-1a/disks/pvc-" "$(of pv "$(volume_of standard-rwo)" .spec.csi.volumeHandle)"
has "Azure handle" "Microsoft.Compute/disks/pvc-" "$(of pv "$(volume_of managed-csi)" .spec.csi.volumeHandle)"
has "in-tree GCE" pvc- "$(of pv "$(volume_of gce-old)" .spec.gcePersistentDisk.pdName)"
eq "in-tree zone label" us-east-1a "$(k get pv "$(volume_of gce-old)" -o 'jsonpath={.metadata.labels.topology\.kubernetes\.io/zone}')"

say "the CSI hostpath driver: a directory, a snapshot of it, and what comes of it"
sc csi-hostpath-sc hostpath.csi.k8s.io '"allowVolumeExpansion":true'
printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"csi-hostpath-snapclass"},"driver":"hostpath.csi.k8s.io","deletionPolicy":"Delete"}' | k apply -f - >/dev/null
claim hp csi-hostpath-sc 1Gi
holder hp hp
runs hp
on hp "echo first > /data/text"
printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"snap"},"spec":{"volumeSnapshotClassName":"csi-hostpath-snapclass","source":{"persistentVolumeClaimName":"hp"}}}' | k apply -f - >/dev/null
ready() { [ "$(of volumesnapshot snap .status.readyToUse)" = true ]; }
within 60 "the snapshot is ready" ready
on hp "echo second > /data/text"
claim hp-restored csi-hostpath-sc 1Gi '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"snap"}'
holder hp-restored hp-restored
runs hp-restored
eq "restored bytes" first "$(on hp-restored cat /data/text)"

say "refusals are told in the drivers' words"
sc efs-bad efs.csi.aws.com '"parameters":{"provisioningMode":"efs-ap"}'
shared efs-bad efs-bad
within 30 "EFS says what is missing" told PersistentVolumeClaim efs-bad "Missing fileSystemId parameter"

say "what was made goes with its claim"
away hp hp-restored standard-rwo managed-csi gce-old
k delete pvc --all >/dev/null
none_left() { [ -z "$(k get pv -o name)" ]; }
within 60 "all volumes are gone" none_left
eq "no disk but the file servers'" "" "$(find "$WORK/data/disks" -mindepth 1 -printf '%f\n' | grep -v -e '^fs-92107410' -e '^nfs-' -e '^node-' -e nodefs || true)"
