# same.sh - what the tests of our kubectl share: a command is given to ours and to the real one, and must have the same output, the same
# messages and the same exit code. Sourced after `cluster`.
#
# Both are asked at the same moment, and again while ages move on, so nothing is masked but addresses of Go's memory. On a machine so
# busy that they never read within the same second ages are masked, too, in the end.

ours() { "$STOWAGE" kubectl "$@"; }

# Where the only kubectl is an old one, its words are others: what it would say is not compared then.
since 30 || { echo "skipped: this kubectl is older than 1.30, and others' words are not ours"; exit 77; }

AGES='s/([0-9]+(d|h|m|s))+/AGE/g; s/ +/ /g'
# same_now MASK ARGS...
same_now() {
    masks="s/0xc[0-9a-f]{8,}/POINTER/; $1"
    shift
    ours "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" </dev/null &
    pid=$!
    real_code=0 our_code=0
    k "$@" >"$WORK/real.out" 2>"$WORK/real.err" </dev/null || real_code=$?
    wait $pid || our_code=$?
    for f in real.out real.err ours.out ours.err; do sed -E "$masks" "$WORK/$f" >"$WORK/$f.m"; done
    cmp -s "$WORK/real.out.m" "$WORK/ours.out.m" && cmp -s "$WORK/real.err.m" "$WORK/ours.err.m" && [ $real_code = $our_code ]
}
# same ARGS...: what only looks
same() {
    for try in $(seq 60); do
        if same_now "$([ "$try" -le 20 ] || echo "$AGES")" "$@"; then return 0; fi
        sleep 0.1
    done
    differs "$@"
}
differs() {
    die "not the same: kubectl $*
exit codes: real $real_code, ours $our_code
$(diff "$WORK/real.out.m" "$WORK/ours.out.m" | head -n 40)
$(diff "$WORK/real.err.m" "$WORK/ours.err.m" | head -n 20)"
}
# same_change RESET ARGS...: what changes something is asked of the real one and of ours, each after the shell command RESET, which
# brings back what both begin with
same_change() {
    reset=$1
    shift
    real_code=0 our_code=0
    eval "$reset" >/dev/null 2>&1 || true # there may be nothing to undo
    k "$@" >"$WORK/real.out" 2>"$WORK/real.err" </dev/null || real_code=$?
    eval "$reset" >/dev/null 2>&1 || true
    ours "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" </dev/null || our_code=$?
    for f in real.out real.err ours.out ours.err; do cp "$WORK/$f" "$WORK/$f.m"; done
    cmp -s "$WORK/real.out" "$WORK/ours.out" && cmp -s "$WORK/real.err" "$WORK/ours.err" && [ $real_code = $our_code ] || differs "$@"
}
