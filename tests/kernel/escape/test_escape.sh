#!/bin/sh
# What a container tries, as root and privileged, to reach this machine: its files, processes, devices, settings, network.
# Each attempt must fail, or reach only what is the pod's or its node's own.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

running() { value_is true k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].ready}'; }
tries() { k exec "$1" -- sh -c "$2" 2>&1 || true; }

secret="secret-of-this-machine-$$"
echo "$secret" >"$WORK/secret"
dd if=/dev/zero of="$WORK/disk" bs=1M count=1 2>/dev/null
echo "$secret" | dd of="$WORK/disk" conv=notrunc 2>/dev/null
loop=$(losetup -f --show "$WORK/disk")
leave() {
    code=$?
    losetup -d "$loop"
    (exit $code)
    finish
}
trap leave EXIT
setting() { cat /proc/sys/kernel/core_pattern /proc/sys/vm/max_map_count; }
before=$(setting)

for name in plain:false privileged:true; do
    k apply -f - <<YAML >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: ${name%:*}}
spec:
  terminationGracePeriodSeconds: 1
  hostPID: ${name#*:}
  containers:
  - name: c
    image: busybox
    command: [sleep, "100000"]
    securityContext: {privileged: ${name#*:}}
    volumeMounts: [{name: host, mountPath: /host}]
  volumes: [{name: host, hostPath: {path: /}}]
YAML
done

for pod in plain privileged; do
    within 20 "$pod" running $pod

    say "$pod: files"
    lacks "hostPath is the node's" "$secret" "$(tries $pod "cat /host$WORK/secret /proc/1/root$WORK/secret")"
    lacks "a link does not lead out" "$secret" "$(tries $pod "ln -s ../../../../../../../..$WORK /out; cat /out/secret; cd /proc/1/cwd && cat .$WORK/secret")"
    lacks "no mount shows them" "$WORK/data" "$(tries $pod 'cat /proc/self/mountinfo' | sed 's/ - .*//')"

    say "$pod: processes"
    lacks "none is seen" "stowage serve" "$(tries $pod 'ps -o args')"
    lacks "nor through the helper's root" "$secret" "$(tries $pod "for p in /proc/[0-9]*; do cat \$p/root$WORK/secret; done")"

    say "$pod: devices"
    for command in "mknod /d b 7 ${loop#/dev/loop} && cat /d" \
        "mkdir -p /m; mount -t devtmpfs none /m && cat /m/${loop#/dev/}" \
        "cat /host$loop" "cat /proc/1/root$loop"; do
        lacks "$command" "$secret" "$(tries $pod "$command | head -c 4096")"
    done
    lacks "no devtmpfs" devtmpfs "$(tries $pod 'cat /proc/mounts')"
    for path in /dev/loop-control /dev/mem /dev/kmsg /dev/sda /dev/vda /dev/nvme0n1; do
        tries $pod "test -e $path && echo there" | grep -q there && die "$path is in the container"
    done

    say "$pod: settings of the one kernel"
    tries $pod 'mkdir -p /p; mount -t proc proc /p; for d in /proc /p; do
        echo "|/tmp/x" >$d/sys/kernel/core_pattern; echo 262199 >$d/sys/vm/max_map_count; echo x >$d/sys/kernel/modprobe; done' >/dev/null
    eq "settings" "$before" "$(setting)"
    lacks "no debugfs" debugfs "$(tries $pod 'mkdir -p /m; for t in debugfs tracefs configfs bpf securityfs; do mount -t $t none /m; done; cat /proc/mounts')"

    say "$pod: control groups"
    lacks "its own are the root" stowage- "$(tries $pod 'cat /proc/self/cgroup; find /sys/fs/cgroup -maxdepth 2 -name "stowage-*"')"

    say "$pod: network"
    # This machine's own: an abstract unix socket's name would be seen here.
    eq "interfaces" "eth0 lo" "$(tries $pod 'ls /sys/class/net' | tr '\n' ' ' | tr -s ' ' | sed 's/ $//')"
    lacks "unix sockets" /run/systemd "$(tries $pod 'cat /proc/net/unix')"
done

say "privileged: what it is for still works"
eq "tmpfs" yes "$(tries privileged 'mkdir -p /t; mount -t tmpfs t /t && echo yes')"
eq "own network" 0 "$(tries privileged 'echo 0 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward')"
eq "all capabilities but those of the machine" 00000123fcfcffff "$(tries privileged 'grep CapEff /proc/self/status' | tr -d '\t ' | cut -d: -f2)"
k delete pod plain privileged >/dev/null
