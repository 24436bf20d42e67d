# class.sh - what the grading tests share: a small lab, and students of every kind, good and hostile, with the points they must get.

# small_lab DIR: two steps, four points
small_lab() {
    mkdir -p "$1"
    cat >"$1/lab.yaml" <<'Y'
title: Small & <b>smaller</b>
cluster: {profile: none, nodes: 1}
variants: {size: [big, huge, vast]}
steps:
- name: make
  title: Make a map
  text: Make a ConfigMap `m` whose `size` is `${size}`.
  checks:
  - {name: the map is there, points: 3, within: 60s, jsonpath: {of: cm/m, path: '{.data.size}', is: '${size}'}, look: kubectl get cm m}
  solution:
  - objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {size: '${size}'}}]
- name: ask
  title: A question
  checks:
  - {name: kind of m, quiz: {ask: What is m?, answer: [ConfigMap, cm]}}
  solution:
  - answer: {check: kind of m, with: cm}
Y
}

map() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {size: %s}\n' "${1:-big}"; }

# student NAME POINTS STATUS: notes what is expected; the submission follows
student() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$WORK/expected"; }
# script NAME POINTS [good]: a script from standard input; good: it also does the lab, before the rest
script() {
    student "$1" "$2" graded
    {
        [ "${3:-}" != good ] || printf 'kubectl create configmap m --from-literal=size=big\n# answer kind of m: cm\n'
        cat
    } >"$subs/$1.sh"
}
folder() { student "$1" "$2" "${3:-graded}"; mkdir -p "$subs/$1"; }

# pod COMMAND: what applies a pod that runs it
pod() {
    printf "kubectl apply -f - <<'Y'\n"
    printf '{apiVersion: v1, kind: Pod, metadata: {name: bad}, spec: {containers: [{name: c, image: busybox, command: [sh, -c, "%s"], ' "$1" | sed 's/{apiVersion: v1,/apiVersion: v1\n/; s/ kind: Pod,/kind: Pod\n/; s/ metadata:/metadata:/; s/}, spec: /}\nspec: /'
    printf 'volumeMounts: [{name: d, mountPath: /data}]}], volumes: [{name: d, emptyDir: {}}]}\nY\nkubectl wait --for=condition=Ready pod/bad --timeout=60s\n'
}

# good_students DIR: of every form
good_students() {
    subs=$1
    folder folder 4
    map >"$subs/folder/make.yaml"
    echo 'ask: ConfigMap' >"$subs/folder/answers.yaml"
    folder packed 4
    map >"$subs/packed/m.yaml"
    echo '{"kind of m": "cm"}' >"$subs/packed/answers.json"
    for form in tar tgz zip; do
        student "$form" 4 graded
        case $form in
        tar) tar -C "$subs" -cf "$subs/tar.tar" packed ;;
        tgz) tar -C "$subs/packed" -czf "$subs/tgz.tar.gz" . ;;
        zip) (cd "$subs" && python3 -m zipfile -c zip.zip packed/m.yaml packed/answers.json) ;;
        esac
    done
    student manifest 3 graded
    map >"$subs/manifest.yaml"
    script script 4 <<'S'
# step: make
cat >m.yaml <<'Y'
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
data: {size: big}
Y
kubectl apply -f m.yaml
# step: ask
# answer: cm
S
    student session 4 graded
    cat >"$subs/session.jsonl" <<'J'
{"time": "2026-01-01T10:00:00Z", "step": "make", "line": "s=big", "code": 0}
{"time": "2026-01-01T10:00:05Z", "step": "make", "line": "create configmap m --from-literal=size=$s", "code": 0, "kubectl": true}
{"time": "2026-01-01T10:00:09Z", "step": "ask", "answer": {"check": "kind of m", "text": "ConfigMap"}}
J
    folder wrong 1
    map small >"$subs/wrong/m.yaml"
    echo 'ask: cm' >"$subs/wrong/answers.txt"
    folder empty 0 refused
}

