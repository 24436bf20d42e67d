#!/bin/sh
# Volumes of every type: what each shows, who follows changes and who does not, and in which words a node refuses what it cannot
# mount.
. "$SOURCE_DIR/tests/e2e/lib.sh"

cluster --nodes 1
within 20 "the default service account" k get sa default
on_node() { "$STOWAGE" shell --data "$WORK/data" controlplane -- "$@"; }
# pod NAME VOLUME [MOUNT-MEMBERS]
pod() {
    k apply -f - >/dev/null 2>&1 <<Y
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"$1","labels":{"tier":"back"}},"spec":{"terminationGracePeriodSeconds":0,"volumes":[$2],
"containers":[{"name":"c","image":"nginx","volumeMounts":[{"name":"v","mountPath":"/v"}${3:-}]}]}}
Y
}
running() { within 20 "$1 runs" phase_is pod "$1" Running; }
in_pod() { k exec "$@"; }

say "hostPath: each type, and what it says"
on_node sh -c 'mkdir -p /mnt/d && touch /mnt/f'
refusals='1:Directory:/mnt/no:is not a directory
2:Directory:/mnt/f:is not a directory
3:File:/mnt/d:is not a file
4:Socket:/mnt/f:is not a socket file
5:CharDevice:/mnt/f:is not a character device
6:BlockDevice:/mnt/f:is not a block device'
echo "$refusals" | while IFS=: read -r n type path why; do
    pod "hp$n" "{\"name\":\"v\",\"hostPath\":{\"path\":\"$path\",\"type\":\"$type\"}}"
    within 20 "hostPath $type" event_says "hp$n" "FailedMount: MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: $path $why"
done
pod hpx '{"name":"v","hostPath":{"path":"/mnt/no/parent/f","type":"FileOrCreate"}}'
within 20 "FileOrCreate" event_says hpx 'open /mnt/no/parent/f: no such file or directory'
pod hpy '{"name":"v","hostPath":{"path":"/mnt/new/deep","type":"DirectoryOrCreate"}}'
running hpy
on_node test -d /mnt/new/deep || die "not made"

say "what this node cannot mount"
pod nfs '{"name":"v","nfs":{"server":"10.0.0.1","path":"/e","readOnly":true}}'
pod iscsi '{"name":"v","iscsi":{"targetPortal":"10.0.0.1","iqn":"iqn.2001-04.com.example:s","lun":0}}'
pod git '{"name":"v","gitRepo":{"repository":"https://example.com/x.git"}}'
pod rbd '{"name":"v","rbd":{"monitors":["10.0.0.1:6789"],"image":"x"}}'
pod csi '{"name":"v","csi":{"driver":"nosuch.csi.example.com"}}'
within 20 nfs event_says nfs 'Mounting arguments: -t nfs -o ro 10.0.0.1:/e /var/lib/kubelet/pods/'
within 20 nfs event_says nfs 'bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.'
within 20 iscsi event_says iscsi "MountVolume.WaitForAttach failed for volume \"v\" : executable file not found in \$PATH"
within 20 git event_says git "failed to exec 'git clone -- https://example.com/x.git': : executable file not found in \$PATH"
within 20 rbd event_says rbd 'failed to process volumes=[v]: failed to get Plugin from volumeSpec for volume "v" err=no volume plugin matched'
within 20 csi event_says csi 'MountVolume.NewMounter initialization failed for volume "v" : volume mode "Ephemeral" not supported by driver nosuch.csi.example.com (no CSIDriver object)'

say "a volume hides what the image has there; files follow their object at once, subPaths never"
k create configmap conf --from-literal=default.conf="# one" --from-literal=other=1
pod cm '{"name":"v","configMap":{"name":"conf"}},{"name":"e","emptyDir":{}}' \
    ',{"name":"v","mountPath":"/etc/nginx/conf.d"},{"name":"v","mountPath":"/one","subPath":"default.conf"},{"name":"e","mountPath":"/usr/share/nginx/html"}'
