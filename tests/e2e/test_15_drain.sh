#!/bin/sh
# Disruption budgets: what they allow is counted, kubectl drain respects it, and waits for what it must wait for.
. "$SOURCE_DIR/tests/e2e/lib.sh"

cluster --nodes 3
within 20 "the default service account" k get sa default

say "a budget counts its pods"
k create deployment web --image=nginx --replicas=2
if since 22; then
    k create pdb web --selector=app=web --min-available=2
else
    k apply -f - <<'Y'
{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web"},"spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"web"}}}}
Y
fi
allows() { value_is "$1" k get pdb web -o 'jsonpath={.status.disruptionsAllowed} of {.status.currentHealthy}'; }
within 60 "two healthy pods" allows "0 of 2"
has "get pdb" "MIN AVAILABLE" "$(k get pdb)"
if since 21; then has "describe pdb" "Allowed disruptions:" "$(k describe pdb web)"; fi # older ones ask for policy/v1beta1

say "a drain does not break it"
node=$(k get pod -l app=web -o 'jsonpath={.items[0].spec.nodeName}')
fails k drain "$node" --ignore-daemonsets --timeout=15s
has "drain" "Cannot evict pod as it would violate the pod's disruption budget." "$out"
eq "the pods are there" 2 "$(k get pods -l app=web -o name | wc -l)"

say "with one to spare it goes through, pod by pod"
k patch pdb web --type=merge -p '{"spec":{"minAvailable":1}}'
within 60 "one to spare" allows "1 of 2"
k drain "$node" --ignore-daemonsets --timeout=300s
within 60 "both run elsewhere" allows "1 of 2"
eq "nothing left on the node" "" "$(k get pods -o name --field-selector "spec.nodeName=$node")"
k uncordon "$node"
k delete pdb web
k delete deployment web

say "a lost node drives its pods away, and spares those it drove when it is back in time"
clock() { "$STOWAGE" clock --data "$WORK/data" "$@" >/dev/null; }
machine() { "$STOWAGE" node --data "$WORK/data" "$@" >/dev/null; }
taint_of() { k get node node01 -o 'jsonpath={.spec.taints[*].effect}'; }
lost() { taint_of | grep -q NoExecute; }
well() { ! taint_of | grep -q NoExecute; }
k run held --image=busybox:1.36 --overrides='{"spec":{"nodeName":"node01","terminationGracePeriodSeconds":1}}' --command -- sleep 100000 >/dev/null
within 30 "it runs" phase_is pod held Running
machine stop node01
clock forward 55s
within 60 "unreachable" lost
machine start node01
within 60 "back" well
within 10 "spared" event_says held "TaintManagerEviction: Cancelling deletion of Pod default/held"
within 10 "rebooted" event_says node01 "Rebooted: Node node01 has been rebooted, boot id: $(k get node node01 -o 'jsonpath={.status.nodeInfo.bootID}')"
machine stop node01
clock forward 55s
within 60 "unreachable" lost
clock forward 301s
within 30 "driven away" event_says held "TaintManagerEviction: Marking for deletion Pod default/held"
within 10 "why" value_is "DeletionByTaintManager: Taint manager: deleting due to NoExecute taint" \
    k get pod held -o 'jsonpath={range .status.conditions[?(@.type=="DisruptionTarget")]}{.reason}: {.message}{end}'
