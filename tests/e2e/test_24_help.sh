#!/bin/bash
# What --help says of a verb is in its part of the manual and in the completion for each shell: every flag, every word. The help is
# the program's own; the reverse (each flag that is parsed is in the help) is looked after by tests/lint/test_docs.sh.
set -eu
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
for shell in bash zsh fish; do "$STOWAGE" completion $shell >"$WORK/$shell"; done
mkdir "$WORK/help"
for verb in $("$STOWAGE" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do "$STOWAGE" "$verb" --help >"$WORK/help/$verb" 2>&1; done
# bash itself is asked what it would offer
. "$WORK/bash"
offered() {
    COMP_WORDS=(stowage "$@" "") COMP_CWORD=$(($# + 1)) COMPREPLY=()
    _stowage
    printf '%s\n' "${COMPREPLY[@]}"
}
offered >"$WORK/verbs"
for help in "$WORK"/help/*; do
    verb=${help##*/}
    offered "$verb" >"$WORK/offered.$verb"
    grep -qx "$verb" "$WORK/verbs" || { echo "bash: no $verb"; exit 1; }
done
python3 - "$WORK" "$SOURCE_DIR/docs/stowage.1" <<'P'
import os, re, sys
work, manual = sys.argv[1:]
text = re.sub(r"\\f[A-Z]", "", open(manual).read()).replace("\\-", "-")
parts = re.split(r"^\.(?:TP|SH.*|SS.*)$", text, flags=re.M)
title = lambda part: re.sub(r'^\.[BIR]+ |"', "", part.strip().split("\n")[0])
nested = re.search(r"^\.RS$(.*?)^\.RE$", text, re.M | re.S).group(1)  # the flags of up
general = next(line for line in text.split("\n") if "shell" in line and "why" in line and "completion" not in line)
read = lambda name: open(os.path.join(work, name)).read()
bad = []
verbs = os.listdir(os.path.join(work, "help"))
assert len(verbs) > 15, verbs
for verb in sorted(verbs):
    help_text = read("help/" + verb)
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", help_text))
    if verb == "kubectl":  # its flags are kubectl's own
        flags = set()
    part = "\n".join(p for p in parts if re.match(r"(.*[ ,{])?%s\b" % verb, title(p))) + (nested if verb == "up" else "")
    fish = re.findall(r'from %s" -l (\S+)' % verb, read("fish"))
    zsh = re.search(r"^%s\) (.*) ;;$" % verb, read("zsh"), re.M).group(1).split()
    offered = read("offered." + verb).split()
    for flag in sorted(flags):
        whole = re.escape(flag) + r"(?![a-z-])"
        if not re.search(whole, part) and not (flag == "--data" and re.search(r"\b%s\b" % verb, general)):
            bad.append(f"docs/stowage.1: {verb} has no {flag}")
        bad += [f"{shell}: {verb} offers no {flag}" for shell, there in
                (("bash", offered), ("zsh", zsh), ("fish", ["--" + f for f in fish])) if flag not in there]
    words = [w for w in offered if not w.startswith("-")]
    bad += [f"{verb} --help says nothing of {w}" for w in words if not re.search(r"\b%s\b" % re.escape(w), help_text)]
    usage = re.findall(r"stowage %s ((?:[a-z]+(?: [^|\n]*)? \| )*[a-z][a-z-]+)" % verb, help_text)
    for word in {w for u in usage for w in re.findall(r"(?:^|\| )([a-z][a-z-]+)", u)} - {"bash"}:
        if word not in words and re.search(r"stowage %s %s(?![\w/-])" % (verb, word), help_text) and verb != "kubectl":
            bad.append(f"bash: {verb} offers no {word}")
print("\n".join(bad))
sys.exit(bool(bad))
P
