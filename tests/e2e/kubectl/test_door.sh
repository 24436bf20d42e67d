#!/bin/bash
# A machine without kubectl: scripts of labs, the link, and nodes have ours; `k` is always there.
. "$SOURCE_DIR/tests/e2e/lib.sh"

KUBECTL=$(command -v "$KUBECTL")
mkdir "$WORK/programs"
for dir in /usr/sbin /usr/bin; do ln -sf $dir/* "$WORK/programs/"; done
rm -f "$WORK/programs/kubectl"* "$WORK/programs/k"
without() { PATH=$WORK/programs "$@"; }
without command -v kubectl && die "there is still a kubectl"

say "a script of a lab finds kubectl and k"
cat >"$WORK/script" <<'S'
set -e
kubectl create configmap said --from-literal=by=ours
[ "$(k get configmap said -o 'jsonpath={.data.by}')" = ours ]
echo from a pod | k run once --image=busybox --restart=Never --rm -i --quiet -- cat
[ "$(readlink -f "$(command -v kubectl)")" = "$(readlink -f "$(command -v k)")" ]
S
out=$(without "$STOWAGE" run "$WORK/script" 2>&1) || die "the script failed: $out"
has "from inside" "from a pod" "$out"
say "where there is one, it stays the one that is found; k is there, too"
printf 'command -v kubectl; k version --client >/dev/null && echo k works\n' >"$WORK/script"
out=$("$STOWAGE" run "$WORK/script" 2>&1) || die "the script failed: $out"
has "the machine's own" "$KUBECTL" "$out"
has "k" "k works" "$out"

say "called as kubectl, or k"
cluster
ln -s "$STOWAGE" "$WORK/kubectl"
ln -s "$STOWAGE" "$WORK/k"
for name in kubectl k; do eq "$name" node/node01 "$("$WORK/$name" get node node01 -o name)"; done
"$STOWAGE" down --data "$WORK/data" >/dev/null

say "a node of such a machine"
real=$(readlink -f "$KUBECTL")
export STOWAGE WORK real
unshare -m --propagation private bash -c 'mount --bind /dev/null "$real" && exec "$STOWAGE" up --detach --data "$WORK/data" --listen 127.0.0.1:0' \
    >"$WORK/up.out" 2>&1 || die "up: $(cat "$WORK/up.out")"
eq "its kubectl, with the cluster's kubeconfig" node/node01 "$("$STOWAGE" shell --data "$WORK/data" node01 -- /opt/bin/kubectl get node node01 -o name)"
eq "its k" node/node01 "$("$STOWAGE" shell --data "$WORK/data" node01 -- k get node node01 -o name)"
fails "$STOWAGE" shell --data "$WORK/data" node01 -- sh -c 'echo >/opt/bin/kubectl'
