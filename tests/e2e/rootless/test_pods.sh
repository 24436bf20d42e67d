#!/bin/sh
# An ordinary user's cluster: pods are processes on networks of their own, claims directories where there is no fuse2fs for them;
# what differs from root's is said everywhere. However it ends, nothing is left.
. "$SOURCE_DIR/tests/e2e/rootless/rootless.sh"
fuse no

claim_data >"$WORK/app.yaml"
cat >>"$WORK/app.yaml" <<'YAML'
kind: ConfigMap
apiVersion: v1
metadata: {name: words}
data: {greeting: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: nginx
        image: nginx
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        volumeMounts:
        - {name: v, mountPath: /www}
        - {name: e, mountPath: /scratch}
        - {name: w, mountPath: /words}
        - {name: h, mountPath: /node}
      volumes:
      - {name: v, persistentVolumeClaim: {claimName: data}}
      - {name: e, emptyDir: {}}
      - {name: w, configMap: {name: words}}
      - {name: h, hostPath: {path: /srv/pages, type: DirectoryOrCreate}}
YAML

say "it starts, and says what differs"
cluster
has "on start" "without root, in a user namespace: " "$(cat "$WORK/up.err")"
has "on start, claims" "claims are directories whose size is not kept" "$(cat "$WORK/up.err")"
has "node condition" "claims are directories" "$(k get node node01 -o 'jsonpath={.status.conditions[?(@.type=="StowageRootless")].message}')"
has "status" "limits of cpu, memory and processes are not kept" "$(user "$STOWAGE" status --data "$WORK/data" | grep rootless)"
event() { k get events -A | grep -q "Rootless .*In a user namespace, without root"; }
within 10 "event" event
out=$(user "$STOWAGE" doctor) && die "doctor is content with directories"
has "doctor" "no   ext4 by fuse2fs" "$out"
has "doctor sums up" "volumes have no size of their own" "$out"
eq "its own files only" "" "$(find "$WORK/data" ! -user "$OWNER")"

say "pods are real"
k apply -f "$WORK/app.yaml"
k rollout status deploy/web --timeout=300s
has "nginx answers itself" "Welcome to nginx" "$(k exec deploy/web -- curl -s http://localhost)"
has "the log" "GET / HTTP/1.1" "$(k logs deploy/web)"
eq "a ConfigMap" hello "$(k exec deploy/web -- cat /words/greeting)"
eq "who one is" "0 0" "$(k exec deploy/web -- sh -c 'echo $(id -u) $(id -g)')"
k exec deploy/web -- sh -c 'echo kept >/www/file; echo scratch >/scratch/file; echo shown >/node/file'
eq "hostPath is the node's" shown "$(user "$STOWAGE" shell --data "$WORK/data" node01 -- cat /srv/pages/file)"
[ ! -e /srv/pages ] || die "hostPath is this machine's"
echo copied >"$WORK/local"
k cp "$WORK/local" "$(k get pods -l app=web -o 'jsonpath={.items[0].metadata.name}'):/www/copied"
eq "cp" copied "$(k exec deploy/web -- cat /www/copied)"
has "a terminal" "pts" "$(on_tty "$KUBECTL" exec -it deploy/web -- tty)"
"$KUBECTL" port-forward deploy/web :80 >"$WORK/forward" 2>&1 &
forward=$!
port() { sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' "$WORK/forward"; }
forwards() { curl -s "http://127.0.0.1:$(port)" | grep -q nginx; }
within 10 "port-forward" forwards
kill $forward

say "users of containers"
k apply -f - <<'YAML'
kind: Pod
apiVersion: v1
metadata: {name: someone}
spec:
  securityContext: {runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000}
  containers:
  - {name: c, image: busybox, command: [sleep, "10000"], volumeMounts: [{name: d, mountPath: /d}]}
  volumes: [{name: d, emptyDir: {}}]
YAML
k wait pod someone --for=condition=Ready --timeout=300s
eq "runAsUser" "1000 2000" "$(k exec someone -- sh -c 'touch /d/mine; echo $(stat -c "%u %g" /d/mine)')"
eq "no capabilities" 0000000000000000 "$(k exec someone -- sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"

say "nobody sees this machine"
echo secret >"$WORK/secret"
fails k exec deploy/web -- cat "$WORK/secret"
fails k exec deploy/web -- ls /proc/1/root/work
fails k exec deploy/web -- mknod /dev/disk b 7 0
eq "its own processes only" "" "$(k exec deploy/web -- ps | grep -v nginx | grep stowage || true)"

say "down and up: everything is there"
down
within 20 "nothing runs" no_process
cluster
k rollout status deploy/web --timeout=300s
kept() { [ "$(k exec deploy/web -- cat /www/file /www/copied /scratch/file)" = "kept
copied
scratch" ]; }
within 20 "files" kept

say "killed: nothing is left, and everything is there"
killed
left_over && die "something is left"
cluster
within 20 "files" kept

say "a deleted claim is gone"
k delete deploy web --wait --timeout=300s
k delete pvc data --timeout=300s
no_volumes() { [ -z "$(k get pv -o name)" ] && [ -z "$(ls "$WORK/data/disks")" ]; }
within 20 "its directory goes" no_volumes

say "root does not take it for its own"
down
fails "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0
has "why" "was made without root" "$out"
