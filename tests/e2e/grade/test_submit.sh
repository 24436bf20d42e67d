#!/bin/bash
# What a student does at the prompt is handed in as a signed bundle, played again and judged; one that was changed is refused. The
# variant is the student's own. A cluster that exists is judged by its kubeconfig.
. "$SOURCE_DIR/tests/e2e/lib.sh"
. "$SOURCE_DIR/tests/e2e/grade/class.sh"
export TMPDIR="$WORK" STOWAGE_DATA="$WORK/mine" STOWAGE_LABS="$WORK/labs"
lab() { "$STOWAGE" lab "$@"; }
grade() { "$STOWAGE" grade --quiet --no-book "$@"; }
end() { code=$?; "$STOWAGE" down --data "$WORK/mine/labs/cluster/data" >/dev/null 2>&1 || true; finish $code; }
trap end EXIT
small_lab "$WORK/labs/small"
sed -i s/60s/5s/ "$WORK/labs/small/lab.yaml" # nothing here takes any time
mkdir "$WORK/subs"

say "a lab is done at the prompt, and handed in"
out=$(lab start --seed alice small)
size=$(printf '%s\n' "$out" | sed -n 's/.*whose `size` is `\([a-z]*\)`.*/\1/p')
"$STOWAGE" repl <<R
create configmap m --from-literal=size=wrong
lab check
delete configmap m
apply -f - <<'Y'
$(map "$size")
Y
lab check
lab answer a map
lab answer ConfigMap
lab check
R
lab submit -o "$WORK/subs/alice.json" >"$WORK/out"
has "told" "4 of 4 points, 8 commands, signed" "$(cat "$WORK/out")"
[ "$(stat -c %a "$WORK/mine/labs/key.pem")" = 600 ] || die "the key is not its owner's alone"
lab stop >/dev/null

say "changed by a letter, and another lab's"
sed 's/size=wrong/size=wronk/' "$WORK/subs/alice.json" >"$WORK/subs/bob.json"
jq '.payload |= (fromjson | .lab = "other" | tojson)' "$WORK/subs/alice.json" >"$WORK/subs/carol.json"

say "played again: the points, not those that it claims"
grade --out "$WORK/out.d" small "$WORK/subs" >/dev/null
eq "results" "alice 4 graded
bob 0 refused
carol 0 refused" "$(results "$WORK/out.d/results.json")"
eq "its variant" alice "$(jq -r '.students[0].seed' "$WORK/out.d/results.json")"
has "why" "changed after it was signed" "$(jq -r '.students[1].report.refused' "$WORK/out.d/results.json")"

say "the teacher's variants: by the entry's name, alice's is hers and nobody else's"
other=$(for s in b c d e f g h; do lab_size=$("$STOWAGE" lab start --seed "$s" small | sed -n 's/.*whose `size` is `\([a-z]*\)`.*/\1/p'); "$STOWAGE" lab stop >/dev/null; [ "$lab_size" = "$size" ] || { echo "$s"; break; }; done)
mkdir "$WORK/variants"
map "$size" >"$WORK/variants/alice.yaml"
map "$size" >"$WORK/variants/$other.yaml"
eq "by name" "alice 3 graded
$other 0 graded" "$(grade --seed-from name --format json small "$WORK/variants" | results /dev/stdin)"

say "a kubeconfig: the cluster that exists is judged, and nothing is played there"
cluster --nodes 1 --profile none
map >"$WORK/m.yaml"
k apply -f "$WORK/m.yaml" >/dev/null
mkdir "$WORK/theirs"
k config view --raw --flatten >"$WORK/theirs/dora.kubeconfig"
printf 'apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: u, user: {exec: {command: touch, args: ["%s"]}}}]\ncontexts: [{name: c, context: {cluster: a, user: u}}]\ncurrent-context: c\n' "$WORK/run" >"$WORK/theirs/eve.kubeconfig"
for member in 'proxy-url: "http://127.0.0.1:1"' 'certificate-authority: /etc/hosts' 'something-new: x'; do # not what is known to be harmless
    i=$((${i:-0} + 1))
    printf 'apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: "https://127.0.0.1:1", <<: {%s}}}]\nusers: [{name: u, user: {token: x}}]\ncontexts: [{name: c, context: {cluster: a, user: u}}]\ncurrent-context: c\n' "$member" >"$WORK/theirs/mallory$i.kubeconfig"
done
eq "judged" "dora 3 graded
eve 0 refused
mallory1 0 refused
mallory2 0 refused
mallory3 0 refused" "$(grade --format json small "$WORK/theirs" | results /dev/stdin)"
[ ! -e "$WORK/run" ] || die "a program was run that a kubeconfig named"

say "one submission, as an autograder has it"
eq "gradescope" "3 2" "$(grade --one --format gradescope small "$WORK/variants/alice.yaml" --seed alice | jq -r '"\(.score) \(.tests | length)"')"
fails grade --format gradescope small "$WORK/subs"
has "one" "is about one submission" "$out"
