#!/bin/bash
# Labs by the console's operations: the same words as `stowage lab`, as jobs that a page looks at; nobody else waits for them.
. "$SOURCE_DIR/tests/e2e/lib.sh"
export STOWAGE_LABS="$WORK/labs"
end() {
    code=$?
    set +e
    "$STOWAGE" down --data "$WORK/data/labs/cluster/data" >/dev/null 2>&1 || true
    finish "$code"
}
trap end EXIT
mkdir -p "$WORK/labs/small"
cat >"$WORK/labs/small/lab.yaml" <<'Y'
title: Small
cluster: {profile: none, nodes: 1}
steps:
- name: make
  title: Make it
  text: Make a map `m`.
  checks:
  - {name: it is there, points: 3, within: 120s, jsonpath: {of: cm/m, path: '{.data.size}', is: 1Gi}}
  - {name: kind, quiz: {ask: What is m?, answer: -ConfigMap}}
Y
cluster --simulate
# sign_in DATA: $base and $jar are those of its console
sign_in() {
    link=$("$STOWAGE" console --no-open --view labs --data "$1" 2>/dev/null)
    base=${link%/console/*} jar="$WORK/jar${link##*=}"
    has "it leads there" "/console/labs" "$(curl -s -o /dev/null -c "$jar" -w '%{redirect_url}' "$link")"
}
call() { curl -s --max-time 60 -b "$jar" -X POST -H "Origin: $base" -H 'Content-Type: application/json' -d "${2:-{\}}" "$base/console/api/$1"; }
# job OP [BODY]: to its end; what it wrote is $text, its exit code $rc, the last line's result $out
job() {
    begun=$(call "$@") text='' from=0
    id=$(jq -r '.job // empty' <<<"$begun")
    [ -n "$id" ] || die "$1: $begun"
    while look=$(call lab-job "{\"job\":$id,\"from\":$from}"); do
        text+=$(jq -j .out <<<"$look"; echo .)
        text=${text%.}
        from=$(jq .next <<<"$look")
        [ "$(jq .ended <<<"$look")" = true ] && break
        sleep 0.1
    done
    rc=$(jq .code <<<"$look") err=$(jq -r .err <<<"$look")
    out=$(sed '/^$/d' <<<"$text" | tail -n 1 | jq -c '.result // .' 2>/dev/null || true)
}

say "a link to a view, and only to a view"
fails "$STOWAGE" console --no-open --view //evil.example --data "$WORK/data"
sign_in "$WORK/data"
eq "not elsewhere" "$base/console/" "$(curl -s -o /dev/null -w '%{redirect_url}' "$("$STOWAGE" console --no-open --data "$WORK/data" 2>/dev/null)&view=//evil.example")"

say "nobody else may"
eq "without a cookie" 403 "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "Origin: $base" "$base/console/api/lab-start" -d '{"lab":"small"}')"

say "the catalogue; no lab"
job lab-list
eq "it is the command's" "$("$STOWAGE" lab list -o json | jq -c .)" "$(jq -c . <<<"$text")"
job lab-status
eq "none" null "$(jq .lab <<<"$out")"
job lab-start '{"lab":"none-such"}'
has "its words" "none-such" "$err"
[ "$rc" != 0 ] || die "it has no exit code"
mark=$(call lab-mark | jq -r .mark)

say "start: a cluster beside this one, and a link to its console"
job lab-start '{"lab":"small"}'
eq "$err" 0 "$rc"
has "progress" '"progress"' "$text"
has "a link" "/console/login?code=" "$(jq -r .console <<<"$out")"
[ "$(call lab-mark | jq -r .mark)" != "$mark" ] || die "the mark is the same"
theirs="$WORK/data/labs/cluster/data"
eq "its cluster" "$theirs" "$(jq -r .cluster.data <<<"$out")"
sign_in "$theirs"
job lab-status
eq "the same lab there" '["small","now"]' "$(jq -c '[.lab, .steps[0].state]' <<<"$out")"
eq "the same book" "$WORK/data" "$(call lab-mark | jq -r .owner)"

say "a check waits, and nobody waits for it"
id=$(call lab-check | jq .job)
eq "told" "[$id,\"check\"]" "$(call lab-mark | jq -c '[.job, .word]')"
eq "one at a time" Conflict "$(call lab-hint | jq -r .reason)"
eq "the cluster answers" true "$(call status | jq 'type == "object"')"
call lab-cancel "{\"job\":$id}" >/dev/null
until [ "$(call lab-job "{\"job\":$id}" | jq .ended)" = true ]; do sleep 0.1; done
eq "it is free again" null "$(call lab-mark | jq .job)"
eq "and forgotten" NotFound "$(call lab-job "{\"job\":$id}" | jq -r .reason)"

say "answers are words, never flags; then all is right"
job lab-answer '{"check":"kind","text":"-ConfigMap"}'
eq "$err" 0 "$rc"
KUBECONFIG="$theirs/kubeconfig" k create configmap m --from-literal=size=1Gi >/dev/null
job lab-check
eq "$err" 0 "$rc"
eq "all" '[true,4]' "$(jq -c '[.done, .points]' <<<"$out")"
job lab-submit
eq "a signed bundle" small "$(jq -r .payload <<<"$text" | jq -r .lab)"

say "stop: asked by the page of the cluster that goes"
call lab-stop >/dev/null
gone() { [ ! -e "$WORK/data/labs/cluster" ]; }
within 30 "the lab's cluster is gone" gone
sign_in "$WORK/data"
job lab-history
eq "what is left" '[["small",4]]' "$(jq -c '[.history[] | [.lab, .points]]' <<<"$out")"
