#!/bin/sh
# Disks that come back in a bad state: dirty ones are repaired at mount, broken and foreign ones refused and never formatted.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
command -v debugfs >/dev/null || { echo "skipped: no debugfs"; exit 77; }
class disks
detached() { ! losetup -n -O BACK-FILE -l | grep -qF "$1"; }
# let_go POD CLAIM: the pod is gone and the disk is nobody's
let_go() {
    k delete pod "$1" >/dev/null
    within 60 "$2 is detached" detached "$(image_of "$2")"
}

say "a disk as a power cut leaves it: the journal is replayed at mount, what was synced is there"
claim data disks 1Gi
holder one data
runs one
on one 'head -c 10000000 /dev/urandom > /data/f; sha256sum < /data/f > /data/sum; sync; echo more > /data/unsynced'
image=$(image_of data)
cp --sparse=always "$image" cut.img
dumpe2fs -h cut.img 2>/dev/null | grep -q needs_recovery || die "the filesystem is not dirty"
let_go one data
cp --sparse=always cut.img "$image"
holder one data
runs one
on one 'sha256sum < /data/f | cmp - /data/sum' || die "synced bytes are lost"
let_go one data
dumpe2fs -h "$image" 2>/dev/null | grep -q needs_recovery && die "not recovered"

say "wrong counts and an error mark: repaired at mount"
debugfs -w -R 'ssv free_blocks_count 7' "$image" 2>/dev/null
debugfs -w -R 'ssv state 2' "$image" 2>/dev/null
holder two data
runs two
on two 'sha256sum < /data/f | cmp - /data/sum' || die "bytes are lost"
let_go two data
e2fsck -fn "$image" >/dev/null 2>&1 || die "still not right"

say "what fsck cannot repair by itself is refused, and nothing is written"
debugfs -w -R 'clri <2>' "$image" 2>/dev/null
debugfs -w -R 'ssv state 2' "$image" 2>/dev/null
cp --sparse=always "$image" before.img
holder three data
within 60 "refused" told Pod three "'fsck' found errors on device /dev/xvdb"
within 10 "words" told Pod three "but could not correct them: fsck from util-linux"
within 10 "words" told Pod three "UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY."
lacks "running" Running "$(of pod three .status.phase)"
let_go three data

say "a corrupt image is refused and keeps its bytes"
for damage in "head -c 1M /dev/zero" "yes garbage | head -c 300k"; do
    sh -c "$damage" | dd of="$image" conv=notrunc bs=64k 2>/dev/null
    sha256sum <"$image" >sum
    holder bad data
    within 60 "refused" told Pod bad "wrong fs type, bad option, bad superblock on /dev/xvdb"
    let_go bad data
    sha256sum <"$image" | cmp - sum || die "a corrupt image was written to: $damage"
done