# hostile_students DIR: each does what it can to whoever grades it; some do the lab first, and get their points
hostile_students() {
    subs=$1
    echo 'sleep 1000000' | script hangs 4 good
    echo 'while :; do :; done' | script loops 4 good
    echo 'f() { f | f & }; f; sleep 1000000' | script forks 4 good
    echo 'exec tail -n 1 /dev/zero' | script eats-memory 4 good
    echo 'i=0; while :; do head -c 1M /dev/zero >/tmp/$i || exit 1; i=$((i + 1)); done' | script fills-disk 4 good
    echo 'kill -9 -1; kill -9 1; kill -9 $PPID; pkill -9 stowage; exit 0' | script kills 4 good
    printf 'cat ../*/* /proc/*/environ "%s" "%s"/*/* 2>/dev/null | grep -a %s >&2; exit 1\n' "$WORK/secret" "$WORK" CANARY | script reads 4 good
    printf 'for f in "%s" "%s/lab/lab.yaml" "%s/x" /usr/x /etc/x; do echo mine >"$f"; rm -rf "$f"; done; exit 0\n' "$WORK/book.db" "$WORK" "$subs" |
        script writes 4 good
    echo '(setsid sleep 1000000 >/dev/null 2>&1 &); nohup sleep 1000000 & exit 0' | script stays 4 good
    echo 'kubectl delete namespace default kube-system kube-public --wait=false; kubectl delete nodes --all --wait=false; exit 0' | script deletes 4 good
    printf 'printf "\\033]0;owned\\007\\033[2J<script>alert(1)</script>\\377\\376" >&2; exit 3\n' | script prints 4 good
    echo 'yes' | script floods 4 good
    cat <<S | script escapes 4 good
kubectl apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: out}
spec:
  hostPID: true
  hostNetwork: true
  restartPolicy: Never
  volumes: [{name: root, hostPath: {path: /}}]
  containers:
  - name: c
    image: busybox
    securityContext: {privileged: true}
    command: [sh, -c, 'cat /host$WORK/secret /proc/1/root$WORK/secret; grep -rl CANARY /host/root /host/tmp; kill -9 -1; echo done']
    volumeMounts: [{name: root, mountPath: /host}]
Y
kubectl wait --for=jsonpath='{.status.phase}'=Succeeded pod/out --timeout=60s; kubectl logs out >&2; exit 5
S
    # The script goes on as if nothing was: its last command must do its work.
    { pod 'f() { f | f & }; f; sleep 1000000'; echo 'sleep 2; for i in 1 2 3 4 5 6 7 8; do kubectl get pods >/dev/null || exit 5; done'; } | script pod-forks 4 good
    # What this does to its own cluster, the script's last commands among it, is its own: exit 0.
    { pod 'tail -n 1 /dev/zero'; echo 'exit 0'; } | script pod-eats-memory 4 good
    folder links 0 refused
    ln -s "$WORK/secret" "$subs/links/make.yaml"
    ln -s / "$subs/links/root"
    mkfifo "$subs/links/pipe.yaml"
    student dots 0 refused
    map >"$WORK/m.yaml"
    tar -C "$WORK" -cPf "$subs/dots.tar" --transform 's,^,../../,' m.yaml
    student zip-dots 0 refused
    python3 - "$subs/zip-dots.zip" <<'P'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("../../m.yaml", "x: y")
P
    student tar-bomb 0 refused
    mkdir -p "$WORK/bomb"
    head -c 300M /dev/zero >"$WORK/bomb/zeros.yaml"
    tar -C "$WORK/bomb" -czf "$subs/tar-bomb.tar.gz" zeros.yaml
    student zip-bomb 0 refused
    (cd "$WORK/bomb" && python3 - "$subs/zip-bomb.zip" <<'P'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    z.write("zeros.yaml")
P
    )
    student huge 0 refused
    mv "$WORK/bomb/zeros.yaml" "$subs/huge.yaml"
    folder malformed 1
    printf 'kind: [unclosed\n\t- x: &a *a\n' >"$subs/malformed/m.yaml"
    echo 'ask: cm' >"$subs/malformed/answers.yaml"
    folder laughs 0
    { echo 'a0: &a0 [lol, lol]'; for i in $(seq 40); do echo "a$i: &a$i [*a$((i - 1)), *a$((i - 1))]"; done; } >"$subs/laughs/m.yaml"
    student not-a-zip 0 refused
    printf 'PK\003\004garbage' >"$subs/not-a-zip.zip"
    student '<b>=1+1' 3 graded
    map >"$subs/<b>=1+1.yaml"
}

# results FILE: "student points status" of each, as the table of expectations has it
results() { jq -r '.students[] | "\(.student) \(.report.points) \(.status)"' "$1" | LC_ALL=C sort; }