running cm
eq "hidden" "" "$(in_pod cm -- ls /usr/share/nginx/html)"
eq "only its keys" "default.conf other" "$(in_pod cm -- ls /etc/nginx/conf.d | tr '\n' ' ' | sed 's/ $//')"
before=$(in_pod cm -- readlink /v/..data)
k patch configmap conf --type=merge -p '{"data":{"default.conf":"# two","other":null,"new":"n"}}'
shows() { [ "$(in_pod cm -- cat /v/default.conf)" = "# two" ]; }
within 20 "it follows" shows
[ "$before" != "$(in_pod cm -- readlink /v/..data)" ] || die "..data is the same"
eq "what went is gone" "default.conf new" "$(in_pod cm -- ls /v | tr '\n' ' ' | sed 's/ $//')"
eq "subPath" "# one" "$(in_pod cm -- cat /one)"
fails k exec cm -- touch /v/x
has "read-only" "Read-only file system" "$out"

say "missing objects and keys; optional ones come later"
pod nokey '{"name":"v","configMap":{"name":"conf","items":[{"key":"zz","path":"zz"}]}}'
within 20 key event_says nokey 'configmap references non-existent config key: zz'
pod late '{"name":"v","configMap":{"name":"later","optional":true}}'
running late
k create configmap later --from-literal=now=here
arrived() { [ "$(in_pod late -- cat /v/now)" = here ]; }
within 20 "the optional one" arrived

say "downward API follows labels; a token is renewed in time"
pod da '{"name":"v","projected":{"sources":[{"downwardAPI":{"items":[{"path":"tier","fieldRef":{"fieldPath":"metadata.labels['"'tier'"']"}}]}},{"serviceAccountToken":{"path":"token","expirationSeconds":600}}]}}'
running da
k label pod da tier=front --overwrite
labelled() { [ "$(in_pod da -- cat /v/tier)" = front ]; }
within 20 "the label" labelled
token=$(in_pod da -- cat /v/token)
"$STOWAGE" clock --data "$WORK/data" forward 9m
renewed() { [ "$(in_pod da -- cat /v/token)" != "$token" ]; }
within 20 "a new token" renewed

say "subPathExpr needs its variables, and links of a volume lead nowhere"
on_node sh -c 'mkdir -p /mnt/s && ln -sfn /etc /mnt/s/link'
pod link '{"name":"v","emptyDir":{}},{"name":"h","hostPath":{"path":"/mnt/s"}}' ',{"name":"h","mountPath":"/out","subPath":"link"}'
pod expr '{"name":"v","emptyDir":{}}' ',{"name":"v","mountPath":"/w","subPathExpr":"$(NO)/x"}'
waits() { k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}'; }
within 20 "the link" value_is 'failed to prepare subPath for volumeMount "h" of container "c"' waits link
within 20 "the variable" value_is 'missing value for NO' waits expr

say "what is mounted later goes where it was asked to"
k apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: prop}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: h, hostPath: {path: /mnt/prop, type: DirectoryOrCreate}}]
  containers:
  - {name: both, image: busybox, command: [sleep, "3600"], securityContext: {privileged: true},
     volumeMounts: [{name: h, mountPath: /h, mountPropagation: Bidirectional}]}
  - {name: down, image: busybox, command: [sleep, "3600"], volumeMounts: [{name: h, mountPath: /h, mountPropagation: HostToContainer}]}
  - {name: none, image: busybox, command: [sleep, "3600"], volumeMounts: [{name: h, mountPath: /h}]}
Y
running prop
in_pod prop -c both -- sh -c 'mkdir /h/m && mount -t tmpfs t /h/m && touch /h/m/file'
eq "on the node" file "$(on_node ls /mnt/prop/m)"
eq "down" file "$(in_pod prop -c down -- ls /h/m)"
eq "none" "" "$(in_pod prop -c none -- ls /h/m)"
on_node umount /mnt/prop/m
