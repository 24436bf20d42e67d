#!/bin/sh
# Quotas and limits on storage: what a namespace may claim in all and of each class, how large one claim may be; what is counted
# comes back when it goes, and many at once never go over together.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
class disk
class gold
# used NAME: of the quota "store"
used() { k get quota store -o json | jq -r --arg n "$1" '.status.used[$n] // ""'; }

say "sums over the namespace, and over one class"
k create quota store --hard=requests.storage=1Gi,persistentvolumeclaims=10,gold.storageclass.storage.k8s.io/requests.storage=128Mi >/dev/null
within 10 "counted" value_is 0 used requests.storage
claim a disk 512Mi
eq "used" 512Mi "$(used requests.storage)"
fails claim b disk 1Gi
has "over" 'persistentvolumeclaims "b" is forbidden: exceeded quota: store, requested: requests.storage=1Gi, used: requests.storage=512Mi, limited: requests.storage=1Gi' "$out"
fails claim g gold 256Mi
has "over the class" 'exceeded quota: store, requested: gold.storageclass.storage.k8s.io/requests.storage=256Mi, used: gold.storageclass.storage.k8s.io/requests.storage=0, limited: gold.storageclass.storage.k8s.io/requests.storage=128Mi' "$out"
claim g gold 128Mi
eq "used of gold" 128Mi "$(used gold.storageclass.storage.k8s.io/requests.storage)"
has "describe" "requests.storage" "$(k describe quota store)"
has "table" "persistentvolumeclaims: 2/10" "$(k get quota)"

say "growing counts too"
within 60 "bound" phase_is pvc a Bound
fails k patch pvc a -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'
has "growth" "exceeded quota: store, requested: requests.storage=1536Mi, used: requests.storage=640Mi, limited: requests.storage=1Gi" "$out"
k patch pvc a -p '{"spec":{"resources":{"requests":{"storage":"640Mi"}}}}' >/dev/null
eq "used" 768Mi "$(used requests.storage)"

say "what goes is given back"
k delete pvc a g >/dev/null
within 30 "free again" value_is 0 used requests.storage
within 30 "free again" value_is 0 used persistentvolumeclaims

say "many at once"
for i in $(seq 20); do claim "c$i" disk 100Mi 2>/dev/null & done
wait
eq "as many as fit" 10 "$(k get pvc --no-headers | wc -l)"
eq "used" 1000Mi "$(used requests.storage)"
k delete pvc --all >/dev/null

say "bounds for one claim"
printf '{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"size"},"spec":{"limits":[{"type":"PersistentVolumeClaim","min":{"storage":"16Mi"},"max":{"storage":"256Mi"}}]}}' | k apply -f - >/dev/null
within 30 "free again" value_is 0 used requests.storage
fails claim big disk 512Mi
has "max" 'persistentvolumeclaims "big" is forbidden: maximum storage usage per PersistentVolumeClaim is 256Mi, but request is 512Mi' "$out"
fails claim small disk 8Mi
has "min" 'persistentvolumeclaims "small" is forbidden: minimum storage usage per PersistentVolumeClaim is 16Mi, but request is 8Mi' "$out"
claim fits disk 64Mi
has "limits" "storage" "$(k describe limits size)"

say "a set that may not have its claim says so"
k create quota pods --hard=pods=0 >/dev/null
within 10 "counted" value_is 0 k get quota pods -o 'jsonpath={.status.used.pods}'
k create deployment web --image=nginx >/dev/null
blocked() { k get rs -o 'jsonpath={.items[*].status.conditions[?(@.type=="ReplicaFailure")].message}' | grep -qF 'exceeded quota: pods, requested: pods=1, used: pods=0, limited: pods=0'; }
within 30 "the replica set tells why" blocked
