#!/bin/sh
# A connection that is used again and again: right answers, one record each, and patience with who does not read them.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
command -v python3 >/dev/null || { echo "skipped: no python3 to take TLS apart"; exit 77; }
serve "$@"
timeout 900 python3 "$SOURCE_DIR/tests/http/keepalive.py" "$port" "$dir/pki/ca.crt" "$token" "$pid" ||
    expect "one connection, many requests" "as it should be" "see above"
