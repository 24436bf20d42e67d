#!/bin/sh
# Where the kernel must not be touched, or does not let us: the cluster comes up all the same, binding and scheduling work,
# pods show Running, and everything that is asked says that it is simulated and why.
#
# Two ways to get there: --simulate, and a user without rights who may not have a user namespace (tests/e2e/rootless: one who may).
. "$SOURCE_DIR/tests/e2e/lib.sh"
chmod 755 "$WORK"

claim_data >"$WORK/app.yaml"
cat >>"$WORK/app.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: nginx
        image: nginx
        volumeMounts: [{name: v, mountPath: /www}]
      volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
YAML

# starts WHY COMMAND...: the command starts a simulated cluster in $WORK/data; it says so, and why
starts() {
    why=$1
    shift
    "$@" >"$WORK/up.out" 2>"$WORK/up.err" || { cat "$WORK/up.err"; die "did not start: $*"; }
    has "up says it" "pods and disks are simulated: " "$(cat "$WORK/up.err")"
    has "up says why" "$why" "$(cat "$WORK/up.err")"
    has "up says where" "export KUBECONFIG=$WORK/data/kubeconfig" "$(cat "$WORK/up.out")"
    export KUBECONFIG="$WORK/data/kubeconfig"
}

works() {
    why=$1
    eq "nodes" "True True" "$(k get nodes -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}')"
    has "node condition" "$why" "$(k get node node01 -o 'jsonpath={.status.conditions[?(@.type=="StowageSimulated")].message}')"
    has "describe node" "StowageSimulated   True" "$(k describe node node01)"
    has "status" "simulated" "$("$STOWAGE" status --data "$WORK/data")"
    has "status says why" "$why" "$("$STOWAGE" status --data "$WORK/data" --json | jq -r .simulated)"
    k apply -f "$WORK/app.yaml"
    k rollout status deploy/web --timeout=300s
    within 5 "bound" phase_is pvc data Bound
    eq "capacity" 1Gi "$(k get pvc data -o 'jsonpath={.status.capacity.storage}')"
    eq "pod" Running "$(k get pods -l app=web -o 'jsonpath={.items[0].status.phase}')"
    fails k exec deploy/web -- ls
    has "exec" "this cluster is simulated" "$out"
    fails "$STOWAGE" shell --data "$WORK/data" -- true
    has "shell" "this cluster is simulated" "$out"
}

say "--simulate"
starts "--simulate was given" "$STOWAGE" up --simulate --detach --data "$WORK/data" --listen 127.0.0.1:0
works "--simulate was given"
[ ! -e "$WORK/data/nodes" ] || die "a simulated cluster made nodes"

say "down and up: the pod runs again, on the volume it had"
"$STOWAGE" down --data "$WORK/data"
starts "--simulate was given" "$STOWAGE" up --simulate --detach --data "$WORK/data" --listen 127.0.0.1:0
restarted() { [ "$(k get pods -l app=web -o 'jsonpath={.items[0].status.containerStatuses[0].restartCount}{.items[0].status.phase}')" = 1Running ]; }
within 20 "runs again" restarted
k delete deploy web --wait
k delete pvc data --timeout=300s
within 10 "the volume goes" sh -c "[ -z \"\$($KUBECTL get pv -o name)\" ]"

say "neither becomes the other"
"$STOWAGE" down --data "$WORK/data"
fails "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0
has "simulated, now real" "start it with --simulate, or choose another directory with --data" "$out"
"$STOWAGE" up --detach --quiet --data "$WORK/real" --nodes 1 --listen 127.0.0.1:0
"$STOWAGE" down --data "$WORK/real" >/dev/null
fails "$STOWAGE" up --detach --simulate --data "$WORK/real" --listen 127.0.0.1:0
has "real, now simulated" "choose another directory with --data" "$out"
rm -rf "$WORK/data" "$WORK/real"

# forbidden COMMAND...: as nobody, in a user namespace in which nobody may make another: to those in it this is a machine that
# forbids them.
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
forbidden() {
    rm -f "$WORK/gate"
    mkfifo "$WORK/gate"
    # shellcheck disable=SC2016
    unshare -U --keep-caps sh -c 'read -r _ <"$0" && echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' \
        "$WORK/gate" "$@" &
    child=$!
    until [ "$(readlink /proc/$child/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
    echo "0 0 100000" >/proc/$child/uid_map
    echo "0 0 100000" >/proc/$child/gid_map
    echo >"$WORK/gate"
    wait $child
}

if command -v setpriv >/dev/null && unshare -U --keep-caps true 2>/dev/null; then
    say "a user without rights, where user namespaces are forbidden"
    mkdir "$WORK/data"
    chown 65534:65534 "$WORK/data"
    if nobody test -x "$STOWAGE"; then
        starts "need root" forbidden "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0
        has "what to do" "sudo sysctl -w user.max_user_namespaces=" "$(cat "$WORK/up.err")"
        works "need root"
        eq "its own files only" "" "$(find "$WORK/data" ! -user 65534)"
        out=$(forbidden "$STOWAGE" doctor) && die "doctor is content without rights"
        has "doctor" "but simulated" "$out"
        has "doctor says what to do" "user.max_user_namespaces" "$out"
        has "doctor knows mkfs" "ok   mkfs.ext4" "$out"
        nobody "$STOWAGE" down --data "$WORK/data"
    fi
    rm -rf "$WORK/data"
fi
