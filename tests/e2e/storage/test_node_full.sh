#!/bin/sh
# A node that runs full: what a pod may use, what the node does when there is too little, how it is seen, and that it ends.
. "$SOURCE_DIR/tests/e2e/lib.sh"

cluster --nodes 2 --nodefs-size 512Mi --imagefs-size 256Mi
within 20 "the default service account" k get sa default

# pod NAME SCRIPT [CONTAINER-MEMBERS] [EMPTYDIR]
pod() {
    k apply -f - <<Y
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"$1"},"spec":{"terminationGracePeriodSeconds":60,"volumes":[{"name":"d","emptyDir":${4:-{\}}}],
"containers":[{"name":"c","image":"busybox","command":["sh","-c","trap '' TERM; $2; while :; do sleep 1; done"],
"volumeMounts":[{"name":"d","mountPath":"/d"}]${3:-}}]}}
Y
}
status() { k get pod "$1" -o "jsonpath={.status.$2}"; }
evicted() { value_is "Evicted" status "$1" reason; }
pressure() { k get node node01 -o 'jsonpath={.status.conditions[?(@.type=="DiskPressure")].status}'; }
tainted() { k get node node01 -o 'jsonpath={.spec.taints[*].key}' | grep -q disk-pressure; }
on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- "$@"; }

say "each node's filesystems have their sizes"
has "nodefs" "/dev/xvda1" "$(on_node df /)"
on_node sh -c '[ $(df -k / | tail -n 1 | tr -s " " | cut -d " " -f 2) -lt 524288 ]' || die "nodefs is too big"
on_node sh -c '[ $(df -k /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots | tail -n 1 | tr -s " " | cut -d " " -f 2) -lt 262144 ]' ||
    die "imagefs is too big"

say "limits of a pod's own"
pod dir 'dd if=/dev/zero of=/d/x bs=1M count=30' '' '{"sizeLimit":"20Mi"}'
pod layer 'dd if=/dev/zero of=/x bs=1M count=30' ',"resources":{"limits":{"ephemeral-storage":"20Mi"}}'
pod fine 'dd if=/dev/zero of=/x bs=1M count=5' ',"resources":{"requests":{"ephemeral-storage":"20Mi"}}'
within 20 "evicted: emptyDir" evicted dir
within 20 "evicted: writable layer" evicted layer
eq "emptyDir" 'Usage of EmptyDir volume "d" exceeds the limit "20Mi". ' "$(status dir message)"
eq "layer" 'Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ' "$(status layer message)"
within 15 "the event" event_says dir "Evicted: Usage of EmptyDir volume"
within 20 "it failed" phase_is pod dir Failed
within 20 "its room is given back" on_node sh -c '[ $(df -k / | tail -n 1 | tr -s " " | cut -d " " -f 3) -lt 25000 ]'

say "what is used is told"
summary() { k get --raw /api/v1/nodes/node01/proxy/stats/summary; }
tells_fine() { [ "$(summary | jq '.pods[] | select(.podRef.name == "fine") | .containers[0].rootfs.usedBytes')" -ge 5000000 ]; }
within 20 "the summary counts the writable layer" tells_fine
eq "capacity" "$(on_node df -B1 --output=size / | tail -n 1 | tr -d ' ')" "$(summary | jq .node.fs.capacityBytes)"
has "resource metrics" 'container_memory_working_set_bytes{container="c",namespace="default",pod="fine"}' \
    "$(k get --raw /api/v1/nodes/node01/proxy/metrics/resource)"
within 20 "kubectl top" k top pod fine
has "top" "node01" "$(k top nodes)"

say "disk pressure: who asked for nothing and uses most goes"
pod hog 'dd if=/dev/zero of=/d/x bs=1M count=300; dd if=/dev/zero of=/x bs=1M count=150'
within 30 "a condition" value_is True pressure
within 30 "a taint" tainted
within 30 "evicted: hog" evicted hog
has "why" 'The node was low on resource: ephemeral-storage. Threshold quantity: ' "$(status hog message)"
has "who" ' Container c was using ' "$(status hog message)"
eq "told as a disruption" TerminationByKubelet \
    "$(k get pod hog -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].reason}')"
within 15 "the event" event_says node01 "EvictionThresholdMet: Attempting to reclaim ephemeral-storage"
within 15 "the event" event_says node01 "NodeHasDiskPressure: Node node01 status is now: NodeHasDiskPressure"
phase_is pod fine Running || die "the modest one went too"
k run late --image=busybox --overrides='{"spec":{"nodeName":"node01"}}' -- sleep 1000
within 20 "the node takes nobody" value_is 'Pod was rejected: The node had condition: [DiskPressure]. ' status late message
eq "nothing else is told of it" "" "$(status late containerStatuses)"

say "it ends five minutes after the shortage"
within 60 "hog is off the node" on_node sh -c '[ $(df -k / | tail -n 1 | tr -s " " | cut -d " " -f 3) -lt 100000 ]'
value_is True pressure || die "the condition flaps"
"$STOWAGE" clock --data "$WORK/data" forward 6m
within 30 "no pressure" value_is False pressure
within 30 "no taint" not tainted
within 15 "the event" event_says node01 "NodeHasNoDiskPressure: Node node01 status is now: NodeHasNoDiskPressure"
