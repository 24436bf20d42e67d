#!/bin/sh
# Point 5: VolumeAttachments and what nodes report, device names, safe detach on deletion and drain; a node that is lost: the six
# minutes on the cluster's clock, and the out-of-service taint. The kernel is asked each time: loop devices, mounts.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --nodes 5 # node01 and node04 share a zone
cd "$WORK"
export STOWAGE_DATA="$WORK/data"
loop_of() { losetup -n -O NAME -j "$1" | tr -d ' '; }
attachment() { k get volumeattachment -o "jsonpath={range .items[?(@.spec.nodeName=='$1')]}{.metadata.name}{end}"; }
mounts_on() { "$STOWAGE" shell "$1" -- grep -c "$2" /proc/self/mountinfo || true; }
pod_of() { k get pods -l app=data --field-selector=status.phase=Running -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | head -n 1; }
node_is() { [ "$(k get node "$1" --no-headers | awk '{print $2}')" = "$2" ]; }
# moved NODE: a pod of the deployment runs there
moved() { k get pods -l app=data --field-selector=status.phase=Running -o wide --no-headers | grep -v Terminating | grep -q " $1 "; }

lines_are() { value_is "$1" on "$(pod_of)" 'wc -l </data/log'; }

say "one pod: the objects, in the node and in the kernel"
class gp3a '"parameters":{"type":"gp3"},"volumeBindingMode":"WaitForFirstConsumer"'
claim data gp3a 1Gi
k apply -f - <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: data}
spec:
  replicas: 1
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec:
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node01, node04]}]}]
      containers:
      - name: c
        image: busybox
        command: [sh, -c, "date >>/data/log; sync; exec sleep 100000"]
        volumeMounts: [{name: v, mountPath: /data}]
      volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
YAML
k cordon node04 >/dev/null
k rollout status deploy/data --timeout=300s
pv=$(volume_of data)
handle=$(of pv "$pv" .spec.csi.volumeHandle)
unique="kubernetes.io/csi/ebs.csi.aws.com^$handle"
va=$(attachment node01)
eq "its name" "csi-$(printf %s "${handle}ebs.csi.aws.comnode01" | sha256sum | cut -d' ' -f1)" "$va"
eq "attached" "true /dev/xvdba" "$(of volumeattachment "$va" '.status.attached} {.status.attachmentMetadata.devicePath')"
eq "finalizer" external-attacher/ebs-csi-aws-com "$(of volumeattachment "$va" '.metadata.finalizers[0]')"
eq "node id" "$(k get csinode node01 -o 'jsonpath={.spec.drivers[?(@.name=="ebs.csi.aws.com")].nodeID}')" \
    "$(of volumeattachment "$va" '.metadata.annotations.csi\.alpha\.kubernetes\.io/node-id')"
has "of the volume" external-attacher/ebs-csi-aws-com "$(of pv "$pv" .metadata.finalizers)"
eq "volumesAttached" "$unique" "$(of node node01 '.status.volumesAttached[0].name')"
eq "volumesInUse" "$unique" "$(of node node01 '.status.volumesInUse[0]')"
image=$(image_of data)
[ -b "$(loop_of "$image")" ] || die "no loop device"
"$STOWAGE" shell node01 -- test -b /dev/xvdba || die "no /dev/xvdba on node01"
eq "staged and published" 2 "$(mounts_on node01 /dev/xvdba)"
k create deployment other --image=nginx >/dev/null # a second disk gets the next name
claim more gp3a 1Gi
holder more more '"nodeSelector":{"kubernetes.io/hostname":"node01"}'
runs more
has "second name" /dev/xvdbb "$(on more df /data)"
k delete pod more --now >/dev/null
within 30 "one attachment left" sh -c "[ \"\$($KUBECTL get volumeattachment --no-headers | wc -l)\" = 1 ]"
eq "its loop device" "" "$(loop_of "$(image_of more)")"

within 5 "written so far" lines_are 1

