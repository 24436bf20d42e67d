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
on_node_run() { "$STOWAGE" shell --data "$WORK/data" "$1" -- sh -c "$2"; }
# snapshot_class NAME DRIVER; snapshot NAME CLAIM CLASS
snapshot_class() {
    printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"%s"},"driver":"%s","deletionPolicy":"Delete"}' "$1" "$2" | k apply -f - >/dev/null
}
snapshot() {
    printf '{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"%s"},"spec":{"volumeSnapshotClassName":"%s","source":{"persistentVolumeClaimName":"%s"}}}' "$1" "$3" "$2" | k apply -f - >/dev/null
}
ready() { within 60 "snapshot $1 is ready" value_is true of volumesnapshot "$1" .status.readyToUse; }
from_snapshot() { printf '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"%s"}' "$1"; }

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

say "mount options of a file server: a wrong one fails the mount, ro is read-only"
sc nfs-odd nfs.csi.k8s.io '"parameters":{"server":"nfs-server.default","share":"/"},"mountOptions":["nfsvers=4.1","hards"]'
shared nfs-odd nfs-odd
holder nfs-odd nfs-odd
within 30 "told" told Pod nfs-odd "MountVolume.SetUp failed for volume \"$(volume_of nfs-odd)\" : rpc error: code = Internal desc = mount failed: exit status 32"
within 5 "told" told Pod nfs-odd "mount.nfs: an incorrect mount option was specified"
away nfs-odd
sc nfs-ro nfs.csi.k8s.io '"parameters":{"server":"nfs-server.default","share":"/"},"mountOptions":["ro"]'
shared nfs-ro nfs-ro
holder nfs-ro nfs-ro
runs nfs-ro
fails on nfs-ro 'echo x > /data/x'
has "ro" "Read-only file system" "$out"
away nfs-ro

say "file servers grow by themselves: no node has anything to do"
sc nfs-wide nfs.csi.k8s.io '"parameters":{"server":"nfs-server.default","share":"/"},"allowVolumeExpansion":true'
shared wide nfs-wide
shared px-wide px-repl2
for c in wide px-wide; do
    bound "$c"
    k patch pvc "$c" -p '{"spec":{"resources":{"requests":{"storage":"1500Mi"}}}}' >/dev/null
    within 30 "told" told PersistentVolumeClaim "$c" "VolumeResizeSuccessful"
    lacks "no node" FileSystemResizeRequired "$(events PersistentVolumeClaim "$c")"
done
eq "as asked" 1500Mi "$(of pvc wide .status.capacity.storage)"
eq "whole GiB" 2Gi "$(of pvc px-wide .status.capacity.storage)"
holder px-wide px-wide
runs px-wide
[ "$(kib px-wide)" -gt 1900000 ] || die "the filesystem has $(kib px-wide) KiB"
away px-wide

say "directories: local-path as k3s has it, by a pattern, and minikube's"
k apply -f - >/dev/null <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: k3s, annotations: {defaultVolumeType: local}}
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
parameters: {pathPattern: "{{ .PVC.Namespace }}/{{ .PVC.Name }}"}
YAML
claim k3s k3s 1Gi
holder k3s k3s "$(on_node node01 | sed 's/"nodeName":"node01",//')"
runs k3s
eq "local" /opt/local-path-provisioner/default/k3s "$(of pv "$(volume_of k3s)" .spec.local.path)"
on k3s 'echo kept > /data/page'
node=$(of pod k3s .spec.nodeName)
on_node_run "$node" 'grep -qx kept /opt/local-path-provisioner/default/k3s/page' || die "not where the volume says"
away k3s
k delete pvc k3s >/dev/null
within 60 "the directory goes" not on_node_run "$node" 'test -e /opt/local-path-provisioner/default/k3s'
sc standard k8s.io/minikube-hostpath
shared mini standard
bound mini
holder mini mini "$(on_node node01)"
runs mini
on mini 'echo mine > /data/page'
on_node_run node01 'grep -qx mine /tmp/hostpath-provisioner/default/mini/page' || die "not where the volume says"
away mini
k delete pvc mini >/dev/null
within 60 "the directory goes" not on_node_run node01 'test -e /tmp/hostpath-provisioner/default/mini'

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
snapshot_class gce pd.csi.storage.gke.io
snapshot_class azure disk.csi.azure.com
snapshot gce standard-rwo gce
snapshot gce-old gce-old gce
snapshot azure managed-csi azure
for c in gce:standard-rwo gce-old:gce-old azure:managed-csi; do
    ready "${c%:*}"
    claim "again-${c%:*}" "${c#*:}" 10Gi "$(from_snapshot "${c%:*}")"
    holder "again-${c%:*}" "again-${c%:*}"
    runs "again-${c%:*}"
    eq "bytes of ${c#*:}" "${c#*:}" "$(on "again-${c%:*}" cat /data/name)"
