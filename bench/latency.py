#!/usr/bin/env python3
"""latency.py KUBECONFIG claim|pod|fill N - prints N latencies in milliseconds, seen by a client on one kept connection.

claim: create a claim, until a watch shows it Bound. pod: create a 3Gi claim and a pod that mounts it, until Running.
fill: create N ConfigMaps of about 700 bytes each, as listed."""
import base64, http.client, json, re, ssl, sys, threading, time, urllib.parse

text = open(sys.argv[1]).read()
def field(name):
    m = re.search(r'^\s*-?\s*%s:\s*"?([^"\n]+)"?' % name, text, re.M)
    return m and m.group(1).strip()
url, token = urllib.parse.urlparse(field('server')), field('token')
context = ssl._create_unverified_context()

def connect():
    return http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=60) if url.scheme == 'https' else http.client.HTTPConnection(url.hostname, url.port, timeout=60)

def call(c, method, path, body=None):
    c.request(method, path, json.dumps(body) if body else None, {'Authorization': 'Bearer ' + (token or ''), 'Content-Type': 'application/json'})
    r = c.getresponse()
    data = r.read()
    if r.status >= 300: sys.exit('%s %s: %d %s' % (method, path, r.status, data[:300]))
    return json.loads(data)

def wait_phase(path, name, phase, ready, seen):
    c = connect()
    c.request('GET', '%s?watch=1&fieldSelector=metadata.name%%3D%s' % (path, name), headers={'Authorization': 'Bearer ' + (token or '')})
    r = c.getresponse()
    ready.set()
    while True:
        event = json.loads(r.readline())
        if event['object'].get('status', {}).get('phase') == phase:
            seen.append(time.monotonic()); c.close(); return

def timed(path, name, phase, create):
    ready, seen = threading.Event(), []
    t = threading.Thread(target=wait_phase, args=(path, name, phase, ready, seen), daemon=True)
    t.start(); ready.wait(10)
    began = time.monotonic(); create(); t.join(60)
    print('%.1f' % ((seen[0] - began) * 1000), flush=True)

what, count = sys.argv[2], int(sys.argv[3])
claims, pods = '/api/v1/namespaces/default/persistentvolumeclaims', '/api/v1/namespaces/default/pods'
c = connect()
def claim(name, size): return {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {'name': name}, 'spec': {'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': size}}}}
def pod(name): return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name}, 'spec': {'containers': [{'name': 'c', 'image': 'busybox', 'command': ['sleep', '100000'], 'volumeMounts': [{'name': 'v', 'mountPath': '/data'}]}], 'volumes': [{'name': 'v', 'persistentVolumeClaim': {'claimName': name}}]}}
if what == 'fill':
    for i in range(count):
        call(c, 'POST', '/api/v1/namespaces/default/configmaps', {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'fill-%05d' % i}, 'data': {'text': 'x' * 370}})
for i in range(count if what != 'fill' else 0):
    name = '%s-%d' % (what, i)
    if what == 'claim':
        timed(claims, name, 'Bound', lambda: call(c, 'POST', claims, claim(name, '1Gi')))
    else:
        timed(pods, name, 'Running', lambda: (call(c, 'POST', claims, claim(name, '3Gi')), call(c, 'POST', pods, pod(name))))
