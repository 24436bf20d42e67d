#!/bin/sh
# Who a container's process is, and what it may: as its pod says, as the kernel sees it.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

running() { value_is true k get pod "$1" -o "jsonpath={.status.containerStatuses[?(@.name==\"${2:-c}\")].ready}"; }
# inside POD COMMAND: what a shell in its container c prints
# kubectl drops what comes before it has made its streams, and says so: then it is asked again
inside() {
    while :; do
        code=0 said=$(k exec "$1" -c c -- sh -c "$2" 2>&1) || code=$?
        case $said in *"Unknown stream id"*) ;; *) break ;; esac
    done
    printf '%s\n' "$said"
    return $code
}
field() { inside "$1" "grep -E '^$2:' /proc/self/status" | tr -d '\t ' | cut -d: -f2; }
reason() { k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}'; }

say "users and groups, capabilities, new privileges, the default profile, a read-only root"
k apply -f - <<'YAML' >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: strict}
spec:
  hostname: myhost
  subdomain: mysub
  setHostnameAsFQDN: true
  shareProcessNamespace: true
  hostAliases: [{ip: 1.2.3.4, hostnames: [foo.local, bar.local]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [1.1.1.1], searches: [x.y], options: [{name: ndots, value: "2"}, {name: edns0}]}
  securityContext:
    runAsUser: 1000
    runAsGroup: 3000
    fsGroup: 2000
    supplementalGroups: [4000]
    sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "100"}]
  containers:
  - name: c
    image: busybox
    command: [sleep, "100000"]
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
      seccompProfile: {type: RuntimeDefault}
  - {name: other, image: busybox, command: [sleep, "100001"]}
---
apiVersion: v1
kind: Pod
metadata: {name: usual}
spec:
  containers:
  - {name: c, image: busybox, command: [sleep, "100000"], resources: {limits: {cpu: 200m, memory: 64Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: admin}
spec:
  containers:
  - name: c
    image: busybox
    command: [sleep, "100000"]
    securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}
YAML
within 20 "strict" running strict
within 20 "usual" running usual
within 20 "admin" running admin
eq "id" "uid=1000 gid=3000 groups=2000,3000,4000" "$(inside strict id)"
eq "new privileges" 1 "$(field strict NoNewPrivs)"
eq "no new privileges unless said" 0 "$(field usual NoNewPrivs)"
eq "bounding set" 0000000000000400 "$(field strict CapBnd)"
eq "usual capabilities" 00000000a80425fb "$(field usual CapEff)"
eq "added, but never the clock" 00000000a80435fb "$(field admin CapEff)"
has "profile" "not permitted" "$(inside strict 'unshare -U true')"
has "root" "Read-only file system" "$(inside strict 'touch /x')"
inside admin 'ip link set lo mtu 1400' >/dev/null || die "NET_ADMIN is not in effect"
has "without it" "not permitted" "$(inside usual 'ip link set lo mtu 1400')"

say "profiles of system calls that lie on the node"
on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- sh -c "$1"; }
on_node 'mkdir -p /var/lib/kubelet/seccomp/profiles; cd /var/lib/kubelet/seccomp/profiles
    echo "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"mkdir\", \"mkdirat\"], \"action\": \"SCMP_ACT_ERRNO\"},
        {\"names\": [\"chmod\", \"fchmodat\", \"fchmodat2\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 28}]}" >no-dirs.json
    echo "{" >broken.json'
for row in fits:no-dirs.json:false late:no-dirs.json:true gone:nowhere.json:true broken:broken.json:true; do
    name=${row%%:*} file=${row#*:}
    k apply -f - <<YAML >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: profile-$name}
spec:
  nodeName: node01
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sh, -c, "mkdir /a; touch /b && chmod 600 /b; sleep 100000"]
    securityContext:
      allowPrivilegeEscalation: $([ "${file#*:}" = true ] && echo false || echo true)
      seccompProfile: {type: Localhost, localhostProfile: profiles/${file%:*}}
YAML
done
says() { k logs "$1" | grep -qF -e "$2"; }
for name in fits late; do
    within 20 "$name" running profile-$name
    within 20 "$name: refused" says profile-$name "can't create directory '/a': Operation not permitted"
    within 20 "$name: as said" says profile-$name "/b: No space left on device"
    has "$name: exec, too" "Operation not permitted" "$(inside profile-$name 'mkdir /c')"
    lacks "$name: and no more" "not permitted" "$(inside profile-$name 'unshare -U true')"
done
within 20 "no such file" value_is CreateContainerError reason profile-gone
has "its words" "cannot load seccomp profile \"/var/lib/kubelet/seccomp/profiles/nowhere.json\": open /var/lib/kubelet/seccomp/profiles/nowhere.json: no such file or directory" \
    "$(k get pod profile-gone -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}')"
within 20 "no profile" value_is CreateContainerError reason profile-broken

say "its name, its names, its resolver"
eq "host name" myhost.mysub.default.svc.cluster.local "$(inside strict hostname)"
has "hosts" "1.2.3.4	foo.local	bar.local" "$(inside strict 'cat /etc/hosts')"
eq "resolv.conf" "search x.y nameserver 1.1.1.1 options ndots:2 edns0" "$(inside strict 'cat /etc/resolv.conf' | tr '\n' ' ' | sed 's/ $//')"
eq "sysctl" 100 "$(inside strict 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start')"

say "a shared process namespace: pause first, the other container in sight"
has "pause" "1 65535    /pause" "$(inside strict ps)"
has "the other" "sleep 100001" "$(inside strict ps)"
lacks "alone" pause "$(inside usual ps)"

say "control groups: its own is the root it sees"
eq "groups" "" "$(inside usual 'cut -d: -f3 /proc/self/cgroup' | grep -vx / || true)"
eq "score of best effort" 1000 "$(inside admin 'cat /proc/self/oom_score_adj')"
eq "quality" Guaranteed "$(k get pod usual -o 'jsonpath={.status.qosClass}')"

say "what is refused: in the kubelet's words"
k apply -f - <<'YAML' >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: root}
spec:
  securityContext: {runAsNonRoot: true}
  containers: [{name: c, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: profile}
spec:
  securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/none.json}}
  containers: [{name: c, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: sysctl}
spec:
  securityContext: {sysctls: [{name: net.core.somaxconn, value: "1024"}]}
  containers: [{name: c, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: big}
spec:
  nodeName: node01
  containers: [{name: c, image: nginx, resources: {requests: {cpu: 1000}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: elsewhere}
spec:
  nodeName: node01
  nodeSelector: {disk: ssd}
  containers: [{name: c, image: nginx}]
YAML
within 10 "root" value_is CreateContainerConfigError reason root
within 10 "profile" value_is CreateContainerError reason profile
within 5 "profile's event" event_says profile 'cannot load seccomp profile "/var/lib/kubelet/seccomp/profiles/none.json"'
for pair in sysctl:SysctlForbidden big:OutOfcpu elsewhere:NodeAffinity; do
    within 10 "${pair%:*}" value_is "Failed ${pair#*:}" k get pod "${pair%:*}" -o 'jsonpath={.status.phase} {.status.reason}'
done
has "sysctl" 'Pod was rejected: forbidden sysctl: "net.core.somaxconn" not allowlisted' "$(k get pod sysctl -o 'jsonpath={.status.message}')"
has "big" "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: " "$(k get pod big -o 'jsonpath={.status.message}')"
eq "column" OutOfcpu "$(k get pod big --no-headers | awk '{print $3}')"
