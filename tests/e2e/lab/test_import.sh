#!/bin/bash
# Folders that were written for others run as they are: scenarios of Killercoda, tests of kuttl and of chainsaw. What can not be run is
# named before anything is started, with file and line.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export TMPDIR="$WORK"
here=$SOURCE_DIR/tests/e2e/lab/import
run() { "$STOWAGE" run "$@"; }
# refused FOLDER LINE...: each line is told, and no cluster is begun
refused() {
    fails run "$here/$1"
    shift
    for line in "$@"; do has "named" "$line" "$out"; done
    eq "nothing was begun" "" "$(compgen -G "$WORK/stowage-run.*/data/*" || true)"
}

for scenario in first-claim two-nodes slow-start; do
    say "Killercoda: $scenario"
    run "$here/killercoda/$scenario" >"$WORK/out" || die "$(cat "$WORK/out")"
    has "all of it" "100 of 100" "$(cat "$WORK/out")"
done
"$STOWAGE" lab lint --play --near-misses 2 "$here/killercoda/first-claim" >"$WORK/out" || die "$(cat "$WORK/out")"
has "nothing done is nothing" "a fresh cluster scores 0" "$(cat "$WORK/out")"

say "a student does one: texts without a browser's buttons, the verify script judges"
export STOWAGE_DATA="$WORK/mine"
end() { code=$?; "$STOWAGE" down --data "$WORK/mine/labs/cluster/data" >/dev/null 2>&1 || true; finish $code; }
trap end EXIT
out=$("$STOWAGE" lab start "$here/killercoda/first-claim")
has "text" 'Look at it with `kubectl get ns`.' "$out"
out=$("$STOWAGE" lab check)
has "the next step" "Create the claim" "$out"
fails "$STOWAGE" lab check
has "verify" "FAIL step1: step1/verify.sh" "$out"
"$STOWAGE" shell --data "$WORK/mine/labs/cluster/data" controlplane <<<'cd manifests && k -n shop apply -f claim.yaml'
out=$("$STOWAGE" lab check)
has "verified" "ok   step1: step1/verify.sh (1 of 1)" "$out"
"$STOWAGE" lab stop >/dev/null

say "kuttl"
run "$here/kuttl/shop" >"$WORK/out" || die "$(cat "$WORK/out")"
has "all of it" "100 of 100 (7 of 7 points)" "$(cat "$WORK/out")"
code=0
run --junit "$WORK/junit" "$here/kuttl/wrong" >"$WORK/out" || code=$?
eq "one that fails" 1 "$code"
has "an assert" 'ConfigMap m with data.size: "big"' "$(cat "$WORK/out")"
has "a command" 'configmaps "nobody" not found' "$(cat "$WORK/out")"
has "reported" '<testcase classname="step-01" name="what the step does"' "$(cat "$WORK/junit")"

say "chainsaw"
run "$here/chainsaw/shop" >"$WORK/out" || die "$(cat "$WORK/out")"
has "all of it" "100 of 100 (6 of 6 points)" "$(cat "$WORK/out")"
lacks "no script failed" "FAIL" "$(cat "$WORK/out")"

say "what can not be run"
refused killercoda/beyond 'index.json:8: backend.imageid "docker"' 'index.json:4: beyond/missing.md' \
    'one.md:3: docker is not' 'one.md:7: helm is not' 'verify.sh:3: systemctl is not' 'verify.sh:4: example.com is out of reach'
lacks "a comment is none" "verify.sh:2" "$out"
lacks "a service is in the cluster" "web.default.svc" "$out"
refused kuttl/beyond '00-step.yaml:3: a TestStep'"'"'s "unitTest" is not known' '00-step.yaml:6: a command'"'"'s "interactive"' \
    '00-assert.yaml:8: expressions of CEL (assertAll)'
refused kuttl 'this is a suite' 'shop'
refused chainsaw/beyond 'chainsaw-test.yaml:6: a binding that is more than a name and a value' 'many.yaml:6: the JMESPath expression (readyReplicas > `1`)' \
    'many.yaml:7: the JMESPath expression ($wanted)' 'chainsaw-test.yaml:17: the JMESPath expression (length($stdout) > `1`)' \
    'chainsaw-test.yaml:18: the operation "proxy"'

say "one is made a lab of ours"
"$STOWAGE" lab import "$here/chainsaw/shop" "$WORK/ours"
run "$WORK/ours" >"$WORK/out" || die "$(cat "$WORK/out")"
has "the same" "100 of 100 (6 of 6 points)" "$(cat "$WORK/out")"
fails "$STOWAGE" lab import "$here/chainsaw/shop" "$WORK/ours"
has "nothing is written over" "$WORK/ours" "$out"
