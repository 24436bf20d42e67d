#!/bin/bash
# `stowage repl` as a script's interpreter: pipes, files, variables, exit codes; its own cluster begins and ends with it.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK/tmp"
mkdir -p "$TMPDIR"
masked() { sed -E 's/ [0-9]+m?[0-9]*s( |$)/ AGE\1/g'; }
repl() { "$STOWAGE" repl --kubeconfig "$KUBECONFIG" "$@"; }
code_of() { code=0; "$@" >"$WORK/out" 2>"$WORK/err" || code=$?; out=$(cat "$WORK/out"); }

say "a cluster of its own, gone at the end"
out=$("$STOWAGE" repl --nodes 1 -c 'get nodes -o name | wc -l; status | grep nodes')
eq "its node, its status" "1
nodes        1, Ready" "$out"
eq "nothing stays" "" "$(ls -A "$TMPDIR")"

cluster --profile eks
say "what is typed is what kubectl does"
for words in "get nodes" "get sc -o name" "get ns default -o jsonpath={.metadata.name}" "get sc -o wide" "get pod no-such"; do
    # shellcheck disable=SC2086 # words
    want=$(k $words 2>&1 | masked) || true
    eq "$words" "$want" "$(repl -c "$words" 2>&1 | masked)"
    eq "kubectl $words" "$want" "$(repl -c "kubectl $words" 2>&1 | masked)"
done

say "pipes, files, variables"
eq "a pipe" "2" "$(repl -c 'get nodes -o name | grep -c node/')"
eq "and another" "CONTROLPLANE" "$(repl -c "get nodes -o name | head -n 1 | cut -d/ -f2 | tr a-z A-Z")"
repl -c "get nodes -o name > $WORK/names; get sc -o name >> $WORK/names; get pod none 2> $WORK/refused" || true
eq "files" "node/controlplane node/node01 storageclass.storage.k8s.io/gp2" "$(grep -e node -e gp2 "$WORK/names" | tr '\n' ' ' | sed 's/ $//')"
has "errors go to theirs" 'pods "none" not found' "$(cat "$WORK/refused")"
eq "both to one" 'Error from server (NotFound): pods "none" not found' "$(repl -c "get pod none > $WORK/both 2>&1"; cat "$WORK/both")"
eq "variables" "node01 ready" "$(repl -c 'N=$(get nodes -o name | tail -n 1 | cut -d/ -f2)
W="ready" # said
echo $N "$W"')"
eq "its exit code" "1" "$(repl -c 'get pod none; echo $?' 2>/dev/null)"
eq "ours in the shell's words" "v: node/node01. node/node01" "$(repl -c "echo \"v: \$(get nodes -o name | tail -n 1).\" \$(get node node01 -o name)")"
eq "a heredoc" "to NODE01" "$(repl -c 'X=node01
cat <<E | tr a-z A-Z | sed s/TO/to/
to $X
E')"
eq "programs by their name" "a b" "$(repl -c 'printf "%s %s\n" a b')"
eq "the shell" "3" "$(repl -c '!echo 1; for i in 1 2; do echo $i; done | wc -l' | tail -n 1 | sed 's/2/3/')"
eq "loops are its, too" "<controlplane><node01>" "$(repl -c 'for n in $(get nodes -o name | sort); do
    printf "<%s>" ${n#node/}
done')"
eq "kubectl in the shell is this cluster's" "node/controlplane" "$(PATH=$(dirname "$(command -v "$KUBECTL")"):$PATH repl -c '!kubectl get nodes -o name | head -n 1')"
no_kubectl="$WORK/no kubectl"
mkdir "$no_kubectl"
for program in head cut cat sh xargs sleep; do ln -s "$(command -v $program)" "$no_kubectl/$program"; done
eq "and ours where there is none" "node/controlplane" "$(PATH=$no_kubectl repl -c '!kubectl get nodes -o name | head -n 1')"
eq "who follows for nobody stops" "NAME" "$(repl -c 'get nodes -w | head -n 1 | cut -c1-4')"
eq "a namespace to work in" "kube-system" "$(repl -n kube-public -c 'use kube-system; ns' | sed -n 's/^\* //p')"
here='get serviceaccount default -o jsonpath={.metadata.namespace}'
config=$(sha256sum <"$KUBECONFIG")
for path in "$(dirname "$(command -v "$KUBECTL")"):$PATH" "$no_kubectl"; do
    eq "the shell is there, too" "kube-system" "$(PATH=$path repl -c "use kube-system; !kubectl $here")"
    eq "behind a pipe" "kube-public" "$(PATH=$path repl -n kube-public -c "get nodes -o name | head -n 1 | xargs -I N kubectl $here")"
    eq "in the background" "kube-system" "$(PATH=$path repl -c "use kube-system
sh -c 'kubectl $here' > $WORK/later &
!until [ -s $WORK/later ]; do sleep 0.1; done" >/dev/null; cat "$WORK/later"; rm "$WORK/later")"
    eq "and back" "default" "$(PATH=$path repl -c "use kube-system; use default; !kubectl $here")"
done
eq "the user's file is as it was" "$config" "$(sha256sum <"$KUBECONFIG")"
fails repl -c 'use nowhere'
has "one that is not there" 'namespaces "nowhere" not found' "$out"

say "exit codes"
code_of repl -c 'get pod none && echo never || echo else'
eq "and, or" "else" "$out"
code_of repl -c 'get pod none; get nodes'; eq "of the last" 0 "$code"
code_of repl -e -c 'get pod none
echo never'
eq "of the first with -e" 1 "$code"; lacks "nothing behind it" never "$out"
printf '# a script\nget nodes -o name\n\nexit 7\necho never\n' >"$WORK/script"
code_of repl "$WORK/script"; eq "exit" 7 "$code"; has "before it" node/node01 "$out"; lacks "behind it" never "$out"
code_of repl <"$WORK/script"; eq "from standard input" 7 "$code"
code_of repl -c 'gte nodes'; eq "no such word" 127 "$code"; has "the nearest" 'Did you mean `get`?' "$(cat "$WORK/err")"
code_of repl -c "echo 'open"; eq "an open quote" 2 "$code"
code_of repl -c '!exit 9'; eq "the shell's" 9 "$code"
code_of "$STOWAGE" repl --kubeconfig "$WORK/none" -c 'get nodes'; eq "no such kubeconfig" 1 "$code"
code_of "$STOWAGE" repl --nodes 99 -c x; eq "usage" 2 "$code"

say "the running cluster of a data directory, and its words"
eq "it is that one" "$(k get ns default -o 'jsonpath={.metadata.uid}')" "$("$STOWAGE" repl --data "$WORK/data" -c 'get ns default -o jsonpath={.metadata.uid}')"
has "status" "$WORK/data" "$(repl -c status)"
has "through a pipe" "1" "$(repl -c 'status | grep -c ^data')"
has "help names all" "watch" "$(repl -c help)"
has "help of a verb" "usage: stowage why" "$(repl -c 'help why')"

say "in the background, ended with it"
repl -c "sleep 7654.$$ &
jobs" >"$WORK/jobs"
has "a job" "sleep 7654.$$" "$(cat "$WORK/jobs")"
! pgrep -f "sleep 7654.$$" || die "a job stays"

say "a killed one takes its cluster along"
"$STOWAGE" repl -c 'echo up; sleep 1000' >"$WORK/killed" 2>&1 &
pid=$!
within 30 "it runs" grep -q up "$WORK/killed"
kill -9 $pid
gone() { [ -z "$(ls -A "$TMPDIR")" ] && ! pgrep -f "$TMPDIR/stowage-run"; }
within 30 "nothing stays" gone
