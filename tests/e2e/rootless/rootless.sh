# rootless.sh - what the tests of ordinary users share: a user id that nobody else has, a /dev/fuse as it shall be, a cluster.
#
# The test runs in a mount namespace of its own, so that its /dev/fuse is nobody else's: `fuse yes` is a machine as distributions
# set it up, `fuse no` one that keeps it from ordinary users.
if [ -z "${ROOTLESS_SPACE:-}" ] && [ "$(id -u)" = 0 ]; then
    ROOTLESS_SPACE=1 exec unshare --mount --propagation private sh "$0"
fi
. "$SOURCE_DIR/tests/e2e/lib.sh"
chmod 755 "$WORK"
export OWNER=$((20000 + $$ % 30000))

command -v setpriv >/dev/null || { echo "skipped: no setpriv on this machine"; exit 77; }
# user COMMAND...: as an ordinary user
user() { setpriv --reuid="$OWNER" --regid="$OWNER" --clear-groups "$@"; }
user test -x "$STOWAGE" || { echo "skipped: other users may not execute $STOWAGE"; exit 77; }
user unshare -Ur true 2>/dev/null || { echo "skipped: user namespaces are not for ordinary users here"; exit 77; }

# fuse yes|no
fuse() {
    umount /dev/fuse 2>/dev/null || true
    [ "$1" = no ] || [ -e /dev/fuse ] || { echo "skipped: no /dev/fuse on this machine"; exit 77; }
    [ -e /dev/fuse ] || return 0
    mount -t tmpfs -o mode=1777 mine /dev/shm # goes with this namespace
    mknod /dev/shm/fuse c 10 229
    mount --bind /dev/shm/fuse /dev/fuse
    if [ "$1" = yes ]; then chmod 666 /dev/fuse; else chmod 600 /dev/fuse; fi
}

down() { user "$STOWAGE" down --data "$WORK/data" >/dev/null; }
no_process() { ! pgrep -u "$OWNER" >/dev/null; }
# killed: as if the machine's memory had run out: the API process, without warning
killed() {
    kill -9 "$(user "$STOWAGE" status --data "$WORK/data" --json | jq .pid)"
    within 20 "nothing runs after kill -9" no_process
}
