#!/bin/bash
# `stowage repl` on a terminal: completion, history, Ctrl-C, pastes, colours. By hand, that is, by terminal.py.
. "$SOURCE_DIR/tests/e2e/lib.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
export TMPDIR="$WORK/tmp" TERM=xterm PYTHONDONTWRITEBYTECODE=1
mkdir -p "$TMPDIR"
cluster --profile eks
python3 "$SOURCE_DIR/tests/e2e/repl/by_hand.py" "$STOWAGE" "$KUBECONFIG" "$WORK"

say "what is kept of it"
history="$HOME/.local/state/stowage/repl_history"
eq "for its owner alone" "600" "$(stat -c %a "$history")"
has "commands" "get nodes" "$(cat "$history")"
lacks "secrets" "hunter2" "$(cat "$history")"
lacks "what begins with a blank" "unseen" "$(cat "$history")"
eq "nothing else stays" "" "$(ls -A "$TMPDIR")"
