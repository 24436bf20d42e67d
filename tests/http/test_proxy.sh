#!/bin/sh
# The proxy to pods and services: where it leads, what is handed on and what comes back, refusals, pods and clients that
# leave, a server that stops.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
serve --node-program --console

# -- a pod: any port of any is one of this machine --
cat >"$dir/pod.py" <<'PY'
import http.server, json, ssl, sys, threading
class Pod(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args):
        pass
    def say(self, code, body, *fields):
        self.send_response(code)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        if path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(3000):
                self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"short")
            self.close_connection = True
        elif path in ("/silent", "/drip"):
            if path == "/drip":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"drop\n")
            open(sys.argv[1] + path, "w").write("asked")
            self.rfile.read(1) # until the other end closes
            open(sys.argv[1] + path, "w").write("left")
            self.close_connection = True
        elif path == "/rude":
            self.wfile.write(b"-ERR no HTTP here\r\n\r\n")
            self.close_connection = True
        elif path == "/mute":
            self.close_connection = True
        elif path == "/moved":
            self.say(302, b"", ("Location", "/there/?a=b"))
        elif path == "/moved-far":
            self.say(302, b"", ("Location", "http://example.com/x"))
        elif path == "/nothing":
            self.say(404, b"<h1>no such page</h1>", ("Content-Type", "text/html"), ("Server", "pod"),
                     ("Set-Cookie", "stowage-1=mine"), ("Set-Cookie", "basket=full"),
                     ("Access-Control-Allow-Origin", "*"))
        elif path == "/empty":
            self.send_response(204)
            self.end_headers()
        elif path == "/upgrade": # says what it was asked, then gives all back, swapped; Q ends it
            self.connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: Echo/1\r\nConnection: Upgrade\r\nX-Mine: both\r\n\r\n")
            said = {"path": self.path, "method": self.command, "fields": {k.lower(): v for k, v in self.headers.items()}}
            self.connection.sendall(json.dumps(said, sort_keys=True).encode() + b"\n")
            while True:
                data = self.rfile.read1(65536)
                self.connection.sendall(data.split(b"Q")[0].swapcase())
                if not data or b"Q" in data:
                    break
            open(sys.argv[1] + "/tunnel", "w").write("left")
            self.close_connection = True
        elif path == "/body":
            self.say(200, body)
        else:
            self.say(200, json.dumps({"method": self.command, "path": self.path, "tls": tls(self), "length": len(body),
                "fields": {k.lower(): v for k, v in self.headers.items()}}, sort_keys=True).encode(), ("Content-Type", "application/json"))
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve
def tls(h):
    return isinstance(h.connection, ssl.SSLSocket)
plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pod)
secure = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pod)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/pod.crt", sys.argv[1] + "/pod.key")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
for s in plain, secure:
    s.daemon_threads = True
    threading.Thread(target=s.serve_forever, daemon=True).start()
with open(sys.argv[1] + "/ports.new", "w") as f:
    print(plain.server_port, secure.server_port, file=f)
import os
os.rename(sys.argv[1] + "/ports.new", sys.argv[1] + "/ports")
sys.stdin.read()
PY
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/pod.key" -out "$dir/pod.crt" -days 2 -subj /CN=pod 2>/dev/null ||
    { echo "skipped: no openssl"; exit 77; }
mkfifo "$dir/hold"
python3 "$dir/pod.py" "$dir" <"$dir/hold" >"$dir/pod.log" 2>&1 & # ends with us, who hold the other end
exec 8>"$dir/hold"
await "the pod listens" test -s "$dir/ports"
read -r plain secure <"$dir/ports"

