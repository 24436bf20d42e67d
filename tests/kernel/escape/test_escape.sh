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
exec 9<"$loop"
losetup -d "$loop" # it goes when we do, however that is: we hold it open
setting() { cat /proc/sys/kernel/core_pattern /proc/sys/vm/max_map_count; }
before=$(setting)

# Opens what belongs to the one kernel for writing, and writes nothing, ever: opening is what must not be possible. First
# as it is, then after each way to get a cover off.
cat >"$WORK/fight" <<'SH'
tried=0
open_all() {
    for f in $1/sysrq-trigger $1/kcore $1/kmsg $1/keys $1/mtrr $1/timer_list $1/irq/default_smp_affinity $1/dynamic_debug/control \
        $1/bus/pci/devices $1/fs/nfsd $1/sys/kernel/core_pattern $1/sys/kernel/sysrq $1/sys/kernel/modprobe \
        $2/power/state $2/power/disk $2/kernel/profiling $2/kernel/rcu_normal $2/kernel/uevent_helper $2/kernel/kexec_crash_size \
        $2/bus/pci/rescan $2/block/*/queue/scheduler $2/module/*/parameters/*; do
        [ -f "$f" ] || continue
        tried=$((tried + 1))
        if (exec 3>>"$f") 2>/dev/null; then echo "OPENED $f: $3"; fi
    done
}
covers="sysrq-trigger kcore kmsg keys mtrr timer_list irq bus fs sys"
open_all "$1" "$2" "as it is"
for f in $covers; do
    umount "$1/$f"; umount -l "$1/$f"
    mount -o remount,rw,bind "$1/$f"; mount -o remount,rw "$1/$f"
    mkdir -p /fight.d; mount --move "$1/$f" /fight.d
done 2>/dev/null
mount -o remount,rw "$2" 2>/dev/null; mount -o remount,rw,bind "$2" 2>/dev/null
umount -l "$2/power" "$2/kernel/debug" 2>/dev/null
open_all "$1" "$2" "after umount, remount, move"
mkdir -p /p /s
for how in --bind --rbind; do
    mount $how "$1" /p 2>/dev/null; mount $how "$2" /s 2>/dev/null
    open_all /p /s "$how"
    umount -l /p /s 2>/dev/null
done
mount -t proc none /p 2>/dev/null; mount -t sysfs none /s 2>/dev/null
umount -l /p/kmsg /p/sysrq-trigger 2>/dev/null
open_all /p /s "mounted anew"
umount -l /p /s 2>/dev/null
# A way in is held while the mount goes away with its namespace, or is taken down lazily.
(cd "$1" && umount -l "$1" && open_all . "$2" "held, unmounted lazily"; mount -t proc none "$1") 2>/dev/null
for root in /proc/1/root /proc/self/root; do open_all $root/proc $root/sys $root; done
echo "tried $tried"
SH

# There was something to open.
fought() { [ "$(printf '%s\n' "$1" | sed -n 's/^tried //p')" -gt 10 ] || die "the fight was not fought: $1"; }

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
    # An ordinary user's node keeps its files in his directory, so its name is seen; and null and zero are the machine's own.
    [ -n "${OWNER:-}" ] || lacks "no mount shows them" "$WORK/data" "$(tries $pod 'cat /proc/self/mountinfo' | sed 's/ - .*//')"

    say "$pod: processes"
    lacks "none is seen" "stowage serve" "$(tries $pod 'ps -o args')"
    lacks "nor through the helper's root" "$secret" "$(tries $pod "for p in /proc/[0-9]*; do cat \$p/root$WORK/secret; done")"

    say "$pod: devices"
    for command in "mknod /d b 7 ${loop#/dev/loop} && cat /d" \
        "mkdir -p /m; mount -t devtmpfs none /m && cat /m/${loop#/dev/}" \
        "cat /host$loop" "cat /proc/1/root$loop"; do
        lacks "$command" "$secret" "$(tries $pod "$command | head -c 4096")"
    done
    lacks "no devtmpfs" devtmpfs "$(tries $pod 'cat /proc/mounts' | sed -E "${OWNER:+/^devtmpfs .*.dev.(null|zero|full|random|urandom|tty|fuse) /d}")"
    for path in /dev/loop-control /dev/mem /dev/kmsg /dev/sda /dev/vda /dev/nvme0n1; do
        tries $pod "test -e $path && echo there" | grep -q there && die "$path is in the container"
    done

    say "$pod: settings of the one kernel"
    tries $pod 'mkdir -p /p; mount -t proc proc /p; for d in /proc /p; do
        echo "|/tmp/x" >$d/sys/kernel/core_pattern; echo 262199 >$d/sys/vm/max_map_count; echo x >$d/sys/kernel/modprobe; done' >/dev/null
    eq "settings" "$before" "$(setting)"
    lacks "no debugfs" debugfs "$(tries $pod 'mkdir -p /m; for t in debugfs tracefs configfs bpf securityfs; do mount -t $t none /m; done; cat /proc/mounts')"

    say "$pod: files of the kernel that are the machine's, however their covers are fought"
    k exec -i $pod -- sh -c 'cat >/fight' <"$WORK/fight"
    seen=$(tries $pod 'sh /fight /proc /sys')
    fought "$seen"
    lacks "opened for writing" OPENED "$seen"

    say "$pod: control groups"
    lacks "its own are the root" stowage- "$(tries $pod 'cat /proc/self/cgroup; find /sys/fs/cgroup -maxdepth 2 -name "stowage-*"')"

    say "$pod: network"
    # This machine's own: an abstract unix socket's name would be seen here.
    eq "interfaces" "eth0 lo" "$(tries $pod 'ls /sys/class/net' | tr '\n' ' ' | tr -s ' ' | sed 's/ $//')"
    lacks "unix sockets" /run/systemd "$(tries $pod 'cat /proc/net/unix')"
done

say "a node's own shell"
on_node() { "$STOWAGE" shell --data "$WORK/data" node01 -- sh -c "$1" 2>&1 || true; }
"$STOWAGE" shell --data "$WORK/data" node01 -- sh -c 'cat >/tmp/fight' <"$WORK/fight"
seen=$(on_node 'cd /tmp && sh /tmp/fight /proc /sys')
fought "$seen"
lacks "opened for writing" OPENED "$seen"
seen=$(tries privileged 'nsenter -t 1 -m -- sh -c "mount -t proc none /mnt; sh /fight /proc /sys; sh /tmp/fight /mnt /sys"')
lacks "by way of a privileged container" OPENED "$seen"
on_node 'echo 262199 >/proc/sys/vm/max_map_count; swapoff -a; mount -t devtmpfs none /mnt; ls /mnt' >"$WORK/seen"
eq "settings" "$before" "$(setting)"
lacks "no devtmpfs" mapper "$(cat "$WORK/seen")"
for path in /dev/loop-control /dev/mem /dev/kmsg /dev/port; do
    has "$path" missing "$(on_node "test -e $path || echo missing")"
done

say "privileged: what it is for still works"
if [ -z "${OWNER:-}" ]; then # whose kernel settings are nobody's here
    eq "a new /proc" 1 "$(tries privileged 'mkdir -p /q && mount -t proc none /q && cut -d" " -f1 /q/1/stat')"
    eq "settings of the kernel, for nothing, however long they are" "yes" "$(tries privileged 'cd /proc/sys; [ -w vm/swappiness ] && [ "$(cat kernel/sysctl_writes_strict)" = 1 ] || { echo yes; exit; }; sysctl -w vm.max_map_count=262144 >/dev/null &&
        sysctl -w fs.inotify.max_user_watches=524288 >/dev/null && sysctl -w vm.swappiness=1 >/dev/null && echo 1 >vm/swappiness && echo 1000001 >vm/max_map_count && echo yes')"
    eq "settings" "$before" "$(setting)"
    eq "of its own process namespace" 1 "$(on_node 'unshare -pf --mount-proc sh -c "echo \$\$"')"
    eq "huge pages, for itself" "never" "$(tries privileged 'f=/sys/kernel/mm/transparent_hugepage/enabled; [ ! -e $f ] || echo never >$f; cat $f 2>/dev/null || echo never')"
    eq "all capabilities but those of the machine" 00000123fcfcffff "$(tries privileged 'grep CapEff /proc/self/status' | tr -d '\t ' | cut -d: -f2)"
fi
eq "tmpfs" yes "$(tries privileged 'mkdir -p /t; mount -t tmpfs t /t && echo yes')"
eq "own network" 0 "$(tries privileged 'echo 0 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward')"
k delete pod plain privileged >/dev/null
exec 9<&-
