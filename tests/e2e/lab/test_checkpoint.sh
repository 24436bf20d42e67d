#!/bin/bash
# A checkpoint is the whole cluster at one moment: objects and the bytes of volumes go back together, revisions go on, watchers
# see what happens, pods run again, controllers keep working; it outlives a restart, and a kill in the midst of going back leaves
# what was or what was to become.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster --profile none --nodes 2
export STOWAGE_DATA="$WORK/data"
checkpoint() { "$STOWAGE" checkpoint "$@"; }

k apply -f - >/dev/null <<'Y'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: ebs.csi.aws.com
allowVolumeExpansion: true
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: keep}
provisioner: ebs.csi.aws.com
reclaimPolicy: Retain
volumeBindingMode: WaitForFirstConsumer
Y
# claim NAME CLASS
claim() {
    k apply -f - >/dev/null <<Y
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1}
spec: {storageClassName: $2, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
Y
}
# pod NAME CLAIM: one that uses it, on node01
pod() {
    k apply -f - >/dev/null <<Y
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  nodeSelector: {kubernetes.io/hostname: node01}
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers:
  - name: c
    image: busybox
    command: [sh, -c, "date +%s%N > /cache/started; exec sleep 1000000"]
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: cache, mountPath: /cache}
    - {name: host, mountPath: /host}
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: $2}}
  - {name: cache, emptyDir: {}}
  - {name: host, hostPath: {path: /srv/kept, type: DirectoryOrCreate}}
Y
    k wait --for=condition=Ready "pod/$1" --timeout=100s >/dev/null
}
in_web() { k exec web -- sh -c "$1"; }
blocks() { k exec web -- df -P /data | awk 'NR==2 {print $2}'; }

say "what is kept"
claim data fast
pod web data
claim released keep
pod gone released
k delete pod gone >/dev/null
k delete pvc released >/dev/null
released=$(k get pv -o 'jsonpath={.items[?(@.spec.claimRef.name=="released")].metadata.name}')
within 10 "it is released" phase_is pv "$released" Released
in_web 'echo one >/data/page; echo doomed >/data/doomed; mkdir /data/deep; echo x >/data/deep/file; sync'
in_web 'echo cached >/cache/file; echo host >/host/file'
k create deployment shop --image=nginx --replicas=2 >/dev/null
k rollout status deployment/shop --timeout=100s >/dev/null
k create configmap settings --from-literal=colour=blue >/dev/null
uid=$(k get pod web -o 'jsonpath={.metadata.uid}')
size=$(blocks)
out=$(checkpoint save before)
has "saved" 'saved "before"' "$out"
fails checkpoint save before
has "a name is taken once" "already exists" "$out"
fails checkpoint save ../before
has "a name" "is no name for a checkpoint" "$out"
has "listed" before "$(checkpoint ls)"

say "everything changes"
change() {
    in_web 'echo two >/data/page; rm /data/doomed; rm -r /data/deep; echo new >/data/new; rm /cache/file; echo other >/host/file'
    k patch pvc data -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
    k create configmap later --from-literal=a=b >/dev/null
}
change
within 20 "its disk has grown" value_is 2Gi k get pv "$(k get pvc data -o 'jsonpath={.spec.volumeName}')" -o 'jsonpath={.spec.capacity.storage}'
k delete pod web --now >/dev/null # not every machine lets a mounted filesystem grow
pod web data
within 20 "it has grown" value_is 2Gi k get pvc data -o 'jsonpath={.status.capacity.storage}'
[ "$(blocks)" -gt "$size" ] || die "df says nothing of 2Gi"
k delete configmap settings >/dev/null
k scale deployment/shop --replicas=4 >/dev/null
k delete pv "$released" >/dev/null
claim others fast
pod other others
disk=$("$STOWAGE" disk create --size 1 --zone us-east-1a)
out=$(checkpoint diff before)
has "what went" "- configmaps default/settings" "$out"
has "what came" "+ configmaps default/later" "$out"
has "a field" "spec.replicas: 2 -> 4" "$out"
has "a volume has grown" "1024 MiB -> 2048 MiB" "$out"
has "files are counted" "files" "$out"
has "a file that went" "    - doomed: 7 bytes" "$out"
has "a directory, and what was in it" "    - deep/
    - deep/file: 2 bytes" "$out"
