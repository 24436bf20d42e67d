#!/bin/bash
# What becomes of a volume when its claim goes: Retain, Recycle (the files are really gone), Delete, Failed; deletion in both orders.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none

# volume NAME POLICY PATH, and a claim of the same name that names it
volume() {
    printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"%s"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"persistentVolumeReclaimPolicy":"%s","hostPath":{"path":"%s"}}}' \
        "$1" "$2" "$3" | k apply -f - >/dev/null
    claim "$1" "" 1Gi "\"volumeName\":\"$1\""
    within 10 "$1 is bound" phase_is pvc "$1" Bound
}
message_says() { has "message of $1" "$2" "$(k get pv "$1" -o 'jsonpath={.status.message}')"; }
on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- sh -c "$1"; }

say "Retain: the data stays, the volume is nobody's until its claimRef is removed"
volume keep Retain /data/keep
on_node 'mkdir -p /data/keep && echo precious >/data/keep/file'
k delete pvc keep >/dev/null
within 10 "released" phase_is pv keep Released
claim keep "" 1Gi # another one of that name
within 5 "it gets nothing" event_says keep "no persistent volumes available"
k patch pv keep -p '{"spec":{"claimRef":null}}' >/dev/null
within 10 "bound to the new claim" phase_is pvc keep Bound
eq "the data is still there" precious "$(on_node 'cat /data/keep/file')"

say "Recycle: a pod empties it, and it is free again"
volume rec Recycle /data/rec
on_node 'mkdir -p /data/rec/sub && echo old >/data/rec/sub/file && echo old >/data/rec/.hidden'
k cordon controlplane >/dev/null
k delete pvc rec >/dev/null
within 60 "recycled" phase_is pv rec Available
within 5 "event" event_says rec "VolumeRecycled: Volume recycled"
eq "nothing is left in it" "" "$(on_node 'ls -A /data/rec')"
eq "no claimRef" "" "$(k get pv rec -o 'jsonpath={.spec.claimRef}')"
within 30 "the recycler is gone" not k get pod recycler-for-rec

say "Recycle that fails: Failed, with the reason"
volume bad Recycle /data/bad
on_node 'echo "a file, where a directory should be" >/data/bad'
k delete pvc bad >/dev/null
within 30 "failed" phase_is pv bad Failed
message_says bad "Recycle failed: failed to recycle volume: "
eq "why" failed "$("$STOWAGE" why --data "$WORK/data" pv/bad -o json | jq -r .verdict)"
on_node 'rm /data/bad; mkdir /data/bad'
within 60 "it is tried again" phase_is pv bad Available

say "Delete: below /tmp with its files; elsewhere Failed"
volume tmp Delete /tmp/vol
on_node 'mkdir -p /tmp/vol && echo x >/tmp/vol/file'
k delete pvc tmp >/dev/null
within 20 "the volume is gone" not k get pv tmp
within 20 "so are its files" not on_node 'test -e /tmp/vol'
volume mnt Delete /mnt/vol
k delete pvc mnt >/dev/null
within 10 "failed" phase_is pv mnt Failed
message_says mnt "host_path deleter only supports /tmp/.+ but received provided /mnt/vol"
within 5 "event" event_says mnt "VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received provided /mnt/vol"

say "deleted in the wrong order: the volume waits for its claim, the claim for its pod"
volume order Retain /data/order
k run user --image=busybox --overrides='{"spec":{"containers":[{"name":"user","image":"busybox","command":["sleep","100000"],"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"order"}}]}}' >/dev/null
within 30 "running" phase_is pod user Running
k delete pv order --wait=false >/dev/null
k delete pvc order --wait=false >/dev/null
has "claim" Terminating "$(k get pvc order)"
has "volume" Terminating "$(k get pv order)"
k delete pod user --grace-period=0 --force >/dev/null 2>&1
within 30 "claim gone" not k get pvc order
within 10 "volume gone" not k get pv order
