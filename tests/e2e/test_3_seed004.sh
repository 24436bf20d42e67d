#!/bin/sh
# Point 3, seed 004: kubectl cp into nginx, port-forward, the page is lost with the pod; with a claim it is kept.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"
mkdir webpage
echo '<h1>castle rock</h1>' >webpage/index.html

deployment() {
    cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ngx
spec:
  replicas: 1
  selector:
    matchLabels: {app: ngx}
  template:
    metadata:
      labels: {app: ngx}
    spec:
      containers:
      - image: nginx
        imagePullPolicy: Always
        name: ngx
        ports:
        - containerPort: 80
$1
---
apiVersion: v1
kind: Service
metadata:
  name: ngx
spec:
  selector: {app: ngx}
  ports:
  - port: 80
    targetPort: 80
YAML
}
pod() { k get pod -l app=ngx --field-selector=status.phase=Running -o 'jsonpath={.items[0].metadata.name}'; }
# fetch TARGET [curl flags]: through a port-forward of its own
fetch() {
    target=$1
    shift
    within 10 "nginx serves" k exec "$(pod)" -- curl -s -o /dev/null http://localhost/
    : >forward.out # else the last one's words may be read before the new process empties it
    "$KUBECTL" port-forward "$target" 0:80 >forward.out 2>&1 &
    forward=$!
    within 10 "port-forward $target" grep -q 'Forwarding from 127.0.0.1' forward.out
    port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' forward.out | head -n 1)
    page=$(curl -s --max-time 60 "$@" "http://127.0.0.1:$port/" || true)
    kill $forward
    wait $forward 2>/dev/null || true
}
settled() { value_is 1 sh -c "$KUBECTL get pod -l app=ngx --no-headers | wc -l | tr -d ' '" && k wait --for=condition=Ready pod -l app=ngx --timeout=10s; }

say "without a volume the page is lost with the pod"
deployment "" >ngx.yaml
k apply -f ngx.yaml
k rollout status deploy/ngx --timeout=300s
p=$(pod)
fetch "pod/$p"
has "welcome page" "Welcome to nginx" "$page"
k cp webpage/index.html "$p:/usr/share/nginx/html/"
for target in "pod/$p" deployment/ngx service/ngx; do
    fetch "$target"
    has "new page through $target" "castle rock" "$page"
done
k cp "$p:/usr/share/nginx/html/index.html" back.html
cmp webpage/index.html back.html || die "kubectl cp out of the pod changed the file"
eq "delete" "pod \"$p\" deleted" "$(k delete pod "$p")"
within 20 "replacement" settled
[ "$(pod)" != "$p" ] || die "the pod was not replaced"
fetch deployment/ngx
has "welcome page is back" "Welcome to nginx" "$page"

say "with a claim it is kept"
k apply -f - <<'YAML'
kind: PersistentVolumeClaim
apiVersion: v1
metadata:
  name: ngx-pv-claim
  labels:
    app: ngx
spec:
  accessModes:
    - ReadWriteOnce
  resources:
    requests:
      storage: 5Gi
  storageClassName: gp2
YAML
deployment '        volumeMounts:
        - name: vol
          mountPath: /usr/share/nginx/html/
      volumes:
      - name: vol
        persistentVolumeClaim:
          claimName: ngx-pv-claim' >ngx-volumes.yaml
k apply -f ngx-volumes.yaml
k rollout status deploy/ngx --timeout=300s
within 20 "one pod" settled
fetch "pod/$(pod)" -w '%{http_code}'
has "an empty volume" "403 Forbidden" "$page"
k cp webpage/index.html "$(pod):/usr/share/nginx/html/"
fetch "pod/$(pod)"
has "page on the volume" "castle rock" "$page"
p=$(pod)
k delete pod "$p"
within 30 "replacement" settled
fetch service/ngx
has "the page survived" "castle rock" "$page"
has "size" "4.9G" "$(k exec "$(pod)" -- df -h /usr/share/nginx/html)"
within 5 "the page is in the log of the pod" sh -c "$KUBECTL logs '$(pod)' | grep -qF 'GET / HTTP/1.1'"
