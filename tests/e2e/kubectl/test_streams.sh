#!/bin/bash
# exec, attach, logs, cp and port-forward of our own kubectl, beside the real one: what is printed, where, and the exit code.
. "$SOURCE_DIR/tests/e2e/lib.sh"
. "$SOURCE_DIR/tests/e2e/kubectl/streams.sh"

say "exec: output, messages, exit code, stdin"
both exec two -c side -- sh -c 'echo out; echo err >&2'
both exec two -- sh -c 'exit 3'
both exec two -q -- true
both exec two -c main -- sh -c 'kill -9 $$'
both exec deploy/web -- cat /etc/hostname
both exec svc/web -- cat /etc/hostname
printf 'a\nb\n' >"$WORK/in"
IN=$WORK/in both exec -i two -c main -- sh -c 'tac; echo end'
IN=$WORK/in both exec -it two -c main -- cat
head -c 20000000 /dev/urandom >"$WORK/much"
ours exec -i two -c main -- cat <"$WORK/much" | cmp - "$WORK/much" || die "20 MB there and back"
say "exec: refusals"
for args in "nope -- ls" "two -c nope -- ls" "done -- ls" "two ls" "two" "-- ls" "a/b/c -- ls" "cm/kube-root-ca.crt -- ls" \
    "two -c main -- /no/such/file" "two --pod-running-timeout=0 -- ls"; do
    # shellcheck disable=SC2086
    both exec $args
done
say "exec with a terminal: raw, its size, what is typed"
printf 'stty size\r tty >/dev/null && echo is $((40+2))\r exit 7\r' >"$WORK/keys"
seen=$(script -qec "stty rows 33 cols 111; $STOWAGE kubectl exec -it two -c main -- sh; echo code \$?" /dev/null <"$WORK/keys" | tr -d '\r') || true
has "the size" "33 111" "$seen"
has "a terminal" "is 42" "$seen"
has "the exit code" "code 7" "$seen"

say "logs: of one, of all, prefixed, cut"
said() { k logs "$1" -c "$2" | grep -q "$3"; }
within 20 "main has spoken" said two main "line 5"
within 20 "side has spoken" said two side "from the side"
both logs two
both logs two -c side
both logs two side
both logs two --tail=2
both logs two --limit-bytes=9
both logs deploy/web -c nginx --tail=1
both logs "done"
both logs two --all-containers --tail=0
MASK='s/^[0-9T:.-]+Z/TIME/' both logs two --timestamps --tail=1
eq "every container" "$(k logs two --all-containers --prefix 2>&1 | sort)" "$(ours logs two --all-containers --prefix 2>&1 | sort)"
eq "a selector" "$(k logs -l app=web --prefix --tail=3 2>&1 | sort)" "$(ours logs -l app=web --prefix --tail=3 2>&1 | sort)"
eq "all pods" "$(k logs deploy/web --all-pods --tail=3 2>&1 | sort)" "$(ours logs deploy/web --all-pods --tail=3 2>&1 | sort)"
for args in nope "two -p" "two -c nope" "two a b" "" "two -l app=web" "two --tail=-5" "two --since=-1s" "two --all-containers -c main" \
    "two --since-time=yesterday" "two --since=1s --since-time=2024-08-30T06:00:00Z" "-l app=none" "two main -c main" "done --since=10h"; do
    # shellcheck disable=SC2086
    both logs $args
done
say "logs -f: of one until it ends, of several at once"
k run talks --image=busybox --restart=Never --command -- sh -c 'echo begun; until [ -e /tmp/go ]; do sleep 0.1; done; echo ended' >/dev/null
within 60 "it runs" phase_is pod talks Running
ours logs -f talks >"$WORK/followed" &
follower=$!
within 20 "the first line" grep -q begun "$WORK/followed"
k exec talks -- touch /tmp/go
wait $follower
eq "all of it" "$(printf 'begun\nended')" "$(cat "$WORK/followed")"
"$STOWAGE" kubectl logs -f -l app=two --all-containers --prefix >"$WORK/several" 2>&1 &
follower=$!
within 20 "one" grep -qF '[pod/two/main] line 5' "$WORK/several"
within 20 "another" grep -qF '[pod/two/side] from the side' "$WORK/several"
kill $follower
wait $follower || true
both logs -f -l app=web --max-log-requests=1

say "attach: what is written from now on, and what is typed"
k run echo --image=busybox --restart=Never -i --attach=false --command -- sh -c 'while read -r l; do echo "got $l"; [ "$l" = end ] && exit 0; done' >/dev/null
within 60 "it runs" phase_is pod echo Running
out=$(printf 'one\nend\n' | ours attach -i echo 2>"$WORK/attach.err")
eq "answers" "$(printf 'got one\ngot end')" "$out"
eq "the hint" "If you don't see a command prompt, try pressing enter." "$(cat "$WORK/attach.err")"
for args in "" "a b c" nope "done" "two -c nope" "two --pod-running-timeout=0s"; do
    # shellcheck disable=SC2086
    both attach $args
