#!/bin/sh
# Point 4: disks that are there before any object, as in seed 001: made in the zone of the pod, named by a pod or a volume; the
# wrong zone, a disk that is not there, a disk that is elsewhere, a full node: the real events.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --nodes 3
cd "$WORK"
export STOWAGE_DATA="$WORK/data"
disk() { "$STOWAGE" disk "$@"; }
state_of() { disk show "$1" -o json | jq -r .disk.State; }
loop_of() { losetup -n -O NAME -j "$WORK/data/disks/$1.img" | tr -d ' '; }
zone_of() { of node "$1" '.metadata.labels.topology\.kubernetes\.io/zone'; }
# pod NAME NODE VOLUME [CONTAINER MEMBERS]: VOLUME is the members of the pod's volume
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"terminationGracePeriodSeconds":1,"nodeName":"%s","containers":[{"name":"c","image":"busybox","command":["sleep","100000"],"volumeMounts":[{"name":"v","mountPath":"/data"}]%s}],"volumes":[{"name":"v",%s}]}}' \
        "$1" "$2" "${4:+,$4}" "$3" | k apply -f - >/dev/null
}
ebs() { printf '"awsElasticBlockStore":{"volumeID":"%s"%s}' "$1" "${2:+,$2}"; }
# volume NAME SOURCE: a PV of 1Gi with that source, and a claim of the same name that takes it
volume() {
    printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"%s"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"",%s}}' \
        "$1" "$2" | k apply -f - >/dev/null
    claim "$1" "" 1Gi "\"volumeName\":\"$1\""
}

say "seed 001: which zone, a disk there, a deployment that names it"
k create deployment nginx --image=nginx:latest
k rollout status deploy/nginx --timeout=300s
pod=$(k get pod -l app=nginx -o 'jsonpath={.items[0].metadata.name}')
node=$(of pod "$pod" .spec.nodeName)
zone=$(zone_of "$node")
vol=$(disk create --zone "$zone" --size 10Gi --tag Name=nginx)
has "id" vol-0 "$vol"
eq "a disk" "available 10 gp3 3000" "$(disk show "$vol" -o json | jq -r '.disk | "\(.State) \(.Size) \(.VolumeType) \(.Iops)"')"
k patch deploy nginx -p "{\"spec\":{\"strategy\":{\"type\":\"Recreate\",\"rollingUpdate\":null},\"template\":{\"spec\":{\"nodeSelector\":{\"kubernetes.io/hostname\":\"$node\"},\"containers\":[{\"name\":\"nginx\",\"volumeMounts\":[{\"name\":\"nginx-volume\",\"mountPath\":\"/usr/share/nginx/\"}]}],\"volumes\":[{\"name\":\"nginx-volume\",$(ebs "$vol" '"fsType":"ext4"')}]}}}}"
k rollout status deploy/nginx --timeout=300s
pod=$(k get pod -l app=nginx -o 'jsonpath={.items[0].metadata.name}')
within 10 "events" told Pod "$pod" "SuccessfulAttachVolume attachdetach-controller: AttachVolume.Attach succeeded for volume \"ebs.csi.aws.com-$vol\""
eq "attachment" "ebs.csi.aws.com $node $vol true" "$(k get volumeattachment -o 'jsonpath={.items[0].spec.attacher} {.items[0].spec.nodeName} {.items[0].spec.source.inlineVolumeSpec.csi.volumeHandle} {.items[0].status.attached}')"
has "in use" "kubernetes.io/csi/ebs.csi.aws.com^$vol" "$(of node "$node" .status.volumesInUse)"
has "attached" "kubernetes.io/csi/ebs.csi.aws.com^$vol" "$(of node "$node" .status.volumesAttached)"
has "df in the pod" "/dev/xvdba" "$(k exec "$pod" -- df -h /usr/share/nginx)"
loop=$(loop_of "$vol")
[ -b "$loop" ] || die "no loop device for $vol"
eq "its size" 10737418240 "$(blockdev --getsize64 "$loop")"
has "its filesystem" 'TYPE="ext4"' "$(blkid -p "$loop")"
has "the disk hides the image's files" "No such file" "$(k exec "$pod" -- ls /usr/share/nginx/html/index.html 2>&1 || true)"

