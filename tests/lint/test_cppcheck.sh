#!/bin/sh
# Static analysis: cppcheck's errors, warnings and portability findings fail.
set -eu
cd "$SOURCE_DIR"
command -v cppcheck >/dev/null || { echo "skipped: no cppcheck"; exit 77; }
cppcheck --quiet --std=c11 --error-exitcode=1 --enable=portability --inline-suppr -j2 -I src -D_GNU_SOURCE \
    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=syntaxError --suppress=nullPointerRedundantCheck src images/guest 2>&1
