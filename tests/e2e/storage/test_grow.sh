#!/bin/sh
# Claims that grow: file, loop device and filesystem, while the pod writes; what the objects say on the way; what is refused;
# how one comes back from a wish that cannot be.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
class grows
class fixed '"allowVolumeExpansion":false'

say "1Gi becomes 2Gi while the pod writes"
claim data grows 1Gi
holder writer data
runs writer
on writer 'head -c 20000000 /dev/urandom > /data/f; sha256sum < /data/f > /data/sum'
small=$(kib writer)
[ "$small" -lt 1048576 ] || die "the fresh filesystem has $small KiB"
image=$(image_of data)
eq "file" 1073741824 "$(stat -c %s "$image")"
"$KUBECTL" exec writer -- sh -c 'while [ ! -e /data/stop ]; do date >> /data/log; sync; done' &
busy=$!
: >steps
"$KUBECTL" get pvc data --watch -o 'jsonpath={.status.allocatedResourceStatuses.storage}:{.status.allocatedResources.storage}:{.status.capacity.storage}:{.status.conditions[*].type}{"\n"}' >steps &
watch=$!
within 10 "watching" test -s steps
k patch pvc data -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
within 30 "the file" value_is 2147483648 stat -c %s "$image"
loop=$(losetup -n -O NAME,BACK-FILE -l | grep -F "$image" | awk '{print $1}')
within 10 "loop device" value_is 4194304 cat "/sys/block/${loop#/dev/}/size" # sectors
if can_grow_ext4; then
    within 30 "status.capacity" value_is 2Gi of pvc data .status.capacity.storage
else
    echo "this machine withholds CAP_SYS_RESOURCE: the filesystem grows at the next mount"
    within 30 "told" told Pod writer "This machine withholds CAP_SYS_RESOURCE"
    eq "waits" NodeResizePending "$(of pvc data .status.allocatedResourceStatuses.storage)"
    eq "waits" "Resizing FileSystemResizePending" "$(of pvc data '.status.conditions[*].type')"
    eq "PV" 2Gi "$(of pv "$(volume_of data)" .spec.capacity.storage)"
    eq "before" 1Gi "$(of pv "$(volume_of data)" '.metadata.annotations.volume\.alpha\.kubernetes\.io/pre-resize-capacity')"
fi
on writer 'touch /data/stop'
wait $busy
if ! can_grow_ext4; then
    k delete pod writer >/dev/null
    holder writer data
    runs writer
    within 30 "status.capacity" value_is 2Gi of pvc data .status.capacity.storage
fi
[ "$(kib writer)" -gt 1900000 ] || die "the filesystem has $(kib writer) KiB"
on writer 'sha256sum < /data/f | cmp - /data/sum' || die "bytes changed"
eq "conditions" "" "$(of pvc data .status.conditions)"
eq "statuses" "" "$(of pvc data .status.allocatedResourceStatuses)"
eq "allocated" 2Gi "$(of pvc data .status.allocatedResources.storage)"
within 30 "annotation" value_is "" of pv "$(volume_of data)" '.metadata.annotations.volume\.alpha\.kubernetes\.io/pre-resize-capacity'
told_of_data() { events PersistentVolumeClaim data | grep -v Provision; }
within 10 "events" value_is "Normal ExternalExpanding volume_expand: waiting for an external controller to expand this PVC
Normal Resizing external-resizer ebs.csi.aws.com: External resizer is resizing volume $(volume_of data)
Normal FileSystemResizeRequired external-resizer ebs.csi.aws.com: Require file system resize of volume on node
Normal FileSystemResizeSuccessful kubelet: MountVolume.NodeExpandVolume succeeded for volume \"$(volume_of data)\" $(of pod writer .spec.nodeName)" told_of_data
within 10 "pod" told Pod writer "Normal FileSystemResizeSuccessful kubelet: MountVolume.NodeExpandVolume succeeded for volume"
first_steps() { cut -d: -f1 steps | uniq | grep . | head -2 | tr '\n' ' '; }
within 10 "order" value_is "ControllerResizeInProgress NodeResizePending " first_steps
kill $watch

say "what is refused"
fails k patch pvc data -p '{"spec":{"resources":{"requests":{"storage":"1Gi"}}}}'
has "shrinking" "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity" "$out"
claim rigid fixed 1Gi
within 30 "rigid" phase_is pvc rigid Bound
fails k patch pvc rigid -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'
has "class" "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize" "$out"

say "a claim without a pod grows at its first mount"
claim later grows 1Gi
within 30 "later" phase_is pvc later Bound
k patch pvc later -p '{"spec":{"resources":{"requests":{"storage":"3Gi"}}}}' >/dev/null
within 30 "pending" value_is NodeResizePending of pvc later .status.allocatedResourceStatuses.storage
has "describe" "Waiting for user to (re-)start a pod to finish file system resize of volume on node." "$(k describe pvc later)"
holder user later
runs user
within 30 "capacity" value_is 3Gi of pvc later .status.capacity.storage
[ "$(kib user)" -gt 2900000 ] || die "the filesystem has $(kib user) KiB"

say "a block volume needs no filesystem"
claim raw grows 1Gi '"volumeMode":"Block"'
within 30 "raw" phase_is pvc raw Bound
k patch pvc raw -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
within 30 "capacity" value_is 2Gi of pvc raw .status.capacity.storage
within 10 "event" told PersistentVolumeClaim raw "Normal VolumeResizeSuccessful external-resizer ebs.csi.aws.com: Resize volume succeeded"

say "a wish that cannot be, and the way back"
claim greedy grows 1Gi
within 30 "greedy" phase_is pvc greedy Bound
k patch pvc greedy -p '{"spec":{"resources":{"requests":{"storage":"20Ti"}}}}' >/dev/null
within 30 "failed" told PersistentVolumeClaim greedy "Warning VolumeResizeFailed external-resizer ebs.csi.aws.com: resize volume \"$(volume_of greedy)\" by resizer \"ebs.csi.aws.com\" failed: rpc error: code ="
within 30 "condition" value_is ControllerResizeError of pvc greedy '.status.conditions[?(@.type=="ControllerResizeError")].type'
eq "capacity" 1Gi "$(of pvc greedy .status.capacity.storage)"
k patch pvc greedy -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
within 60 "pending" value_is NodeResizePending of pvc greedy .status.allocatedResourceStatuses.storage
eq "allocated" 2Gi "$(of pvc greedy .status.allocatedResources.storage)"
eq "error gone" "Resizing FileSystemResizePending" "$(of pvc greedy '.status.conditions[*].type')"
