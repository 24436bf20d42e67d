#!/bin/bash
# Claims and volumes find each other as on a real cluster: size by value, modes, volumeMode, class, selector, names, races.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none

# pv NAME SIZE MODES [MEMBERS OF SPEC] [LABELS]
pv() {
    printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"%s","labels":{%s}},"spec":{"capacity":{"storage":"%s"},"accessModes":[%s],"hostPath":{"path":"/data/%s"}%s}}' \
        "$1" "${5:-}" "$2" "$3" "$1" "${4:+,$4}" | k apply -f - >/dev/null
}
# pvc NAME SIZE MODES [MEMBERS OF SPEC]
pvc() {
    printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"%s"},"spec":{"accessModes":[%s],"resources":{"requests":{"storage":"%s"}}%s}}' \
        "$1" "$3" "$2" "${4:+,$4}" | k apply -f - >/dev/null
}
RWO='"ReadWriteOnce"' ROX='"ReadOnlyMany"' RWX='"ReadWriteMany"' NONE='"storageClassName":""'
gets() { within 10 "$1 is bound to $2" value_is "$2 Bound" k get pvc "$1" -o 'jsonpath={.spec.volumeName} {.status.phase}'; }
waits() { eq "$1 waits" Pending "$(k get pvc "$1" -o 'jsonpath={.status.phase}')"; }
free() { within 10 "$1 is Available" phase_is pv "$1" Available; }

say "size by value, the smallest that fits, the group with fewer modes first"
pv a-5g 5Gi "$RWO"; pv b-2g 2048Mi "$RWO"; pv c-1g 1G "$RWO"; pv d-1gi 1Gi "$RWO,$RWX"
for name in a-5g b-2g c-1g d-1gi; do free $name; done
pvc one 1024Mi "$RWO" "$NONE"
gets one b-2g
eq "status shows the volume's size" 2Gi "$(k get pvc one -o 'jsonpath={.status.capacity.storage}')"
pvc many 1Gi "$RWX" "$NONE"
gets many d-1gi
pvc tiny 1G "$RWO" "$NONE"
gets tiny c-1g
pvc none 6Gi "$RWO" "$NONE"
within 5 "said" event_says none "no persistent volumes available for this claim and no storage class is set"
waits none
eq "annotations" '{"pv.kubernetes.io/bind-completed":"yes","pv.kubernetes.io/bound-by-controller":"yes"}' \
    "$(k get pvc many -o json | jq -c '.metadata.annotations | del(."kubectl.kubernetes.io/last-applied-configuration")')"

say "class, volumeMode and selector keep apart"
pv cls 1Gi "$ROX" '"storageClassName":"manual"'; pv blk 1Gi "$ROX" '"volumeMode":"Block"'
pv ssd 1Gi "$ROX" '' '"disk":"ssd"'
for name in cls blk ssd; do free $name; done
pvc hdd 1Gi "$ROX" "$NONE"',"selector":{"matchLabels":{"disk":"hdd"}}'
within 5 "said" event_says hdd "no persistent volumes available"
pvc wants-class 1Gi "$ROX" '"storageClassName":"manual"'; gets wants-class cls
pvc wants-block 1Gi "$ROX" "$NONE"',"volumeMode":"Block"'; gets wants-block blk
k label pv ssd --overwrite disk=hdd >/dev/null
gets hdd ssd

say "by name, from either side"
pvc named 1Gi "$RWO" "$NONE"',"volumeName":"later"'
pv reserved 1Gi "$RWO" '"claimRef":{"namespace":"default","name":"mine"}'
free reserved
pvc other 500Mi "$RWO" "$NONE"
gets other a-5g
pvc mine 500Mi "$RWO" "$NONE"
gets mine reserved
pv later 500Mi "$RWO"
within 5 "too small" event_says named 'Cannot bind to requested volume "later": requested PV is too small'
k patch pv later -p '{"spec":{"capacity":{"storage":"1Gi"}}}' >/dev/null
gets named later

say "a default class that comes later is filled in; of two the newest"
pvc classless 9Gi "$RWO"
for name in older newer; do
    printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"%s","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"kubernetes.io/no-provisioner"}' $name | k apply -f - >/dev/null
    [ $name = newer ] || within 10 "the default is filled in" value_is older k get pvc classless -o 'jsonpath={.spec.storageClassName}'
    sleep 1.1 # times of creation have whole seconds
done
pvc classless2 9Gi "$RWO"
eq "admission takes the newest" newer "$(k get pvc classless2 -o 'jsonpath={.spec.storageClassName}')"
within 5 "nobody makes one" event_says classless2 "no volume plugin matched name: kubernetes.io/no-provisioner"

say "twenty claims, ten volumes, all at once: ten are bound, each to another; then the rest"
for i in $(seq 20); do
    printf -- '---\n{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"race-%s","labels":{"race":"1"}},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"race","resources":{"requests":{"storage":"1Gi"}}}}\n' "$i"
    [ "$i" -gt 10 ] || printf -- '---\n{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"race-%s"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"race","hostPath":{"path":"/race"}}}\n' "$i"
done >"$WORK/race.yaml"
k apply -f "$WORK/race.yaml" >/dev/null
bound() { k get pvc -l race=1 -o json | jq -r '.items[] | select(.status.phase == "Bound").spec.volumeName'; }
ten_bound() { [ "$(bound | wc -l)" = 10 ]; }
within 10 "ten bound" ten_bound
eq "each has its own" 10 "$(bound | sort -u | wc -l)"
sed -n '/PersistentVolume"/p' "$WORK/race.yaml" | sed 's/"name":"race-/"name":"more-/' | sed 's/^/---\n/' | k apply -f - >/dev/null
all_bound() { [ "$(bound | sort -u | wc -l)" = 20 ]; }
within 10 "all bound, each to its own" all_bound

say "a Lost claim stays Lost, until it is asked to be bound anew"
k delete pv d-1gi --wait=false >/dev/null
k patch pv d-1gi -p '{"metadata":{"finalizers":null}}' >/dev/null
within 10 "lost" phase_is pvc many Lost
within 5 "event" event_says many "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
pv d-1gi 1Gi "$RWO,$RWX"
within 10 "the volume is its own again" phase_is pv d-1gi Bound
eq "still lost" Lost "$(k get pvc many -o 'jsonpath={.status.phase}')"
k annotate pvc many pv.kubernetes.io/bind-completed- >/dev/null
gets many d-1gi
