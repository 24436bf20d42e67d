#!/bin/sh
# The same afternoon of a course, typed with every kubectl there is: each version asks the server in its own way (discovery, tables,
# OpenAPI, protobuf bodies, SPDY or WebSocket streams), and the user must not notice.
#
# Which ones: the kubectl of this machine, what lies beside it named kubectl.1.* (or in the directory its link leads to), and
# what $STOWAGE_KUBECTLS lists. Each gets a namespace, a home and a volume class of its own in one cluster; three work at a time.
# What one says is kept apart and shown if it fails. When a kubectl differs from the others for good, `since` is where to say so.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

kubectls() {
    first=$(command -v "$KUBECTL")
    printf '%s\n' "$first" "${first%/*}"/kubectl.1.*
    real=$(readlink -f "$first")
    printf '%s\n' "${real%/*}"/kubectl.1.* ${STOWAGE_KUBECTLS:-}
}

# The manifest of one kubectl: a class that keeps its volumes, a claim, a Deployment that serves from it, a Service.
manifest() {
    cat <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: gp2-$1
provisioner: kubernetes.io/aws-ebs
parameters: {type: gp2}
reclaimPolicy: Retain
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: pages
spec:
  storageClassName: gp2-$1
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: nginx
        image: nginx:1.25
        volumeMounts: [{name: pages, mountPath: /usr/share/nginx/html}]
      volumes: [{name: pages, persistentVolumeClaim: {claimName: pages}}]
YAML
}

looks_around() {
    has "get nodes" "node01" "$(k get nodes -o wide)"
    eq "get sc" "gp2 (default) kubernetes.io/aws-ebs Delete" "$(k get sc | awk '$1 == "gp2" { print $1, $2, $3, $4 }')"
    has "get ns" "kube-system" "$(k get ns)"
    has "api-resources" "PersistentVolumeClaim" "$(k api-resources)"
    has "api-versions" "storage.k8s.io/v1" "$(k api-versions)"
    has "cluster-info" "is running at" "$(k cluster-info)"
    has "version" "v1.32." "$(k version 2>/dev/null)"
    has "explain" "storageClassName" "$(k explain pvc.spec)"
    fails k get pod nosuch
    eq "not there" 'Error from server (NotFound): pods "nosuch" not found' "$out"
}

applies() {
    manifest "$1" >app.yaml
    k apply -f app.yaml
    k rollout status deploy/web --timeout=300s
    eq "the claim" "Bound 1Gi" "$(k get pvc pages -o 'jsonpath={.status.phase} {.status.capacity.storage}')"
    pod=$(k get pod -l app=web -o 'jsonpath={.items..metadata.name}')
    has "apply again" "deployment.apps/web unchanged" "$(k apply -f app.yaml)"
    sed 's/nginx:1.25/nginx:1.27/' app.yaml >newer.yaml
    out=$(k diff -f newer.yaml) && die "diff saw no difference"
    has "diff" "+      - image: nginx:1.27" "$out"
    within 5 "describe" describes pod "$pod" "SuccessfulAttachVolume"
    has "describe" "Used By:       $pod" "$(k describe pvc pages)"
    within 5 "events" sh -c "'$KUBECTL' get events | grep -q ProvisioningSucceeded"
}

