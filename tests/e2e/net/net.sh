# net.sh - what the network tests share: pods that call, and what they hear.
. "$SOURCE_DIR/tests/e2e/lib.sh"

# caller NAME [NODE]: a pod to call from
caller() {
    k run "$1" --image=busybox --labels="run=$1" ${2:+--overrides="{\"spec\":{\"nodeName\":\"$2\"}}"} --command -- sleep 100000 >/dev/null
}
ready() { k wait --for=condition=Ready --timeout=120s "$@" >/dev/null; }
# get POD URL: what a GET gives
get() { k exec "$1" -- wget -qO- -T 5 "$2"; }
# answers TEXT POD URL: a GET's answer contains TEXT
answers() { get "$2" "$3" 2>/dev/null | grep -qF -e "$1"; }
# refused POD HOST PORT, silent POD HOST PORT: how a connection fails
refused() { k exec "$1" -- sh -c "echo | nc -w 5 $2 $3" 2>&1 | grep -q 'Connection refused'; }
silent() { k exec "$1" -- sh -c "echo | nc -w 2 $2 $3" 2>&1 | grep -q 'timed out'; }
open_() { k exec "$1" -- sh -c "echo | nc -w 5 $2 $3" >/dev/null 2>&1; }
# lookup POD NAME [TYPE]
lookup() { k exec "$1" -- nslookup ${3:+-type=$3} "$2" 2>&1; }
looks_up() { lookup "$2" "$3" ${4:+"$4"} | grep -qF -e "$1"; }
# page NAME: a Deployment and Service NAME whose page says who serves it
page() {
    k create deployment "$1" --image=nginx --replicas="${2:-1}" >/dev/null
    k expose deployment "$1" --port 80 >/dev/null
    k rollout status deployment "$1" --timeout=120s >/dev/null
    for pod in $(k get pods -l app="$1" -o name); do
        k exec "$pod" -- sh -c 'echo "$0 $(hostname)" > /usr/share/nginx/html/index.html' "$1"
    done
}
field() { k get "$1" "$2" -o "jsonpath={$3}"; }
filters() { "$STOWAGE" doctor | grep -q '^ok .*packet filter'; }
