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
# alike: did the two say the same, in $WORK/{real,ours}.{out,err,code}?
alike() {
    for part in out err code; do
        mask "$WORK/real.$part" >"$WORK/real.masked"
        mask "$WORK/ours.$part" >"$WORK/ours.masked"
        cmp -s "$WORK/real.masked" "$WORK/ours.masked" || return 1
    done
}
# judge WHAT: counts the comparison; where they differ it says so
judge() {
    compared=$((compared + 1))
    alike && return
    differences=$((differences + 1))
    echo "-- kubectl $*: std$part"
    diff "$WORK/real.masked" "$WORK/ours.masked" | head -n 20 || true
}
# told WHO COMMAND...: what it says goes to $WORK/WHO.{out,err,code}
told() {
    into=$WORK/$1
    shift
    "$@" >"$into.out" 2>"$into.err" </dev/null && echo 0 >"$into.code" || echo $? >"$into.code"
}
# One is asked after the other, and what runs in the cluster moves on meanwhile: what only looks is asked again.
same() {
    for _ in $(seq 60); do
        told real "$KUBECTL" "$@"
        told ours "$STOWAGE" kubectl "$@"
        if alike; then break; fi
        sleep 0.2
    done
    judge "$@"
}
both() {
    told real "$KUBECTL" -n ns-real "$@"
    told ours "$STOWAGE" kubectl -n ns-ours "$@"
    judge "$@"
}
compared() {
    [ "$compared" -gt 0 ] || die "nothing was compared"
    [ "$differences" = 0 ] || die "$differences differences from kubectl in $compared commands"
    say "$compared commands: as kubectl"
}
