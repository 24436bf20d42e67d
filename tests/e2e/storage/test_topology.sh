#!/bin/bash
# Where a volume and its pod meet: WaitForFirstConsumer with two zones, allowedTopologies, volumes that nodes hold, and drivers
# that tell how much room they have.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none --nodes 4
zone_of() { k get node "$1" -o 'jsonpath={.metadata.labels.topology\.kubernetes\.io/zone}'; }
node_of() { of pod "$1" .spec.nodeName; }
affinity_of() { k get pv "$(volume_of "$1")" -o json | jq -r '.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]'; }
selected() { k get pvc "$1" -o 'jsonpath={.metadata.annotations.volume\.kubernetes\.io/selected-node}'; }
only() { printf '"allowedTopologies":[{"matchLabelExpressions":[{"key":"topology.kubernetes.io/zone","values":["%s"]}]}]' "$1"; }
WAIT='"volumeBindingMode":"WaitForFirstConsumer"'
zone1=$(zone_of node01) zone2=$(zone_of node02)
[ "$zone1" != "$zone2" ] || die "node01 and node02 share zone $zone1"

say "the pod's node decides where the volume is made; later pods follow the volume"
class late "$WAIT"
claim follows late 1Gi
within 5 "it waits" told PersistentVolumeClaim follows "waiting for first consumer to be created before binding"
holder first follows '"nodeSelector":{"kubernetes.io/hostname":"node02"}'
runs first
eq "the scheduler's choice" node02 "$(selected follows)"
eq "made there" "$zone2" "$(affinity_of follows)"
told_in_order() {
    k get events --field-selector involvedObject.name=follows -o json |
        jq -r '[.items | sort_by(.metadata.name)[].reason | select(. != "WaitForPodScheduled")] | join(" ")'
}
within 10 "the order of what is told" value_is "WaitForFirstConsumer ExternalProvisioning Provisioning ProvisioningSucceeded" told_in_order
k delete pod first --wait --timeout=300s >/dev/null
holder second follows
runs second
eq "it followed" "$zone2" "$(zone_of "$(node_of second)")"
k delete pod second --wait --timeout=300s >/dev/null
holder third follows '"nodeSelector":{"kubernetes.io/hostname":"node01"}'
within 10 "not in another zone" told Pod third "1 node(s) had volume node affinity conflict"
k delete pod third --wait --timeout=300s >/dev/null

say "allowedTopologies: with a pod, without one, and where no node stands"
class here "$WAIT,$(only "$zone1")"
claim steered here 1Gi
holder steered steered
runs steered
eq "the pod went where the class allows" "$zone1" "$(zone_of "$(node_of steered)")"
class at-once "$(only "$zone2")"
claim early at-once 1Gi
within 30 "bound without a pod" phase_is pvc early Bound
eq "made where the class allows" "$zone2" "$(affinity_of early)"
holder early early
runs early
eq "the pod follows" "$zone2" "$(zone_of "$(node_of early)")"
class nowhere "$WAIT,$(only "${zone1%?}z")"
claim lost nowhere 1Gi
holder lost lost
within 10 "no node" told Pod lost "didn't find available persistent volumes to bind"
eq "nobody chosen" "" "$(selected lost)"
has "why says what would help" "use a class that makes one there" "$("$STOWAGE" why --data "$WORK/data" pod/lost)"

say "volumes that nodes hold: both claims of a pod on one node, though each node has one that fits better"
k apply -f - >/dev/null <<'Y'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
Y
# held NAME NODE SIZE
held() {
    "$STOWAGE" shell --data "$WORK/data" "$2" -- mkdir -p "/mnt/$1" </dev/null
    k apply -f - >/dev/null <<Y
apiVersion: v1
kind: PersistentVolume
metadata: {name: $1}
spec:
  capacity: {storage: $3}
  accessModes: [ReadWriteOnce]
  storageClassName: local
  local: {path: /mnt/$1}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [$2]}]}]}}
Y
}
held one-small node01 1Gi; held two-small node02 2Gi; held two-big node02 5Gi
claim small local 1Gi; claim big local 3Gi
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "100000"], volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /b}]}]
  volumes: [{name: a, persistentVolumeClaim: {claimName: small}}, {name: b, persistentVolumeClaim: {claimName: big}}]
Y
runs pair
eq "the only node with both" "node02 two-small two-big" "$(node_of pair) $(volume_of small) $(volume_of big)"
claim more local 1Gi
holder elsewhere more '"nodeSelector":{"kubernetes.io/hostname":"node03"}'
within 10 "none there" told Pod elsewhere "1 node(s) didn't find available persistent volumes to bind"
held three node03 1Gi
runs elsewhere
eq "its own, not the one that was free" three "$(volume_of more)"

say "a driver that tells its room"
k apply -f - >/dev/null <<'Y'
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: roomy.example.com}
spec: {storageCapacity: true}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: roomy}
provisioner: roomy.example.com
volumeBindingMode: WaitForFirstConsumer
Y
# room NODE CAPACITY [MAXIMUM]
room() {
    k apply -f - >/dev/null <<Y
apiVersion: storage.k8s.io/v1
kind: CSIStorageCapacity
metadata: {name: room-$1, namespace: default}
storageClassName: roomy
nodeTopology: {matchLabels: {kubernetes.io/hostname: $1}}
capacity: $2
${3:+maximumVolumeSize: $3}
Y
}
claim wide roomy 10Gi
holder wide wide
within 10 "no room anywhere" told Pod wide "node(s) did not have enough free storage"
room node01 5Gi; room node02 100Gi 5Gi
within 10 "the claims are too large" told Pod wide "did not have enough free storage"
eq "still nobody" "" "$(selected wide)"
room node03 20Gi
within 30 "steered to the one with room" value_is node03 selected wide
within 10 "its provisioner is asked" told PersistentVolumeClaim wide "external provisioner 'roomy.example.com'"
