#!/bin/sh
# A client that asks for a watch over a WebSocket and never reads is dropped, as one over HTTP is: it keeps no thread for ever.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve --idle 5
cat >"$dir/stall.py" <<'PY'
import base64, os, socket, ssl, sys
port, token = int(sys.argv[1]), sys.argv[2]
plain = socket.socket()
plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
plain.connect(("127.0.0.1", port))
s = ssl._create_unverified_context().wrap_socket(plain)
s.sendall(f"GET /api/v1/namespaces/default/configmaps?watch=true HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
          f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
          f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode())
sys.stdin.read()
PY
head -c 900000 /dev/zero | tr '\0' x >"$dir/text"
for i in $(seq 12); do
    { printf '{"metadata":{"name":"big-%s"},"data":{"x":"' "$i"; cat "$dir/text"; printf '"}}'; } >"$dir/body"
    api POST /api/v1/namespaces/default/configmaps -d @"$dir/body" >/dev/null
done
watches() { api GET /metrics | sed -n 's/^apiserver_longrunning_requests.* //p'; }
watches_are() { [ "$(watches)" = "$1" ]; }
expect "none yet" 0 "$(watches)"
mkfifo "$dir/hold"
python3 "$dir/stall.py" "$port" "$token" <"$dir/hold" &
client=$!
exec 3>"$dir/hold"
await "it watches" watches_are 1
await "it is dropped" watches_are 0
expect "although it is there" running "$(kill -0 $client && echo running)"
exec 3>&-
wait $client || true
