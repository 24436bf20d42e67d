#!/usr/bin/env python3
"""exec.py KUBECONFIG POD N COMMAND... - N times: ms from connecting (with TLS) to the exit code of a program run in a pod."""
import base64, os, re, socket, ssl, sys, time, urllib.parse

text = open(sys.argv[1]).read()
def field(name):
    m = re.search(r'^\s*-?\s*%s:\s*"?([^"\n]+)"?' % name, text, re.M)
    return m and m.group(1).strip()
url, token = urllib.parse.urlparse(field('server')), field('token') or ''
context = ssl._create_unverified_context()
pod, count, command = sys.argv[2], int(sys.argv[3]), sys.argv[4:]
path = '/api/v1/namespaces/default/pods/%s/exec?stdout=true&stderr=true&%s' % (pod, urllib.parse.urlencode([('command', c) for c in command]))

def until(s, data, mark):
    while mark not in data:
        more = s.recv(65536)
        if not more: sys.exit('ended early: %r' % data)
        data += more
    return data

for _ in range(count):
    key = base64.b64encode(os.urandom(16)).decode()
    began = time.monotonic()
    s = socket.create_connection((url.hostname, url.port), 60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if url.scheme == 'https': s = context.wrap_socket(s)
    s.sendall(('GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
               'Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\nAuthorization: Bearer %s\r\n\r\n'
               % (path, url.netloc, key, token)).encode())
    head, rest = until(s, b'', b'\r\n\r\n').split(b'\r\n\r\n', 1)
    if b' 101 ' not in head: sys.exit(head.decode())
    s.sendall(b'\x8a\x80\0\0\0\0') # the pong that the server's ping asks for: this client takes output
    until(s, rest, b'"status":"')
    print('%.1f' % ((time.monotonic() - began) * 1000), flush=True)
    s.close()
