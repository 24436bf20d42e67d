#!/bin/sh
# docs/lab.schema.json is what the program prints: the published schema of a lab's file is that of the tables.
set -eu
"$STOWAGE" lab schema | diff -u "$SOURCE_DIR/docs/lab.schema.json" - || { echo "run: stowage lab schema > docs/lab.schema.json"; exit 1; }