core=/api/v1/namespaces/default
merge() { type=application/merge-patch+json; api PATCH "$@" >/dev/null; type=application/json; }
api POST $core/serviceaccounts -d '{"metadata":{"name":"default"}}' >/dev/null
api POST /api/v1/nodes -d '{"metadata":{"name":"n1"}}' >/dev/null
api POST $core/pods -d "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"side\",\"image\":\"busybox\"},{\"name\":\"c\",\"image\":\"busybox\",\"ports\":[{\"name\":\"p\",\"containerPort\":$plain}]}]}}" >/dev/null
merge $core/pods/web/status -d '{"status":{"phase":"Running","podIP":"10.244.1.2","podIPs":[{"ip":"10.244.1.2"}]}}'
service() { api POST $core/services -d "{\"metadata\":{\"name\":\"$1\"},\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80},{\"name\":\"tls\",\"port\":443}]}}" >/dev/null; }
endpoints() { api POST $core/endpoints -d "{\"metadata\":{\"name\":\"$1\"},\"subsets\":$2}" >/dev/null; }
target='"targetRef":{"kind":"Pod","namespace":"default","name":"web"}'
ports="\"ports\":[{\"name\":\"http\",\"port\":$plain},{\"name\":\"tls\",\"port\":$secure}]"
service web
endpoints web "[{\"addresses\":[{\"ip\":\"10.244.1.2\",$target}],$ports}]"
service nobody
endpoints nobody '[]'
service unready
endpoints unready "[{\"notReadyAddresses\":[{\"ip\":\"10.244.1.2\",$target}],$ports}]"
service foreign # an address that is no pod's, and a pod that has not this address
endpoints foreign "[{\"addresses\":[{\"ip\":\"192.0.2.1\"},{\"ip\":\"192.0.2.2\",$target}],$ports}]"
pod=$core/pods/web/proxy svc=$core/services

# -- where it leads --
expect_in "the first declared port" '"path": "/"' "$(api GET $pod/)"
for name in "web:$plain" "http:web:$plain"; do
    expect_in "pod $name" '"tls": false' "$(api GET "$core/pods/$name/proxy/")"
done
expect_in "pod by TLS" '"tls": true' "$(api GET "$core/pods/https:web:$secure/proxy/")"
for name in web:80 web:http http:web:80 http:web:http; do
    expect_in "service $name" '"tls": false' "$(api GET "$svc/$name/proxy/")"
done
expect_in "service by TLS" '"tls": true' "$(api GET "$svc/https:web:443/proxy/")"

# -- what is handed on --
expect_in "path and query" '"path": "/a%20b/c/?x=1&y=%2F"' "$(api GET "$pod/a%20b/./z/..//c/?x=1&y=%2F")"
expect_in "a query that is not ours" '"path": "/x?timeout=soon&watch=1"' "$(api GET "$pod/x?timeout=soon&watch=1")"
for m in GET POST PUT PATCH DELETE OPTIONS; do
    expect_in "$m" "\"method\": \"$m\"" "$(api $m $pod/x)"
done
expect "HEAD" 200 "$(ask -I -o /dev/null -w '%{http_code}' "$url$pod/x")"
head -c 2000000 /dev/urandom >"$dir/data"
expect "a body there and back" "$(cksum <"$dir/data")" "$(api POST $svc/web:80/proxy/body --data-binary @"$dir/data" | cksum)"
expect "a body that is too large" 413 "$(head -c 4000000 /dev/zero | status POST $pod/body --data-binary @-)"
got=$(api GET $svc/web:80/proxy/x -H 'X-Mine: yes' -H 'X-Forwarded-For: 192.0.2.7' -H 'Connection: X-Hop' -H 'X-Hop: no')
expect_in "own fields" '"x-mine": "yes"' "$got"
expect_in "who asked" '"x-forwarded-for": "192.0.2.7, 127.0.0.1"' "$got"
expect_in "where" "\"x-forwarded-uri\": \"$svc/web:80/proxy/x\"" "$got"
expect_in "the host is the client's" "\"host\": \"127.0.0.1:$port\"" "$got"
for not in authorization x-hop; do
    case $got in *"\"$not\""*) expect "no $not" "" "$got" ;; esac
done

# -- what comes back --
expect "code" 404 "$(status GET $pod/nothing)"
expect "body" "<h1>no such page</h1>" "$(api GET $pod/nothing)"
expect "type" text/html "$(header Content-Type GET $pod/nothing)"
expect "other origins" "" "$(header Access-Control-Allow-Origin GET $pod/nothing)"
expect "nothing" 204 "$(status GET $pod/empty)"
expect "chunks" 3072000 "$(api GET $pod/chunks | wc -c)"
expect "a Location of the pod" "$pod/there/?a=b" "$(header Location GET $pod/moved)"
expect "a Location elsewhere" http://example.com/x "$(header Location GET $pod/moved-far)"
expect "no slash" "301 $pod/?a=b" "$(status GET "$pod?a=b") $(header Location GET "$pod?a=b")"
expect "no slash, something is sent" 200 "$(status POST $pod -d x)"
code=0
api GET $pod/cut >/dev/null 2>&1 || code=$?
expect "an answer that is cut off is so for the client too" 18 "$code"

