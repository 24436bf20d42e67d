#!/bin/bash
# `stowage why`: it says what the binder and the scheduler say, and what it proposes works when typed.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none --nodes 5 # node01 and node04 share a zone

why() { "$STOWAGE" why --data "$WORK/data" "$@"; }
verdict() { why "$1" -o json | jq -r .verdict; }
# proposals WHAT: the commands it proposes, one a line
proposals() { why "$1" -o json | jq -r '.changes[].command | select(. != "")'; }

say "a claim for which no volume fits"
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-log}
spec: {capacity: {storage: 100Mi}, accessModes: [ReadWriteMany], storageClassName: manual, hostPath: {path: /pv/log}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: small}
spec: {capacity: {storage: 10Mi}, accessModes: [ReadOnlyMany], hostPath: {path: /pv/small}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim-log-1}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 50Mi}}}
Y
within 5 "the volume is there" phase_is pv pv-log Available
within 5 "the binder has spoken" event_says claim-log-1 "no persistent volumes available for this claim"
out=$(why pvc/claim-log-1)
has "headline" "Pending, no-volume-fits" "$out"
has "class" "class: manual (wanted: no class)" "$out"
has "modes" "accessModes: RWX (wanted: RWO)" "$out"
has "size" "size: 10Mi (wanted: 50Mi)" "$out"
has "who" "who acts   admin" "$out"
has "event" "FailedBinding no persistent volumes available" "$out"
lacks "no colour in a pipe" "$(printf '\033')" "$out"
has "colour on a terminal" "$(printf '\033')" "$(on_tty "$STOWAGE why --data $WORK/data pvc claim-log-1")"
lacks "no colour if it is not wanted" "$(printf '\033')" "$(NO_COLOR=1 on_tty "$STOWAGE why --data $WORK/data pvc claim-log-1")"
eq "the other way round" free "$(verdict pv/pv-log)"

say "a pod that waits for it"
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: busybox, command: [sleep, "100000"], volumeMounts: [{name: v, mountPath: /log}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: claim-log-1}}]}
Y
within 5 "the scheduler has spoken" event_says p "unbound immediate"
eq "pod" no-node "$(verdict pod/p)"
eq "the scheduler's own words" "$(k get pod p -o 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}')" \
    "$(why pod/p -o json | jq -r .scheduler.message)"
has "names the claim" "claim claim-log-1, which waits for a volume that fits" "$(why pod/p)"

say "what it proposes, typed as it stands, binds the claim and starts the pod"
proposals pvc/claim-log-1 >"$WORK/commands"
[ -s "$WORK/commands" ] || die "nothing is proposed"
while read -r command; do sh -c "${command/kubectl/$KUBECTL}" >/dev/null; done <"$WORK/commands"
within 10 "bound" phase_is pvc claim-log-1 Bound
within 30 "running" phase_is pod p Running
eq "claim" bound "$(verdict pvc/claim-log-1)"
eq "pod" running "$(verdict pod/p)"

say "deletion in the wrong order"
bound=$(k get pvc claim-log-1 -o 'jsonpath={.spec.volumeName}')
k delete pv "$bound" --wait=false >/dev/null
k delete pvc claim-log-1 --wait=false >/dev/null
eq "volume" terminating "$(verdict "pv/$bound")"
has "volume: who holds it" "kubernetes.io/pv-protection  the volume is bound to a claim" "$(why "pv/$bound")"
has "claim: which pods" "pods that use it to be deleted: p" "$(why pvc/claim-log-1)"
proposals pvc/claim-log-1 >"$WORK/commands"
eq "claim: what to do" "kubectl delete pod -n default p" "$(cat "$WORK/commands")"
k delete pod p --grace-period=0 --force >/dev/null 2>&1
within 30 "the claim goes" value_is "" k get pvc -o name
within 10 "the volume goes" not k get pv "$bound"

