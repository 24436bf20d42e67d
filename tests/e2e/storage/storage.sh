# storage.sh - what the storage tests share: claims, pods that hold them, and what the kernel says of them.
. "$SOURCE_DIR/tests/e2e/lib.sh"

# Does the machine let us grow a mounted ext4?
can_grow_ext4() {
    bits=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
    [ $((0x${bits#"${bits%?????????}"} >> 24 & 1)) = 1 ] # CAP_SYS_RESOURCE
}
# class NAME [more YAML lines as members]: an EBS class that binds at once, grows, and deletes
class() {
    name=$1
    shift
    printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"%s"},"provisioner":"ebs.csi.aws.com","allowVolumeExpansion":true%s}' \
        "$name" "${1:+,$1}" | k apply -f - >/dev/null
}
# claim NAME CLASS SIZE [MEMBERS OF SPEC]
claim() {
    printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"%s"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"%s","resources":{"requests":{"storage":"%s"}}%s}}' \
        "$1" "$2" "$3" "${4:+,$4}" | k apply -f - >/dev/null
}
# holder POD CLAIM [MEMBERS OF SPEC]: a pod that sleeps with the claim at /data
holder() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox","command":["sleep","100000"],"volumeMounts":[{"name":"v","mountPath":"/data"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"%s"}}]%s}}' \
        "$1" "$2" "${3:+,$3}" | k apply -f - >/dev/null
}
runs() { within 60 "pod $1 runs" phase_is pod "$1" Running; }
on() { pod=$1; shift; k exec "$pod" -- sh -c "$*"; }
of() { k get "$1" "$2" -o "jsonpath={$3}"; }
gone() { ! k get "$1" "$2"; }
# events KIND NAME: "Type Reason From: Message" in the order they came
events() {
    k get events --field-selector "involvedObject.kind=$1,involvedObject.name=$2" --sort-by=.metadata.resourceVersion \
        -o 'jsonpath={range .items[*]}{.type} {.reason} {.source.component}: {.message}{"\n"}{end}'
}
told() { events "$1" "$2" | grep -qF "$3"; }
volume_of() { of pvc "$1" .spec.volumeName; }
image_of() { printf '%s/data/disks/%s.img' "$WORK" "$(of pv "$(volume_of "$1")" .spec.csi.volumeHandle)"; }
kib() { on "$1" "df -kP /data | tail -1" | awk '{print $2}'; }
