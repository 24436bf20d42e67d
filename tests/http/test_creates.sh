#!/bin/sh
# Creates in a crowd: they share transactions, and still each has its own answer, and no answer comes before the journal.
. "$SOURCE_DIR/tests/http/http.sh"

# crowd FILE NAME...: all at once; a line "CODE NAME" for each answer
crowd() {
    answers=$1 next=
    shift
    for name in "$@"; do
        [ -z "$next" ] || echo next
        next=1
        printf 'url = "%s/api/v1/namespaces/default/configmaps"\n' "$url"
        printf 'cacert = "%s/pki/ca.crt"\nheader = "Authorization: Bearer %s"\n' "$dir" "$token"
        printf 'header = "Content-Type: application/json"\ndata = "{\\"metadata\\":{\\"name\\":\\"%s\\"}}"\n' "$name"
        printf 'output = "/dev/null"\nwrite-out = "%%{http_code} %s\\n"\nmax-time = 60\n' "$name"
    done >"$answers.conf"
    curl -sS --parallel --parallel-immediate --parallel-max 40 --config "$answers.conf" >"$answers" 2>"$answers.errors"
}
names() { seq -f "$1-%g" "$2"; }
answered() { grep -c "^$1 " "$2"; }
stored() { api GET /api/v1/namespaces/default/configmaps | grep -o "\"name\":\"$1-[0-9]*\"" | sort -u | wc -l; }

serve --journal "$dir/state.db"

# shellcheck disable=SC2046 # names without spaces
crowd "$dir/many" $(names many 300)
expect "created" 300 "$(answered 201 "$dir/many")"
expect "and there" 300 "$(stored many)"

# shellcheck disable=SC2046
crowd "$dir/same" $(names same 60) $(names same 60) $(names same 60)
expect "of three of a name one is created" 60 "$(answered 201 "$dir/same")"
expect "and two are refused" 120 "$(answered 409 "$dir/same")"
expect "each once" 60 "$(stored same)"

# Ended in the middle of a crowd, politely or not: what was acknowledged is there afterwards.
for signal in TERM KILL; do
    # shellcheck disable=SC2046
    crowd "$dir/$signal" $(names "$(echo $signal | tr '[:upper:]' '[:lower:]')" 1500) &
    crowding=$!
    await "the crowd" grep -qs '^201' "$dir/$signal"
    kill -$signal "$pid"
    wait "$pid"
    code=$?
    [ $signal = KILL ] || expect "it ends well" 0 $code
    wait $crowding
    serve --journal "$dir/state.db"
    api GET /api/v1/namespaces/default/configmaps >"$dir/list"
    lost=0
    for name in $(sed -n 's/^201 //p' "$dir/$signal"); do
        grep -q "\"name\":\"$name\"" "$dir/list" || lost=$((lost + 1))
    done
    expect "acknowledged and lost ($signal)" 0 $lost
done
