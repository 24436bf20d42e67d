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
