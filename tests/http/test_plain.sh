#!/bin/sh
# Plain HTTP: everybody is the administrator, so only this machine's programs may ask.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve --plain
expect "no credentials needed" 200 "$(curl -s -o /dev/null -w '%{http_code}' "$url/api/v1/namespaces/default")"
expect "not for web pages" 403 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Origin: http://example.org' "$url/api/v1/namespaces/default")"
expect "not under another name" 403 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: example.org' "$url/api/v1/namespaces/default")"
"$program" --data "$dir" --addr 0.0.0.0 --plain >"$dir/refused" 2>&1 && expect "beyond loopback" "a refusal" "it listens"
expect_in "why" "loopback" "$(cat "$dir/refused")"
