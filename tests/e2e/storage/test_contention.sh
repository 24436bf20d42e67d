#!/bin/bash
# More who want than there is: claims that race for few volumes, pods for a claim that takes one pod at a time.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster --profile none

# volumes FROM TO: hostPath volumes v-FROM … v-TO, of 1Gi and 2Gi in turn
volumes() {
    for i in $(seq "$1" "$2"); do
        printf -- '---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v-%s}\nspec: {capacity: {storage: %sGi}, accessModes: [ReadWriteOnce], hostPath: {path: /data/v-%s}}\n' \
            "$i" $((i % 2 + 1)) "$i"
    done | k apply -f - >/dev/null
}
# claims WHO COUNT
claims() {
    for i in $(seq "$2"); do
        printf -- '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s-%s}\nspec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}}}\n' "$1" "$i"
    done | k apply -f - >/dev/null
}
bound() { k get pvc -o json | jq '[.items[] | select(.status.phase == "Bound")] | length'; }
# each volume that is bound names a claim that names it, and no two claims share one
sound() {
    eq "no volume twice" "" "$(k get pvc -o json | jq -r '.items[].spec.volumeName // empty' | sort | uniq -d)"
    eq "both sides agree" "$(k get pvc -o json | jq -r '.items[] | select(.status.phase == "Bound") | .spec.volumeName + " " + .metadata.uid' | sort)" \
        "$(k get pv -o json | jq -r '.items[] | select(.status.phase == "Bound") | .metadata.name + " " + .spec.claimRef.uid' | sort)"
}

say "four users ask for forty volumes while twelve are being made"
for who in a b c d; do claims $who 10 & done
volumes 1 12
wait
within 30 "every volume is taken" value_is 12 bound
sound
eq "the others wait" 28 "$(k get pvc --no-headers | grep -c Pending)"

say "whoever gives back and whoever comes late: in the end nobody waits beside a free volume"
taken=$(k get pvc -o json | jq -r '[.items[] | select(.status.phase == "Bound") | .metadata.name] | .[0:6] | join(" ")')
# shellcheck disable=SC2086
k delete pvc $taken --wait=false >/dev/null &
volumes 13 30 &
claims e 5
wait
freed() { [ "$(k get pv --no-headers | grep -c Released)" = 6 ]; }
within 30 "six are given back" freed
for v in $(k get pv -o json | jq -r '.items[] | select(.status.phase == "Released") | .metadata.name'); do
    k patch pv "$v" --type json -p '[{"op":"remove","path":"/spec/claimRef"}]' >/dev/null &
done
wait
within 30 "thirty volumes serve thirty claims" value_is 30 bound
sound
eq "all volumes" "30 Bound" "$(k get pv -o json | jq -r '[.items[].status.phase] | "\(length) \(unique | join(","))"')"

say "ReadWriteOncePod: the scheduler lets one pod in, the kubelet sees to pods that name their node"
class fast
printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"one"},"spec":{"accessModes":["ReadWriteOncePod"],"storageClassName":"fast","resources":{"requests":{"storage":"1Gi"}}}}' |
    k apply -f - >/dev/null
holder first one
runs first
holder second one
within 10 "refused" told Pod second "1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
k delete pod second --wait --timeout=300s >/dev/null
node=$(of pod first .spec.nodeName)
holder third one "\"nodeName\":\"$node\""
within 30 "held back" told Pod third "MountVolume.SetUp failed for volume \"$(volume_of one)\" : volume uses the ReadWriteOncePod access mode and is already in use by another pod"
phase_is pod third Pending || die "two pods have it"
k delete pod first --wait --timeout=300s >/dev/null
runs third
holder fourth one
within 10 "the next one waits" told Pod fourth "ReadWriteOncePod access mode"
k delete pod third --wait --timeout=300s >/dev/null
runs fourth