say "what is written stays when the pod goes, and the disk when the cluster stops"
k exec "$pod" -- sh -c 'echo kept >/usr/share/nginx/note'
k delete pod "$pod" --now >/dev/null
k rollout status deploy/nginx --timeout=300s
pod=$(k get pod -l app=nginx -o 'jsonpath={.items[0].metadata.name}')
eq "note" kept "$(k exec "$pod" -- cat /usr/share/nginx/note)"
disk attach "$(disk create --zone us-east-1b --size 1Gi --id vol-00000000000000aaa)" node02 --device /dev/sdf
"$STOWAGE" down >/dev/null
eq "no loop device" "" "$(loop_of "$vol")"
"$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0 --nodes 3 >up.out
k rollout status deploy/nginx --timeout=300s
pod=$(k get pod -l app=nginx -o 'jsonpath={.items[0].metadata.name}')
within 30 "note after a restart" value_is kept k exec "$pod" -- cat /usr/share/nginx/note
has "by hand, still attached" "in-use node02 /dev/sdf" "$(disk show vol-00000000000000aaa -o json | jq -r '"\(.disk.State) \(.attached.node) \(.attached.device)"')"
"$STOWAGE" shell node02 -- test -b /dev/sdf || die "no /dev/sdf on node02"
disk detach vol-00000000000000aaa
disk rm vol-00000000000000aaa

say "the wrong zone"
far=$(disk create --zone us-east-1b --size 1Gi)
pod wrong "$node" "$(ebs "aws://us-east-1b/$far")"
within 30 "zone event" told Pod wrong "FailedAttachVolume attachdetach-controller: AttachVolume.Attach failed for volume \"ebs.csi.aws.com-$far\" : rpc error: code = Internal desc = Could not attach volume \"$far\" to node \"i-0"
within 30 "EC2's words" told Pod wrong "api error InvalidVolume.ZoneMismatch: The volume '$far' is not in the same availability zone as instance 'i-0"
eq "still waiting" Pending "$(of pod wrong .status.phase)"
k delete pod wrong --now >/dev/null
fails disk attach "$far" "$node"
has "by hand" "InvalidVolume.ZoneMismatch: The volume '$far' is not in the same availability zone as instance 'i-0" "$out"
volume far "\"csi\":{\"driver\":\"ebs.csi.aws.com\",\"volumeHandle\":\"$far\"},\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"topology.kubernetes.io/zone\",\"operator\":\"In\",\"values\":[\"us-east-1c\"]}]}]}}"
holder nowhere far
within 30 "affinity event" told Pod nowhere "had volume node affinity conflict"
k delete pod nowhere --now >/dev/null

say "a disk that is not there"
pod missing "$node" "$(ebs vol-0123456789abcdef0)"
within 30 "not found" told Pod missing "AttachVolume.Attach failed for volume \"ebs.csi.aws.com-vol-0123456789abcdef0\" : rpc error: code = NotFound desc = Volume \"vol-0123456789abcdef0\" not found"
disk create --zone "$zone" --size 1Gi --id vol-0123456789abcdef0 >/dev/null
runs missing # the next try finds it
k delete pod missing --now >/dev/null

say "a disk that is elsewhere: Multi-Attach, and its wait"
shared=$(disk create --zone us-east-1a --size 1Gi)
volume shared "$(ebs "$shared" '"fsType":"ext4"')"
pod first node01 '"persistentVolumeClaim":{"claimName":"shared"}'
runs first
pod second controlplane '"persistentVolumeClaim":{"claimName":"shared"}'
within 30 "Multi-Attach" told Pod second 'Warning FailedAttachVolume attachdetach-controller: Multi-Attach error for volume "shared" Volume is already used by pod(s) first'
eq "second waits" Pending "$(of pod second .status.phase)"
eq "one loop device" 1 "$(losetup -n -O NAME -j "$WORK/data/disks/$shared.img" | wc -l)"
k delete pod first --now >/dev/null
runs second
k exec second -- df /data | grep -q /dev/xvd || die "second has no disk"
k delete pod second --now >/dev/null
within 30 "available again" sh -c "[ \"\$($STOWAGE disk show $shared -o json | jq -r .disk.State)\" = available ]"
disk attach "$shared" controlplane
pod third node01 '"persistentVolumeClaim":{"claimName":"shared"}'
within 30 "attached by hand elsewhere" told Pod third "api error VolumeInUse: $shared is already attached to an instance"
disk detach "$shared"
runs third
k delete pod third --now >/dev/null

