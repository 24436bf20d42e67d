#!/bin/bash
# Verbs that change a little, ours beside the real one: label, annotate, taint, cordon, drain, scale, autoscale, rollout.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
. "$SOURCE_DIR/tests/e2e/kubectl/same.sh"

k create configmap conf --from-literal=a=b >/dev/null
k create deployment front --image=nginx --replicas=2 >/dev/null
k apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: busybox, command: [sleep, "10000"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}, annotations: {old: text}}
spec: {nodeName: node01, terminationGracePeriodSeconds: 1, containers: [{name: main, image: busybox, command: [sleep, "10000"]}]}
YAML
rolled_out() { k rollout status "$1" --timeout=2s; }
within 60 "the deployment" rolled_out deploy/front
within 60 "the stateful set" rolled_out sts/db

say "labels"
back='k label pod web tier- x-; k label pod web app=web --overwrite'
for words in tier=front app=other 'app=other --overwrite' nokey- app- '' 'a=b c' a=b=c '--list' 'tier=x --dry-run=client' \
    'tier=x --dry-run=server' 'tier=x -o name' app=web 'a=b a-'; do
    same_change "$back" label pod web $words
done
same_change "$back" label pod web 'a=b c'
same_change "$back" label pod nothing a=b
same_change "$back" label a=b
same_change 'k label pods --all x-' label pods --all x=y
same_change 'k label pods --all x-' label pods -l app=none x=y

say "annotations"
back='k annotate pod web a-; k annotate pod web old=text --overwrite'
for words in a=b old=new old- '' 'a=b=c --dry-run=client' x 'old=new --overwrite'; do
    same_change "$back" annotate pod web $words
done
same_change 'k annotate pod/web configmap/conf a-' annotate pod/web configmap/conf a=b

say "taints"
back='k taint nodes node01 k-'
for words in k=v:PreferNoSchedule k- k=v:Bad k=v '' 'k=v:NoSchedule --dry-run=client' 'k=v:NoSchedule --dry-run=server'; do
    same_change "$back" taint nodes node01 $words
done
same_change "$back" taint pods web k=v:NoSchedule
same_change "$back" taint node nothing k=v:NoSchedule
back='k taint nodes node01 k=v:PreferNoSchedule --overwrite'
for words in k=w:PreferNoSchedule 'k=w:PreferNoSchedule --overwrite' k:PreferNoSchedule- k:NoExecute-; do
    same_change "$back" taint nodes node01 $words
done
k taint nodes node01 k- >/dev/null

say "cordon and drain"
back='k uncordon node01'
for words in 'cordon node01' 'uncordon node01' 'cordon nothing' 'cordon node01 --dry-run=client' cordon \
    'drain node01 --pod-selector=app=web' 'drain node01 --pod-selector=app=none' \
    'drain node01 --pod-selector=app=web --force --dry-run=client'; do
    same_change "$back" $words
done
k uncordon node01 >/dev/null
out=$(ours drain node01 --pod-selector=app=web --force --timeout=120s 2>&1) || die "drain: $out"
eq "drain says" "node/node01 cordoned
Warning: deleting Pods that declare no controller: default/web
evicting pod default/web
pod/web evicted
node/node01 drained" "$out"
fails k get pod web
k uncordon node01 >/dev/null

say "scale and autoscale"
back='k scale deploy/front --replicas=2'
for words in 'deploy/front --replicas=3' 'deploy front --replicas=3 --current-replicas=2' 'deploy front --replicas=3 --current-replicas=7' \
    'deploy front --replicas=-1' 'deploy nothing --replicas=1' 'deploy front nothing --replicas=3' 'cm conf --replicas=1' \
    'deploy front --replicas=3 --dry-run=client' 'deploy front --replicas=3 --dry-run=server' 'sts/db --replicas=1 -o name'; do
    same_change "$back" scale $words
done
eq "replicas" 2 "$(k get deploy front -o jsonpath='{.spec.replicas}')"
ours scale deploy front --replicas=3 >/dev/null
eq "replicas" 3 "$(k get deploy front -o jsonpath='{.spec.replicas}')"
k scale deploy front --replicas=2 >/dev/null
back='k delete hpa front'
for words in '--max=3' '--min=2 --max=3 --cpu-percent=50' '--max=1 --min=3' '--max=3 --dry-run=client -o yaml' '--max=3 --name=x --dry-run=server'; do
    same_change "$back" autoscale deploy front $words
done
same_change "$back" autoscale deploy nothing --max=3

say "rollouts"
within 60 "the deployment" rolled_out deploy/front
same rollout status deploy/front
same rollout status pod/nothing
same rollout history deploy/front
same rollout history deploy/front --revision=1
same rollout history deploy/front --revision=9
same rollout history sts/db
same rollout history cm/conf
same rollout undo deploy/front
same rollout undo sts/db
same rollout undo deploy/front --to-revision=5
same rollout restart cm/conf
same_change 'k rollout resume deploy/front' rollout pause deploy/front
same_change 'k rollout pause deploy/front' rollout resume deploy/front
k rollout pause deploy/front >/dev/null
same rollout undo deploy/front
same rollout restart deploy/front
same rollout pause deploy/front
k rollout resume deploy/front >/dev/null
k set image deploy/front nginx=httpd >/dev/null
within 60 "the deployment" rolled_out deploy/front
out=$(ours rollout status deploy/front)
eq "status" 'deployment "front" successfully rolled out' "$out"
# which revision is the last one but one is what the controller has written of the undo before
same_change 'k rollout status deploy/front; k rollout undo deploy/front; k rollout status deploy/front' rollout undo deploy/front
eq "image" httpd "$(k get deploy front -o jsonpath='{.spec.template.spec.containers[0].image}')"
same rollout history deploy/front
ours rollout restart sts/db >/dev/null
within 60 "the stateful set" rolled_out sts/db
same rollout history sts/db --revision=1