# -- a browser that is signed in to the console: a pod's page is confined, and knows nothing of the session --
jar=$dir/jar
curl -sS --cacert "$dir/pki/ca.crt" -o /dev/null -c "$jar" -H "Origin: $url" -d "{\"token\":\"$token\"}" "$url/console/login"
cookie=$(awk '/stowage-/ { print $6 "=" $7 }' "$jar")
browse() { curl -sS --max-time 60 --cacert "$dir/pki/ca.crt" -H "Cookie: a=1; $cookie; b=2" "$@"; }
expect_in "signed in" '"cookie": "a=1; b=2"' "$(browse "$url$pod/x")"
case $(curl -sS --cacert "$dir/pki/ca.crt" -b "$jar" "$url$pod/x") in *'"cookie"'*) expect "no cookie at all" "" "$cookie" ;; esac
expect_in "a sandbox" "Content-Security-Policy: sandbox allow-scripts" "$(browse -D - "$url$pod/nothing" | tr -d '\r')"
expect "kubectl has none" "" "$(header Content-Security-Policy GET $pod/nothing)"
expect "a pod sets its own cookies" "basket=full" "$(header Set-Cookie GET $pod/nothing)"
expect "what its scripts ask" 403 "$(browse -o /dev/null -w '%{http_code}' -H 'Origin: null' -H 'Sec-Fetch-Site: cross-site' "$url$core/secrets")"

# -- refusals --
reach='"message":"error trying to reach service: '
expect_in "refused" "${reach}dial tcp 10.244.1.2:1: connect: connection refused\",\"reason\":\"ServiceUnavailable\",\"code\":503" "$(api GET $core/pods/web:1/proxy/)"
expect_in "a port that nobody knows" "${reach}dial tcp: lookup tcp/nosuchport: unknown port" "$(api GET $core/pods/web:nosuchport/proxy/)"
expect_in "no HTTP" "${reach}net/http: HTTP/1.x transport connection broken: malformed HTTP response" "$(api GET $pod/rude)"
expect_in "nothing said" "${reach}EOF" "$(api GET $pod/mute)"
expect_in "no TLS there" "${reach}tls: " "$(api GET "$core/pods/https:web:$plain/proxy/")"
expect_in "no such pod" 'pods \"nosuch\" not found' "$(api GET $core/pods/nosuch:80/proxy/)"
expect_in "no such service" 'services \"nosuch\" not found' "$(api GET $svc/nosuch:80/proxy/)"
expect_in "no such endpoints" 'endpoints \"nosuch\" not found' "$(api GET $svc/nosuch/proxy/)"
expect_in "no such port" '"message":"no service port 81 found for service \"web\"","reason":"ServiceUnavailable"' "$(api GET $svc/web:81/proxy/)"
expect_in "a port must be said" 'no endpoints available for service \"web\"' "$(api GET $svc/web/proxy/)"
expect_in "no endpoints" '"message":"no endpoints available for service \"nobody\"","reason":"ServiceUnavailable"' "$(api GET $svc/nobody:80/proxy/)"
for name in unready foreign; do
    expect_in "$name" "no endpoints available for service \\\"$name:80\\\"" "$(api GET $svc/$name:80/proxy/)"
done
expect_in "names" 'invalid service request \"ftp:web:80\"' "$(api GET $svc/ftp:web:80/proxy/)"
expect_in "names" 'invalid pod request \"a:b:c:d\"' "$(api GET $core/pods/a:b:c:d/proxy/)"

# -- another protocol: WebSocket, SPDY or any other, the bytes are the client's and the pod's --
cat >"$dir/tunnel.py" <<'PY'
import os, select, socket, ssl, sys
port, token, version, path, size, end = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6]
context = ssl._create_unverified_context()
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
s = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
s.sendall((f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: Echo/1\r\n"
           f"X-Stream-Protocol-Version: mine\r\nContent-Length: 0\r\n\r\n").encode() + b"early\n")
s.setblocking(False)
got, out, ended = bytearray(), b"", False
# One thread for both directions (a TLS connection of Python's is not for two): until `done`, or the end.
def move(done):
    global out, ended
    while not ended and not done():
        wants_write = bool(out)
        try:
            out = out[s.send(out[:65536]):] if out else out
            wants_write = bool(out)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            while data := s.recv(65536):
                got.extend(data)
            ended = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not done() and not any(select.select([s], [s] if wants_write else [], [], 120)):
                raise TimeoutError
def line():
    move(lambda: b"\n" in got)
    text, _, rest = bytes(got).partition(b"\n")
    got[:] = rest
    return text.decode().strip()