say "a driver that refuses, a volume that is to grow"
class disks
claim source disks 1Gi
claim small disks 1Gi '"dataSource":{"kind":"PersistentVolumeClaim","name":"nosuch"}'
within 30 "the driver has spoken" told PersistentVolumeClaim small "failed to provision volume"
within 5 "verdict" value_is provisioning-failed verdict pvc/small
has "its words" 'and the provisioner makes none: error getting handle for DataSource Type PersistentVolumeClaim by Name nosuch' "$(why pvc/small)"
has "who" "who acts   user" "$(why pvc/small)"
has "what to do" "Let the source that the claim names be there" "$(why pvc/small)"
printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"slow"},"provisioner":"ebs.csi.aws.com","parameters":{"type":"st1"}}' | k apply -f - >/dev/null
printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"path"},"provisioner":"rancher.io/local-path"}' | k apply -f - >/dev/null
claim slow slow 1Gi
claim path path 1Gi
within 30 "the driver has spoken" told PersistentVolumeClaim slow "is too small for volume type st1"
within 30 "the driver has spoken" told PersistentVolumeClaim path "no node was specified"
has "how large" "Make the claim anew with 125GiB or more." "$(why pvc/slow)"
has "the class" "Make the class anew with volumeBindingMode: WaitForFirstConsumer" "$(why pvc/path)"
has "whose" "who acts   admin" "$(why pvc/path)"
within 30 "bound" phase_is pvc source Bound
k patch pvc source -p '{"spec":{"resources":{"requests":{"storage":"60000Gi"}}}}' >/dev/null
within 60 "the resizer has spoken" told PersistentVolumeClaim source "VolumeResizeFailed"
eq "verdict" bound "$(verdict pvc/source)"
because() { why pvc/source | grep -qF "It has 1Gi and is to grow to 60000Gi, which failed: "; }
within 10 "because" because
proposals pvc/source >"$WORK/commands"
while read -r command; do sh -c "${command/kubectl/$KUBECTL}" >/dev/null; done <"$WORK/commands"
within 60 "the disk has grown" value_is 2Gi of pv "$(volume_of source)" .spec.capacity.storage
has "the filesystem has not" "its disk has grown, the filesystem has not yet" "$(why pvc/source)"
has "who" "who acts   kubelet" "$(why pvc/source)"
holder grown source
runs grown
grows() { why pvc/source | grep -qF "is to grow"; }
within 60 "as before" not grows
k delete pod grown --now >/dev/null

say "a volume that nobody makes larger"
printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"byhand"},"provisioner":"kubernetes.io/no-provisioner","allowVolumeExpansion":true}' | k apply -f - >/dev/null
printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"byhand"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"byhand","hostPath":{"path":"/data/byhand"}}}' | k apply -f - >/dev/null
claim byhand byhand 1Gi
within 30 "bound" phase_is pvc byhand Bound
k patch pvc byhand -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
has "never" "nobody makes a volume of its kind larger" "$(why pvc/byhand)"
has "what to do" "make another claim, and copy the files" "$(why pvc/byhand)"

say "a pod no node takes, and mistakes"
k run q --image=busybox --overrides='{"spec":{"nodeSelector":{"disk":"ssd"}}}' >/dev/null
within 5 "the scheduler has spoken" event_says q "node affinity/selector"
out=$(why pod/q)
has "node" "no   node01        node(s) didn't match Pod's node affinity/selector" "$out"
proposals pod/q >"$WORK/commands"
first=$(head -n 1 "$WORK/commands")
sh -c "${first/kubectl/"$KUBECTL"}" >/dev/null
within 30 "typed as it stands, it helps" not eval '[ -z "$(of pod q .spec.nodeName)" ]'
k delete pod q --wait --timeout=300s >/dev/null

