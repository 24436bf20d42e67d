#!/bin/bash
# kubectl kustomize and -k: what a folder with a kustomization comes to, as the real one builds it, and as a cluster gets it.
. "$SOURCE_DIR/tests/e2e/kubectl/compare.sh"
cluster --profile none
cd "$WORK"

# folder NAME: a kustomization from stdin in a folder of its own, with base.yaml beside it
folder() {
    mkdir -p "$1"
    cat >"$1/kustomization.yaml"
    cp base.yaml "$1/base.yaml"
}
# builds NAME: the same output from both, and something at all
builds() {
    same kustomize "$1"
    [ "$(cat "$WORK/ours.code")" = 0 ] || die "kustomize $1: $(cat "$WORK/ours.err")"
    [ -s "$WORK/ours.out" ] || die "kustomize $1: built nothing"
}
# refuses NAME: both fail; the words of Go's loader differ
refuses() {
    fails "$KUBECTL" kustomize "$1"
    fails "$STOWAGE" kubectl kustomize "$1"
    has "kustomize $1" "$2" "$out"
}

cat >base.yaml <<'Y'
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: x}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: sa
      containers:
      - name: c
        image: nginx:1.0
        envFrom: [{configMapRef: {name: cfg}}, {secretRef: {name: sec}}]
        volumeMounts: [{name: v, mountPath: /www}]
      - {name: d, image: "busybox"}
      - {name: e, image: "host:5000/team/app:1@sha256:abc"}
      volumes:
      - {name: v, persistentVolumeClaim: {claimName: data}}
      - {name: w, configMap: {name: cfg}}
      - {name: x, configMap: {name: other}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: web
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: "nginx:1.0"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: fast, volumeName: disk}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: fast, hostPath: {path: /x}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: example.com/disk
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rb}
subjects: [{kind: ServiceAccount, name: sa, namespace: default}, {kind: ServiceAccount, name: default, namespace: kube}, {kind: User, name: u}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [sec], verbs: [get]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {schedule: "0 1 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "nginx:2"}]}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: in}
spec: {tls: [{secretName: sec}], rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: thing}
spec: {items: [{name: a}]}
Y

folder plain <<<'resources: [base.yaml]'
builds plain
folder names <<'Y'
namePrefix: dev-
nameSuffix: -v1
namespace: shop
resources: [base.yaml]
configMapGenerator: [{name: cfg, literals: [a=b]}]
secretGenerator: [{name: sec, literals: [pw=x]}]
Y
builds names
folder labels <<'Y'
resources: [base.yaml]
commonLabels: {app: shop}
commonAnnotations: {note: hi}
labels:
- pairs: {tier: web}
  includeTemplates: true
- pairs: {seen: "1"}
Y
builds labels
folder images <<'Y'
resources: [base.yaml]
images:
- {name: nginx, newName: registry/nginx, newTag: "1.27"}
- {name: busybox, digest: "sha256:123"}
- {name: "host:5000/team/app", newTag: "2"}
replicas: [{name: web, count: 3}, {name: db, count: 0}]
Y
builds images

mkdir -p generators
echo hello >generators/page.txt
head -c 64 /dev/zero | tr '\0' '\377' >generators/bytes
printf 'A=1\n#c\n\nC="q"\n' >generators/e.env
folder generators <<'Y'
generatorOptions: {labels: {gen: "yes"}}
configMapGenerator:
- name: files
  files: [page.txt, other=page.txt, bytes]
- name: env
  envs: [e.env]
  options: {disableNameSuffixHash: true, immutable: true, annotations: {a: b}}
- name: literals
  namespace: here
  literals: ["a='q'", 'b="r"', c=d=e]
secretGenerator:
- name: tls
  type: kubernetes.io/tls
  files: [tls.crt=page.txt, tls.key=page.txt]
Y
builds generators

folder patches <<'Y'
resources: [base.yaml]
patches:
- path: deployment.yaml
- target: {kind: Deployment, name: w.*}
  patch: |-
    - op: add
      path: /spec/template/spec/containers/0/args
      value: [x]
    - op: replace
      path: /metadata/name
      value: site
- target: {kind: "Service|StatefulSet"}
  patch: |-
    apiVersion: v1
    kind: Any
    metadata: {name: any, annotations: {patched: "yes"}}
- patch: '{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa}, $patch: delete}'
- patch: '{apiVersion: example.com/v1, kind: Thing, metadata: {name: thing}, spec: {items: [{name: b}], more: 1}}'
Y
cat >patches/deployment.yaml <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - {name: c, env: [{name: A, value: "1"}], envFrom: null}
      - {name: d, $patch: delete}
      volumes:
      - {name: w, $patch: delete}
Y
builds patches
folder old <<'Y'
resources: [base.yaml]
patchesStrategicMerge:
- |-
  apiVersion: v1
  kind: Service
  metadata: {name: web}
  spec: {type: NodePort}
patchesJson6902:
- target: {version: v1, kind: Service, name: web}
  patch: '[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]'
Y
builds old
folder replaced <<'Y'
resources: [base.yaml]
replacements:
- source: {kind: StorageClass, name: fast, fieldPath: provisioner, options: {delimiter: /, index: 1}}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ["spec.template.spec.containers.[name=c].image"]
    options: {delimiter: ":", index: 1}
  - select: {kind: Service}
    fieldPaths: [metadata.labels.disk]
    options: {create: true}
Y
builds replaced

# Two variants of one base, one of them with more in its generator; the layer above patches one and names another.
folder bottom <<'Y'
resources: [base.yaml]
configMapGenerator: [{name: cfg, literals: [a=b]}]
Y
awk 'BEGIN { RS = "---\n"; ORS = "" } /kind: (Deployment|Service|StatefulSet|PersistentVolumeClaim)\n/ { print sep $0; sep = "---\n" }' base.yaml >bottom/base.yaml
mkdir -p one two both
printf 'resources: [../bottom]\nnamePrefix: one-\nconfigMapGenerator: [{name: cfg, behavior: merge, literals: [a=c, z=y]}]\n' >one/kustomization.yaml
printf 'resources: [../bottom]\nnamePrefix: two-\nlabels: [{pairs: {v: two}, includeSelectors: true}]\n' >two/kustomization.yaml
cat >both/kustomization.yaml <<'Y'
resources: [../one, ../two, pod.yaml]
components: [../part]
nameSuffix: -s
patches: [{patch: "{apiVersion: v1, kind: Service, metadata: {name: one-web}, spec: {ports: [{port: 80, name: http}]}}"}]
Y
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {volumes: [{name: x, configMap: {name: one-cfg}}]}\n' >both/pod.yaml
mkdir part
printf 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: "yes"}\n' >part/kustomization.yaml
builds both
folder fifo <<'Y'
resources: [base.yaml]
sortOptions: {order: fifo}
Y
builds fifo

mkdir empty cycle
refuses empty "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory"
refuses nowhere "must build at directory"
printf 'resources: [../cycle]\n' >cycle/kustomization.yaml
refuses cycle "cycle detected"
folder field <<<'fooBar: 1'
refuses field 'invalid Kustomization: json: unknown field "fooBar"'
folder missing <<<'resources: [nope.yaml]'
refuses missing "no such file or directory"
folder outside <<<'resources: [../base.yaml]'
refuses outside "is not in or below"
folder twice <<<'resources: [base.yaml, base.yaml]'
refuses twice "may not add resource with an already registered id: Service.v1.[noGrp]/web.[noNs]"
folder nobody <<<'patches: [{patch: "{apiVersion: v1, kind: Pod, metadata: {name: c}}"}]'
refuses nobody 'no resource matches strategic merge patch "Pod.v1.[noGrp]/c.[noNs]"'
folder literal <<<'configMapGenerator: [{name: x, literals: ["c"]}]'
refuses literal "invalid literal source c, expected key=value"
folder merge <<<'configMapGenerator: [{name: x, behavior: merge, literals: [c=d]}]'
refuses merge "does not exist; cannot merge or replace"

# And a cluster gets it.
k create namespace ns-real >/dev/null
k create namespace ns-ours >/dev/null
mkdir live
printf 'namePrefix: live-\nconfigMapGenerator: [{name: page, literals: ["index.html=hello"]}]\nresources: [claim.yaml]\n' >live/kustomization.yaml
printf 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n' >live/claim.yaml
both apply -k live --dry-run=client
both apply -k live
both apply -k live
both get -k live -o name
both delete -k live
both apply -k nowhere

compared
