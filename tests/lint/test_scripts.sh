#!/bin/sh
# The shell scripts of the tree pass static analysis, and those that are tests can be run.
set -eu
cd "$SOURCE_DIR"
idle=$(find tests -name 'test_*.sh' ! -perm -100)
[ -z "$idle" ] || { echo "not executable, so ctest does not run it: $idle"; exit 1; }
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck"; exit 77; }
# SC2086 (unquoted word lists), SC1091 (sourced files), SC2094 (reading a file twice), SC2013/SC2044 (file names here have no blanks)
shellcheck -e SC2086,SC1091,SC2013,SC2044,SC2012,SC2015,SC2016,SC2034,SC2046,SC2164,SC2154,SC2148,SC2094,SC2119,SC2120,SC2317 dev .ci/run $(find tests bench -name '*.sh')
