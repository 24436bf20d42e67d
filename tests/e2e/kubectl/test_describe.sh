#!/bin/bash
# `kubectl describe`, ours beside the real one: every kind, pods in all states, lists, prefixes of names, files, and what is not there.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
. "$SOURCE_DIR/tests/e2e/kubectl/same.sh"

k apply -f "$SOURCE_DIR/tests/e2e/kubectl/kit.yaml" >/dev/null
k config set-context --current --namespace=kit >/dev/null
within 60 "the pod" k wait --for=jsonpath='{.status.phase}'=Running pod/web --timeout=1s
within 60 "the deployment" k rollout status deploy/front --timeout=1s
within 60 "the stateful set" k rollout status sts/db --timeout=1s
within 60 "the daemon set" k rollout status ds/ds --timeout=1s
within 60 "the job" k wait --for=condition=complete job/once --timeout=1s
within 60 "a restart" event_says broken "Back-off restarting failed container"

say "every kind by name"
for what in pod/web pod/broken pod/unschedulable deployment/front statefulset/db daemonset/ds rc/rc job/once job/indexed cronjob/cron \
    cm/conf cm/bin secret/pass pvc/data pvc/waiting svc/front svc/db svc/out ingress/in ingress/in2 netpol/np netpol/deny sa/robot \
    sa/default quota/q quota/scoped limitrange/lr hpa/hpa pdb/pdb endpoints/front node/node01 ns/kit ns/default sc/gp2 sc/kit-slow \
    pv/kit-nfs priorityclass/kit-high csinode/node01; do
    same describe "$what"
done

say "lists, and kinds that are described member by member"
for what in pods rs pv nodes endpointslices volumeattachments runtimeclasses csidrivers controllerrevisions ingressclasses; do
    same describe "$what"
done
same describe leases -n kube-node-lease node01
same describe pods -n default
same describe pods -A
same describe pods -l app=front --show-events=false
same describe pod/web svc/front
same describe -f "$SOURCE_DIR/tests/e2e/kubectl/kit.yaml"

say "beginnings of names, and what is not there"
same describe pods fro
same describe pod nothing
same describe pod web nothing
same describe nothing x
same describe

say "a deployment with a past, a deleted pod that is still there, a claim that is in use"
k set image deploy/front main=httpd >/dev/null
within 60 "the new replica set" k rollout status deploy/front --timeout=1s
same describe deployment front
k annotate pod web grace=long >/dev/null
k patch pod web -p '{"metadata":{"finalizers":["example.com/wait"]}}' >/dev/null
k delete pod web --wait=false >/dev/null
same describe pod web
k patch pod web -p '{"metadata":{"finalizers":null}}' >/dev/null
