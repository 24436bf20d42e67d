#!/bin/sh
# Clients that mean harm or are broken: the server refuses, survives, and forgets them.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve --plain
command -v bash >/dev/null || { echo "skipped: no bash for raw connections"; exit 77; }
# Standard input goes to the server as it is; prints what comes back until the server hangs up, or within 3 s (or $1).
send() { timeout 70 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; cat >&3 2>/dev/null; timeout ${1:-3} cat <&3" 2>/dev/null | tr -d '\r' | head -c 2000; }
alive() { expect "alive after $1" ok "$(curl -s --max-time 60 "$url/readyz")"; }

printf '\000\001\002\377garbage\r\n\r\n' | send >/dev/null; alive "noise"
printf '\026\003\001\002\000\001\000\001\374\003\003' | send >/dev/null; alive "a TLS hello on a plain port"
printf 'GET / HTTP/9.9\r\n\r\n' | send >/dev/null; alive "an unknown version"
printf 'GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n' "$(head -c 200000 /dev/zero | tr '\0' a)" | send >/dev/null; alive "a long path"
{ printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n'; for i in $(seq 5000); do printf 'X-%s: %s\r\n' "$i" "$i"; done; printf '\r\n'; } | send >/dev/null; alive "many headers"
printf 'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n' | send >/dev/null; alive "a huge length"
printf 'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n' | send >/dev/null; alive "a negative length"
printf 'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n' | send >/dev/null; alive "a bad chunk"
printf 'GET /api/v1/namespaces/%%00 HTTP/1.1\r\nHost: localhost\r\n\r\n' | send >/dev/null; alive "a NUL in the path"
printf 'GET /api/v1/namespaces/%%zz HTTP/1.1\r\nHost: localhost\r\n\r\n' | send >/dev/null; alive "a broken escape"
printf 'GET * HTTP/1.1\r\nHost: localhost\r\n\r\n' | send >/dev/null; alive "an asterisk"
out=$(printf 'GET http://localhost/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | send 60)
expect_in "absolute form" '"gitVersion"' "$out"
out=$(printf 'GET /readyz HTTP/1.0\r\n\r\n' | send 60)
expect_in "HTTP/1.0" '200 OK' "$out"
out=$(printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | send 60)
expect "pipelined" 2 "$(echo "$out" | grep -c '200 OK')"

# deep and wide bodies
python3 - >"$dir/deep" 2>/dev/null <<'PY' || { echo "note: no python3, nesting not tried"; printf '{}' >"$dir/deep"; }
print('{"metadata":{"name":"d"},"data":' + '{"a":' * 50000 + '1' + '}' * 50000 + '}', end='')
PY
code=$(curl -s -o /dev/null -w '%{http_code}' --max-time 60 -H 'Content-Type: application/json' --data-binary "@$dir/deep" "$url/api/v1/namespaces/default/configmaps")
[ "$code" -ge 400 ] && [ "$code" -lt 500 ] || expect "deep nesting" "4xx" "$code"
alive "deep nesting"
printf 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n' >"$dir/bomb"
curl -s -o /dev/null --max-time 60 -H 'Content-Type: application/yaml' --data-binary "@$dir/bomb" "$url/api/v1/namespaces/default/configmaps"
alive "a YAML bomb"

# somebody who holds many connections open keeps nobody else out, and is shown the door
if command -v python3 >/dev/null; then
    python3 - "$port" "$dir/dripping" <<'PY' &
import socket, sys, time
socks = []
for i in range(300):
    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    s.send(b'GET /readyz HTTP/1.1\r\nHost: local')
    socks.append(s)
open(sys.argv[2], 'w').close()
end = time.time() + 300
while time.time() < end and socks:
    time.sleep(2)
    for s in socks[:]:
        try:
            s.send(b'h')
        except OSError:
            socks.remove(s)
sys.exit(1 if socks else 0)
PY
    dripping=$!
    await "dripping clients" test -e "$dir/dripping"
    alive "300 dripping clients"
    wait $dripping || expect "dripping clients" "closed within 300 s" "still open"
fi
rss=$(awk '/VmRSS/{print $2}' "/proc/$pid/status")
echo "resident afterwards: $rss kB"
