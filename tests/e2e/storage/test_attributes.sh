#!/bin/sh
# VolumeAttributesClass: off as a 1.32 server has it, and with its gate on: attributes of a disk that change in use.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"

say "off: no such kind, and the member is dropped"
cluster
cd "$WORK"
class disks
fails k get volumeattributesclass
has "no kind" "the server doesn't have a resource type \"volumeattributesclass\"" "$out"
claim plain disks 1Gi '"volumeAttributesClassName":"fast"'
eq "dropped" "" "$(of pvc plain .spec.volumeAttributesClassName)"
"$STOWAGE" down --data "$WORK/data" >/dev/null

say "a gate that does not exist is refused"
fails "$STOWAGE" up --data "$WORK/data" --listen 127.0.0.1:0 --feature-gates NoSuchGate=true
has "unknown" "unrecognized feature gate: NoSuchGate" "$out"

say "on: served, in its own version of the group"
cluster --feature-gates VolumeAttributesClass=true
eq "resource" "volumeattributesclasses vac storage.k8s.io/v1beta1 false VolumeAttributesClass" \
    "$(k api-resources --api-group=storage.k8s.io --no-headers | awk '$1=="volumeattributesclasses" {print $1,$2,$3,$4,$5}')"
has "versions" "storage.k8s.io/v1beta1" "$(k api-versions)"
has "versions" "storage.k8s.io/v1" "$(k api-versions)"
attributes() {
    printf '{"apiVersion":"storage.k8s.io/v1beta1","kind":"VolumeAttributesClass","metadata":{"name":"%s"},"driverName":"ebs.csi.aws.com","parameters":%s}' \
        "$1" "$2" | k apply -f - >/dev/null
}
attributes fast '{"iops":"5000","throughput":"250"}'
has "row" "fast ebs.csi.aws.com" "$(k get vac --no-headers | tr -s ' ')"
fails k patch vac fast --type merge -p '{"parameters":{"iops":"6000"}}'
has "immutable" "parameters: Forbidden: updates to parameters are forbidden." "$out"
claim data disks 10Gi # gp3 sells 500 IOPS a GiB
holder writer data
runs writer
k patch pvc data -p '{"spec":{"volumeAttributesClassName":"fast"}}' >/dev/null
within 30 "in force" value_is fast of pvc data .status.currentVolumeAttributesClassName
eq "volume" fast "$(of pv "$(volume_of data)" .spec.volumeAttributesClassName)"
eq "no status left" "" "$(of pvc data .status.modifyVolumeStatus)"
eq "the disk" "5000 250" "$("$STOWAGE" disk ls --data "$WORK/data" -o json |
    jq -r --arg id "$(of pv "$(volume_of data)" .spec.csi.volumeHandle)" '.. | objects | select(.VolumeId? == $id and has("Iops")) | "\(.Iops) \(.Throughput)"' | head -1)"
has "column" fast "$(k get pvc data --no-headers)"
within 5 "event" told PersistentVolumeClaim data "Normal VolumeModifySuccessful external-resizer ebs.csi.aws.com: external resizer modified volume $(volume_of data) with vac fast successfully"

say "a claim that names a class from the start gets its volume so, once the class is there"
class atonce '"volumeBindingMode":"Immediate","parameters":{"iops":"3500"}'
claim later atonce 10Gi '"volumeAttributesClassName":"soon"'
within 30 "told" told PersistentVolumeClaim later "failed to provision volume with StorageClass \"atonce\": volumeattributesclasses.storage.k8s.io \"soon\" not found"
eq "waits" Pending "$(of pvc later .status.phase)"
attributes soon '{"iops":"4000"}'
within 60 "bound" value_is Bound of pvc later .status.phase
eq "current" "soon soon" "$(of pvc later .status.currentVolumeAttributesClassName) $(of pv "$(volume_of later)" .spec.volumeAttributesClassName)"
eq "no change was needed" "" "$(of pvc later .status.modifyVolumeStatus)"
eq "the disk" 4000 "$("$STOWAGE" disk ls --data "$WORK/data" -o json |
    jq -r --arg id "$(of pv "$(volume_of later)" .spec.csi.volumeHandle)" '.. | objects | select(.VolumeId? == $id and has("Iops")) | .Iops' | head -1)"

say "a class that is not there is waited for; one that cannot be is told"
k patch pvc later -p '{"spec":{"volumeAttributesClassName":"anon"}}' >/dev/null
within 30 "pending" value_is Pending of pvc later .status.modifyVolumeStatus.status
attributes anon '{"iops":"4500"}'
within 30 "in force" value_is anon of pvc later .status.currentVolumeAttributesClassName
attributes wrong '{"colour":"red"}'
k patch pvc later -p '{"spec":{"volumeAttributesClassName":"wrong"}}' >/dev/null
within 30 "infeasible" value_is Infeasible of pvc later .status.modifyVolumeStatus.status
eq "still" anon "$(of pvc later .status.currentVolumeAttributesClassName)"
