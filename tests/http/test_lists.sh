#!/bin/sh
# Lists: pages, revisions, selectors, tables.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve "$@"
cm=/api/v1/namespaces/default/configmaps
for i in 1 2 3 4 5 6 7; do api POST $cm -d "$(configmap "c$i" "g$((i % 2))")" >/dev/null; done
names() { api GET "$1" | grep -o '"name":"c[0-9]*"' | sed 's/.*"\(c[0-9]*\)"/\1/' | tr '\n' ' '; }
# a member of the list's own metadata
field() { api GET "$1" | sed 's/.*List","apiVersion":"v1","metadata":{\([^}]*\)}.*/,\1,/' | sed -n "s/.*,\"$2\":\"\{0,1\}\([^\",]*\).*/\1/p"; }

expect "all" "c1 c2 c3 c4 c5 c6 c7 " "$(names $cm)"
expect "labels" "c1 c3 c5 c7 " "$(names "$cm?labelSelector=app%3Dg1")"
expect "name" "c4 " "$(names "$cm?fieldSelector=metadata.name%3Dc4")"
expect "name and label" "" "$(names "$cm?fieldSelector=metadata.name%3Dc4&labelSelector=app%3Dg1")"
expect "items have no kind" 0 "$(api GET $cm | grep -c '"items":\[{"kind"')"

# pages see one state, whatever happens between them
expect "limit" "c1 c2 c3 " "$(names "$cm?limit=3")"
rv=$(field "$cm?limit=3" resourceVersion)
expect "remaining" 4 "$(field "$cm?limit=3" remainingItemCount)"
token2=$(field "$cm?limit=3" continue)
api POST $cm -d "$(configmap c31)" >/dev/null
api DELETE $cm/c5 >/dev/null
expect "second page" "c4 c5 c6 " "$(names "$cm?limit=3&continue=$token2")"
expect "revision of a page" "$rv" "$(field "$cm?limit=3&continue=$token2" resourceVersion)"
expect "rest" "c4 c5 c6 c7 " "$(names "$cm?continue=$token2")"
expect "exact" "c1 c2 c3 c4 c5 c6 c7 " "$(names "$cm?resourceVersion=$rv&resourceVersionMatch=Exact")"
expect "not older than" "c1 c2 c3 c31 c4 c6 c7 " "$(names "$cm?resourceVersion=$rv")"
expect "limit with 0 is ignored" "c1 c2 c3 c31 c4 c6 c7 " "$(names "$cm?resourceVersion=0&limit=2")"
last=$(field "$cm?limit=3&continue=$token2" continue)
expect "last page has no token" "" "$(field "$cm?limit=3&continue=$last" continue)"

# refusals
expect "token" 400 "$(status GET "$cm?continue=garbage")"
expect "limit" 400 "$(status GET "$cm?limit=x")"
expect "match alone" 422 "$(status GET "$cm?resourceVersionMatch=Exact")"
expect "revision" 500 "$(status GET "$cm?resourceVersion=abc")"
expect "exact future" 500 "$(status GET "$cm?resourceVersion=99999&resourceVersionMatch=Exact")"
expect "selector" 400 "$(status GET "$cm?labelSelector=a+b")"
before=$(date +%s)
expect "future is waited for" 504 "$(status GET "$cm?resourceVersion=99999")"
[ $(($(date +%s) - before)) -ge 2 ] || expect "the wait" "about 3 s" "less"
expect "and said when to try again" 1 "$(header Retry-After GET "$cm/c1?resourceVersion=99999")"

# other forms
table='application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
expect_in "table" '"kind":"Table"' "$(api GET $cm -H "Accept: $table")"
expect_in "rows" '"cells":["c1",1,' "$(api GET $cm -H "Accept: $table")"
expect_in "one row" '"cells":["c1",1,' "$(api GET $cm/c1 -H "Accept: $table")"
expect_in "objects in rows" '"data":{"k":"v"}' "$(api GET "$cm?includeObject=Object" -H "Accept: $table")"
expect "includeObject" 400 "$(status GET "$cm?includeObject=Foo" -H "Accept: $table")"
expect_in "metadata only" '"kind":"PartialObjectMetadataList"' "$(api GET $cm -H 'Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io')"
expect_in "metadata of one" '"kind":"PartialObjectMetadata"' "$(api GET $cm/c1 -H 'Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io')"
expect "a list is not one" 406 "$(status GET $cm -H 'Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io')"
