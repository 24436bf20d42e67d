#!/bin/sh
# A kill at any moment of making, attaching, copying, growing and deleting disks: after the next start each record has its bytes
# and each file its record, what was acknowledged is there, and no loop device is left.
. "$SOURCE_DIR/tests/e2e/storage/storage.sh"
cluster
cd "$WORK"
export STOWAGE_DATA="$WORK/data"
disk() { "$STOWAGE" disk "$@" 2>>churn.err; }
start() { "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0 >up.out 2>&1 || { cat up.out; die "it does not start again"; }; }

# One student's work, over and over. A line says what was acknowledged; deletion is written down before it is asked.
churn() {
    while v=$(disk create --zone us-east-1a --size 1Gi); do
        echo "made $v" >>acked
        disk attach "$v" node01 >/dev/null || return 0
        disk modify "$v" --size 2Gi >/dev/null || return 0
        s=$(disk snapshot "$v") || return 0
        echo "made $s" >>acked
        c=$(disk create --zone us-east-1a --size 2Gi --snapshot "$s") || return 0
        echo "made $c" >>acked
        disk detach "$v" >/dev/null || return 0
        for x in "$v" "$s"; do
            echo "gone $x" >>acked
            disk rm "$x" >/dev/null || return 0
        done
    done
}

loops_match() { [ "$(grep -c ' in-use ' disks)" = "$(losetup -n -O BACK-FILE | grep -c "$WORK/data/disks/")" ]; }
: >acked
for round in 1 2 3 4 5; do
    say "round $round"
    churn &
    churning=$!
    end=$(($(wc -l <acked) + 4 + round * 2)) # not the clock: some work must have been done
    within 60 "work is done" sh -c "[ \$(wc -l <'$WORK/acked') -ge $end ]"
    kill -9 "$("$STOWAGE" status --json | jq .pid)"
    wait "$churning" || true
    start
    disk ls -o json | jq -r '.Volumes[] | select(.VolumeId | startswith("vol-")) | "\(.VolumeId) \(.State) \(.Size)"' | sort >disks
    disk ls --snapshots -o json | jq -r '.Snapshots[] | "\(.SnapshotId) \(.State)"' | sort >snapshots
    { grep -vE ' (available|in-use) ' disks || true; } >half
    { grep -v ' completed' snapshots || true; } >>half
    [ ! -s half ] || die "half done: $(cat half)"
    find "$WORK/data/disks" -name 'vol-*' -printf '%f\n' -o -name 'snap-*' -printf '%f\n' | sed 's/\.img$//' | sort >files
    cut -d' ' -f1 disks snapshots | sort | diff - files >difference || die "records and files differ: $(cat difference)"
    while read -r id _ size; do
        eq "bytes of $id" $((size << 30)) "$(stat -c %s "$WORK/data/disks/$id.img")"
    done <disks
    sed -n 's/^made //p' acked >made
    while read -r id; do
        grep -qxF "gone $id" acked || grep -qxF "$id" files || die "$id was acknowledged and is lost"
    done <made
    within 5 "loop devices" loops_match # of a killed cluster they go when its last process has
done
