#!/bin/sh
# Which filesystem a volume gets, with which options, for whom; what a node without the tools says.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
mounts() { k exec "$1" -- grep ' /data ' /proc/mounts; }

say "ext4 unless the class says otherwise; ext3 when it does"
class plain
class old '"parameters":{"csi.storage.k8s.io/fstype":"ext3"}'
claim a plain 1Gi
claim b old 1Gi
holder a a
holder b b
runs a
runs b
has "ext4" " /data ext4 rw,relatime 0 0" "$(mounts a)"
has "ext3" " /data ext3 rw,relatime 0 0" "$(mounts b)"
eq "size" "996780" "$(kib a)"
eq "in the PV" ext3 "$(of pv "$(volume_of b)" .spec.csi.fsType)"

# another TYPE PROVISIONER SIZE LARGER FULL_KIB
another() {
    class "$1" "\"provisioner\":\"$2\",\"parameters\":{\"csi.storage.k8s.io/fstype\":\"$1\"}"
    claim "$1" "$1" "$3"
    holder "$1" "$1"
    if command -v "mkfs.$1" >/dev/null; then
        say "$1: made, grown while mounted, restored beside its source"
        runs "$1"
        has "$1" " /data $1 rw" "$(mounts "$1")"
        on "$1" 'echo kept > /data/f'
        k patch pvc "$1" -p "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"$4\"}}}}" >/dev/null
        within 30 "grown" value_is "$4" of pvc "$1" .status.capacity.storage
        [ "$(kib "$1")" -gt "$5" ] || die "the filesystem has $(kib "$1") KiB"
        claim "$1-twin" "$1" "$4" "\"dataSource\":{\"kind\":\"PersistentVolumeClaim\",\"name\":\"$1\"}"
        holder "$1-twin" "$1-twin"
        runs "$1-twin"
        on "$1-twin" 'grep -qx kept /data/f'
    else
        say "$1: this machine has no mkfs.$1, and the pod is told so"
        within 60 "told" told Pod "$1" "errcode:(executable file not found in \$PATH) output:()"
        within 10 "reason" told Pod "$1" "Warning FailedMount kubelet: MountVolume.MountDevice failed for volume \"$(volume_of "$1")\" : rpc error: code = Internal desc = "
        k delete pod "$1" >/dev/null
    fi
}
another xfs ebs.csi.aws.com 1Gi 2Gi 1900000
another btrfs pd.csi.storage.gke.io 10Gi 12Gi 12000000

say "what a driver does not make"
class foreign '"parameters":{"csi.storage.k8s.io/fstype":"btrfs"}'
claim foreign foreign 1Gi
holder foreign foreign
within 60 "told" told Pod foreign "rpc error: code = InvalidArgument desc = NodeStageVolume: invalid fstype btrfs"
k delete pod foreign >/dev/null

say "mount options reach the kernel; a wrong one fails the mount"
class options '"mountOptions":["noatime","commit=17"]'
claim c options 1Gi
holder c c
runs c
has "options" "noatime" "$(mounts c)"
has "options" "commit=17" "$(mounts c)"
class wrong '"mountOptions":["nosuchoption"]'
claim d wrong 1Gi
holder d d
within 60 "refused" told Pod d "Mounting arguments: -t ext4 -o nosuchoption,defaults /dev/xvdb"
within 10 "words" told Pod d "wrong fs type, bad option, bad superblock on /dev/xvdb"
k delete pod d >/dev/null

say "what the class says of blocks and inodes reaches mkfs; what cannot be is refused at once, what mkfs refuses at the mount"
class blocks '"parameters":{"blockSize":"1024","inodeSize":"512","numberOfInodes":"4096"}'
claim e blocks 1Gi
holder e e
runs e
eq "blocks of" 1024 "$(on e 'stat -f -c %S /data')"
eq "inodes" 4096 "$(on e 'stat -f -c %c /data')"
class clusters '"parameters":{"csi.storage.k8s.io/fstype":"xfs","ext4BigAlloc":"true"}'
claim f clusters 1Gi
within 30 "refused" told PersistentVolumeClaim f 'failed to provision volume with StorageClass "clusters": rpc error: code = InvalidArgument desc = Cannot use ext4bigalloc with fstype xfs'
class odd '"parameters":{"blockSize":"3"}'
claim h odd 1Gi
holder h h
within 60 "refused" told Pod h "errcode:(exit status 1) output:(mkfs.ext4: invalid block size - 3"
k delete pod e h >/dev/null

say "a disk that holds another filesystem than its volume says is neither mounted nor made anew"
class keep '"reclaimPolicy":"Retain"'
claim i keep 1Gi
holder i i
runs i
on i 'echo kept > /data/f; sync'
handle=$(of pv "$(volume_of i)" .spec.csi.volumeHandle)
k delete pod i >/dev/null
k delete pvc i >/dev/null
told_to_be() { # VOLUME FSTYPE
    printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"%s"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"none","csi":{"driver":"ebs.csi.aws.com","volumeHandle":"%s","fsType":"%s"}}}' \
        "$1" "$handle" "$2" | k apply -f - >/dev/null
}
told_to_be other xfs
claim j none 1Gi
holder j j
within 60 "refused" told Pod j "Mounting arguments: -t xfs -o nouuid,defaults /dev/xvdb"
within 10 "reason" told Pod j 'Warning FailedMount kubelet: MountVolume.MountDevice failed for volume "other" : rpc error: code = Internal desc = could not format "/dev/xvdb'
k delete pod j >/dev/null
k delete pvc j >/dev/null
k delete pv other >/dev/null
told_to_be same ext4
claim j none 1Gi
holder j j
runs j
on j 'grep -qx kept /data/f'
k delete pod j >/dev/null

say "read-only is read-only"
k delete pod a >/dev/null
printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"ro"},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox","command":["sleep","100000"],"volumeMounts":[{"name":"v","mountPath":"/data"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"a","readOnly":true}}]}}' | k apply -f - >/dev/null
runs ro
fails on ro 'echo x > /data/x'
has "EROFS" "Read-only file system" "$out"
k delete pod ro >/dev/null

say "fsGroup: everything in the volume is the group's; OnRootMismatch looks at the root only"
holder g a '"securityContext":{"runAsUser":1000,"fsGroup":2000}'
runs g
eq "root" "2775 0:2000" "$(on g 'stat -c "%a %u:%g" /data')"
on g 'echo mine > /data/mine; stat -c "%g" /data/mine' | grep -qx 2000 || die "a file of the pod has another group"
k delete pod g >/dev/null
holder g a
runs g
on g 'echo root > /data/theirs; chgrp 0 /data/theirs; chmod 600 /data/theirs'
k delete pod g >/dev/null
holder g a '"securityContext":{"runAsUser":1000,"fsGroup":2000,"fsGroupChangePolicy":"OnRootMismatch"}'
runs g
eq "left alone" "600 0" "$(on g 'stat -c "%a %g" /data/theirs')"
k delete pod g >/dev/null
holder g a '"securityContext":{"runAsUser":1000,"fsGroup":2000}'
runs g
eq "changed" "660 2000" "$(on g 'stat -c "%a %g" /data/theirs')"
