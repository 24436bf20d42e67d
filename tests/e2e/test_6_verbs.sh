#!/bin/sh
# Point 6: the verbs of kubectl that labs use, each on real objects.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

cat >web.yaml <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: nginx
        image: nginx:1.25
        ports:
        - containerPort: 80
YAML
say "rollout, scale, set image, undo"
k apply -f web.yaml
k rollout status deploy/web --timeout=300s
eq "ready" 2/2 "$(k get deploy web --no-headers | awk '{print $2}')"
k scale deploy web --replicas=3
within 20 "three pods" value_is 3 k get deploy web -o 'jsonpath={.status.readyReplicas}'
k set image deploy/web nginx=nginx:1.27
k rollout status deploy/web --timeout=300s
has "image" nginx:1.27 "$(k get pods -l app=web -o 'jsonpath={.items[*].spec.containers[0].image}')"
has "history" 2 "$(k rollout history deploy/web)"
k rollout undo deploy/web
k rollout status deploy/web --timeout=300s
eq "image after undo" nginx:1.25 "$(k get deploy web -o 'jsonpath={.spec.template.spec.containers[0].image}')"
k rollout restart deploy/web
k rollout status deploy/web --timeout=300s
k scale deploy web --replicas=1
within 60 "one pod" sh -c "[ \$($KUBECTL get pods -l app=web --no-headers | wc -l) = 1 ]"

say "label, annotate, patch, diff"
k label deploy web tier=front
eq "-l" web "$(k get deploy -l tier=front -o 'jsonpath={.items[*].metadata.name}')"
k annotate deploy web note='a note'
k patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"nginx","env":[{"name":"A","value":"1"}]}]}}}}'
k patch deploy web --type=merge -p '{"metadata":{"labels":{"tier":"back"}}}'
k patch deploy web --type=json -p '[{"op":"add","path":"/metadata/labels/x","value":"y"}]'
eq "patched" "back y 1 nginx:1.25" "$(k get deploy web -o 'jsonpath={.metadata.labels.tier} {.metadata.labels.x} {.spec.template.spec.containers[0].env[0].value} {.spec.template.spec.containers[0].image}')"
sed 's/replicas: 2/replicas: 4/' web.yaml >web4.yaml
out=$(k diff -f web4.yaml) && die "diff saw no difference"
has "diff" "+  replicas: 4" "$out"
k rollout status deploy/web --timeout=300s

say "output forms"
k create cm a --from-literal=k=1
k create cm b --from-literal=k=2
eq "-o name" "configmap/a" "$(k get cm a -o name)"
has "-o yaml" "k: \"1\"" "$(k get cm a -o yaml)"
eq "-o json" 1 "$(k get cm a -o json | jq -r .data.k)"
eq "custom-columns" "NAME K
a 1" "$(k get cm a -o custom-columns=NAME:.metadata.name,K:.data.k | sed 's/  */ /g; s/ $//')"
eq "--sort-by" "b a" "$(k get cm a b --sort-by='{.data.k}' -o name | sed 's|.*/||' | sort -r | tr '\n' ' ' | sed 's/ $//')"
eq "--field-selector" "configmap/a" "$(k get cm --field-selector metadata.name=a -o name)"
has "-A" "kube-system" "$(k get cm -A)"
has "wide" "NODE" "$(k get pods -o wide)"

say "secrets and what kubectl 1.32 sends as protobuf"
k create secret generic s --from-literal=p=geheim
eq "secret" geheim "$(k get secret s -o 'jsonpath={.data.p}' | base64 -d)"
k create ns pb
k create deploy d1 --image=busybox -n pb -- sleep 1000
k wait --for=condition=Available deploy/d1 -n pb --timeout=300s
k create sa robot

