#!/bin/sh
# TLS clients that stop in the middle of the handshake: no processor time, no place taken for ever, nobody else held up.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
command -v python3 >/dev/null || { echo "skipped: no python3 to break off a handshake"; exit 77; }
serve "$@"
python3 - "$port" "$dir/stalled" <<'PY' &
import socket, ssl, sys, time

def connect(data):
    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    s.send(data)
    return s

context = ssl._create_unverified_context()
into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
try:
    context.wrap_bio(into, out).do_handshake()
except ssl.SSLWantReadError:
    pass
hello = out.read()
socks = [connect(hello) for _ in range(20)]            # answered, then silence
socks += [connect(hello[:len(hello) // 2]) for _ in range(20)]
socks += [connect(b'') for _ in range(20)]
socks += [connect(b'\x16\x03\x01') for _ in range(20)]
socks += [connect(b'GET / HTTP/1.1\r\n\r\n') for _ in range(20)]
open(sys.argv[2], 'w').close()
end = time.time() + 300
while socks and time.time() < end:
    time.sleep(1)
    for s in socks[:]:
        s.setblocking(False)
        try:
            if s.recv(65536) == b'':
                socks.remove(s)
        except BlockingIOError:
            pass
        except OSError:
            socks.remove(s)
sys.exit(1 if socks else 0)
PY
stalled=$!
await "stalled handshakes" test -e "$dir/stalled"
rests "stalled handshakes" 3 5
expect "others are served" ok "$(api GET /readyz)"
wait $stalled || expect "stalled handshakes" "closed within 300 s" "still open"

# what answers a hello comes in one piece: then the client has all it needs
expect "one flight" "done" "$(python3 - "$port" <<'PY'
import socket, ssl, sys
raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl._create_unverified_context().wrap_bio(into, out)
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    raw.sendall(out.read())
into.write(raw.recv(65536))
try:
    tls.do_handshake()
    print("done")
except ssl.SSLWantReadError:
    print("more is to come")
PY
)"

# a good handshake in small pieces still succeeds
expect "byte by byte" 200 "$(python3 - "$port" <<'PY'
import socket, ssl, sys
raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl._create_unverified_context().wrap_bio(into, out)

def flush():
    for b in out.read():
        raw.send(bytes([b]))

def until_done(step):
    while True:
        try:
            r = step()
            flush()
            return r
        except ssl.SSLWantReadError:
            flush()
            into.write(raw.recv(65536))

until_done(tls.do_handshake)
until_done(lambda: tls.write(b'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n'))
print(until_done(lambda: tls.read(4096)).split()[1].decode())
PY
)"
