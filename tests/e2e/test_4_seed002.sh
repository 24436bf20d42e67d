#!/bin/sh
# Point 4, seed 002: the claim practice test. hostPath volume, access modes that do not match, protection, Released; and the
# storage class practice test with a local volume.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster --profile killercoda
cd "$WORK"

say "the application and its log"
k run webapp --image=kodekloud/event-simulator --dry-run=client -o yaml >webapp.yaml
has "dry run" "image: kodekloud/event-simulator" "$(cat webapp.yaml)"
k apply -f webapp.yaml
k wait --for=condition=Ready pod/webapp --timeout=300s
within 10 "log file" k exec webapp -- grep -q INFO /log/app.log
within 5 "logs" sh -c "$KUBECTL logs webapp --tail=5 | grep -q INFO"
"$KUBECTL" logs -f webapp --since=1s >follow.out &
follower=$!
within 5 "logs -f" test -s follow.out
kill $follower

say "a volume and a claim whose modes differ"
cat >pv.yaml <<'YAML'
apiVersion: v1
kind: PersistentVolume
metadata:
  name: pv-log
spec:
  persistentVolumeReclaimPolicy: Retain
  accessModes:
    - ReadWriteMany
  capacity:
    storage: 100Mi
  hostPath:
    path: /pv/log
YAML
claim() {
    cat <<YAML
kind: PersistentVolumeClaim
apiVersion: v1
metadata:
  name: claim-log-1
spec:
  storageClassName: ""
  accessModes:
    - $1
  resources:
    requests:
      storage: 50Mi
YAML
}
k create -f pv.yaml
within 5 "volume available" phase_is pv pv-log Available
claim ReadWriteOnce | k create -f -
within 5 "event that says why" sh -c "$KUBECTL describe pvc claim-log-1 | grep -q 'no persistent volumes available for this claim and no storage class is set'"
eq "claim" Pending "$(k get pvc claim-log-1 -o 'jsonpath={.status.phase}')"
claim ReadWriteMany >claim.yaml
k replace --force -f claim.yaml
within 5 "claim bound" phase_is pvc claim-log-1 Bound
eq "capacity is the volume's" 100Mi "$(k get pvc claim-log-1 -o 'jsonpath={.status.capacity.storage}')"
eq "volume" Bound "$(k get pv pv-log -o 'jsonpath={.status.phase}')"

say "the pod uses it; replace --force"
k get pod webapp -o yaml >webapp2.yaml
cat >webapp2.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: webapp
spec:
  containers:
  - name: event-simulator
    image: kodekloud/event-simulator
    env:
    - name: LOG_HANDLERS
      value: file
    volumeMounts:
    - mountPath: /log
      name: log-volume
  volumes:
  - name: log-volume
    persistentVolumeClaim:
      claimName: claim-log-1
YAML
k replace -f webapp2.yaml --force
k wait --for=condition=Ready pod/webapp --timeout=300s
within 10 "log on the node" sh -c "echo 'cat /pv/log/app.log' | '$STOWAGE' shell --data '$WORK/data' | grep -q INFO"
[ ! -e /pv/log/app.log ] || die "hostPath reached this machine's own files"

say "protection"
k delete pvc claim-log-1 --wait=false
sleep 1
has "terminating" Terminating "$(k get pvc claim-log-1)"
has "why" "pvc-protection" "$(k describe pvc claim-log-1)"
has "used by" "webapp" "$(k describe pvc claim-log-1 | grep 'Used By')"
k delete pod webapp --now
within 10 "claim gone" sh -c "! $KUBECTL get pvc claim-log-1"
within 10 "volume released" phase_is pv pv-log Released

say "the storage class test: a local volume waits for its consumer"
echo 'mkdir -p /opt/vol1' | "$STOWAGE" shell --data "$WORK/data" node01
k apply -f - <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local-storage
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: portworx-io-priority-high
provisioner: kubernetes.io/portworx-volume
parameters:
  repl: "1"
---
apiVersion: v1
kind: PersistentVolume
metadata:
  name: local-pv
spec:
  capacity:
    storage: 500Mi
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: local-storage
  local:
    path: /opt/vol1
  nodeAffinity:
    required:
      nodeSelectorTerms:
      - matchExpressions:
        - key: kubernetes.io/hostname
          operator: In
          values: [node01]
---
kind: PersistentVolumeClaim
apiVersion: v1
metadata:
  name: local-pvc
spec:
  accessModes:
  - ReadWriteOnce
  storageClassName: local-storage
  resources:
    requests:
      storage: 500Mi
YAML
eq "classes" 3 "$(k get storageclasses --no-headers | wc -l)"
within 5 "waits" sh -c "$KUBECTL describe pvc local-pvc | grep -q 'waiting for first consumer to be created before binding'"
k run nginx --image=nginx:alpine --overrides='{"spec":{"containers":[{"name":"nginx","image":"nginx:alpine","volumeMounts":[{"name":"v","mountPath":"/var/www/html"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"local-pvc"}}]}}'
k wait --for=condition=Ready pod/nginx --timeout=300s
eq "bound now" Bound "$(k get pvc local-pvc -o 'jsonpath={.status.phase}')"
k exec nginx -- sh -c 'echo hello > /var/www/html/f'
eq "the file is on the node" hello "$(echo 'cat /opt/vol1/f' | "$STOWAGE" shell --data "$WORK/data" node01)"
