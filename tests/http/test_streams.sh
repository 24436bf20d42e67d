#!/bin/sh
# Streams through the upgrade: exec over WebSocket and SPDY, port-forward; idle sessions cost nothing; the server stops with
# sessions open.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
command -v kubectl >/dev/null || { echo "skipped: no kubectl"; exit 77; }
serve --node-program
export KUBECONFIG="$dir/kubeconfig"
api POST /api/v1/namespaces/default/serviceaccounts -d '{"metadata":{"name":"default"}}' >/dev/null
api POST /api/v1/nodes -d '{"metadata":{"name":"n1"}}' >/dev/null
api POST /api/v1/namespaces/default/pods -d '{"metadata":{"name":"web"},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"busybox"}]}}' >/dev/null
type=application/merge-patch+json
api PATCH /api/v1/namespaces/default/pods/web/status -d '{"status":{"phase":"Running","containerStatuses":[{"name":"c","ready":true,"restartCount":0,"image":"busybox","imageID":"x","containerID":"containerd://1","state":{"running":{"startedAt":"2024-01-01T00:00:00Z"}}}]}}' >"$dir/made"
type=application/json
grep -q '"phase":"Running"' "$dir/made" || { cat "$dir/made"; exit 1; }

# refusals, before any protocol is asked for
pods=/api/v1/namespaces/default/pods
api POST $pods -d '{"metadata":{"name":"early"},"spec":{"containers":[{"name":"c","image":"busybox"}]}}' >/dev/null
api POST $pods -d '{"metadata":{"name":"lost"},"spec":{"nodeName":"n2","containers":[{"name":"c","image":"busybox"}]}}' >/dev/null
for sub in 'exec?command=ls' attach portforward; do
    expect_in "no node yet: $sub" '"message":"pod early does not have a host assigned","reason":"BadRequest"' "$(api GET "$pods/early/$sub")"
    expect_in "no such node: $sub" '"message":"pods \"n2\" not found"' "$(api POST "$pods/lost/$sub")"
    expect_in "no such pod: $sub" '"message":"pods \"nosuch\" not found"' "$(api GET "$pods/nosuch/$sub")"
done
expect_in "no address yet" '"message":"address not allowed","reason":"BadRequest"' "$(api GET $pods/early/proxy/)"
expect "proxy to nobody" 404 "$(status GET $pods/nosuch/proxy)"

for ws in true false; do
    export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=$ws
    expect "output ($ws)" "hello" "$(kubectl exec web -- echo hello 2>&1)"
    expect "input ($ws)" "ABC" "$(echo abc | kubectl exec -i web -- tr a-z A-Z 2>&1)"
    code=0
    kubectl exec web -- sh -c 'exit 7' >/dev/null 2>&1 || code=$?
    expect "exit code ($ws)" 7 "$code"
    expect "errors ($ws)" "oops" "$(kubectl exec web -- sh -c 'echo oops >&2' 2>&1 >/dev/null)"
    head -c 3000000 /dev/urandom >"$dir/data"
    expect "three megabytes there and back ($ws)" "$(cksum <"$dir/data")" "$(kubectl exec -i web -- cat <"$dir/data" | cksum)"
done

# port-forward: the pod's port is our own server's
for ws in true false; do
    : >"$dir/forward" # else the last one's words may be read
    KUBECTL_PORT_FORWARD_WEBSOCKETS=$ws kubectl port-forward pod/web ":$port" >"$dir/forward" 2>&1 &
    forward=$!
    await "port-forward ($ws)" grep -q '^Forwarding from 127.0.0.1:' "$dir/forward"
    local=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$dir/forward")
    expect "forwarded ($ws)" ok "$(curl -sS --max-time 60 --cacert "$dir/pki/ca.crt" "https://127.0.0.1:$local/readyz" 2>&1)"
    kill $forward
    wait $forward 2>/dev/null || true
done

