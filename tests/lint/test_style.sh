#!/bin/sh
# Sizes, banned calls, essays at the head of each .c, header guards, names that must not appear.
set -eu
cd "$SOURCE_DIR"
bad=0
complain() { echo "$*"; bad=1; }

files=$(find src images/guest tests bench -name '*.[ch]' 2>/dev/null | sort)
# Calls that cannot be used safely. banned: strcpy strcat sprintf vsprintf gets strtok atoi system
hits=$(grep -nE '(^|[^A-Za-z0-9_.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|system)\(' $files || true)
[ -z "$hits" ] || complain "banned calls:
$hits"
hits=$(grep -nE '\b(TODO|FIXME|XXX)\b' $files || true)
[ -z "$hits" ] || complain "words that promise:
$hits"
for f in $(find src -name '*.c' | sort); do
    head -n 1 "$f" | grep -q '^/\*' || complain "$f: does not open with what it is"
    lines=$(wc -l <"$f"); [ "$lines" -le 1000 ] || complain "$f: $lines lines; more than one idea"
done
for f in $(find src -name '*.h' | sort); do
    lines=$(wc -l <"$f"); [ "$lines" -le 400 ] || complain "$f: a header of $lines lines"
    grep -q '^#ifndef STOWAGE_' "$f" || complain "$f: no include guard"
done
# Functions: none over 120 lines (bodies open and close in column one by the project's format).
for f in $(find src images/guest -name '*.c' 2>/dev/null | sort); do
    awk -v f="$f" '/^\{/{start=NR} /^\}/{ if (start && NR-start>120) { printf "%s:%d: a function of %d lines\n", f, start, NR-start; bad=1 } start=0 } END{exit bad}' "$f" || bad=1
done
exit $bad
