# lib.sh - what the e2e tests share: a cluster of their own, real kubectl, and assertions that say what they saw.
#
# A test sources this, calls `cluster [flags]`, and then runs commands as a user would type them. Any failed assertion ends the
# test with what was expected and seen. The cluster is taken down on every way out, and nothing of it may remain.
set -eu

KUBECTL=${KUBECTL:-kubectl}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/stowage-e2e.XXXXXX")
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:${ASAN_OPTIONS:-}"
export HOME="$WORK/home"
mkdir -p "$HOME"

[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v "$KUBECTL" >/dev/null || { echo "skipped: no kubectl on this machine"; exit 77; }
"$STOWAGE" doctor >/dev/null || { echo "skipped: this machine allows no mounts or loop devices"; exit 77; }

say() { printf '== %s\n' "$*"; }
die() {
    printf 'FAILED: %s\n' "$*"
    [ -f "$WORK/data/stowage.log" ] && tail -n 40 "$WORK/data/stowage.log"
    [ -n "${KUBECONFIG:-}" ] && { k get pods,pvc,pv -A -o wide 2>&1 | head -n 40; k get events -A 2>&1 | tail -n 25; }
    exit 1
}

# finish [CODE]: the way out of each test; a trap of its own gives it the code it was called with
finish() {
    code=${1:-$?}
    [ -n "${KEEP:-}" ] && { echo "kept: $WORK"; return; }
    "$STOWAGE" down --data "$WORK/data" >/dev/null 2>&1 || true
    if [ "$code" = 0 ]; then assert_nothing_left || code=1; fi
    rm -rf "$WORK"
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# cluster [flags for stowage up]: starts one and points kubectl at it; one of the user with the id OWNER, if that is set
cluster() {
    set -- "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0 "$@"
    if [ -n "${OWNER:-}" ]; then
        chmod 755 "$WORK"
        mkdir -p "$WORK/data"
        chown "$OWNER" "$HOME" "$WORK/data"
        set -- setpriv --reuid="$OWNER" --regid="$OWNER" --clear-groups "$@"
    fi
    "$@" >"$WORK/up.out" 2>"$WORK/up.err" || {
        cat "$WORK/up.out" "$WORK/up.err"; die "stowage up"; }
    export KUBECONFIG="$WORK/data/kubeconfig"
}

# In the background "$KUBECTL" itself: then $! is kubectl and can be killed.
k() { "$KUBECTL" "$@"; }
# since MINOR: is this kubectl 1.MINOR or later? What an old one cannot do, or words differently, is asked of later ones only.
since() { [ "$("$KUBECTL" version --client -o json | jq -r .clientVersion.minor | tr -dc 0-9)" -ge "$1" ]; }

# eq WHAT EXPECTED SEEN
eq() { [ "$2" = "$3" ] || die "$1: expected \"$2\", saw \"$3\""; }
# has WHAT PART WHOLE
has() { case $3 in *"$2"*) ;; *) die "$1: expected to find \"$2\" in:
$3" ;; esac; }
lacks() { case $3 in *"$2"*) die "$1: did not expect \"$2\" in:
$3" ;; esac; }
# fails COMMAND...: it must exit non-zero now; its output is in $out. What shall fail some time is: within SECONDS WHAT not COMMAND...
fails() { if out=$("$@" 2>&1); then die "expected to fail: $*
$out"; fi; }
not() { ! "$@"; }
# within SECONDS WHAT COMMAND...: the command must succeed within that time. SECONDS are those of a machine that has nothing else
# to do; a busy one gets ten times as many, and a minute at least.
within() {
    limit=$(($1 < 6 ? 60 : $1 * 10)) what=$2
    shift 2
    end=$(($(date +%s) + limit))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || die "$what: not within $limit s: $*"
        sleep 0.1
    done
}
# value_is EXPECTED COMMAND...
value_is() {
    want=$1
    shift
    [ "$("$@" 2>/dev/null)" = "$want" ]
}
# event_says NAME TEXT: an event about the object of that name says TEXT
event_says() { k get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}' | grep -qF -e "$2"; }
# claim_data: the manifest of a claim "data" of 1Gi, the first of several
claim_data() {
    cat <<'YAML'
kind: PersistentVolumeClaim
apiVersion: v1
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
YAML
}
# describes KIND NAME TEXT: kubectl describe says TEXT
describes() { k describe "$1" "$2" | grep -qF -e "$3"; }
phase_is() { value_is "$3" k get "$1" "$2" -o 'jsonpath={.status.phase}'; }
# on_tty COMMAND...: runs it on a pseudo terminal, output on standard output
on_tty() { script -qec "$*" /dev/null </dev/null | tr -d '\r'; }

left_over() { pgrep -af "$WORK/data" || grep -F "$WORK" /proc/self/mountinfo || losetup -a | grep -F "$WORK"; }
assert_nothing_left() {
    for _ in $(seq 600); do
        left_over >/dev/null || return 0
        sleep 0.1
    done
    echo "left: $(left_over)"
    return 1
}
