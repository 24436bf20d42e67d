# compare.sh - sourced by the tests beside it: our kubectl and the real one, asked the same, must say the same.
#
# A test calls `cluster`, then `same ARGS...` (both on the same objects) or `both ARGS...` (each in a namespace of its own, for what
# changes something); at its end `compared`. What differs by nature (ages, uids, addresses, versions) is masked. Without a real kubectl of 1.30
# or later there is nothing to compare with: skipped.
. "$SOURCE_DIR/tests/e2e/lib.sh"
since 30 || { echo "skipped: the kubectl of this machine is older than what is compared with"; exit 77; }

differences=0
compared=0
mask() {
    sed -E -e 's/^Error: /error: /' -e '/^[EWI][0-9]{4} /d' -e 's/\b([0-9]+(d|h|m|s|ms))+\b/AGE/g' -e 's/<invalid>/AGE/g' -e 's/AGE +/AGE /g' -e 's/\bns-(real|ours)\b/NS/g' \
        -e 's/"?(uid|resourceVersion|creationTimestamp|lastUpdateTime|lastTransitionTime|startTime|startedAt|containerID|generation|clusterIP|podIP|time)"?: .*/\1/' \
        -e 's/10\.[0-9]+\.[0-9]+\.[0-9]+/IP/g' -e 's#kubectl-edit-[A-Za-z0-9]+#EDIT#g' -e 's/-[a-z0-9]{8,10}-[a-z0-9]{5}\b/-POD/g' -e 's/kube-api-access-[a-z0-9]{5}/VOLUME/g' "$1"
}
# judge WHAT: compares what the two said, in $WORK/{real,ours}.{out,err,code}
judge() {
    compared=$((compared + 1))
    for part in out err code; do
        mask "$WORK/real.$part" >"$WORK/real.masked"
        mask "$WORK/ours.$part" >"$WORK/ours.masked"
        cmp -s "$WORK/real.masked" "$WORK/ours.masked" && continue
        differences=$((differences + 1))
        echo "-- kubectl $*: std$part"
        diff "$WORK/real.masked" "$WORK/ours.masked" | head -n 20
    done
}
same() {
    "$KUBECTL" "$@" >"$WORK/real.out" 2>"$WORK/real.err" </dev/null && echo 0 >"$WORK/real.code" || echo $? >"$WORK/real.code"
    "$STOWAGE" kubectl "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" </dev/null && echo 0 >"$WORK/ours.code" || echo $? >"$WORK/ours.code"
    judge "$@"
}
both() {
    "$KUBECTL" -n ns-real "$@" >"$WORK/real.out" 2>"$WORK/real.err" </dev/null && echo 0 >"$WORK/real.code" || echo $? >"$WORK/real.code"
    "$STOWAGE" kubectl -n ns-ours "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" </dev/null && echo 0 >"$WORK/ours.code" || echo $? >"$WORK/ours.code"
    judge "$@"
}
compared() {
    [ "$compared" -gt 0 ] || die "nothing was compared"
    [ "$differences" = 0 ] || die "$differences differences from kubectl in $compared commands"
    say "$compared commands: as kubectl"
}
