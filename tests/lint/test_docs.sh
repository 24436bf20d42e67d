#!/bin/sh
# What is written about the program is so: every verb and flag is in its own help, in the manual and (verbs) in the README; every
# file that ARCHITECTURE.md or a comment names exists; every command of ./dev is in its help.
set -eu
cd "$SOURCE_DIR"
bad=0
complain() { echo "$*"; bad=1; }

for file in src/cli/verb_*.c; do
    verb=${file#src/cli/verb_} verb=${verb%.c}
    grep -qE "^\.BR? $verb( |\$)" docs/stowage.1 || complain "docs/stowage.1: no verb $verb"
    [ "$verb" = version ] || grep -q "stowage $verb" README.md || complain "README.md: no verb $verb"
    for flag in $(grep -oE '\{"[a-z-]+", (no|required)_argument' "$file" | cut -d'"' -f2); do
        grep -qE -- "^ *\"?.*--$flag" "$file" || complain "$file: --$flag is not in its help"
        grep -qF -- "\\-\\-$(echo "$flag" | sed 's/-/\\-/g')" docs/stowage.1 || complain "docs/stowage.1: no --$flag ($verb)"
    done
done

all=$(find src images tests bench docs cmake .ci -type f; ls)
exists() { printf '%s\n' "$all" | grep -qE "(^|/)$1\$"; }
for name in $(grep -oE '[A-Za-z_0-9/]+\.(c|h|sh|cmake|1)\b' ARCHITECTURE.md README.md | cut -d: -f2 | sort -u); do
    exists "$name" || complain "ARCHITECTURE.md or README.md: there is no $name"
done
for name in $(grep -rhE '^( \*|/\*)' src images | grep -oE '\b[a-z_]+/[a-z_/]+\.[ch]\b' | sort -u); do
    exists "$name" || complain "a comment names $name, which is not there: $(grep -rlF "$name" src images | head -n 1)"
done

for command in $(sed -n '/^case \$command in/,/^esac/s/^\([a-z]*\)) .*/\1/p' dev); do
    ./dev --help | grep -qE "^  $command( |\$)" || complain "dev: $command is not in its help"
done
exit $bad
