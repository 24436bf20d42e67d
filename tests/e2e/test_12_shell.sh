#!/bin/sh
# stowage shell: the node's own root, kubectl inside, this machine's tools, nothing of the user's files, hostPath shared with pods.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
on_node() { "$STOWAGE" shell --data "$WORK/data" "$@"; }

say "a script on standard input; its exit code"
eq "default node" node01 "$(echo hostname | on_node)"
eq "named node" controlplane "$(echo hostname | on_node controlplane)"
eq "a command" node01 "$(on_node -- hostname)"
eq "exit code" 7 "$(echo 'exit 7' | on_node || echo $?)"
eq "by its other name" 5 "$("$STOWAGE" node shell controlplane --data "$WORK/data" -- sh -c '[ "$(hostname)" = controlplane ] && exit 5' || echo $?)"
fails on_node nosuchnode
has "no such node" 'no node "nosuchnode"' "$out"

say "kubectl works there"
has "nodes" "node01" "$(echo 'kubectl get nodes' | on_node)"
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-node}\ndata: {a: b}\n' >"$WORK/cm.yaml"
printf 'kubectl apply -f - <<Y\n%s\nY\n' "$(cat "$WORK/cm.yaml")" | on_node
eq "made from the node" b "$(k get cm from-node -o 'jsonpath={.data.a}')"

say "and stowage, of this cluster"
has "its disks" vol- "$(on_node -- stowage disk create --zone us-east-1a --size 1Gi)"
eq "as outside" "$("$STOWAGE" disk ls --data "$WORK/data")" "$(on_node -- stowage disk ls)"
has "why" 'persistentvolumeclaims "none" not found' "$(on_node -- stowage why pvc/none 2>&1 || true)"
eq "an image's layers" "$("$STOWAGE" image history --data "$WORK/data" nginx)" "$(on_node -- stowage image history nginx)"
fails on_node -- stowage lab answer Pending
has "labs are elsewhere" "use the fields of the lab's page" "$out"
fails on_node -- stowage down
has "it is not ended from inside" "not by this way" "$out"
[ "$(k get --raw /readyz)" = ok ] || die "a node ended its cluster"

say "its own files"
echo secret >"$WORK/mine"
fails on_node -- cat "$WORK/mine"
lacks "no home of the user's" "$(ls / | head -n 1)nosuch" "$(on_node -- ls /)"
on_node -- sh -c 'mkdir -p /mnt/data && echo "Hello from Kubernetes storage" > /mnt/data/index.html'
[ ! -e /mnt/data/index.html ] || die "the node wrote to this machine's /mnt"
k apply -f - <<'YAML'
apiVersion: v1
kind: PersistentVolume
metadata: {name: task-pv-volume}
spec:
  storageClassName: manual
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /mnt/data}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: task-pv-claim}
spec:
  storageClassName: manual
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 3Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: task-pv-pod}
spec:
  volumes:
  - name: task-pv-storage
    persistentVolumeClaim: {claimName: task-pv-claim}
  containers:
  - name: task-pv-container
    image: nginx
    volumeMounts:
    - {mountPath: /usr/share/nginx/html, name: task-pv-storage}
YAML
k wait --for=condition=Ready pod/task-pv-pod --timeout=300s
within 5 "served from the node's directory" value_is "Hello from Kubernetes storage" k exec task-pv-pod -- curl -s http://localhost/
k exec task-pv-pod -- sh -c 'echo changed > /usr/share/nginx/html/index.html'
eq "seen on the node" changed "$(on_node -- cat /mnt/data/index.html)"

say "a real terminal"
has "tty" "/dev/pts/" "$(script -qec "$STOWAGE shell --data $WORK/data" /dev/null <<'IN' | tr -d '\r'
tty; exit
IN
)"
