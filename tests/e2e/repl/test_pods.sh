#!/bin/bash
# At the prompt of `stowage repl`: shells in pods, logs that are followed, ports and files.
. "$SOURCE_DIR/tests/e2e/lib.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
"$STOWAGE" kubectl exec --help >/dev/null 2>&1 || { echo "skipped: built without kubectl exec"; exit 77; }
export TERM=xterm PYTHONDONTWRITEBYTECODE=1
cluster --profile eks
k run web --image=nginx >/dev/null
within 30 "the pod runs" k wait pod web --for=condition=Ready --timeout=1s
python3 "$SOURCE_DIR/tests/e2e/repl/in_pods.py" "$STOWAGE" "$KUBECONFIG" "$WORK"
