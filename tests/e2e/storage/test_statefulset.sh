#!/bin/sh
# Stateful sets: pods in order, each with a disk of its own that outlives it; names in DNS; updates and undo; what becomes of the
# claims when a set is scaled or deleted.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
class disk

# set NAME [MEMBERS OF SPEC]: three pods that write their names
set_of() {
    printf '{"apiVersion":"v1","kind":"Service","metadata":{"name":"%s"},"spec":{"clusterIP":"None","selector":{"app":"%s"},"ports":[{"port":80}]}}' \
        "$1" "$1" | k apply -f - >/dev/null
    printf '{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"%s"},"spec":{"serviceName":"%s","replicas":3,"selector":{"matchLabels":{"app":"%s"}},"template":{"metadata":{"labels":{"app":"%s"}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox:1.36","command":["sh","-c","hostname >> /data/log; exec sleep 100000"],"volumeMounts":[{"name":"data","mountPath":"/data"}]}]}},"volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"disk","resources":{"requests":{"storage":"64Mi"}}}}]%s}}' \
        "$1" "$1" "$1" "$1" "${2:+,$2}" | k apply -f - >/dev/null
}
ready() { value_is "$2" k get sts "$1" -o 'jsonpath={.status.availableReplicas}'; }
image_is() { value_is "$2" k get pod "$1" -o 'jsonpath={.spec.containers[0].image}'; }
owner_of() { of pvc "$1" '.metadata.ownerReferences[*].kind'; }

say "one after the other, each with its own disk"
set_of db
within 60 "three pods" ready db 3
eq "claims" "data-db-0 data-db-1 data-db-2" "$(k get pvc -o 'jsonpath={.items[*].metadata.name}')"
eq "labels" db "$(of pvc data-db-0 .metadata.labels.app)"
eq "no owner" "" "$(owner_of data-db-0)"
k rollout status sts/db --timeout=300s >/dev/null
first_told() { events StatefulSet db | head -n 2; }
within 5 "claim first, then pod" value_is "Normal SuccessfulCreate statefulset-controller: create Claim data-db-0 Pod db-0 in StatefulSet db success
Normal SuccessfulCreate statefulset-controller: create Pod db-0 in StatefulSet db successful" first_told
for i in 0 1 2; do within 5 "db-$i writes" value_is "db-$i" on db-$i cat /data/log; done
before=$(of pod db-0 .metadata.creationTimestamp)
eq "db-0 is the oldest" "$before" "$(k get pods -o 'jsonpath={range .items[*]}{.metadata.creationTimestamp}{"\n"}{end}' | sort | head -n 1)"

say "names that stay"
named() { on db-0 "nslookup db-1.db.default.svc.cluster.local" | grep -qF "$(of pod db-1 .status.podIP)"; }
within 10 "db-1 has a name" named
eq "hostname" db-2 "$(on db-2 hostname)"

say "data survives scaling down and up"
k scale sts/db --replicas=1 >/dev/null
within 60 "db-1 goes" gone pod db-1
eq "claims stay" "data-db-0 data-db-1 data-db-2" "$(k get pvc -o 'jsonpath={.items[*].metadata.name}')"
k scale sts/db --replicas=3 >/dev/null
within 60 "three pods" ready db 3
within 5 "db-2 remembers" value_is "db-2 db-2" on db-2 "cat /data/log | tr '\n' ' ' | sed 's/ $//'"

say "a template is rolled out from the last to the first, and back"
k set image sts/db c=busybox:1.37 >/dev/null
k rollout status sts/db --timeout=300s >/dev/null
image_is db-0 busybox:1.37 || die "db-0 was not updated"
eq "revisions" 2 "$(k get controllerrevisions --no-headers | wc -l)"
has "history" "2" "$(k rollout history sts/db)"
k rollout undo sts/db >/dev/null
within 120 "back" image_is db-0 busybox:1.36
k rollout status sts/db --timeout=300s >/dev/null
eq "db-1 is still itself" db-1 "$(on db-1 sort -u /data/log)"
within 5 "and remembers every start" value_is 4 on db-1 "wc -l < /data/log | tr -d ' '"
k rollout restart sts/db >/dev/null
k rollout status sts/db --timeout=300s >/dev/null

say "a partition keeps the lower numbers as they are"
k patch sts db -p '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}' >/dev/null
k set image sts/db c=busybox:1.37 >/dev/null
within 60 "db-2 is updated" image_is db-2 busybox:1.37
within 60 "three pods" ready db 3
image_is db-1 busybox:1.36 || die "db-1 is below the partition"

say "a deleted set leaves its claims"
k delete sts db >/dev/null
within 60 "pods go" gone pod db-0
eq "claims stay" "data-db-0 data-db-1 data-db-2" "$(k get pvc -o 'jsonpath={.items[*].metadata.name}')"
k delete pvc --all >/dev/null

say "unless the policy says otherwise"
set_of web '"podManagementPolicy":"Parallel","persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete","whenScaled":"Delete"}'
within 60 "three pods" ready web 3
eq "owner" StatefulSet "$(owner_of data-web-2)"
k scale sts/web --replicas=2 >/dev/null
within 60 "the claim goes with its pod" gone pvc data-web-2
eq "the others" "data-web-0 data-web-1" "$(k get pvc -o 'jsonpath={.items[*].metadata.name}')"
k scale sts/web --replicas=3 >/dev/null
within 60 "three pods" ready web 3
eq "a fresh disk" web-2 "$(on web-2 cat /data/log)"
k delete sts web >/dev/null
within 60 "the claims go with the set" value_is "" k get pvc -o name
within 60 "and the volumes" value_is "" k get pv -o name
