#!/bin/bash
# kubectl apply, replace, patch, edit, delete: what they make of objects, what they say, what they refuse.
. "$SOURCE_DIR/tests/e2e/kubectl/compare.sh"
cluster --profile none
k create namespace ns-real >/dev/null
k create namespace ns-ours >/dev/null
cd "$WORK"

printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata: {a: b}\n' >cm.yaml
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata: {a: b}\nfoo: 1\n' >cmbad.yaml
printf 'a: b\n' >nokind.yaml
printf 'apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n' >foo.yaml
printf 'a: [' >broken.yaml
: >empty.yaml
printf 'kind: ConfigMap\nmetadata: {name: x}\n' >noversion.yaml
cat > dep.yaml <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: b}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c1
        image: nginx
        ports: [{containerPort: 80}, {containerPort: 81}]
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
      - name: c2
        image: busybox
        command: [sleep, "1000"]
      volumes:
      - name: v
        emptyDir: {}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: a, port: 80}, {name: b, port: 81}]
Y
cat > dep2.yaml <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c0
        image: busybox
        command: [sleep, "1000"]
      - name: c1
        image: nginx
        ports: [{containerPort: 81}]
        env: [{name: C, value: "3"}, {name: B, value: "22"}]
      volumes:
      - name: v
        configMap: {name: foo}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: b, port: 81}]
Y
both apply -f cm.yaml
both apply -f cm.yaml
both get cm cfg -o yaml
both apply -f dep.yaml
both apply -f dep.yaml
both apply -f dep2.yaml --dry-run=server
both apply -f dep2.yaml -o name
both get deploy,svc web -o yaml
both apply -f dep2.yaml
both apply -f dep.yaml -o yaml --dry-run=client
both apply -f dep.yaml --dry-run=client
both apply -f cmbad.yaml
both apply -f cmbad.yaml --validate=false
both apply -f cmbad.yaml --validate=warn
both apply -f nokind.yaml
both apply -f foo.yaml
both apply -f broken.yaml
both apply -f empty.yaml
both apply -f noversion.yaml
both apply -f nope.yaml
both apply
both apply foo
cat > podp.yaml <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: pp}
spec:
  containers: [{name: a, image: nginx}]
Y
both apply -f podp.yaml
sed 's/nginx/busybox/; s/pp}/pp, labels: {x: z}}/' podp.yaml > podp2.yaml
both apply -f podp2.yaml
sed 's/name: a, image: nginx/name: zz, image: nginx/' podp.yaml > podp3.yaml
both apply -f podp3.yaml
both create cm c2
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c2}\ndata: {x: "1"}\n' > c2b.yaml
both apply -f c2b.yaml
both apply -f c2b.yaml
both apply view-last-applied cm c2
both apply view-last-applied cm/c2 -o json
both apply -f c2b.yaml --server-side
sed -i s/1/2/ c2b.yaml
both apply -f c2b.yaml --server-side
both apply -f c2b.yaml --server-side --force-conflicts
both replace -f c2b.yaml
both replace -f cmbad.yaml
both replace -f nope.yaml
both replace
both replace -f podp.yaml --force
both replace -f nokind.yaml
both patch cm c2 -p '{"data":{"x":"9"}}'
both patch cm c2 -p '{"data":{"x":"9"}}'
both patch cm c2 --type=json -p '[{"op":"remove","path":"/data/x"}]'
both patch cm c2 --type=json -p '[{"op":"remove","path":"/data/nope"}]'
both patch cm c2 --type=foo -p '{}'
both patch cm c2
both patch cm nope -p '{}'
both patch cm c2 -p '{'
both patch cm c2 -p 'data: {q: w}' -o yaml
both patch deploy web -p '{"spec":{"replicas":"x"}}'
both patch pod pp -p '{"spec":{"containers":[{"name":"a","image":"busybox"}]}}' --dry-run=client -o name
both patch deploy web --type=merge -p '{"spec":{"replicas":2}}' --dry-run=server
export KUBE_EDITOR='sed -i s/q:/z:/'
both edit cm c2
both edit cm c2
export KUBE_EDITOR=true
both edit cm c2
both edit cm nope
both edit
export KUBE_EDITOR='sed -i s/name:.c2/name:\ Bad_/'
both edit cm c2
export KUBE_EDITOR='sed -i s/z:/b@d:/'
both edit cm c2
both create -f dep.yaml
both create -f cm.yaml -o yaml
both create foo
both create
both create -f empty.yaml
both delete cm c2
both delete cm c2
both delete -f cm.yaml
both delete -f cm.yaml
both delete -f cm.yaml --ignore-not-found
both delete pod pp --now
both delete pods -l a=b
both delete
both delete pods
both delete deploy/web svc/web
both delete deploy web svc
# What the deployment leaves ends at its own time in each of the two: away first, so that both delete the same.
for ns in ns-real ns-ours; do
    k -n $ns wait --for=delete rs --all --timeout=120s >/dev/null
    k -n $ns delete pods --all --force >/dev/null 2>&1
    k -n $ns wait --for=delete pods --all --timeout=120s >/dev/null
done
both apply -f podp.yaml
both delete pods --all --force
both delete cm --all
both delete foo x
both delete cm x --dry-run=client
both delete cm x -o yaml
both delete pods --all -l a=b
both delete cm x --cascade=foo
both delete all --all

compared