head = []
while text := line():
    head.append(text)
print("; ".join(sorted(h for h in head if h.split(":")[0] in ("HTTP/1.1 101 Switching Protocols", "Upgrade", "X-Mine"))))
print(line())
print(line())
data = os.urandom(size).replace(b"Q", b"q")
out = data + (b"Q" if end == "pod" else b"")
move(lambda: not out and len(got) >= size)
print("same" if got == data.swapcase() else "other")
if end == "pod":
    move(lambda: False)
    print("end" if len(got) == size else "more")
s.close()
PY
# With TLS 1.2 the HTTP library carries the bytes.
for row in "TLSv1_3 http:web:$plain 3000000" "TLSv1_3 https:web:$secure 3000000" "TLSv1_2 web:$plain 200000"; do
    # shellcheck disable=SC2086 # words
    set -- $row
    for end in pod client; do
        rm -f "$dir/tunnel"
        timeout 300 python3 "$dir/tunnel.py" "$port" "$token" "$1" "$core/pods/$2/proxy/upgrade?lost=1" "$3" $end >"$dir/tunnelled" 2>&1 || cat "$dir/tunnelled"
        expect "101 ($row)" "HTTP/1.1 101 Switching Protocols; Upgrade: Echo/1; X-Mine: both" "$(sed -n 1p "$dir/tunnelled")"
        said=$(sed -n 2p "$dir/tunnelled")
        expect_in "the path, without a query as in 1.32 ($row)" '"path": "/upgrade"' "$said"
        expect_in "connection ($row)" '"connection": "Upgrade"' "$said"
        expect_in "protocol ($row)" '"upgrade": "Echo/1"' "$said"
        expect_in "own fields ($row)" '"x-stream-protocol-version": "mine"' "$said"
        expect_in "who asked ($row)" '"x-forwarded-for": "127.0.0.1"' "$said"
        case $said in *'"authorization"'*) expect "no credentials ($row)" "" "$said" ;; esac
        expect "what was sent behind the request ($row)" EARLY "$(sed -n 3p "$dir/tunnelled")"
        expect "there and back ($row)" same "$(sed -n 4p "$dir/tunnelled")"
        [ $end = client ] || expect "the pod ends it ($row)" end "$(sed -n 5p "$dir/tunnelled")"
        await "the pod hears of the end ($row)" grep -qs left "$dir/tunnel"
    done
done
change() { m=$1 p=$2; shift 2; api "$m" "$p" -H 'Connection: Upgrade' -H 'Upgrade: Echo/1' "$@"; }
expect "a service" 101 "$(change GET $svc/web:80/proxy/upgrade --max-time 2 -o /dev/null -w '%{http_code}' 2>/dev/null || true)"
expect "a refusal of the pod's" "<h1>no such page</h1>" "$(change GET $pod/nothing)"
expect_in "no change" '"message":"invalid upgrade response: status code 200","code":500' "$(change GET $pod/x)"
expect_in "nobody there" '"message":"dial tcp 10.244.1.2:1: connect: connection refused","code":500' "$(change GET $core/pods/web:1/proxy/)"
expect_in "nothing said" '"message":"unexpected EOF","code":500' "$(change GET $pod/mute)"

# -- clients that leave: the pod hears of it, nothing remains --
descriptors() { ls "/proc/$pid/fd" | wc -l; }
no_more_than() { [ "$("$1")" -le "$2" ]; }
threads() { ls "/proc/$pid/task" | wc -l; }
before=$(descriptors) threads=$(threads)
for path in silent drip; do
    follow "$url$pod/$path" >"$dir/out" 2>/dev/null &
    follower=$!
    await "asked: $path" grep -qs asked "$dir/$path"
    [ $path = silent ] || await "what comes, comes at once" grep -q drop "$dir/out"
    leave $follower
    await "left: $path" grep -q left "$dir/$path"
    rm "$dir/$path"
done
await "descriptors after clients that left" no_more_than descriptors "$before"
await "threads after clients that left" no_more_than threads "$threads"

# -- the server stops --
for path in silent drip; do
    follow "$url$pod/$path" >/dev/null 2>&1 &
    await "asked: $path" grep -qs asked "$dir/$path"
done
kill "$pid"
code=0
wait "$pid" || code=$?
pid=
expect "stops while a pod is asked" 0 "$code"
[ "$code" = 0 ] || cat "$dir/log"
exec 8>&-
wait
