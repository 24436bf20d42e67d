#!/bin/sh
# Watches: headers at once, order, selectors, bookmarks, time-outs, what is too old; and that waiting costs nothing.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve --window 50
cm=/api/v1/namespaces/default/configmaps
watch() { ask -N "$url$cm?watch=1&$1" ${2:+-H "$2"}; }
types() { sed -n 's/^{"type":"\([A-Z]*\)".*"name":"\([a-z0-9]*\)".*/\1 \2/p' "$1" | tr '\n' ' '; }

open_watches() { api GET /metrics | sed -n 's/^apiserver_longrunning_requests //p'; }
are_open() { [ "$(open_watches)" = "$1" ]; }

# headers come although there is no event
: >"$dir/head"
follow -D "$dir/head" -o /dev/null "$url$cm?watch=1&labelSelector=nosuch" 2>/dev/null &
w1=$!
await "headers at once" grep -q '200 OK' "$dir/head"
leave $w1
await "nobody watches" are_open 0

# events, as a selector sees them
follow "$url$cm?watch=1&labelSelector=app%3Din" >"$dir/in" &
w1=$!
follow "$url$cm?watch=1&resourceVersion=0" >"$dir/all" &
w2=$!
await "both watch" are_open 2
api POST $cm -d "$(configmap a in)" >/dev/null
api PUT $cm/a -d "$(configmap a in 2)" >/dev/null
api PUT $cm/a -d "$(configmap a out 3)" >/dev/null
api PUT $cm/a -d "$(configmap a in 4)" >/dev/null
api DELETE $cm/a >/dev/null
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
await "four events" lines "$dir/in" 4
await "five events" lines "$dir/all" 5
leave $w1 $w2
expect "selected" "ADDED a MODIFIED a DELETED a ADDED a DELETED a " "$(types "$dir/in")"
expect "all" "ADDED a MODIFIED a MODIFIED a MODIFIED a DELETED a " "$(types "$dir/all")"
expect_in "leaving shows the state before" '"app":"in"' "$(grep DELETED "$dir/in" | head -1)"
rvs=$(grep -o '"resourceVersion":"[0-9]*"' "$dir/all" | tr -dc '0-9\n')
expect "revisions rise" "$(echo "$rvs" | sort -n)" "$rvs"

# start points
api POST $cm -d "$(configmap b)" >/dev/null
api POST $cm -d "$(configmap c)" >/dev/null
rv=$(api GET $cm | sed -n 's/.*List","apiVersion":"v1","metadata":{"resourceVersion":"\([0-9]*\)".*/\1/p')
watch "timeoutSeconds=1" >"$dir/out"
expect "state first" "ADDED b ADDED c " "$(types "$dir/out")"
watch "timeoutSeconds=1&resourceVersion=$rv" >"$dir/out"
expect "only what is new" "" "$(types "$dir/out")"
watch "timeoutSeconds=1&resourceVersion=$((rv - 1))" >"$dir/out"
expect "replayed" "ADDED c " "$(types "$dir/out")"
watch "timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true" >"$dir/out"
expect_in "end of a streamed list" '"k8s.io/initial-events-end":"true"' "$(tail -1 "$dir/out")"
watch "timeoutSeconds=3&allowWatchBookmarks=true&resourceVersion=$rv" >"$dir/out"
expect "bookmark before the end" "BOOKMARK" "$(sed -n 's/^{"type":"\([A-Z]*\)".*/\1/p' "$dir/out")"
ask -N "$url/api/v1/watch/namespaces/default/configmaps/b?timeoutSeconds=1" >"$dir/out"
expect "old form" "ADDED b " "$(types "$dir/out")"
expect "bad combination" 422 "$(status GET "$cm?watch=1&sendInitialEvents=true")"

# tables: columns once
watch "timeoutSeconds=1" 'Accept: application/json;as=Table;v=v1;g=meta.k8s.io' >"$dir/out"
expect "columns" "1 1" "$(grep -c '"columnDefinitions":\[' "$dir/out") $(grep -c '"columnDefinitions":null' "$dir/out")"

# too old: an event in a good answer
for i in $(seq 60); do api PUT $cm/b -d "$(configmap b x "$i")" >/dev/null; done
watch "timeoutSeconds=1&resourceVersion=3" >"$dir/out"
expect_in "too old" '{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 3 (' "$(cat "$dir/out")"
expect_in "its code" '"reason":"Expired","code":410}}' "$(cat "$dir/out")"

# waiting costs nothing: 200 idle watches, five seconds
for _ in $(seq 20); do
    set --
    for _ in 1 2 3 4 5 6 7 8 9 10; do set -- "$@" -o /dev/null "$url$cm?watch=1&labelSelector=nosuch&allowWatchBookmarks=1"; done
    curl -sS -N -Z --parallel-immediate --parallel-max 10 --max-time 300 --cacert "$dir/pki/ca.crt" -H "Authorization: Bearer $token" "$@" 2>/dev/null &
    clients="${clients:-} $!"
done
await "watches open" are_open 200
rests "idle watches" 5 5
expect "watches still open" 200 "$(open_watches)"

# one change reaches all of the rest at once, and clients that go away are noticed without any event
kill $clients 2>/dev/null || true
await "watches of clients that are gone end" are_open 0
