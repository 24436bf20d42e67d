#!/bin/sh
# Requests and answers: status codes, headers, encodings, sizes.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve "$@"

# -- objects --
expect "create" 201 "$(status POST /api/v1/namespaces/default/configmaps -d "$(configmap a)")"
expect "create again" 409 "$(status POST /api/v1/namespaces/default/configmaps -d "$(configmap a)")"
expect "get" 200 "$(status GET /api/v1/namespaces/default/configmaps/a)"
type=application/merge-patch+json
expect "merge patch" 200 "$(status PATCH /api/v1/namespaces/default/configmaps/a -d '{"data":{"k":"w"}}')"
type=application/json
expect_in "patched" '"k":"w"' "$(api GET /api/v1/namespaces/default/configmaps/a)"
expect "put" 200 "$(status PUT /api/v1/namespaces/default/configmaps/a -d "$(configmap a y z)")"
type=application/yaml
expect "yaml body" 201 "$(status POST /api/v1/namespaces/default/configmaps --data-binary 'metadata: {name: yam}')"
type=application/json
expect "delete" 200 "$(status DELETE /api/v1/namespaces/default/configmaps/a)"
expect "gone" 404 "$(status GET /api/v1/namespaces/default/configmaps/a)"
expect "delete collection" 200 "$(status DELETE '/api/v1/namespaces/default/configmaps?labelSelector=nosuch')"
expect "dry run" 201 "$(status POST '/api/v1/namespaces/default/configmaps?dryRun=All' -d "$(configmap dry)")"
expect "dry run kept nothing" 404 "$(status GET /api/v1/namespaces/default/configmaps/dry)"

# -- headers --
expect "Cache-Control" "no-cache, private" "$(header Cache-Control GET /api/v1/namespaces/default)"
expect "Content-Type" "application/json" "$(header Content-Type GET /api/v1/namespaces/default)"
one=$(header Audit-Id GET /version) two=$(header Audit-Id GET /version)
[ "$one" != "$two" ] && [ ${#one} = 36 ] || expect "Audit-Id" "two different ids" "$one $two"
expect_in "Warning" '299 - "unknown field' "$(header Warning POST /api/v1/namespaces/default/configmaps -d '{"metadata":{"name":"w"},"dta":{}}')"
expect "yaml" "application/yaml" "$(header Content-Type GET /api/v1/namespaces/default -H 'Accept: application/yaml')"
expect_in "newline at the end" "}" "$(api GET /api/v1/namespaces/default | tail -c 2)"

# -- refusals --
expect "unknown path" "404 page not found" "$(api GET /nosuch)"
expect "unknown resource" 404 "$(status GET /api/v1/nosuch)"
expect "method" 405 "$(status HEAD /api/v1/namespaces -I)"
expect "options" 405 "$(status OPTIONS /api/v1/namespaces)"
expect "accept" 406 "$(status GET /api/v1/namespaces -H 'Accept: text/html')"
type=text/plain
expect "media" 415 "$(status POST /api/v1/namespaces/default/configmaps -d x)"
type=application/json
expect "patch media" 415 "$(status PATCH /api/v1/namespaces/default/configmaps/w -d '{}')"
expect "options checked" 422 "$(status POST '/api/v1/namespaces/default/configmaps?fieldValidation=Foo' -d "$(configmap x)")"
expect_in "dry run checked" 'dryRun: Unsupported value: []string{\"foo\"}: supported values: \"All\"' "$(api POST '/api/v1/namespaces/default/configmaps?dryRun=foo' -d "$(configmap x)")"
cm=/api/v1/namespaces/default/configmaps
expect_in "unseen characters of a manager" '[fieldManager: Invalid value: \"a\\x01\\u200bb\": invalid character U+0001 (at position 1), fieldManager: Invalid value: \"a\\x01\\u200bb\": invalid character U+200B (at position 2)]' \
    "$(api POST "$cm?fieldManager=a%01%e2%80%8bb" -d "$(configmap x)")"
expect_in "long manager" 'CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes' \
    "$(api POST "$cm?fieldManager=$(printf 'm%.0s' $(seq 200))" -d "$(configmap x)")"
expect "long manager" 422 "$(status POST "/api/v1/namespaces/default/configmaps?fieldManager=$(printf 'm%.0s' $(seq 200))" -d "$(configmap x)")"
expect_in "curl reads indented" '  "kind": "Status"' "$(api GET /api/v1/nosuch -A curl/8)"

# -- sizes --
head -c 4000000 /dev/zero | tr '\0' x >"$dir/big"
expect "large body, length known" 413 "$(status POST /api/v1/namespaces/default/configmaps --data-binary "@$dir/big")"
expect "large body, chunked" 413 "$(status POST /api/v1/namespaces/default/configmaps -H 'Transfer-Encoding: chunked' --data-binary "@$dir/big")"
expect "still there" 200 "$(status GET /readyz)"
for i in $(seq 40); do
    printf '{"metadata":{"name":"big%s"},"data":{"k":"%s"}}' "$i" "$(head -c 5000 "$dir/big")" >"$dir/body"
    api POST /api/v1/namespaces/default/configmaps -d "@$dir/body" >/dev/null
done
expect "large lists are compressed on request" gzip "$(header Content-Encoding GET /api/v1/configmaps -H 'Accept-Encoding: gzip')"
expect "and not otherwise" "" "$(header Content-Encoding GET /api/v1/configmaps)"
expect "small ones never" "" "$(header Content-Encoding GET /api/v1/namespaces/default -H 'Accept-Encoding: gzip')"
plain=$(api GET /api/v1/configmaps | cksum)
expect "compressed is the same" "$plain" "$(api GET /api/v1/configmaps --compressed | cksum)"

# -- other doors --
expect "version" 1.32 "$(api GET /version | sed -n 's/.*"gitVersion": "v\(1\.32\).*/\1/p')"
expect "readyz" ok "$(api GET /readyz)"
expect_in "livez verbose" "livez check passed" "$(api GET '/livez?verbose')"
expect "one check" ok "$(api GET /healthz/etcd)"
expect_in "metrics" "apiserver_storage_objects" "$(api GET /metrics)"
expect "keep-alive" "1" "$(ask "$url/readyz" "$url/readyz" "$url/readyz" -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects} ' | tr ' ' '\n' | grep -c 1)"
