#!/bin/sh
# Health: the checks answer for what does the work; a node helper that hangs is told, and hangs nobody.
. "$SOURCE_DIR/tests/e2e/lib.sh"

"$STOWAGE" up --data "$WORK/data" --listen 127.0.0.1:0 --quiet &
pid=$!
export KUBECONFIG="$WORK/data/kubeconfig"
within 20 "the kubeconfig" test -s "$KUBECONFIG"
ready() { value_is ok k get --raw /readyz; }
within 20 "ready" ready
# Each check waits five seconds at most, which is little on a machine that is busy with other things.
passes() { k get --raw "/$1?verbose" | grep -qF "$1 check passed"; }
for door in healthz livez readyz; do
    within 20 "$door" passes "$door"
    within 20 "one check of $door" value_is ok k get --raw "/$door/etcd"
done
lacks "no check of our own" node-helper "$(k get --raw '/readyz?verbose')"
within 20 "which can be asked" value_is ok k get --raw /livez/node-helper

say "component statuses, deprecated and still asked for"
has "the warning" "Warning: v1 ComponentStatus is deprecated in v1.19+" "$(k get componentstatuses 2>&1)"
components() { k get componentstatuses 2>/dev/null | grep Healthy | awk '{print $1, $2, $3}' | sort | paste -sd, | sed 's/,/, /g'; }
within 20 "all are well" value_is "controller-manager Healthy ok, etcd-0 Healthy ok, scheduler Healthy ok" components
within 20 "one" value_is True k get cs scheduler -o 'jsonpath={.conditions[?(@.type=="Healthy")].status}'
fails k get cs nosuch
has "none of that name" "Component not found: nosuch" "$out"
fails k delete cs scheduler
has "read only" "the server does not allow this method on the requested resource" "$out"

say "the node helper hangs"
helper=$(pgrep -P "$pid" -f "__helper $WORK/data")
kill -STOP "$helper"
within 5 "it hangs" grep -q '^State:.T' "/proc/$helper/status"
# the others may take longer than their five seconds, too
only_helper() { out=$(k get --raw /livez 2>&1) || { has "livez" "[-]node-helper failed: reason withheld" "$out" && case $out in *"[+]etcd ok"*) ;; *) return 1 ;; esac; }; }
fails k get --raw /livez
within 20 "livez: the helper alone" only_helper
fails k get --raw /readyz/node-helper
within 20 "not asked" value_is ok k get --raw '/readyz?exclude=node-helper'
k get nodes
kill -CONT "$helper"
within 20 "ready again" ready
kill "$pid"
wait "$pid"
