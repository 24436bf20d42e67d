#!/bin/sh
# Kills every process of the cluster at random moments, 50 times on the same data directory: nothing acknowledged is lost,
# nothing leaks, and whoever outlives the victim says what happened. The rounds are in crash.py.
#
# One test in 50 rounds takes one to three minutes. To repeat a failure: CRASH_SEED=<the seed it printed>.
. "$SOURCE_DIR/tests/e2e/lib.sh"
command -v python3 >/dev/null || { echo "skipped: no python3 on this machine"; exit 77; }

say "50 times kill -9"
export KUBECONFIG="$WORK/data/kubeconfig"
python3 "$SOURCE_DIR/tests/e2e/crash.py" "$STOWAGE" "$WORK/data" "$KUBECTL" "${CRASH_ROUNDS:-50}" ${CRASH_SEED:-} ||
    die "see above; the last words of the cluster: $(cat "$WORK/up.log")"
