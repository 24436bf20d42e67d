#!/bin/sh
# An ordinary user who has a range of ids: users of containers are users of their own, with files of their own.
. "$SOURCE_DIR/tests/e2e/rootless/rootless.sh"
if ! command -v newuidmap >/dev/null || ! command -v newgidmap >/dev/null; then
    echo "skipped: no newuidmap (package uidmap) on this machine"
    exit 77
fi
fuse no

# The machine's accounts as this test alone sees them.
account() {
    file=$1
    cp "$file" "$WORK/account" 2>/dev/null || : >"$WORK/account"
    echo "$2" >>"$WORK/account"
    [ -e "$file" ] || { echo "skipped: no $file on this machine"; exit 77; }
    mount -t tmpfs -o mode=755 mine "$WORK/home"
    cp "$WORK/account" "$WORK/home/account"
    chmod 644 "$WORK/home/account"
    mount --bind "$WORK/home/account" "$file"
    umount "$WORK/home"
}
account /etc/passwd "somebody:x:$OWNER:$OWNER::/nonexistent:/bin/sh"
account /etc/group "somebody:x:$OWNER:"
account /etc/subuid "somebody:700000:65536"
account /etc/subgid "somebody:700000:65536"
cluster
lacks "on start" "one user id" "$(cat "$WORK/up.err")"
out=$(user "$STOWAGE" doctor) || true
has "doctor" "ok   a range of user ids" "$out"

k apply -f - <<'YAML'
kind: Pod
apiVersion: v1
metadata: {name: someone}
spec:
  securityContext: {fsGroup: 3000}
  containers:
  - {name: c, image: busybox, securityContext: {runAsUser: 1000, runAsGroup: 2000}, command: [sleep, "10000"], volumeMounts: [{name: d, mountPath: /d}]}
  - {name: root, image: busybox, command: [sleep, "10000"], volumeMounts: [{name: d, mountPath: /d}]}
  volumes: [{name: d, emptyDir: {}}]
YAML
k wait pod someone --for=condition=Ready --timeout=300s
eq "groups" "3000" "$(k exec someone -c c -- sh -c 'id -G | tr " " "\n" | grep 3000')"
eq "its file" "1000 3000" "$(k exec someone -c c -- sh -c 'echo mine >/d/mine; chmod 600 /d/mine; stat -c "%u %g" /d/mine')"
k exec someone -c root -- sh -c 'echo secret >/d/secret; chmod 600 /d/secret; chown 5:6 /d/secret'
eq "chown" "5 6" "$(k exec someone -c root -- stat -c '%u %g' /d/secret)"
fails k exec someone -c c -- cat /d/secret
eq "here" "700999" "$(find "$WORK/data/nodes" -name mine -path '*empty-dir*' -exec stat -c %u {} +)"

say "it is gone with its pod"
k delete pod someone --timeout=300s --grace-period=1
gone() { [ -z "$(find "$WORK/data/nodes" -name mine)" ]; }
within 20 "its files" gone
