#!/bin/sh
# Watches over WebSockets: each event one text message, the state first, then changes in order; refusals as ever; a slow reader
# loses nothing; the server stops with watches open.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve
cat >"$dir/watch.py" <<'PY'
import base64, json, os, socket, ssl, struct, sys, time
port, token, path, count, pause = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
s = ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", port)))
s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode())
data = b""
def more(n):
    global data
    while len(data) < n:
        if pause: time.sleep(pause)
        got = s.recv(65536)
        if not got: raise EOFError
        data += got
while b"\r\n\r\n" not in data: more(len(data) + 1)
head, data = data.split(b"\r\n\r\n", 1)
print(head.split(b"\r\n")[0].decode(), flush=True)
if b" 101 " not in head: sys.exit()
for _ in range(count):
    more(2)
    first, n = data[0], data[1] & 127
    at = 2
    if n == 126: more(4); n = struct.unpack(">H", data[2:4])[0]; at = 4
    if n == 127: more(10); n = struct.unpack(">Q", data[2:10])[0]; at = 10
    more(at + n)
    text, data = data[at:at + n], data[at + n:]
    if first & 15 == 8: print("CLOSE", struct.unpack(">H", text[:2])[0] if n else "", flush=True); break
    event = json.loads(text)
    print(event["type"], event["object"].get("metadata", {}).get("name", event["object"].get("code", "")), flush=True)
PY
maps=/api/v1/namespaces/default/configmaps
watching() { python3 "$dir/watch.py" "$port" "$token" "$@"; }
map() { api POST $maps -d "{\"metadata\":{\"name\":\"$1\"}}" >/dev/null; }
map one
map two
watching "$maps?watch=true" 5 0 >"$dir/seen" &
watcher=$!
await "the state" grep -q "ADDED two" "$dir/seen"
map three
type=application/merge-patch+json
api PATCH $maps/one -d '{"data":{"a":"b"}}' >/dev/null
type=application/json
api DELETE $maps/two >/dev/null
wait $watcher
expect "state and changes" "HTTP/1.1 101 Switching Protocols
ADDED one
ADDED two
ADDED three
MODIFIED one
DELETED two" "$(cat "$dir/seen")"
expect "no such kind" "HTTP/1.1 404 Not Found" "$(watching "/api/v1/namespaces/default/nothings?watch=true" 1 0)"
expect "nobody" "HTTP/1.1 401 Unauthorized" "$(python3 "$dir/watch.py" "$port" wrong "$maps?watch=true" 1 0)"
expect_in "its time is over" "CLOSE 1000" "$(watching "$maps?watch=true&timeoutSeconds=1" 9 0)"

# 300 objects of 16 KiB to a reader that sleeps before each piece
big=$(head -c 12000 /dev/zero | tr '\0' x)
for i in $(seq 300); do api POST $maps -d "{\"metadata\":{\"name\":\"big-$i\"},\"data\":{\"x\":\"$big\"}}" >/dev/null; done
expect "all of them" 302 "$(watching "$maps?watch=true" 302 0.002 | grep -c ADDED)"
watching "$maps?watch=true" 1000 0 >"$dir/open" 2>&1 &
await "one more is open" grep -q "ADDED big-300" "$dir/open"
