#!/bin/bash
# Generic ephemeral volumes: a claim that lives as long as its pod, and what happens when somebody else has its name.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none
class fast

# scratch POD: a pod with 1Gi of its own at /data
scratch() {
    k apply -f - >/dev/null <<Y
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: busybox, command: [sleep, "100000"], volumeMounts: [{name: scratch, mountPath: /data}]}]
  volumes:
  - name: scratch
    ephemeral:
      volumeClaimTemplate:
        metadata: {labels: {of: $1}}
        spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
Y
}

say "the claim is made for the pod, and is its own"
scratch a
runs a
eq "owner" '[{"apiVersion":"v1","blockOwnerDeletion":true,"controller":true,"kind":"Pod","name":"a"}]' \
    "$(k get pvc a-scratch -o json | jq -c -S '.metadata.ownerReferences | map(del(.uid))')"
eq "the template's labels" a "$(of pvc a-scratch .metadata.labels.of)"
volume=$(volume_of a-scratch)
on a 'echo kept >/data/f'
eq "a disk of its own" kept "$(on a 'cat /data/f')"
within 10 "the scheduler waited for it" told Pod a 'waiting for ephemeral volume controller to create the persistentvolumeclaim "a-scratch"'

say "it goes with the pod, and the disk with it"
k delete pod a --wait --timeout=300s >/dev/null
within 30 "the claim" gone pvc a-scratch
within 30 "the volume" gone pv "$volume"

say "a claim of that name that is not the pod's is not touched"
claim b-scratch fast 1Gi
within 30 "bound" phase_is pvc b-scratch Bound
uid=$(of pvc b-scratch .metadata.uid)
scratch b
within 30 "told" told Pod b "ephemeral volume scratch: PVC default/b-scratch was not created for pod default/b (pod is not owner)"
within 30 "and by the scheduler" told Pod b "PVC default/b-scratch was not created for pod default/b (pod is not owner)"
phase_is pod b Pending || die "it runs on a claim that is not its own"
eq "the same claim" "$uid Bound" "$(of pvc b-scratch .metadata.uid) $(of pvc b-scratch .status.phase)"
why=$("$STOWAGE" why --data "$WORK/data" pod/b)
has "why" "was not created for pod default/b" "$why"

say "once it is out of the way, the pod gets one of its own"
# kubectl's own wait may begin when the next one of that name is there already, and never end
k delete pvc b-scratch --wait=false >/dev/null
another() { now=$(of pvc b-scratch .metadata.uid) && [ "$now" != "$uid" ]; }
within 30 "another claim of that name" another
runs b
lacks "another claim" "$uid" "$(of pvc b-scratch .metadata.uid)"
eq "its own" b "$(k get pvc b-scratch -o json | jq -r '.metadata.ownerReferences[0].name')"

say "the claim alone cannot be deleted from under the pod"
k delete pvc b-scratch --wait=false >/dev/null
on b 'echo still >/data/f'
eq "protected" still "$(on b 'cat /data/f')"
k delete pod b --wait --timeout=300s >/dev/null
within 30 "both are gone" gone pvc b-scratch