say "a pod that names its node, and a claim that waits for the scheduler's choice"
printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"later"},"provisioner":"rancher.io/local-path","volumeBindingMode":"WaitForFirstConsumer"}' | k apply -f - >/dev/null
claim invain later 1Gi
holder invain invain '"nodeName":"node01"'
within 30 "told" event_says invain "PVC is not bound"
has "why" "names its node itself" "$(why pvc/invain)"
proposals pvc/invain >"$WORK/commands"
while read -r command; do sh -c "${command/kubectl/$KUBECTL}" >/dev/null; done <"$WORK/commands"
runs invain
k delete pod invain --now >/dev/null

say "what the kubelet waits for: a mount that fails"
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: conf}
spec: {containers: [{name: c, image: busybox, command: [sleep, "100000"], volumeMounts: [{name: etc, mountPath: /etc/app}]}], volumes: [{name: etc, configMap: {name: settings}}]}
Y
within 10 "the kubelet has spoken" event_says conf 'configmap "settings" not found'
eq "verdict" waits-for-mount "$(verdict pod/conf)"
has "in words" 'cannot mount volume etc: configmap "settings" not found' "$(why pod/conf)"
command=$(proposals pod/conf)
eq "what to do" "kubectl create configmap settings --from-literal=KEY=VALUE" "$command"
sh -c "${command/kubectl/$KUBECTL}" >/dev/null
within 30 "running" phase_is pod conf Running
eq "in order" "running ready" "$(verdict pod/conf) $(why pod/conf -o json | jq -r '.volumes[] | select(.name == "etc") | .state')"

say "a place in a volume that cannot be"
printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"sub"},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox","command":["sleep","100000"],"env":[{"name":"WHERE","value":"../.."}],"volumeMounts":[{"name":"v","mountPath":"/in","subPathExpr":"$(WHERE)"}]}],"volumes":[{"name":"v","emptyDir":{}}]}}' | k apply -f - >/dev/null
within 10 "told" event_says sub "must not contain '..'"
has "what to do" "Let subPath stay in the volume" "$(why pod/sub)"
k delete pod sub --now >/dev/null

say "what the kubelet waits for: a disk that is on another node, a disk that is not there"
class fast
claim data fast 1Gi
holder one data '"nodeName":"node01"'
runs one
holder two data '"nodeName":"node04"'
within 10 "told" event_says two "Multi-Attach error"
eq "verdict" volume-elsewhere "$(verdict pod/two)"
has "where, and whose" "is still attached to node node01, and can be at one node at a time; this pod is on node04. It is used there by: one." \
    "$(why pod/two)"
command=$(proposals pod/two)
eq "what to do" "kubectl delete pod -n default one" "$command"
sh -c "${command/kubectl/$KUBECTL}" >/dev/null
runs two
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: PersistentVolume
metadata: {name: ghost}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: "", csi: {driver: ebs.csi.aws.com, volumeHandle: vol-0123456789abcdef0}}
Y
claim ghost "" 1Gi '"volumeName":"ghost"'
holder haunted ghost
within 30 "told" event_says haunted "AttachVolume.Attach failed"
eq "verdict" waits-for-attach "$(verdict pod/haunted)"
has "in words" "Volume ghost cannot be attached to node" "$(why pod/haunted)"
command=$(proposals pod/haunted)
has "what to do" "stowage disk create --zone us-east-1" "$command"
sh -c "${command/stowage/$STOWAGE} --data $WORK/data" >/dev/null
runs haunted

say "what the kubelet waits for: a claim, of a pod that asked no scheduler"
holder early late '"nodeName":"node01"'
within 10 "told" event_says early 'persistentvolumeclaims "late" not found'
eq "verdict" waits-for-claim "$(verdict pod/early)"
claim late fast 1Gi
runs early

fails why pvc/nosuch
has "not found" 'persistentvolumeclaims "nosuch" not found in namespace default' "$out"
fails why deployment/x
has "kind" 'ask for pvc/NAME, pv/NAME or pod/NAME' "$out"
fails why
has "usage" "of what?" "$out"
