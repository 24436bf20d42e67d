#!/bin/sh
# A node that somebody fills by hand, as a teacher shows it: what `kubectl describe node` says, images that nobody uses go, pods
# are evicted in the kubelet's order, and when there is room again all of it comes back.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --nodes 2 --nodefs-size 512Mi --imagefs-size 256Mi
cd "$WORK"
within 20 "the default service account" k get sa default
forward() { "$STOWAGE" clock --data "$WORK/data" forward "$1" >/dev/null; }
on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- "$@"; }
image() { "$STOWAGE" image "$@" --data "$WORK/data"; }
condition() { k get node "${1:-node01}" -o 'jsonpath={range .status.conditions[?(@.type=="DiskPressure")]}{.status} {.reason}: {.message}{end}'; }
low() { value_is "True KubeletHasDiskPressure: kubelet has disk pressure" condition; }
# The two share their images: who looks first takes them away, and the other never sees the pressure.
low_one() { for first in node01 controlplane; do ! value_is "True KubeletHasDiskPressure: kubelet has disk pressure" condition $first || return 0; done; return 1; }
fine() { value_is "False KubeletHasNoDiskPressure: kubelet has no disk pressure" condition; }
tainted() { k get node node01 -o 'jsonpath={.spec.taints[*].key}' | grep -q disk-pressure; }

# pod NAME MIB [MEMBERS OF SPEC] [MEMBERS OF CONTAINER]: on node01, it writes so much
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"nodeName":"node01","terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"%s","command":["sh","-c","dd if=/dev/zero of=/tmp/x bs=1M count=%s; touch /tmp/written; sleep 100000"]%s}]%s}}' \
        "$1" "${IMAGE:-busybox}" "$2" "${4:+,$4}" "${3:+,$3}" | k apply -f - >/dev/null
}
written() { k exec "$1" -- test -e /tmp/written; }

say "images: those that nobody uses go, the others and their pods stay"
for name in used idle idle2; do
    python3 "$SOURCE_DIR/tests/e2e/images.py" big $name.tar acme/$name:1 20
    image import $name.tar >/dev/null
done
printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"keeper"},"spec":{"nodeName":"node01","terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"acme/used:1"}]}}' | k apply -f - >/dev/null
runs keeper
forward 3m # an image younger than two minutes may be about to be used
python3 "$SOURCE_DIR/tests/e2e/images.py" big last.tar acme/last:1 36
image import last.tar >/dev/null
within 30 "disk pressure" low_one
has_none() { ! image ls | grep -q acme/idle; }
within 30 "unused images go" has_none
has "the used one stays" acme/used "$(image ls)"
has "so does the fresh one" acme/last "$(image ls)"
within 10 "told" told Node "$first" "Warning EvictionThresholdMet kubelet: Attempting to reclaim ephemeral-storage"
forward 6m
within 30 "no pressure" fine
within 30 "no taint" not tainted
phase_is pod keeper Running || die "its image was kept, and it went: $(of pod keeper .status.message)"
k delete pod keeper >/dev/null

say "four pods of four kinds, and a hand that fills the node"
printf '{"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":"high"},"value":1000}' | k apply -f - >/dev/null
pod asked 30 '' '"resources":{"requests":{"ephemeral-storage":"100Mi"}}'
pod important 40 '"priorityClassName":"high"'
pod small 10
pod large 20
for name in asked important small large; do
    runs $name
    within 30 "$name has written" written $name
done
on_node sh -c 'fallocate -l $(($(df -k --output=avail / | tail -n 1) - 8000))K /var/filled-by-hand'
within 30 "disk pressure" low
within 30 "tainted" tainted
described=$(k describe node node01)
has "describe" "node.kubernetes.io/disk-pressure:NoSchedule" "$described"
has "describe" "KubeletHasDiskPressure       kubelet has disk pressure" "$described"
k run waits --image=busybox --overrides='{"spec":{"nodeSelector":{"kubernetes.io/hostname":"node01"}}}' -- sleep 100000 >/dev/null
within 10 "nobody is sent there" event_says waits "had untolerated taint {node.kubernetes.io/disk-pressure: }"

say "who uses more than it asked for goes first, of these the less important, of these who uses most"
evictions() { k get events --field-selector reason=Evicted --sort-by=.metadata.creationTimestamp -o 'jsonpath={range .items[*]}{.involvedObject.name} {end}'; }
evicted() { value_is Evicted of pod "$1" .status.reason; }
within 90 "the last one" evicted important # of 50 MB that must be free there are 8, and its pods give back 20, 10 and 40
within 10 "the order" value_is "large small important " evictions
has "why" "The node was low on resource: ephemeral-storage. Threshold quantity: " "$(of pod large .status.message)"
has "who" "Container c was using " "$(of pod large .status.message)"
k describe pod large | grep -q '^Reason: *Evicted$' || die "$(k describe pod large)"

say "room again: five minutes later the node takes pods"
on_node rm /var/filled-by-hand
low || die "the condition flaps"
forward 6m
within 30 "no pressure" fine
phase_is pod asked Running || die "who used no more than it asked for went: $(of pod asked .status.message)"
within 10 "told" told Node node01 "Normal NodeHasNoDiskPressure kubelet: Node node01 status is now: NodeHasNoDiskPressure"
runs waits
