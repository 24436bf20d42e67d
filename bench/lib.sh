# bench/lib.sh - what the scripts that measure share. Source it after `cd` to the tree's root. Wants $STOWAGE (a release build).
STOWAGE=${STOWAGE:-$PWD/build/release/stowage}
WORK=$(mktemp -d /tmp/stowage-bench.XXXXXX)
trap '"$STOWAGE" down --data "$WORK/data" >/dev/null 2>&1 || true; rm -rf "$WORK"' EXIT

line() { printf '%-56s %20s   goal %s\n' "$1" "$2" "$3"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
up() { "$STOWAGE" up --detach --quiet --data "$WORK/data" --listen 127.0.0.1:0 "$@"; export KUBECONFIG="$WORK/data/kubeconfig"; }
down() { "$STOWAGE" down --data "$WORK/data" >/dev/null; rm -rf "$WORK/data"; }
# Milliseconds since a moment of date +%s%N; of a command.
since() { echo $((($(date +%s%N) - $1) / 1000000)); }
took() { local began; began=$(date +%s%N); "$@" >/dev/null 2>&1; since "$began"; }

# Some kubectl (the Google Cloud SDK's) asks the server for its version and becomes another: that one is measured.
kubectl_itself() {
    local k=${KUBECTL:-kubectl} own
    "$k" version --client 2>/dev/null | grep -q dispatcher || { echo "$k"; return; }
    own=$(find "$(dirname "$(readlink -f "$(command -v "$k")")")" /usr/lib/google-cloud-sdk/bin -name 'kubectl.1.*' -perm -1 2>/dev/null | sort -V | tail -n 1)
    echo "${own:-$k}"
}

# The machine's description; once where one script runs the others.
machine() {
    [ -z "${BENCH_TOLD:-}" ] || return 0
    printf '%s, %s cores, %s, %s; load %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
        "$(awk '/MemTotal/ { printf "%d MiB", $2 / 1024 }' /proc/meminfo)" "$(uname -sr)" "$(cut -d' ' -f1 /proc/loadavg)"
    export BENCH_TOLD=1
}