say "read-only, another filesystem, a partition that is not there"
within 30 "free" sh -c "[ \"\$($STOWAGE disk show $shared -o json | jq -r .disk.State)\" = available ]"
pod ro node01 "$(ebs "$shared" '"readOnly":true')"
runs ro
has "read-only" "Read-only file system" "$(k exec ro -- touch /data/x 2>&1 || true)"
k delete pod ro --now >/dev/null
part=$(disk create --zone us-east-1a --size 1Gi)
pod part node01 "$(ebs "$part" '"partition":1')"
within 30 "no partition" told Pod part 'MountVolume.MountDevice failed for volume "ebs.csi.aws.com-'
k delete pod part --now >/dev/null

say "snapshot, a disk from it, modify, and what EC2 refuses"
snap=$(disk snapshot "$shared" --description nightly)
copy=$(disk create --zone us-east-1a --size 2Gi --snapshot "$snap" --type gp2)
eq "restored" "2 gp2 100 $snap" "$(disk show "$copy" -o json | jq -r '.disk | "\(.Size) \(.VolumeType) \(.Iops) \(.SnapshotId)"')"
disk modify "$copy" --size 3Gi --type gp3 >/dev/null
eq "grown" 3221225472 "$(stat -c %s "$WORK/data/disks/$copy.img")"
has "snapshots" "$snap" "$(disk ls --snapshots)"
disk rm "$snap" >/dev/null
[ ! -e "$WORK/data/disks/$snap.img" ] || die "the snapshot's bytes are still there"
fails disk modify "$copy" --size 1Gi
has "shrink" "New size cannot be smaller than existing size" "$out"
fails disk create --zone us-east-1z --size 1Gi
has "zone" "InvalidZone.NotFound: The zone 'us-east-1z' does not exist." "$out"
fails disk create --zone us-east-1a --size 1Gi --type io1 --iops 100
has "size" "Volume of 1GiB is too small for volume type io1; minimum is 4GiB." "$out"
fails disk rm "$vol"
has "in use" "VolumeInUse: Volume $vol is currently attached to i-0" "$out"
fails disk detach "$vol"
has "mounted" "still mounted" "$out"
has "list" "pvc/default/shared" "$(disk ls)"
eq "as aws prints" "$vol in-use" "$(disk ls -o json | jq -r ".Volumes[] | select(.VolumeId == \"$vol\") | \"\(.VolumeId) \(.State)\"")"

say "a full node: the driver says 25, EC2 one more"
eq "allocatable" 25 "$(k get csinode node01 -o 'jsonpath={.spec.drivers[?(@.name=="ebs.csi.aws.com")].allocatable.count}')"
volumes='' mounts=''
for i in $(seq 26); do
    claim "many-$i" gp2 1Gi
    volumes="$volumes${volumes:+,}{\"name\":\"v$i\",\"persistentVolumeClaim\":{\"claimName\":\"many-$i\"}}"
    mounts="$mounts${mounts:+,}{\"name\":\"v$i\",\"mountPath\":\"/v$i\"}"
done
printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"many"},"spec":{"containers":[{"name":"c","image":"busybox","volumeMounts":[%s]}],"volumes":[%s]}}' \
    "$mounts" "$volumes" | k apply -f - >/dev/null
within 30 "FailedScheduling" sh -c "$KUBECTL get events --field-selector involvedObject.name=many,reason=FailedScheduling -o 'jsonpath={.items[*].message}' | grep -q 'node(s) exceed max volume count'"
k delete pod many --now >/dev/null
for i in $(seq 26); do
    full=$(disk create --zone us-east-1b --size 1Gi)
    disk attach "$full" node02 >/dev/null
done
fails disk attach "$far" node02
has "limit" "AttachmentLimitExceeded: Volume attachment limit exceeded for instance i-0" "$out"
eq "device names" "/dev/xvdba /dev/xvdbz" "$(disk ls -o json | jq -r '[.Volumes[].Attachments[] | select(.Node == "node02") | .Device] | sort | "\(.[0]) \(.[25])"')"