# A client that reads slowly gets everything and the exit code, whoever moves the bytes: with TLS 1.3 the session has the
# connection's keys, with 1.2 the HTTP library moves them.
cat >"$dir/slow.py" <<'PY'
import base64, os, socket, ssl, struct, sys, time
port, token, version, size, pause = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5])
context = ssl._create_unverified_context()
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
s = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
key = base64.b64encode(os.urandom(16)).decode()
s.sendall((f"GET /api/v1/namespaces/default/pods/web/exec?command=head&command=-c&command={size}&command=/dev/zero&stdout=true HTTP/1.1\r\n"
           f"Host: x\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n").encode())
def read(n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            sys.exit(f"ended after {total} bytes")
        data += more
    return data
total, head = 0, b""
while not head.endswith(b"\r\n\r\n"):
    head += read(1)
while True:
    first, length = read(2)
    if length == 126:
        length, = struct.unpack(">H", read(2))
    elif length == 127:
        length, = struct.unpack(">Q", read(8))
    message = read(length)
    time.sleep(pause)
    if first & 15 == 8:
        s.sendall(bytes([0x88, 0x82, 0, 0, 0, 0]) + message[:2])
        break
    if first & 15 == 9: # a ping, before any output: the answer has the same bytes
        s.sendall(bytes([0x8a, 0x80 | length, 0, 0, 0, 0]) + message)
    elif message[0] == 1:
        total += length - 1
    elif message[0] == 3:
        status = message[1:].decode()
print(total, "Success" in status)
PY
expect "a slow reader" "3000000 True" "$(python3 "$dir/slow.py" "$port" "$token" TLSv1_3 3000000 0.06 2>&1)"
expect "TLS 1.2" "200000 True" "$(python3 "$dir/slow.py" "$port" "$token" TLSv1_2 200000 0 2>&1)"

# kubectl drops output that comes before it has answered the ping; one that takes long is waited for, if it names itself as
# such clients do. Who was held up himself for most of that time tries again.
cat >"$dir/late.py" <<'PY'
import base64, os, select, socket, ssl, sys, time
port, token = int(sys.argv[1]), sys.argv[2]
for _ in range(30):
    s = ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", port)))
    key, began = base64.b64encode(os.urandom(16)).decode(), time.monotonic()
    s.sendall((f"GET /api/v1/namespaces/default/pods/web/exec?command=echo&command=hello&stdout=true HTTP/1.1\r\n"
               f"Host: x\r\nUser-Agent: kubectl/v1.32.0 (linux/amd64) kubernetes/abc\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n"
               f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n").encode())
    data = b""
    while not data.endswith(b"\r\n\r\n\x89\0"):
        data += s.recv(1) or sys.exit("ended")
    early = bool(s.pending() or select.select([s], [], [], 0.3)[0])
    if time.monotonic() - began < 0.8:
        break
s.sendall(bytes([0x8a, 0x80, 0, 0, 0, 0]))
data = b""
while b"Success" not in data:
    more = s.recv(4096)
    if not more: break
    data += more
print("early" if early else "waited", b"hello" in data)
PY
expect "a client that answers late" "waited True" "$(python3 "$dir/late.py" "$port" "$token" 2>&1)"

# idle sessions: each runs a cat that nobody says anything to
mkfifo "$dir/silence"
exec 9<>"$dir/silence"
clients=
for ws in true false; do
    export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=$ws
    for _ in 1 2 3 4 5; do
        kubectl exec -i web -- cat <"$dir/silence" >/dev/null 2>&1 9<&- &
        clients="$clients $!"
    done
done
sessions() { [ "$(pgrep -c -P "$pid" cat)" = "$1" ]; }
await "sessions open" sessions 10
rests "10 idle sessions" 5 8
sessions 10 || expect "sessions open" 10 "$(pgrep -c -P "$pid" cat)"
expect "others are served" ok "$(api GET /readyz)"

# stopping ends them all
kill "$pid"
code=0
wait "$pid" || code=$?
pid=
expect "stops with sessions open" 0 "$code"
for c in $clients; do wait "$c" 2>/dev/null || true; done