has "one that came" "    + new: 4 bytes" "$out"
has "one of the same size that holds something else" "    ~ page: 4 bytes, content" "$out"
lacks "nothing of what is as it was" "lost+found" "$out"
eq "as JSON" '[["deep","removed"],["deep/file","removed"],["doomed","removed"],["new","added"],["page","changed"]]' \
    "$(checkpoint diff before -o json | jq -c '[.disks[] | select(.how == "changed").files // [] | .[] | [.path, .how]]')"
k delete pod web other --now >/dev/null

say "and back"
rv() { k get --raw /api/v1/namespaces/default/configmaps | jq -r .metadata.resourceVersion; }
before=$(rv)
"$KUBECTL" get configmaps -w --output-watch-events --no-headers >"$WORK/watched" 2>&1 &
watcher=$!
within 10 "the watch began" grep -q later "$WORK/watched"
out=$(checkpoint restore -v before)
echo "$out"
has "restarted" "restarted" "$out"
has "it says how long" "commit" "$out"
[ "$(rv)" -gt "$before" ] || die "the revision went from $before to $(rv)"
within 20 "a watch sees what went" grep -Eq 'DELETED +later' "$WORK/watched"
within 20 "and what came back" grep -Eq 'ADDED +settings' "$WORK/watched"
kill $watcher
is_back() {
    k wait --for=condition=Ready pod/web --timeout=100s >/dev/null
    eq "the same pod" "$uid" "$(k get pod web -o 'jsonpath={.metadata.uid}')"
    eq "started, not restarted" 0 "$(k get pod web -o 'jsonpath={.status.containerStatuses[0].restartCount}')"
    eq "a page" one "$(in_web 'cat /data/page')"
    eq "files that were deleted" "doomed x " "$(in_web "cat /data/doomed /data/deep/file | tr '\\n' ' '")"
    eq "none that came later" "" "$(in_web 'ls /data/new 2>/dev/null || true')"
    eq "an emptyDir" cached "$(in_web 'cat /cache/file')"
    eq "a hostPath" host "$(in_web 'cat /host/file')"
    eq "a claim that had grown" 1Gi "$(k get pvc data -o 'jsonpath={.status.capacity.storage}')"
    eq "and its filesystem" "$size" "$(blocks)"
    eq "a ConfigMap" blue "$(k get configmap settings -o 'jsonpath={.data.colour}')"
    fails k get configmap later
    eq "a released volume" Released "$(k get pv "$released" -o 'jsonpath={.status.phase}')"
}
is_back
eq "a volume that was bound" Bound "$(k get pvc data -o 'jsonpath={.status.phase}')"
fails k get pod other
fails k get pvc others
lacks "a disk made since" "$disk" "$("$STOWAGE" disk ls)"
eq "replicas" 2 "$(k get deployment shop -o 'jsonpath={.spec.replicas}')"
within 30 "they run" value_is 2 k get deployment shop -o 'jsonpath={.status.readyReplicas}'

say "who comes right behind the answer waits for the nodes"
for _ in 1 2 3; do
    checkpoint restore before >/dev/null
    eq "a file on its node" host "$("$STOWAGE" shell node01 -- cat /srv/kept/file)"