streams() {
    has "exec" "/dev/xvd" "$(k exec "$pod" -- df -h /usr/share/nginx/html)"
    has "exec -it" "/dev/pts" "$(on_tty "$KUBECTL exec -it $pod -- tty")"
    eq "exec -i, and its exit code" "typed 5" "$(echo typed | k exec -i "$pod" -- sh -c 'cat | tr "\n" " "; exit 5' 2>/dev/null || echo $?)"
    echo "a page by $1" >index.html
    k cp index.html "$pod:/usr/share/nginx/html/"
    k cp "$pod:/usr/share/nginx/html/index.html" back.html
    cmp index.html back.html || die "cp there and back"
    within 10 "nginx serves" k exec "$pod" -- curl -s -o /dev/null http://localhost/
    "$KUBECTL" port-forward svc/web 0:80 >forward.out 2>&1 &
    forward=$!
    within 30 "port-forward" grep -q 'Forwarding from 127.0.0.1' forward.out
    port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' forward.out | head -n 1)
    eq "the page" "a page by $1" "$(curl -s --max-time 60 "http://127.0.0.1:$port/" || true)"
    kill $forward
    wait $forward 2>/dev/null || true
    k run counter --image=busybox --restart=Never -- sh -c 'for i in 1 2 3; do echo line $i; sleep 0.2; done'
    within 30 "the first line" sh -c "$KUBECTL logs counter | grep -q 'line 1'"
    eq "logs -f" "line 1 line 2 line 3 " "$(k logs -f counter | tr '\n' ' ')"
    eq "run --rm -i" "hi there" "$(echo hi there | k run talk --rm -i --quiet --image=busybox --restart=Never -- cat | head -n 1)"
}

changes() {
    k run web2 --image=nginx --dry-run=client -o yaml >web2.yaml
    has "run --dry-run" "image: nginx" "$(cat web2.yaml)"
    k create -f web2.yaml
    k wait --for=condition=Ready pod/web2 --timeout=300s
    uid=$(k get pod web2 -o 'jsonpath={.metadata.uid}')
    k replace --force --grace-period=0 -f web2.yaml
    [ "$(k get pod web2 -o 'jsonpath={.metadata.uid}')" != "$uid" ] || die "replace --force kept the pod"
    k create configmap settings --from-literal=color=red
    EDITOR='sed -i s/red/blue/' k edit configmap settings
    eq "edited" blue "$(k get cm settings -o 'jsonpath={.data.color}')"
    k create secret generic keys --from-literal=p=geheim
    eq "secret" geheim "$(k get secret keys -o 'jsonpath={.data.p}' | base64 -d)"
    k create deployment side --image=busybox -- sleep 1000
    k rollout status deploy/side --timeout=300s
    k label deploy side tier=back
    k patch deploy side -p '{"spec":{"replicas":2}}'
    k scale deploy side --replicas=0
    eq "labelled and scaled" "back 0" "$(k get deploy -l tier=back -o 'jsonpath={.items[*].metadata.labels.tier} {.items[*].spec.replicas}')"
    has "a JSON patch" "patched" "$(k patch deploy side --type=json -p '[{"op":"remove","path":"/metadata/labels/tier"}]')"
}

deletes() {
    pv=$(k get pvc pages -o 'jsonpath={.spec.volumeName}')
    k delete -f app.yaml
    within 60 "the volume stays" phase_is pv "$pv" Released
    k delete pv "$pv"
    k delete pod,cm,secret --all --now
    k delete ns "$1"
    fails k get ns "$1"
}

# afternoon NAME KUBECTL
afternoon() {
    cd "$1"
    mkdir home
    KUBECTL=$2 HOME=$PWD/home
    cp "$KUBECONFIG" config
    export HOME KUBECONFIG="$PWD/config"
    k create namespace "$1"
    k config set-context --current --namespace="$1"
    looks_around
    applies "$1"
    streams "$1"
    changes
    deletes "$1"
}

# told NAME PROCESS: how its afternoon went
told() { wait "$2" || { cat "$1.out"; printf 'FAILED: with kubectl %s\n' "$1"; failed="$failed $1"; }; }

failed=
set --
for path in $(kubectls | while read -r f; do [ -x "$f" ] && readlink -f "$f"; done); do
    name=$("$path" version --client -o json | jq -r .clientVersion.gitVersion | tr -c 'a-z0-9\n' -)
    mkdir "$name" 2>/dev/null || continue # the same one again
    say "$name ($path)"
    (afternoon "$name" "$path") >"$name.out" 2>&1 &
    set -- "$@" "$name" $!
    [ $# -lt 6 ] || { told "$1" "$2"; shift 2; }
done
while [ $# -gt 0 ]; do told "$1" "$2"; shift 2; done
[ -z "$failed" ] || die "kubectl$failed"
