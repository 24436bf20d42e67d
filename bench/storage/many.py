#!/usr/bin/env python3
"""many.py KUBECONFIG DISKS N - creates N claims of 1Gi of an Immediate EBS class from four kept connections.

Prints: milliseconds from the first create until a watch has seen all Bound; how many disks in the directory DISKS hold
an ext4 filesystem; MiB that they really take of the machine's disk."""
import http.client, json, os, re, ssl, sys, threading, time, urllib.parse

text = open(sys.argv[1]).read()
def field(name):
    m = re.search(r'^\s*-?\s*%s:\s*"?([^"\n]+)"?' % name, text, re.M)
    return m and m.group(1).strip()
url, token = urllib.parse.urlparse(field('server')), field('token')
context = ssl._create_unverified_context()
CLAIMS = '/api/v1/namespaces/default/persistentvolumeclaims'
LANES = 4

def connect():
    if url.scheme != 'https': return http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    return http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=120)

def post(c, path, body):
    c.request('POST', path, json.dumps(body), {'Authorization': 'Bearer ' + (token or ''), 'Content-Type': 'application/json'})
    r = c.getresponse()
    data = r.read()
    if r.status >= 300: sys.exit('POST %s: %d %s' % (path, r.status, data[:300]))

def lane(first):
    c = connect()
    for i in range(first, count, LANES):
        post(c, CLAIMS, {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {'name': 'many-%04d' % i}, 'spec': {
            'storageClassName': 'bench', 'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}}})

def watch(ready, done):
    c, bound = connect(), set()
    c.request('GET', CLAIMS + '?watch=1', headers={'Authorization': 'Bearer ' + (token or '')})
    r = c.getresponse()
    ready.set()
    while len(bound) < count: # one word is looked for, not 4,000 objects decoded: the client has the same two cores
        line = r.readline()
        if b'"phase":"Bound"' in line: bound.add(json.loads(line)['object']['metadata']['name'])
    done.append(time.monotonic())

def formatted(path):
    with open(path, 'rb') as f: return os.pread(f.fileno(), 2, 1080) == b'\x53\xef'

count = int(sys.argv[3])
post(connect(), '/apis/storage.k8s.io/v1/storageclasses', {'apiVersion': 'storage.k8s.io/v1', 'kind': 'StorageClass', 'metadata': {'name': 'bench'},
    'provisioner': 'ebs.csi.aws.com', 'volumeBindingMode': 'Immediate', 'parameters': {'type': 'gp3'}})
ready, done = threading.Event(), []
seen = threading.Thread(target=watch, args=(ready, done), daemon=True)
seen.start()
ready.wait(30)
began = time.monotonic()
lanes = [threading.Thread(target=lane, args=(i,)) for i in range(LANES)]
for t in lanes: t.start()
for t in lanes: t.join()
seen.join(300)
if not done: sys.exit('not all claims were bound in time')
disks = [os.path.join(sys.argv[2], f) for f in os.listdir(sys.argv[2]) if f.startswith('vol-') and f.endswith('.img')]
os.sync()
print('%.0f %d %d' % ((done[0] - began) * 1000, sum(map(formatted, disks)), sum(os.stat(f).st_blocks for f in disks) * 512 >> 20))