done

say "cp: folders there and back, links, a folder as the target"
mkdir -p "$WORK/tree/dir/empty"
echo one >"$WORK/tree/a"
head -c 3000000 /dev/urandom >"$WORK/tree/dir/big"
chmod 750 "$WORK/tree/dir/big"
cd "$WORK"
both cp tree two:/tmp/tree -c main
k exec two -c main -- rm -rf /tmp/tree
both cp tree two:/tmp -c main
eq "what is there" "$(md5sum <tree/dir/big)" "$(k exec two -c main -- md5sum /tmp/tree/dir/big | sed 's/ .*/  -/')"
eq "its mode" 750 "$(k exec two -c main -- stat -c %a /tmp/tree/dir/big)"
both cp tree/a default/two:/tmp/b
both cp two:/tmp/tree back -c main
diff -r tree back || die "it came back as another"
ln -s a tree/link
both cp tree two:/tmp/linked -c main
MASK='/^tar: /d' both cp two:/tmp/linked back2 -c main
for args in "two:/etc/passwd ." "nope two:/x" "a/b/c:/x y" ":x y" "x y" "two:/x two:/y" "two: x" "one" "gone:/etc/passwd x"; do
    # shellcheck disable=SC2086
    MASK='/^tar: /d' both cp $args
done
# the real one may end before it is told that tar failed
fails ours cp two:/nope x
has "tar's exit code is told" "command terminated with exit code" "$out"
cd /

say "port-forward: to a pod, a service, a deployment, several ports"
forward() { # ARGS...: in the background, until it listens; its port is $port
    : >"$WORK/forward"
    "$STOWAGE" kubectl port-forward "$@" >"$WORK/forward" 2>"$WORK/forward.err" &
    forwarder=$!
    within 20 "it listens" grep -q "Forwarding from 127.0.0.1" "$WORK/forward"
    port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$WORK/forward" | head -n 1)
}
stop_forward() {
    kill -INT $forwarder
    code=0
    wait $forwarder || code=$?
}
page=$(k exec deploy/web -- cat /usr/share/nginx/html/index.html)
for what in "svc/web :8000" "svc/web :front" "deploy/web :http" "$(k get pods -l app=web -o name | head -n 1) :80"; do
    # shellcheck disable=SC2086
    forward $what
    eq "the page of $what" "$page" "$(curl -s "http://127.0.0.1:$port/")"
    curls=
    for n in 1 2 3 4 5 6 7 8; do
        curl -s "http://127.0.0.1:$port/" >"$WORK/page.$n" &
        curls="$curls $!"
    done
    # shellcheck disable=SC2086
    wait $curls
    for n in 1 2 3 4 5 6 7 8; do eq "each of several at once" "$page" "$(cat "$WORK/page.$n")"; done
    within 20 "nine connections" eval '[ "$(grep -c "Handling connection for $port" "$WORK/forward")" = 9 ]'
    stop_forward
    eq "Ctrl-C is no failure" 0 "$code"
done
k exec two -c main -- sh -c 'head -c 8000000 /dev/zero | tr "\0" x >/tmp/large'
k exec two -c main -- sh -c 'nc -ll -p 81 -e cat /tmp/large >/dev/null 2>&1 &'
within 20 "somebody listens" k exec two -c main -- grep -q ':0051 .* 0A ' /proc/net/tcp /proc/net/tcp6
forward two :81 :82
within 20 "two ports" eval '[ "$(grep -c "Forwarding from 127.0.0.1" "$WORK/forward")" = 2 ]'
eq "8 MB" 8000000 "$(timeout 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; cat <&3" | wc -c)"
other=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) -> 82/\1/p' "$WORK/forward")
curl -s "http://127.0.0.1:$other/" || true
code=0
wait $forwarder || code=$?
eq "a port where nobody listens ends it, as kubectl's" 1 "$code"
has "and it says why" "an error occurred forwarding $other -> 82: error forwarding port 82 to pod two" "$(cat "$WORK/forward.err")"
has "in the end" "error: lost connection to pod" "$(cat "$WORK/forward.err")"
for args in "deploy/web x" "deploy/web 70000" "deploy/web" "svc/web 80" "svc/web names" "cm/kube-root-ca.crt 80" "two 0" "two :" \
    "--address nowhere two 80" "done 80" "nope 80"; do
    # shellcheck disable=SC2086
    both port-forward $args
done