say "drain: the pod and its disk move"
k uncordon node04 >/dev/null
k drain node01 --ignore-daemonsets --force --delete-emptydir-data >/dev/null
within 60 "on node04" moved node04
k rollout status deploy/data --timeout=300s
within 5 "log" lines_are 2
eq "gone from node01" "" "$(attachment node01)"
eq "and its mounts" 0 "$(mounts_on node01 /dev/xvdba)"
within 5 "node01 says so" value_is "" of node node01 .status.volumesAttached
eq "one loop device" 1 "$(losetup -n -O NAME -j "$image" | wc -l)"
k uncordon node01 >/dev/null

say "a lost node: NotReady, evicted after five minutes, Multi-Attach, detached after six more"
"$STOWAGE" node stop node04
lost=$(pod_of)
eq "still believed" "$unique" "$(of node node04 '.status.volumesInUse[0]')"
there=$(of node node04 '.status.addresses[0].address'):10250
fails k exec "$lost" -- true
has "exec" "error dialing backend: dial tcp $there: connect: no route to host" "$out"
fails k logs "$lost"
has "logs" "Get \"https://$there/containerLogs/default/$lost/" "$out"
"$STOWAGE" clock forward 1m >/dev/null
within 30 "NotReady" node_is node04 NotReady
within 5 "event" told Node node04 "Node node04 status is now: NodeNotReady"
within 5 "event" told Pod "$lost" "Warning NodeNotReady node-controller: Node is not ready"
within 5 "unreachable" sh -c "$KUBECTL get node node04 -o 'jsonpath={.spec.taints}' | grep -q node.kubernetes.io/unreachable"
"$STOWAGE" clock forward 5m >/dev/null
within 30 "evicted" told Pod "$lost" "TaintManagerEviction taint-eviction-controller: Marking for deletion Pod default/$lost"
within 30 "its successor" sh -c "$KUBECTL get pods -l app=data -o wide --no-headers | grep -v $lost | grep -q node01"
fresh=$(k get pods -l app=data -o name | grep -v "$lost" | sed s,pod/,,)
within 30 "Multi-Attach" told Pod "$fresh" "Multi-Attach error for volume \"$pv\" Volume is already used by pod(s) $lost"
"$STOWAGE" clock forward 10m >/dev/null
eq "as long as the pod is there" "$(attachment node04)" "csi-$(printf %s "${handle}ebs.csi.aws.comnode04" | sha256sum | cut -d' ' -f1)"
k delete pod "$lost" --force --grace-period=0 >/dev/null 2>&1
"$STOWAGE" clock forward 4m >/dev/null
[ -n "$(attachment node04)" ] || die "detached before six minutes"
"$STOWAGE" clock forward 130s >/dev/null
within 30 "taken by force" sh -c "[ -z \"\$($KUBECTL get volumeattachment -o 'jsonpath={.items[?(@.spec.nodeName==\"node04\")].metadata.name}')\" ]"
k rollout status deploy/data --timeout=300s
within 30 "on node01" moved node01
within 5 "log" lines_are 3
eq "one loop device" 1 "$(losetup -n -O NAME -j "$image" | wc -l)"

say "it comes back: clean, Ready, and says what it has"
"$STOWAGE" node start node04
within 60 "Ready" node_is node04 Ready
within 30 "nothing in use" value_is "" of node node04 .status.volumesInUse
eq "no mounts" 0 "$(mounts_on node04 /dev/xvdba)"
within 30 "no taint" value_is "" of node node04 .spec.taints

say "out of service: at once"
"$STOWAGE" node stop node01
"$STOWAGE" clock forward 1m >/dev/null
within 30 "NotReady" node_is node01 NotReady
k taint node node01 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
within 60 "moved without a wait" moved node04
eq "detached" "" "$(attachment node01)"
within 5 "log" lines_are 4
k taint node node01 node.kubernetes.io/out-of-service- >/dev/null
"$STOWAGE" node start node01
within 60 "Ready" node_is node01 Ready
fails "$STOWAGE" node stop node99
has "no such node" 'no node "node99"' "$out"
