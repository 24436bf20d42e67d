#!/bin/sh
# Manifests that want out: a pod with every privilege and the node's root, paths that climb, links that point out, sizes that
# cannot be. None reaches a file, a disk or a setting of the machine the cluster runs on.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
CANARY="$WORK/canary"
echo "mine" >"$CANARY"

say "every privilege there is, and the root of the node"
k apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: evil}
spec:
  hostPID: true
  hostNetwork: true
  hostIPC: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sleep, "100000"]
    securityContext: {privileged: true, capabilities: {add: [SYS_TIME, SYS_MODULE, SYS_RAWIO]}}
    volumeMounts: [{name: h, mountPath: /host}]
  volumes: [{name: h, hostPath: {path: /}}]
YAML
runs evil
eq "the canary by its path" "" "$(on evil "cat /host$CANARY 2>/dev/null" || true)"
eq "the canary by name" "" "$(on evil 'find /host -xdev -name canary 2>/dev/null' || true)"
eq "the canary through the first process" "" "$(on evil "cat /proc/1/root$CANARY 2>/dev/null" || true)"
pids=$(on evil 'ls /proc | grep -c "^[0-9]*$"')
[ "$pids" -lt 60 ] || die "the pod sees $pids processes: more than its node's"
bits=$(on evil 'sed -n "s/^CapBnd:[[:space:]]*//p" /proc/self/status')
for bit in 16 17 25 34; do [ $((0x$bits >> bit & 1)) = 0 ] || die "the pod holds capability $bit: $bits"; done

say "the machine's own disks, by number"
fails k exec evil -- mknod /tmp/d b 254 0
fails k exec evil -- mknod /dev/d b 8 0

say "what it writes below / is the node's"
on evil 'echo owned > /host/etc/owned-by-a-pod; mkdir -p /host/root/.ssh; echo key > /host/root/.ssh/authorized_keys'
[ ! -e /etc/owned-by-a-pod ] || die "a pod wrote into this machine's /etc"
fails k exec evil -- sh -c 'echo x > /host/usr/bin/owned-by-a-pod && [ ! -e /host/usr/bin/owned-by-a-pod ]'
[ ! -e /usr/bin/owned-by-a-pod ] || die "a pod wrote into this machine's /usr"

say "paths that climb"
refused() { # refused WHAT PART
    what=$1 part=$2
    if out=$(k apply -f - 2>&1); then die "$what: was taken"; fi
    has "$what" "$part" "$out"
}
refused "hostPath with .." "must not contain '..'" <<'YAML'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"up"},"spec":{"containers":[{"name":"c","image":"busybox"}],"volumes":[{"name":"v","hostPath":{"path":"/data/../../etc"}}]}}
YAML
refused "subPath with .." "must not contain '..'" <<'YAML'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"up"},"spec":{"containers":[{"name":"c","image":"busybox","volumeMounts":[{"name":"v","mountPath":"/v","subPath":"../x"}]}],"volumes":[{"name":"v","emptyDir":{}}]}}
YAML
refused "a key that climbs" "must not contain '..'" <<'YAML'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"up"},"spec":{"containers":[{"name":"c","image":"busybox"}],"volumes":[{"name":"v","configMap":{"name":"c","items":[{"key":"k","path":"../../etc/passwd"}]}}]}}
YAML

say "a link in a volume that points out, taken as subPath by the next pod"
claim links gp2 1Gi
holder maker links
runs maker
on maker "ln -s / /data/root; ln -s ../../../../../../../../.. /data/up; ln -s $CANARY /data/canary"
for link in root up canary; do
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"taker-%s"},"spec":{"nodeName":"%s","terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox","command":["sleep","100000"],"volumeMounts":[{"name":"v","mountPath":"/in","subPath":"%s"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"links"}}]}}' \
        "$link" "$(of pod maker .spec.nodeName)" "$link" | k apply -f - >/dev/null
done
settled() { phase_is pod "taker-$1" Running || of pod "taker-$1" '.status.containerStatuses[0].state.waiting.reason' | grep -q Error; }
for link in root up canary; do
    within 30 "the pod with the link $link runs or is refused" settled "$link"
    if phase_is pod "taker-$link" Running; then
        eq "$link stays in the volume" "" "$(on "taker-$link" 'ls /in/etc /in/canary 2>/dev/null' | grep -v -e canary || true)"
        lacks "$link" mine "$(on "taker-$link" 'cat /in /in/* 2>/dev/null' || true)"
    fi
done

say "sizes that cannot be"
claim huge gp2 100Pi
holder huge huge
within 30 "EC2 does not sell it" told PersistentVolumeClaim huge "too large"
refused "less than nothing" "must be greater than" <<'YAML'
{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"neg"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"-1Gi"}}}}
YAML
eq "the canary is as it was" mine "$(cat "$CANARY")"
