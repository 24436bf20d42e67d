#!/bin/sh
# Pod logs: refusals, the text, following, clients that leave.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve --node-program
pods=/api/v1/namespaces/default/pods
api POST /api/v1/namespaces/default/serviceaccounts -d '{"metadata":{"name":"default"}}' >/dev/null
api POST /api/v1/nodes -d '{"metadata":{"name":"n1"}}' >/dev/null
pod() { printf '{"metadata":{"name":"%s"},"spec":{"nodeName":"%s","containers":[%s]}}' "$1" "$2" "$3"; }
one='{"name":"c","image":"busybox"}'
api POST $pods -d "$(pod web n1 "$one")" >"$dir/made"
grep -q '"kind":"Pod"' "$dir/made" || { cat "$dir/made"; exit 1; }
api POST $pods -d "$(pod two n1 "$one,{\"name\":\"d\",\"image\":\"busybox\"}")" >/dev/null
api POST $pods -d "$(pod nowhere '' "$one")" >/dev/null
api POST $pods -d "$(pod waiting n1 "$one")" >/dev/null
api POST $pods -d "$(pod held n1 "$one")" >/dev/null

expect "no such pod" 404 "$(status GET $pods/nosuch/log)"
api POST $pods -d "$(pod lost n2 "$one")" >/dev/null
expect_in "no such node" 'pods \"n2\" not found' "$(api GET $pods/lost/log)"
expect "not scheduled" 204 "$(status GET $pods/nowhere/log)"
expect_in "which container" 'a container name must be specified for pod two, choose one of: [c d]' "$(api GET $pods/two/log)"
expect_in "no such container" 'container x is not valid for pod web' "$(api GET "$pods/web/log?container=x")"
expect_in "the node's words" 'container \"c\" in pod \"waiting\" is waiting to start: ContainerCreating' "$(api GET $pods/waiting/log)"
expect_in "options" 'PodLogOptions \"web\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0' "$(api GET "$pods/web/log?tailLines=-1")"
expect "numbers" 400 "$(status GET "$pods/web/log?tailLines=x")"

expect "the text" "line 0 line 1 line 2 line 3 line 4 " "$(api GET $pods/web/log | tr '\n' ' ')"
expect "its type" "text/plain" "$(header Content-Type GET $pods/web/log)"

# follows: the last line of this pod's log comes when we say so
: >"$dir/log.out"
follow "$url$pods/held/log?follow=true" >"$dir/log.out" &
follower=$!
await "follows" grep -q 'line 3' "$dir/log.out"
expect "not yet at the end" 0 "$(grep -c 'line 4' "$dir/log.out" || true)"
touch "$dir/go"
wait $follower
expect "the end" "line 4" "$(tail -1 "$dir/log.out")"
rm "$dir/go"

# clients that leave while nothing is said
descriptors() { ls "/proc/$pid/fd" | wc -l; }
no_more_than() { [ "$(descriptors)" -le "$1" ]; }
before=$(descriptors)
for i in 1 2 3 4 5; do
    : >"$dir/log.$i"
    follow "$url$pods/held/log?follow=true" >"$dir/log.$i" &
    follower=$!
    await "client $i follows" grep -q 'line 3' "$dir/log.$i"
    leave $follower
done
await "descriptors after clients that left" no_more_than "$before"
