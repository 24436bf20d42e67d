#!/bin/bash
# lint_lab.sh LAB - are the lab's checks worth anything? One row of ctest a lab (tests/CMakeLists.txt); NEAR_MISSES of them, or all.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK"
near=${NEAR_MISSES:-2}
set -- "$SOURCE_DIR/scenarios/$1"
[ "$near" = all ] || set -- --near-misses "$near" "$1"

say "a fresh cluster scores 0, its solution 100, near-misses less"
"$STOWAGE" lab lint --play "$@"
eq "nothing left of them" "" "$(compgen -G "$WORK/stowage-run.*" || true)"