done
has "GCE snapshot" projects/stowage/global/snapshots/snapshot- "$(k get vsc -o 'jsonpath={.items[*].status.snapshotHandle}')"
away again-gce again-gce-old again-azure

say "a disk of Google's that many read: at two nodes at once, and nobody writes"
sc gce-now pd.csi.storage.gke.io
attached() { k get volumeattachments -o 'jsonpath={.items[*].spec.source.persistentVolumeName}' | grep -qF "$(volume_of "$1")"; }
within 60 "let go, and clean: who only reads replays no journal" not attached again-gce
printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"readers"},"spec":{"accessModes":["ReadOnlyMany"],"storageClassName":"gce-now","resources":{"requests":{"storage":"10Gi"}},"dataSource":{"kind":"PersistentVolumeClaim","name":"again-gce"}}}' |
    k apply -f - >/dev/null
holder reader-a readers "$(on_node node01)"
holder reader-b readers "$(on_node controlplane)"
for p in reader-a reader-b; do
    runs $p
    eq "$p" standard-rwo "$(on $p cat /data/name)"
    fails on $p 'echo x > /data/x'
    has "$p" "Read-only file system" "$out"
done
away reader-a reader-b
k delete pvc readers >/dev/null
k delete vs --all >/dev/null
k delete pvc again-gce again-gce-old again-azure >/dev/null
has "in-tree GCE" pvc- "$(of pv "$(volume_of gce-old)" .spec.gcePersistentDisk.pdName)"
eq "in-tree zone label" us-east-1a "$(k get pv "$(volume_of gce-old)" -o 'jsonpath={.metadata.labels.topology\.kubernetes\.io/zone}')"

say "the CSI hostpath driver: a directory, a snapshot of it, and what comes of it"
sc csi-hostpath-sc hostpath.csi.k8s.io '"allowVolumeExpansion":true'
snapshot_class csi-hostpath-snapclass hostpath.csi.k8s.io
claim hp csi-hostpath-sc 1Gi
holder hp hp
runs hp
on hp "echo first > /data/text"
snapshot snap hp csi-hostpath-snapclass
ready snap
on hp "echo second > /data/text"
claim hp-restored csi-hostpath-sc 1Gi "$(from_snapshot snap)"
holder hp-restored hp-restored
runs hp-restored
eq "restored bytes" first "$(on hp-restored cat /data/text)"

say "refusals are told in the drivers' words"
sc efs-bad efs.csi.aws.com '"parameters":{"provisioningMode":"efs-ap"}'
shared efs-bad efs-bad
within 30 "EFS says what is missing" told PersistentVolumeClaim efs-bad "Missing fileSystemId parameter"

sc az-bad disk.csi.azure.com
shared az-bad az-bad
within 30 "Azure" told PersistentVolumeClaim az-bad "mountVolume is not supported for access mode: MULTI_NODE_MULTI_WRITER"
sc io1-old kubernetes.io/aws-ebs '"parameters":{"type":"io1","iopsPerGB":"10","fsType":"ext4","zone":"us-east-1a"}'
claim io1-old io1-old 4Gi
bound io1-old
eq "the least that io1 has" "io1 100 us-east-1a" "$("$STOWAGE" disk ls --data "$WORK/data" -o json |
    jq -r --arg id "$(of pv "$(volume_of io1-old)" .spec.awsElasticBlockStore.volumeID)" '.Volumes[] | select(.VolumeId == $id) | "\(.VolumeType) \(.Iops) \(.AvailabilityZone)"')"
sc io1-new ebs.csi.aws.com '"parameters":{"type":"io1","iopsPerGB":"10","zone":"us-east-1a"}'
claim io1-new io1-new 4Gi
within 30 "EBS" told PersistentVolumeClaim io1-new "Invalid parameter key zone for CreateVolume"

say "what was made goes with its claim"
away hp hp-restored standard-rwo managed-csi gce-old
k delete pvc --all >/dev/null
none_left() { [ -z "$(k get pv -o name)" ]; }
within 60 "all volumes are gone" none_left
others() { find "$WORK/data/disks" -mindepth 1 -printf '%f\n' | grep -v -e '^fs-92107410' -e '^nfs-' -e '^node-' -e nodefs; }
within 60 "no disk but the file servers'" not others # a file of some size goes in its own time
