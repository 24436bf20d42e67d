#!/usr/bin/env python3
"""pods.py KUBECONFIG life|many N - life: N times "ms until Running, ms until gone" of a pod; many: ms until N are Running."""
import http.client, json, re, ssl, sys, threading, time, urllib.parse

text = open(sys.argv[1]).read()
def field(name):
    m = re.search(r'^\s*-?\s*%s:\s*"?([^"\n]+)"?' % name, text, re.M)
    return m and m.group(1).strip()
url, head = urllib.parse.urlparse(field('server')), {'Authorization': 'Bearer ' + (field('token') or ''), 'Content-Type': 'application/json'}
context = ssl._create_unverified_context()
PODS = '/api/v1/namespaces/default/pods'

def connect():
    if url.scheme == 'https': return http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=300)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=300)

def call(c, method, path, body=None):
    c.request(method, path, json.dumps(body) if body else None, head)
    r = c.getresponse()
    data = r.read()
    if r.status >= 300: sys.exit('%s %s: %d %s' % (method, path, r.status, data[:300]))

def watch(events, ready):
    c = connect()
    c.request('GET', PODS + '?watch=1', headers=head)
    r = c.getresponse()
    ready.set()
    while True:
        line = r.readline()
        if not line: return
        e = json.loads(line)
        events(e['type'], e['object']['metadata']['name'], e['object'].get('status', {}).get('phase'))

def pod(name, image, command):
    spec = {'containers': [{'name': 'c', 'image': image, 'imagePullPolicy': 'IfNotPresent'}], 'automountServiceAccountToken': False}
    if command: spec['containers'][0]['command'] = command
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name}, 'spec': spec}

running, gone, news = {}, {}, threading.Condition()
def event(kind, name, phase):
    with news:
        if phase == 'Running': running.setdefault(name, time.monotonic())
        if kind == 'DELETED': gone[name] = time.monotonic()
        news.notify_all()
ready = threading.Event()
threading.Thread(target=watch, args=(event, ready), daemon=True).start()
ready.wait(10)
def until(condition):
    with news:
        if not news.wait_for(condition, 300): sys.exit('not within five minutes')

what, count, c = sys.argv[2], int(sys.argv[3]), connect()
if what == 'life':
    for i in range(count + 1): # the first brings the image
        name = 'life-%d' % i
        began = time.monotonic()
        call(c, 'POST', PODS, pod(name, 'nginx', None))
        until(lambda: name in running)
        asked = time.monotonic()
        call(c, 'DELETE', PODS + '/' + name)
        until(lambda: name in gone)
        if i: print('%.1f %.1f' % ((running[name] - began) * 1000, (gone[name] - asked) * 1000), flush=True)
else:
    began = time.monotonic()
    for i in range(count): call(c, 'POST', PODS, pod('many-%d' % i, 'nginx', None))
    until(lambda: len(running) == count)
    print('%d' % ((max(running.values()) - began) * 1000))
