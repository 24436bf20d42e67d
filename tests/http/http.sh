# shellcheck shell=sh
# http.sh - sourced by the tests beside it: a bare server of its own for each test, and small words to ask it.
#
#     . "$SOURCE_DIR/tests/http/http.sh"
#     serve [http_serve arguments]     starts it; $url, $token, $dir
#     api METHOD PATH [curl arguments] the body on standard output
#     status METHOD PATH [curl …]      the status code
#     expect "what" WANT GOT           fails the test if they differ
#     await "what" COMMAND...          until it succeeds: a busy machine may take a minute over anything
#     rests "what" SECONDS TICKS       the server soon uses no more than that in so many seconds
: "${BUILD_DIR:=build/debug}" "${SOURCE_DIR:=.}"
program=$BUILD_DIR/tests/http_serve
[ -x "$program" ] || { echo "skipped: $program is not built"; exit 77; }
command -v curl >/dev/null || { echo "skipped: no curl"; exit 77; }
dir=$(mktemp -d /tmp/stowage-http.XXXXXX)
pid=
failed=0
type=application/json # of bodies

finish() {
    rc=$?
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null; wait "$pid" || { echo "the server ended badly"; sed -n 1,40p "$dir/log"; rc=1; }; }
    rm -rf "$dir"
    [ "$failed" = 0 ] || rc=1
    exit $rc
}
trap finish EXIT
trap 'exit 1' INT TERM

serve() {
    : >"$dir/log" # it is read below, maybe before the background process has opened it
    "$program" --data "$dir" --kubeconfig "$dir/kubeconfig" "$@" >"$dir/log" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        url=$(sed -n 's/^\(https*:.*\)$/\1/p' "$dir/log")
        [ -z "$url" ] || break
        kill -0 $pid 2>/dev/null || { cat "$dir/log"; exit 1; }
        sleep 0.1
    done
    [ -n "$url" ] || { echo "the server does not start"; exit 1; }
    await "kubeconfig" test -s "$dir/kubeconfig"
    port=${url##*:}
    token=$(cat "$dir/pki/admin.token")
    unset KUBECONFIG
    export HOME="$dir"
}

# curl without its own habits: no indentation, JSON bodies, our CA, the administrator's token.
client() { exec curl -sS --cacert "$dir/pki/ca.crt" -A test -H "Authorization: Bearer $token" -H "Content-Type: $type" "$@"; }
ask() { (client --max-time 60 "$@"); }
# For the background: does not end by itself, prints what comes at once; $! is curl, which `leave` ends.
follow() { client -N --max-time 600 "$@"; }
leave() { kill "$@"; wait "$@" 2>/dev/null || true; }
api() { m=$1 p=$2; shift 2; ask -X "$m" "$url$p" "$@"; }
status() { m=$1 p=$2; shift 2; ask -X "$m" -o /dev/null -w '%{http_code}' "$url$p" "$@"; }
header() { h=$1 m=$2 p=$3; shift 3; ask -X "$m" -o /dev/null -D - "$url$p" "$@" | tr -d '\r' | sed -n "s/^$h: //Ip"; }
expect() {
    [ "$2" = "$3" ] && return 0
    echo "FAILED: $1"
    echo "  want: $2"
    echo "  got:  $3"
    failed=1
}
expect_in() {
    case $3 in *"$2"*) return 0 ;; esac
    echo "FAILED: $1"
    echo "  want in it: $2"
    echo "  got:  $3"
    failed=1
}
await() {
    what=$1
    shift
    for _ in $(seq 600); do
        "$@" && return 0
        sleep 0.1
    done
    echo "FAILED: $what: not within a minute: $*"
    exit 1
}
configmap() { printf '{"metadata":{"name":"%s","labels":{"app":"%s"}},"data":{"k":"%s"}}' "$1" "${2:-x}" "${3:-v}"; }
# Processor time the server has used, in clock ticks.
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
rests() {
    for _ in $(seq 20); do
        before=$(ticks)
        sleep "$2"
        used=$(($(ticks) - before))
        [ "$used" -gt "$3" ] || return 0
    done
    expect "processor time of $1 in $2 s" "at most $3 ticks" "$used"
}
