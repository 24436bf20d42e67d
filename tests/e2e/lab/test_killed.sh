#!/bin/bash
# A run that is killed takes everything along: its cluster, the script it runs and what that started, its folder. At any moment, by
# any signal.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK/tmp"
mkdir -p "$TMPDIR" "$WORK/lab"
mark=$$.7654
cat >"$WORK/lab/lab.yaml" <<Y
title: Long
cluster: {profile: none, nodes: 1}
steps:
- name: one
  checks:
  - {name: never, within: 1h, jsonpath: {of: cm/m, path: '{.data.x}', is: "y"}}
  solution:
  - run: touch \$HOME/../began; sleep $mark & sleep $mark
Y
nothing() {
    [ -z "$(ls -A "$TMPDIR")" ] || return 1
    ! pgrep -f "$TMPDIR/stowage-run" && ! pgrep -f "sleep $mark" && ! losetup -a | grep -F "$TMPDIR"
}
began() { compgen -G "$TMPDIR/stowage-run.*/began"; }
starting() { compgen -G "$TMPDIR/stowage-run.*/data/lock"; }
checking() { began && ! pgrep -f "sleep $mark"; }

# killed SIGNAL MOMENT COMMAND...: begun, killed at that moment, and nothing stays
killed() {
    signal=$1 moment=$2
    shift 2
    env --default-signal=INT "$STOWAGE" "$@" >"$WORK/out" 2>&1 & # a background job of a script ignores it
    pid=$!
    within 30 "the moment: $moment" "$moment"
    kill "-$signal" "$pid"
    wait "$pid" || true
    within 30 "all is gone" nothing
}

for signal in TERM INT KILL; do
    say "in the middle of a script: $signal"
    killed $signal began run "$WORK/lab"
done
say "while its cluster starts"
killed KILL starting run "$WORK/lab"
say "a lab's checks are tested"
killed KILL starting lab lint --play "$WORK/lab"
say "its janitor, too, is killed, and the run goes on to its end"
printf 'touch "$HOME/../began"; sleep 2\n' >"$WORK/script"
"$STOWAGE" run --profile none --nodes 1 "$WORK/script" &
pid=$!
within 30 "it runs" began
for child in $(pgrep -P $pid); do [ "$(ps -o sess= -p "$child" | tr -d ' ')" != "$child" ] || kill -9 "$child"; done
wait $pid || die "it ended with $?"
within 30 "all is gone" nothing