done
checkpoint restore before >/dev/null
checkpoint restore before >/dev/null
is_back
checkpoint restore before >/dev/null
"$STOWAGE" down >/dev/null
cluster --profile none --nodes 2
settled() { # a pod that never restarts has failed when its node was rebooted
    case $(k get pod web -o 'jsonpath={.status.phase}/{.status.containerStatuses[0].ready}') in Failed/* | Running/true) ;; *) false ;; esac
}
within 30 "the pod is what it is" settled

say "a node that does not come on is told, and can be switched on"
root="$WORK/data/nodes/node01/root"
rmdir "$root"
touch "$root" # in the way
checkpoint restore before >/dev/null
fails "$STOWAGE" shell node01 -- true
has "why" "node node01 is off: start node" "$out"
has "in the log" 'E checkpoint: "before" is restored, but: ' "$(cat "$WORK/data/stowage.log")"
rm "$root"
"$STOWAGE" node start node01 >/dev/null
is_back

say "controllers go on"
k scale deployment/shop --replicas=3 >/dev/null
within 30 "they scale" value_is 3 k get deployment shop -o 'jsonpath={.status.readyReplicas}'
claim more fast
pod again more
k delete pod again --now >/dev/null
k delete pvc more >/dev/null

say "it outlives the cluster's process"
"$STOWAGE" down >/dev/null
cluster --profile none --nodes 2
checkpoint restore before >/dev/null
is_back

say "killed while it goes back: what was, or what was to become"
for pause in 0.05 0.3 0.8; do
    change
    in_web sync
    pid=$("$STOWAGE" status | awk '$1 == "process" {print $2}')
    checkpoint restore before >/dev/null 2>&1 &
    restore=$!
    sleep $pause
    kill -9 "$pid"
    wait $restore || true
    within 30 "it has ended" not kill -0 "$pid"
    cluster --profile none --nodes 2
    within 30 "the pod is what it is" settled
    page=$("$STOWAGE" shell node01 -- cat /srv/kept/file)
    if k get configmap later >/dev/null 2>&1; then
        echo "after $pause s: before"
        eq "the node's files of before" other "$page"
    else
        echo "after $pause s: after"
        # Killed only when all was done, and web ran again: its node's reboot ended it then, and it is one that never restarts.
        [ "$(k get pod web -o 'jsonpath={.status.phase}')" = Failed ] || is_back
    fi
    checkpoint restore before >/dev/null
    is_back
done

say "killed right after the commit"
change
in_web sync
"$STOWAGE" down >/dev/null
python3 - "$WORK/data" <<'P'
import json, os, shutil, sqlite3, sys
data = sys.argv[1]
disks = data + "/disks/"
manifest = json.load(open(data + "/checkpoints/before/checkpoint.json"))
prefix = "checkpoint-" + manifest["serial"] + "-"
for name in os.listdir(disks):
    if name.startswith(prefix):
        os.system("cp --sparse=always '%s' '%s'" % (disks + name, disks + "restoring-" + name[len(prefix):]))
db = sqlite3.connect(data + "/state.db")
token = db.execute("SELECT value FROM meta WHERE key = 'mark'").fetchone()[0]
pending = {"token": token, "disks": [d["id"] for d in manifest["disks"]], "cloud": manifest["cloud"]}
json.dump(pending, open(data + "/checkpoints/restoring.json", "w"))
open(disks + "vol-0123456789abcdef0.img", "w").truncate(1 << 20)
P
cluster --profile none --nodes 2
within 30 "the pod is what it is" settled
eq "the node's files" host "$("$STOWAGE" shell node01 -- cat /srv/kept/file)"
[ ! -e "$WORK/data/disks/vol-0123456789abcdef0.img" ] || die "a disk that the checkpoint has not is still there"
[ ! -e "$WORK/data/checkpoints/restoring.json" ] || die "it is not over"
checkpoint restore before >/dev/null
is_back

say "replaced: until the new one is whole there is the old one"
k create configmap first --from-literal=a=b >/dev/null
checkpoint save again >/dev/null
k delete configmap first >/dev/null
serial() { jq -r .serial "$WORK/data/checkpoints/again/checkpoint.json"; }
old=$(serial)
mkdir -p "$WORK/data/checkpoints/.again.new/objects" # in the way of a save
fails checkpoint save --replace again
eq "the old one" "$old" "$(serial)"
checkpoint restore again >/dev/null
eq "as it was" b "$(k get configmap first -o 'jsonpath={.data.a}')"
rmdir "$WORK/data/checkpoints/.again.new/objects" "$WORK/data/checkpoints/.again.new"
k delete configmap first >/dev/null
checkpoint save --replace again >/dev/null
[ "$(serial)" != "$old" ] || die "it is the old one still"
checkpoint restore again >/dev/null
fails k get configmap first
eq "one of that name" 1 "$(checkpoint ls | grep -c '^again ')"
fails compgen -G "$WORK/data/disks/checkpoint-$old-*"
[ ! -e "$WORK/data/checkpoints/.again.new" ] || die "its folder is left"
# killed in between: what was or what was to become, and that is whole
for pause in 0.02 0.1; do
    pid=$("$STOWAGE" status | awk '$1 == "process" {print $2}')
    checkpoint save --replace again >/dev/null 2>&1 &
    save=$!
    sleep $pause
    kill -9 "$pid"
    wait $save || true
    within 30 "it has ended" not kill -0 "$pid"
    cluster --profile none --nodes 2
    checkpoint restore again >/dev/null
done
checkpoint rm again >/dev/null

say "removed"
checkpoint rm before >/dev/null
fails checkpoint restore before
has "its name" 'no checkpoint "before"' "$out"
fails compgen -G "$WORK/data/disks/checkpoint-*"
fails compgen -G "$WORK/data/disks/restoring-*"
