#!/bin/sh
# clang-format 14 (Debian 12's) agrees with every source file. Other versions format differently, so they are not asked.
set -eu
cd "$SOURCE_DIR"
command -v clang-format >/dev/null || { echo "skipped: no clang-format"; exit 77; }
clang-format --version | grep -q 'version 14\.' || { echo "skipped: clang-format is not version 14"; exit 77; }
find src images/guest tests bench -name '*.[ch]' 2>/dev/null | sort | xargs clang-format --dry-run -Werror