say "run, exec, attach, logs"
k run box --image=busybox --restart=Never -- sh -c 'i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done'
k wait --for=condition=Ready pod/box --timeout=300s
eq "exec exit code" 7 "$(k exec box -- sh -c 'exit 7' 2>/dev/null || echo $?)"
eq "exec stdin" hello "$(echo hello | k exec -i box -- cat)"
fails k exec box -- nosuchprogram
has "exec of nothing" 'executable file not found in $PATH' "$out"
has "exec -it is a terminal" "/dev/pts" "$(on_tty "$KUBECTL exec -it box -- tty")"
# Where script(1) has no input it types a NUL, which the terminal shows as ^@: before the answer or after it.
eq "terminal size" "33 111" "$(script -qec "stty rows 33 cols 111; $KUBECTL exec -it box -- sh -c 'for i in \$(seq 600); do [ \"\$(stty size)\" = \"33 111\" ] && break; sleep 0.1; done; stty size'" /dev/null </dev/null | sed 's/^^@//' | tr -d '\r' | grep -x -m 1 '[0-9]* [0-9]*')"
within 20 "log lines" sh -c "[ \$($KUBECTL logs box | wc -l) -ge 40 ]"
eq "--tail" 2 "$(k logs box --tail=2 | wc -l)"
has "--timestamps" "T" "$(k logs box --timestamps --tail=1 | cut -c1-20)"
[ "$(k logs box --since=1s | wc -l)" -le 30 ] || die "--since gave too much"
: >attach.out
"$KUBECTL" attach box >attach.out 2>/dev/null &
attached=$!
within 5 "attach" grep -q line attach.out
kill $attached
k run crash --image=busybox -- sh -c 'echo before the end; exit 3'
within 20 "restarted" sh -c "[ \"\$($KUBECTL get pod crash -o 'jsonpath={.status.containerStatuses[0].restartCount}')\" -ge 1 ]"
has "--previous" "before the end" "$(k logs crash --previous)"
within 20 "back-off" sh -c "$KUBECTL get pod crash | grep -q CrashLoopBackOff"
k run once --image=busybox --restart=Never -- true
within 20 "completed" phase_is pod once Succeeded
has "completed" Completed "$(k get pod once)"
eq "run --rm -i" "hi there" "$(echo hi there | k run tmp --rm -i --quiet --image=busybox --restart=Never -- cat | head -n 1)"
out=$(echo once | k run tmp --rm -i --quiet --image=busybox --restart=Never -- sh -c 'cat; exit 4' 2>&1) && die "run --rm -i lost the exit code"
eq "run --rm -i that fails: its output is there once" 1 "$(echo "$out" | grep -c '^once$')"
k run bad --image=nosuchimage:1
within 20 "unknown image" sh -c "$KUBECTL get pod bad | grep -Eq 'ErrImagePull|ImagePullBackOff'"
within 5 "says how to import" describes pod bad "Failed to pull image \"nosuchimage:1\""

say "watch, wait, events, describe of every kind"
watchers() { k get --raw /metrics | sed -n 's/^apiserver_longrunning_requests //p'; }
: >w.out
"$KUBECTL" get cm -w --output-watch-events >w.out 2>&1 &
w=$!
within 5 "watching" value_is 1 watchers
k create cm watched --from-literal=a=b
k delete cm watched
within 5 "watch" grep -q DELETED w.out
kill $w
has "watch" "ADDED watched" "$(sed 's/  */ /g' w.out)"
within 5 "nobody watches" value_is 0 watchers
k create cm going
k wait --for=delete cm/going --timeout=300s >gone.out &
w=$!
within 5 "waiting" value_is 1 watchers
k delete cm going
wait $w
eq "wait for an end" "configmap/going condition met" "$(cat gone.out)"
if since 23; then
    k wait --for=delete cm/watched --timeout=300s # gone already
    k wait --for=jsonpath='{.data.k}'=1 cm/a --timeout=300s
fi
has "events" "Scheduled" "$(k get events)"
for kind in nodes pods deploy rs svc endpoints cm secret sa ns sc csidriver csinode lease; do
    [ -n "$(k describe "$kind" -A 2>/dev/null || k describe "$kind")" ] || die "describe $kind"
done

say "delete in its forms"
k delete pod crash --now
k delete pod bad --force --grace-period=0 2>/dev/null
k delete cm a b
k delete cm --all -n pb
k delete -f web.yaml
k delete pod -l run=once
fails k delete cm nosuch
k delete cm nosuch --ignore-not-found
k delete ns pb
within 20 "pods of the deployment gone" sh -c "[ -z \"\$($KUBECTL get pods -l app=web -o name)\" ]"
k delete pod box --now
eq "nothing left" "" "$(k get pods -o name)"
