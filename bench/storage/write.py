#!/usr/bin/env python3
"""write.py KUBECONFIG DIR N - sequential writes of 256 MiB in blocks of 1 MiB, N times in turn: by a pod to its claim, and by the
same program to a file in DIR, on the filesystem that holds the claim's disk.

Prints for each way: its name, the median MiB/s of the claim and of the host, and the claim's share of the host's in percent.
direct: oflag=direct. buffered: conv=fsync, to a new file each time. again: the same over blocks that the file has already."""
import http.client, json, os, re, subprocess, sys, time

SIZE = 256
kubeconfig, directory, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
POD = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: write}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 4Gi}}, storageClassName: bench}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: bench}
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: Pod
metadata: {name: write}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: busybox, command: [sleep, "100000"], volumeMounts: [{name: v, mountPath: /data}]}
  volumes: [{name: v, persistentVolumeClaim: {claimName: write}}]
"""
def kubectl(*args, **more): return subprocess.run(('kubectl', '--kubeconfig', kubeconfig) + args, check=True, capture_output=True, text=True, **more)

# How long the writing took is measured by the writer, in nanoseconds: its clock is everybody's.
SCRIPT = 'cd %s; %s; read a _ < /proc/uptime; busybox dd if=/dev/zero of=f bs=1M count=%d %s 2>/dev/null || exit 1; read b _ < /proc/uptime; echo $a $b'
def rate(text):
    a, b = map(float, text.split())
    return SIZE / max(b - a, 0.01)

ways = {'direct': ('rm -f f; sync', 'oflag=direct'), 'buffered': ('rm -f f; sync', 'conv=fsync'), 'again': ('sync', 'conv=fsync,notrunc')}
def on_claim(script): return rate(kubectl('exec', 'write', '--', 'sh', '-c', script).stdout)
def on_host(script): return rate(subprocess.run(['busybox', 'sh', '-c', script], check=True, capture_output=True, text=True).stdout)

kubectl('apply', '-f', '-', input=POD)
kubectl('wait', '--for=condition=Ready', 'pod/write', '--timeout=120s')
os.makedirs(directory, exist_ok=True)
def median(list): return sorted(list)[len(list) // 2]
for name, (before, how) in ways.items():
    claim, host = [], []
    for i in range(rounds):
        for values, run, place in ((claim, on_claim, '/data'), (host, on_host, directory))[::1 if i % 2 else -1]:
            values.append(run(SCRIPT % (place, before, SIZE, how)))
    print('%s %.0f %.0f %.0f' % (name, median(claim), median(host), 100 * median(claim) / median(host)), flush=True)
