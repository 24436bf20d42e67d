#!/bin/bash
# kubectl api-resources, api-versions, cluster-info, explain, config, diff, and templates: as the real one has them.
. "$SOURCE_DIR/tests/e2e/kubectl/compare.sh"
cluster --profile eks
cd "$WORK"

same api-resources
same api-resources -o wide
same api-resources -o name --namespaced=false
same api-resources --namespaced=true --no-headers
same api-resources --api-group=apps
same api-resources --verbs=create,delete
same api-resources --categories=all
same api-resources --sort-by=foo
same api-resources -o json
same api-resources foo
same api-versions
same cluster-info
versions() { "$@" version | sed 's/: v.*/: V/'; }
eq "version" "$(versions "$KUBECTL")" "$(versions "$STOWAGE" kubectl)"

for kind in pod pvc pv sc deploy sts svc node cronjob ingress; do
    same explain "$kind"
    same explain "$kind" --recursive
done
for path in pod.spec.containers.livenessProbe pvc.spec.accessModes pod.spec.restartPolicy pod.spec.nope nope pod.metadata.labels \
    pod.spec.containers.resources.limits svc.spec.ports.targetPort pod.metadata.creationTimestamp; do
    same explain "$path"
done
same explain
same explain deploy --api-version=apps/v2
same explain hpa --api-version=autoscaling/v1

template() { same get nodes -o "go-template=$1"; }
template '{{range .items}}{{.metadata.name}}{{"\n"}}{{end}}'
template '{{range $i, $n := .items}}{{$i}}={{$n.metadata.name}} {{end}}'
template '{{range .items}}{{if eq .metadata.name "node01"}}yes{{else if .x}}q{{else}}no {{end}}{{end}}'
template '{{len .items}} {{ (index .items 0).metadata.name }} {{ index .items 0 "metadata" "name" }}'
template '{{range .items}}{{range $k, $v := .metadata.labels}}{{$k}}:{{$v}},{{end}}{{end}}'
template '{{.foo.bar}}|{{.foo}}|{{.metadata}}'
template '{{with .items}}{{len .}}{{end}}{{with .nope}}a{{else}}b{{end}}'
template '{{- range .items -}} {{ .metadata.name | printf "%-20s|%q" "x" }} {{- end -}} '
template '{{range .nope}}a{{else}}empty{{end}}'
template '{{$x := 1}}{{if and true $x}}{{$x}}{{end}}{{not true}} {{or "" "b"}} {{/* c */}}{{print 1 2 "a" 3}}'
template '{{gt 2 1}} {{lt "a" "b"}} {{ne 1 2}} {{le 1 1}} {{exists .items 0 "metadata"}}'
same get nodes --template='{{.kind}}'
same get nodes -o go-template

# diff: the folders have names of their own, so its lines that tell them are masked
unfold() { sed -E 's/(LIVE|MERGED)-[A-Za-z0-9]+/\1/g; s/[0-9]{4}-[0-9-]+ [0-9:.]+ [+]0000/TIME/' "$1" >"$1.plain" && mv "$1.plain" "$1"; }
differ() {
    "$KUBECTL" diff "$@" >"$WORK/real.out" 2>"$WORK/real.err" </dev/null && echo 0 >"$WORK/real.code" || echo $? >"$WORK/real.code"
    "$STOWAGE" kubectl diff "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" </dev/null && echo 0 >"$WORK/ours.code" || echo $? >"$WORK/ours.code"
    unfold "$WORK/real.out"
    unfold "$WORK/ours.out"
    judge diff "$@"
}
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata: {a: b}\n' >cm.yaml
printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: Yw==, z: eg==}\n' >secret.yaml
differ -f cm.yaml
k apply -f cm.yaml >/dev/null
differ -f cm.yaml
sed -i 's/a: b/a: c, d: e/' cm.yaml
differ -f cm.yaml
k create secret generic s --from-literal=a=b >/dev/null
differ -f secret.yaml
differ -f nope.yaml
differ

# config: each works on its own copy, and both must be the same afterwards
own=$KUBECONFIG
cp "$own" real.config
cp "$own" ours.config
configured() {
    KUBECONFIG=$WORK/real.config "$KUBECTL" config "$@" >"$WORK/real.out" 2>"$WORK/real.err" </dev/null && echo 0 >"$WORK/real.code" || echo $? >"$WORK/real.code"
    KUBECONFIG=$WORK/ours.config "$STOWAGE" kubectl config "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" </dev/null && echo 0 >"$WORK/ours.code" || echo $? >"$WORK/ours.code"
    sed -i 's/real[.]config/CONFIG/' "$WORK/real.out" "$WORK/real.err"
    sed -i 's/ours[.]config/CONFIG/' "$WORK/ours.out" "$WORK/ours.err"
    judge config "$@"
    cmp real.config ours.config || die "config $*: the files are not alike"
}
configured view
configured view -o 'jsonpath={.users[0].name}'
configured view --minify -o json
configured view --raw
configured get-contexts
configured get-contexts -o name
configured current-context
configured use-context foo
configured set-context foo --namespace=bar --cluster=c --user=u
configured set-context foo --namespace=baz
configured set-context --current --namespace=qq
configured set-context
configured get-contexts
configured get-contexts foo nope
configured get-contexts --no-headers
configured use-context foo
configured rename-context foo foo2
configured delete-context foo2
configured delete-context nope
configured get-clusters
configured get-users
configured set-cluster c --server=https://192.0.2.1
configured set-credentials u --token=abc
configured set-credentials u --username=a --password=b
configured view
configured delete-cluster c
configured delete-user u
configured unset current-context
configured current-context
configured set contexts.stowage.namespace zzz
configured set current-context stowage
configured view --minify
configured unset contexts.stowage.namespace
configured rename-context a b
configured set foo bar
configured delete-user nope
configured delete-context stowage
configured delete-cluster stowage
configured delete-user stowage
configured view
configured get-contexts
compared
