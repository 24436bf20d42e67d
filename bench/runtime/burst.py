#!/usr/bin/env python3
"""burst.py KUBECONFIG POD N - N execs of `echo hello; sleep 5` at the same time, over WebSocket; prints how many were answered in
full (output and a Status of success) and how many seconds all took."""
import base64, os, re, socket, ssl, sys, threading, time, urllib.parse

text = open(sys.argv[1]).read()
def field(name):
    return re.search(r'^\s*-?\s*%s:\s*"?([^"\n]+)"?' % name, text, re.M).group(1).strip()
url, token = urllib.parse.urlparse(field('server')), field('token')
context = ssl._create_unverified_context()
count, answered, together = int(sys.argv[3]), [], threading.Barrier(int(sys.argv[3]))
command = urllib.parse.urlencode([('command', c) for c in ('sh', '-c', 'echo hello; sleep 5')])
request = ('GET /api/v1/namespaces/default/pods/%s/exec?stdout=true&%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
           'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\nAuthorization: Bearer %s\r\n\r\n'
           % (sys.argv[2], command, url.netloc, base64.b64encode(os.urandom(16)).decode(), token)).encode()

def one():
    together.wait()
    with context.wrap_socket(socket.create_connection((url.hostname, url.port), 120)) as s:
        s.sendall(request)
        data = b''
        while b'"status":"' not in data and (more := s.recv(65536)):
            data += more
    if b'hello\n' in data and b'"status":"Success"' in data:
        answered.append(1)

threading.stack_size(256 * 1024)
began = time.monotonic()
threads = [threading.Thread(target=one) for _ in range(count)]
for t in threads: t.start()
for t in threads: t.join()
print(len(answered), '%.1f' % (time.monotonic() - began))
