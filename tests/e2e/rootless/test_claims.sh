#!/bin/sh
# An ordinary user's claims where fuse2fs is: an ext4 of its own size in a file, full when it is full, the same bytes after every
# kind of end, snapshots and growth included.
. "$SOURCE_DIR/tests/e2e/rootless/rootless.sh"
command -v fuse2fs >/dev/null || { echo "skipped: no fuse2fs on this machine"; exit 77; }
fuse yes

# app CLAIM NAME: a pod that holds it at /www
app() {
    k apply -f - <<YAML
kind: Pod
apiVersion: v1
metadata: {name: $2}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: nginx, volumeMounts: [{name: v, mountPath: /www}]}
  volumes: [{name: v, persistentVolumeClaim: {claimName: $1}}]
YAML
    k wait pod "$2" --for=condition=Ready --timeout=300s
}
on() {
    pod=$1
    shift
    k exec "$pod" -- sh -c "$*"
}
# claim NAME SIZE [MEMBERS]
claim() {
    printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"%s"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"grows","resources":{"requests":{"storage":"%s"}}%s}}' \
        "$1" "$2" "${3:+,$3}" | k apply -f -
}
# size_mib POD: of its filesystem, as df has it
size_mib() { on "$1" 'df -m /www | tail -n 1 | tr -s " " | cut -d" " -f2'; }

say "it starts, and says what differs"
cluster
has "on start" "a claim's ext4 is served by fuse2fs" "$(cat "$WORK/up.err")"
lacks "on start" "directories whose size" "$(cat "$WORK/up.err")"
out=$(user "$STOWAGE" doctor) || die "doctor is not content: $out"
has "doctor" "ok   ext4 by fuse2fs" "$out"
has "doctor sums up" "real on this machine, also for you who are not root" "$out"
k apply -f - <<'YAML'
kind: StorageClass
apiVersion: storage.k8s.io/v1
metadata: {name: grows}
provisioner: ebs.csi.aws.com
allowVolumeExpansion: true
YAML

