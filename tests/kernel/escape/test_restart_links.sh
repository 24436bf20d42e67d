#!/bin/sh
# A node that was left full of links to this machine's files: when it starts again nothing is written, made or mounted through them,
# and it is a node as before.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster --nodes 1
cd "$WORK"
mkdir -p victim/stowage victim/containerd victim/kubelet
echo untouched >victim/file
tree() { find victim -printf '%p %m %s %T@\n' | sort; }
before=$(tree; cat victim/file)
node() { "$STOWAGE" shell --data "$WORK/data" "$@"; }
k get nodes >/dev/null

say "links in the place of its files and folders"
node <<SH
cd /
for f in etc/hostname etc/hosts etc/os-release etc/mke2fs.conf etc/ld.so.cache etc/localtime etc/passwd etc/bash.bashrc; do rm -f \$f; ln -s $WORK/victim/file \$f; done
rm -rf etc/alternatives && ln -s $WORK/victim etc/alternatives
rm -rf opt && ln -s $WORK/victim opt
rm -rf var/log && ln -s $WORK/victim var/log
rm -rf srv && echo a file >srv
mv var/lib/stowage var/lib/was && ln -s $WORK/victim var/lib/stowage
ln -s $WORK/victim/file etc/new
sync
SH
"$STOWAGE" down --data "$WORK/data"
cluster --nodes 1
k wait --for=condition=Ready node --all --timeout=120s
eq "nothing of this machine was touched" "$before" "$(tree; cat victim/file)"
eq "its name" controlplane "$(node <<'SH'
cat /etc/hostname
SH
)"
has "folders again" "drwx" "$(node -- ls -ld /opt /var/log /srv /var/lib/stowage/usr-upper /etc/alternatives)"
eq "no link among them" "" "$(node -- find /opt /var/log /srv /var/lib/stowage /etc/alternatives -maxdepth 0 -type l)"
