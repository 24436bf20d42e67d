#!/bin/sh
# The console's own rules without a browser: cards and arrows, differences, lines of YAML, paths.
set -eu
command -v node >/dev/null || { echo "skipped: no Node.js on this machine"; exit 77; }
exec node --test "$SOURCE_DIR/tests/console/"
