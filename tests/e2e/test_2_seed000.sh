#!/bin/sh
# Point 2, seed 000: a default class with Retain, an nginx Deployment with a 3Gi claim on /www, df from the kernel.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

k delete sc gp2
cat >ebs-gp2-storage.yaml <<'YAML'
kind: StorageClass
apiVersion: storage.k8s.io/v1
metadata:
  name: gp2
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: kubernetes.io/aws-ebs
parameters:
  type: gp2
reclaimPolicy: Retain
mountOptions:
  - debug
YAML
cat >nginx-volume.yaml <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: nginx-pvc
spec:
  accessModes:
  - ReadWriteOnce
  resources:
    requests:
      storage: 3Gi
---
apiVersion: v1
kind: Service
metadata:
  name: nginx-volume
spec:
  selector:
    app: nginx-volume
  ports:
  - port: 80
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx-volume
spec:
  selector:
    matchLabels:
      app: nginx-volume
  template:
    metadata:
      labels:
        app: nginx-volume
    spec:
      containers:
      - image: nginx:1.7.9
        imagePullPolicy: Always
        name: nginx
        volumeMounts:
        - mountPath: "/www"
          name: nginx-pvc
      volumes:
      - name: nginx-pvc
        persistentVolumeClaim:
          claimName: nginx-pvc
YAML

say "apply"
eq "apply class" "storageclass.storage.k8s.io/gp2 created" "$(k apply -f ebs-gp2-storage.yaml)"
"$KUBECTL" get pods -w >watch.out 2>&1 &
watcher=$!
k run other --image=busybox -- sleep 1000
within 20 "watching" grep -q other watch.out
eq "apply" "persistentvolumeclaim/nginx-pvc created
service/nginx-volume created
deployment.apps/nginx-volume created" "$(k apply -f nginx-volume.yaml)"
within 20 "claim bound" phase_is pvc nginx-pvc Bound
k rollout status deploy/nginx-volume --timeout=300s
for status in ContainerCreating Running; do within 5 "pod went through $status" grep -q "nginx-volume.*$status" watch.out; done
kill $watcher
k delete pod other --now
eq "claim" "3Gi RWO gp2" "$(k get pvc nginx-pvc --no-headers | awk '{print $4, $5, $6}')"
pv=$(k get pvc nginx-pvc -o 'jsonpath={.spec.volumeName}')
eq "volume policy" Retain "$(k get pv "$pv" -o 'jsonpath={.spec.persistentVolumeReclaimPolicy}')"
within 5 "events of the pod" sh -c "$KUBECTL describe pod -l app=nginx-volume | grep -q SuccessfulAttachVolume"

say "df inside the pod is the kernel's"
pod=$(k get pod -l app=nginx-volume -o 'jsonpath={.items..metadata.name}')
df=$(k exec "$pod" -- df -h /www)
device=$(echo "$df" | awk 'NR == 2 { print $1 }')
case $device in /dev/xvd*) ;; *) die "device of /www: $df" ;; esac
# An ordinary user's is served by fuse2fs (tests/e2e/rootless), which counts the inodes' place too.
if [ -n "${OWNER:-}" ]; then size=3.0G type=fuse.ext4; else size=2.9G type=ext4; fi
eq "size of /www" "$size" "$(echo "$df" | awk 'NR == 2 { print $2 }')"
has "df on a terminal" "/www" "$(on_tty "$KUBECTL exec -it $pod -- df -h /www")"
has "mount" "$device /www $type rw" "$(k exec "$pod" -- cat /proc/mounts)"
used() { k exec "$pod" -- df -m /www | awk 'NR == 2 { print $3 }'; }
before=$(used)
k exec "$pod" -- sh -c 'dd if=/dev/zero of=/www/fill bs=1M count=64 2>/dev/null && sync'
more=$(($(used) - before))
[ "$before" -lt 100 ] && [ "$more" -ge 63 ] && [ "$more" -lt 80 ] || die "used before writing 64M: $before, then $more more"
handle=$(k get pv "$pv" -o 'jsonpath={.spec.awsElasticBlockStore.volumeID}')
[ -f "$WORK/data/disks/$handle.img" ] || die "no disk of the volume: $(ls "$WORK/data/disks")"
[ -n "${OWNER:-}" ] || losetup -a | grep -q "$handle" || die "no loop device for $handle"

say "delete all: the volume stays, Released, with its bytes"
k delete -f nginx-volume.yaml
within 20 "volume released" phase_is pv "$pv" Released
within 20 "disk detached" sh -c "! losetup -a | grep -q $handle"
[ -f "$WORK/data/disks/$handle.img" ] || die "the disk of a Retain volume is gone"
