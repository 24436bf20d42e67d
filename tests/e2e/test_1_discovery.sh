#!/bin/sh
# Point 1: what a student looks at first. Nodes, classes, namespaces, API, explain; and the classes of each profile.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster

say "nodes"
eq "node names" "controlplane node01" "$(k get nodes -o 'jsonpath={.items[*].metadata.name}')"
out=$(k get nodes -o wide)
has "nodes -o wide" "INTERNAL-IP" "$out"
has "nodes -o wide" "containerd://" "$out"
has "nodes -o wide" "$(uname -r)" "$out"
eq "ready nodes" 2 "$(k get nodes --no-headers | awk '$2 == "Ready"' | wc -l)"
for label in topology.kubernetes.io/zone topology.kubernetes.io/region node.kubernetes.io/instance-type kubernetes.io/hostname; do
    eq "nodes with $label" 2 "$(k get nodes -l "$label" --no-headers | wc -l)"
done
has "describe node" "Allocatable:" "$(k describe node node01)"

say "classes, namespaces, what every cluster has"
has "get sc" "gp2 (default)   kubernetes.io/aws-ebs   Delete          WaitForFirstConsumer" "$(k get sc)"
has "describe sc" "Provisioner:           kubernetes.io/aws-ebs" "$(k describe sc gp2)"
for ns in default kube-system kube-public kube-node-lease; do
    eq "namespace $ns" Active "$(k get ns "$ns" -o 'jsonpath={.status.phase}')"
    within 5 "default ServiceAccount of $ns" k get sa default -n "$ns"
    within 5 "CA of $ns" k get cm kube-root-ca.crt -n "$ns"
done
eq "kubernetes service" 443 "$(k get svc kubernetes -o 'jsonpath={.spec.ports[0].port}')"
k create ns other
within 5 "default ServiceAccount of a new namespace" k get sa default -n other
k delete ns other
fails k get ns other

say "discovery and documentation"
out=$(k api-resources)
for kind in PersistentVolumeClaim StorageClass VolumeAttachment CSIDriver CSINode EndpointSlice ControllerRevision Lease; do
    has "api-resources" "$kind" "$out"
done
has "short names" "pvc" "$out"
for gv in v1 apps/v1 storage.k8s.io/v1 events.k8s.io/v1 discovery.k8s.io/v1 coordination.k8s.io/v1; do
    has "api-versions" "$gv" "$(k api-versions)"
done
has "cluster-info" "is running at" "$(k cluster-info)"
out=$(k version 2>/dev/null | grep "^Server Version: ")
if since 28; then has "version" "Server Version: v1.32." "$out"; else has "version" 'GitVersion:"v1.32.' "$out"; fi
out=$(k explain pvc.spec)
has "explain pvc.spec" "accessModes" "$out"
has "explain pvc.spec" "storageClassName" "$out"
has "explain" "storage" "$(k explain pvc.spec.resources.requests 2>&1 || k explain pvc.spec.resources)"
fails k explain pvc.spec.nosuchfield
has "explain of nothing" 'field "nosuchfield" does not exist' "$out"
fails k get nosuchkind
has "unknown kind" "the server doesn't have a resource type \"nosuchkind\"" "$out"

say "the classes of the other profiles"
for row in "killercoda local-path rancher.io/local-path WaitForFirstConsumer" "kind standard rancher.io/local-path WaitForFirstConsumer" \
    "minikube standard k8s.io/minikube-hostpath Immediate"; do
    set -- $row
    "$STOWAGE" up --detach --quiet --ephemeral --data "$WORK/$1" --listen 127.0.0.1:0 --profile "$1" --kubeconfig "$WORK/$1.config"
    eq "$1" "$2 $3 $4 true" "$(k --kubeconfig "$WORK/$1.config" get sc -o 'jsonpath={.items[*].metadata.name} {.items[*].provisioner} {.items[*].volumeBindingMode} {.items[*].metadata.annotations.storageclass\.kubernetes\.io/is-default-class}')"
    pkill -f "$WORK/$1 " || true
done
"$STOWAGE" up --detach --quiet --ephemeral --data "$WORK/none" --listen 127.0.0.1:0 --profile none --kubeconfig "$WORK/none.config"
eq "profile none" "" "$(k --kubeconfig "$WORK/none.config" get sc -o name)"
pkill -f "$WORK/none " || true
