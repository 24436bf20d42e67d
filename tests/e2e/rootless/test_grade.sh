#!/bin/bash
# An ordinary user grades: scripts are jailed for him, too, in a user namespace.
. "$SOURCE_DIR/tests/e2e/rootless/rootless.sh"
. "$SOURCE_DIR/tests/e2e/grade/class.sh"
KUBECTL=$(command -v "$KUBECTL")
export KUBECTL # ours, built with a sanitizer, wants more address space than a script has where there are no control groups
mkdir "$WORK/subs" "$WORK/tmp"
subs=$WORK/subs
small_lab "$WORK/lab"
echo CANARY-4711 >"$WORK/secret"
script good 4 <<S
test "\$(id -un)" = student || exit 1
kill -9 -1; kill -9 1
cat "$WORK/secret" "$WORK"/*/* /proc/1/environ 2>/dev/null | grep -a CANARY- >&2
(exec 3<>/dev/tcp/127.0.0.1/22) 2>/dev/null && exit 2
touch /usr/x /x 2>/dev/null && exit 3
kubectl create configmap m --from-literal=size=big
# answer kind of m: cm
S
script forks 4 good <<'S'
f() { f | f & }; f; sleep 1000000
S
chown -R "$OWNER" "$WORK/tmp" "$HOME"
chmod -R a+rX "$WORK/lab" "$WORK/subs"
TMPDIR="$WORK/tmp" user "$STOWAGE" grade --quiet --no-book --timeout 20s --pids 64 --format json "$WORK/lab" "$WORK/subs" >"$WORK/results.json"
[ "$(LC_ALL=C sort "$WORK/expected")" = "$(results "$WORK/results.json")" ] || jq -c ".students[] | [.student, .seconds, .report.steps[].notes]" "$WORK/results.json"
eq "results" "$(LC_ALL=C sort "$WORK/expected")" "$(results "$WORK/results.json")"
lacks "the secret" CANARY-4711 "$(cat "$WORK/results.json")"
eq "the good one" "null" "$(jq '.students[] | select(.student == "good") | .report.steps[0].notes' "$WORK/results.json")"

say "a pod that fills its disk where an ordinary user may not look"
mkdir "$WORK/filler"
subs=$WORK/filler
{
    pod 'mkdir /data/x; cd /data/x; chmod 0 .; i=0; while :; do dd if=/dev/zero of=$i bs=1M count=64 conv=fsync; i=$((i + 1)); done'
    echo 'while kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done'
} | script fills 0 good
chmod -R a+rX "$WORK/filler"
TMPDIR="$WORK/tmp" user "$STOWAGE" grade --quiet --no-book --timeout 10m --cluster-disk 512Mi --format json "$WORK/lab" "$WORK/filler" >"$WORK/filled.json"
eq "refused" "fills 0 refused" "$(results "$WORK/filled.json")"