say "a claim of 3Gi is a filesystem of 3G"
claim data 3Gi
app data web
has "df" "3.0G" "$(on web df -h /www | tail -n 1)"
has "its name and type" "/dev/xvdba on /www type fuse.ext4" "$(on web mount | grep /www)"
image=$(ls "$WORK"/data/disks/*.img)
[ "$(du -m "$image" | cut -f1)" -lt 100 ] || die "a fresh claim takes $(du -m "$image") MiB"
on web 'echo kept >/www/file; mkdir /www/dir; ln -s file /www/link; chmod 640 /www/file; chown 0:0 /www/dir'
eq "modes" "640 0 0" "$(on web "stat -c '%a %u %g' /www/file")"
eq "links" kept "$(on web cat /www/link)"

say "a full one is full, and only itself"
claim small 1Gi
app small filler
on filler 'fallocate -l 850M /www/big'
has "full" "No space left on device" "$(on filler 'dd if=/dev/zero of=/www/more bs=1M count=200' 2>&1 || true)"
has "df" "100%" "$(on filler df -h /www | tail -n 1)"
on web 'dd if=/dev/zero of=/www/other bs=1M count=5 2>/dev/null' || die "another claim is full too"
on filler 'rm /www/big /www/more && echo again >/www/file && cat /www/file'

say "what one pod wrote the next one reads, on whichever node"
k delete pod web --timeout=300s
app data web2
eq "file" kept "$(on web2 cat /www/file)"

say "down and up"
on web2 'echo down >/www/down'
down
within 20 "nothing runs" no_process
[ "$(e2fsck -fn "$image" >"$WORK/fsck" 2>&1; echo $?)" = 0 ] || die "after down the filesystem is not clean: $(cat "$WORK/fsck")"
cluster
there() { [ "$(on web2 cat /www/down)" = down ]; }
within 20 "its file" there

say "killed: what was written is written out, by those who are left; then nothing is left"
on web2 'echo killed >/www/killed'
killed
left_over && die "something is left"
[ "$(e2fsck -fn "$image" >"$WORK/fsck" 2>&1; echo $?)" = 0 ] || die "after kill -9 the filesystem is not clean: $(cat "$WORK/fsck")"
cluster
there() { [ "$(on web2 cat /www/killed)" = killed ]; }
within 20 "its file" there

say "the helper killed, as if the machine had lost its power: repaired when it is mounted"
on web2 'echo synced >/www/synced; sync /www/synced; echo later >/www/later'
kill -9 "$(pgrep -u "$OWNER" -f 'stowage node helper' | head -n 1)"
within 20 "nothing runs" no_process
cluster
there() { [ "$(on web2 cat /www/synced /www/killed)" = "synced
killed" ]; }
within 20 "its file" there

say "a snapshot while it is mounted, and a claim from it"
k apply -f - <<'YAML'
kind: VolumeSnapshotClass
apiVersion: snapshot.storage.k8s.io/v1
metadata: {name: snaps}
driver: ebs.csi.aws.com
deletionPolicy: Delete
---
kind: VolumeSnapshot
apiVersion: snapshot.storage.k8s.io/v1
metadata: {name: earlier}
spec: {volumeSnapshotClassName: snaps, source: {persistentVolumeClaimName: data}}
YAML
ready() { value_is true k get volumesnapshot earlier -o 'jsonpath={.status.readyToUse}'; }
within 30 "the snapshot" ready
on web2 'echo changed >/www/file'
claim copy 3Gi '"dataSource":{"apiGroup":"snapshot.storage.k8s.io","kind":"VolumeSnapshot","name":"earlier"}'
app copy restored
eq "as it was" kept "$(on restored cat /www/file)"
eq "as it is" changed "$(on web2 cat /www/file)"

say "it grows when it is mounted again, and says so"
k patch pvc small -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'
waits() { event_says filler "grows when it is mounted again"; }
within 30 "why" waits
k delete pod filler --timeout=300s
app small filler
grown() { [ "$(size_mib filler)" -gt 1500 ]; }
within 20 "grown" grown
eq "what was in it" again "$(on filler cat /www/file)"

say "another user in the pod"
k apply -f - <<'YAML'
kind: Pod
apiVersion: v1
metadata: {name: someone}
spec:
  securityContext: {runAsUser: 1000, fsGroup: 3000}
  containers:
  - {name: c, image: busybox, command: [sleep, "10000"], volumeMounts: [{name: v, mountPath: /www}]}
  volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]
YAML
k wait pod someone --for=condition=Ready --timeout=300s
on someone 'echo mine >/www/mine && cat /www/mine'

say "a raw block volume is a file"
claim raw 64Mi '"volumeMode":"Block"'
k apply -f - <<'YAML'
kind: Pod
apiVersion: v1
metadata: {name: raw}
spec:
  containers:
  - {name: c, image: busybox, command: [sleep, "10000"], volumeDevices: [{name: v, devicePath: /dev/disk}]}
  volumes: [{name: v, persistentVolumeClaim: {claimName: raw}}]
YAML
k wait pod raw --for=condition=Ready --timeout=300s
eq "its size" $((1 << 30)) "$(on raw 'wc -c </dev/disk')"
on raw 'echo bytes | dd of=/dev/disk bs=1 seek=4096 conv=notrunc 2>/dev/null; dd if=/dev/disk bs=1 skip=4096 count=5 2>/dev/null'

say "a filesystem that only the kernel has is refused in words"
k apply -f - <<'YAML'
kind: StorageClass
apiVersion: storage.k8s.io/v1
metadata: {name: xfs}
provisioner: ebs.csi.aws.com
parameters: {csi.storage.k8s.io/fstype: xfs}
---
kind: Pod
apiVersion: v1
metadata: {name: xfs}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "10000"], volumeMounts: [{name: v, mountPath: /www}]}]
  volumes:
  - {name: v, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: xfs, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
YAML
refused() { event_says xfs "only ext4 is served"; }
command -v mkfs.xfs >/dev/null && within 30 "why" refused

say "all of it goes"
k delete pod --all --timeout=300s --force --grace-period=0 2>/dev/null
k delete volumesnapshot earlier --timeout=300s
k delete pvc --all --timeout=300s
no_disks() { [ -z "$(find "$WORK/data/disks" -name '*.img')" ]; }
within 30 "disks go" no_disks
