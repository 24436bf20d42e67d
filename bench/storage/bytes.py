#!/usr/bin/env python3
"""bytes.py KUBECONFIG grow|snapshot|dirty N - prints N latencies in milliseconds, seen by a client on kept connections.

grow: a claim that a pod has mounted is raised from 1Gi to 2Gi, until its status shows 2Gi. Where the machine lets nobody
grow a mounted ext4 (EXT4_IOC_RESIZE_FS wants CAP_SYS_RESOURCE of the first user namespace), until the disk and its
device have 2Gi and the claim says FileSystemResizePending; standard error says so.
snapshot: a VolumeSnapshot of a 1Gi volume with 100 MB written and synced is made, until it is readyToUse.
dirty: the same just after the 100 MB were written, not synced, each time anew."""
import http.client, json, re, ssl, subprocess, sys, threading, time, urllib.parse

text = open(sys.argv[1]).read()
def field(name):
    m = re.search(r'^\s*-?\s*%s:\s*"?([^"\n]+)"?' % name, text, re.M)
    return m and m.group(1).strip()
url, token = urllib.parse.urlparse(field('server')), field('token')
context = ssl._create_unverified_context()
CORE, SNAP, CLASSES = '/api/v1/namespaces/default/', '/apis/snapshot.storage.k8s.io/v1/', '/apis/storage.k8s.io/v1/storageclasses'

def connect():
    if url.scheme != 'https': return http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    return http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=120)

def call(c, method, path, body=None, media='application/json'):
    c.request(method, path, json.dumps(body) if body else None, {'Authorization': 'Bearer ' + (token or ''), 'Content-Type': media})
    r = c.getresponse()
    data = r.read()
    if r.status >= 300: sys.exit('%s %s: %d %s' % (method, path, r.status, data[:300]))
    return json.loads(data)

class Watch:
    """Sees one object from its creation or from now on."""
    def __init__(self, path, name, wanted):
        self.ready, self.seen, self.wanted = threading.Event(), None, wanted
        self.path = '%s?watch=1&fieldSelector=metadata.name%%3D%s' % (path, name)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ready.wait(30)
    def run(self):
        c = connect()
        c.request('GET', self.path, headers={'Authorization': 'Bearer ' + (token or '')})
        r = c.getresponse()
        self.ready.set()
        while not self.wanted(json.loads(r.readline())['object']): pass
        self.seen = time.monotonic()
    def after(self, act):
        began = time.monotonic()
        act()
        self.thread.join(120)
        print('%.1f' % ((self.seen - began) * 1000), flush=True)

def status(o): return o.get('status', {})
def may_grow():
    bits = int(re.search(r'^CapEff:\s*(\w+)', open('/proc/self/status').read(), re.M).group(1), 16)
    return bits >> 24 & 1 # CAP_SYS_RESOURCE
def grown(o):
    if status(o).get('capacity', {}).get('storage') == '2Gi': return True
    return not may_grow() and any(x['type'] == 'FileSystemResizePending' for x in status(o).get('conditions', []))

def ready_pod(c, name):
    call(c, 'POST', CORE + 'persistentvolumeclaims', {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {'name': name}, 'spec': {
        'storageClassName': 'bench', 'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}}})
    w = Watch(CORE + 'pods', name, lambda o: status(o).get('phase') == 'Running')
    call(c, 'POST', CORE + 'pods', {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name}, 'spec': {'terminationGracePeriodSeconds': 0, 'containers': [
        {'name': 'c', 'image': 'busybox', 'command': ['sleep', '100000'], 'volumeMounts': [{'name': 'v', 'mountPath': '/data'}]}],
        'volumes': [{'name': 'v', 'persistentVolumeClaim': {'claimName': name}}]}})
    w.thread.join(120)

what, count = sys.argv[2], int(sys.argv[3])
if what == 'grow' and not may_grow():
    print("  (CAP_SYS_RESOURCE is withheld here: measured until FileSystemResizePending; the ext4 grows at its next mount)", file=sys.stderr)
c = connect()
call(c, 'POST', CLASSES, {'apiVersion': 'storage.k8s.io/v1', 'kind': 'StorageClass', 'metadata': {'name': 'bench'}, 'provisioner': 'ebs.csi.aws.com', 'allowVolumeExpansion': True})
if what != 'grow':
    call(c, 'POST', SNAP + 'volumesnapshotclasses', {'apiVersion': 'snapshot.storage.k8s.io/v1', 'kind': 'VolumeSnapshotClass', 'metadata': {'name': 'bench'}, 'driver': 'ebs.csi.aws.com', 'deletionPolicy': 'Delete'})
    ready_pod(c, 'source')
def fill(after):
    subprocess.run(['kubectl', '--kubeconfig', sys.argv[1], 'exec', 'source', '--', 'sh', '-c', 'rm -f /data/f; sync; head -c 100000000 /dev/urandom > /data/f' + after], check=True)
if what == 'snapshot': fill('; sync')
for i in range(count):
    name = '%s-%d' % (what, i)
    if what == 'grow':
        ready_pod(c, name)
        Watch(CORE + 'persistentvolumeclaims', name, grown).after(lambda: call(c, 'PATCH', CORE + 'persistentvolumeclaims/' + name, {'spec': {'resources': {'requests': {'storage': '2Gi'}}}}, 'application/merge-patch+json'))
    else:
        if what == 'dirty': fill('')
        path = SNAP + 'namespaces/default/volumesnapshots'
        Watch(path, name, lambda o: status(o).get('readyToUse')).after(lambda: call(c, 'POST', path, {'apiVersion': 'snapshot.storage.k8s.io/v1', 'kind': 'VolumeSnapshot', 'metadata': {'name': name}, 'spec': {
            'volumeSnapshotClassName': 'bench', 'source': {'persistentVolumeClaimName': 'source'}}}))
