#!/bin/sh
# What a user can get wrong: one clear line that says what to do, and nothing lost.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

say "the command line"
fails "$STOWAGE" nosuch
has "unknown verb" 'no verb "nosuch"' "$out"
fails "$STOWAGE" up --profile nosuch
has "unknown profile" "known are eks, killercoda, kind, minikube, none" "$out"
fails "$STOWAGE" up --nodes 99
has "too many nodes" "1 to 16" "$out"
has "help" "--profile NAME" "$("$STOWAGE" up --help)"

say "a data directory in use, a port in use, a directory that cannot be"
fails "$STOWAGE" up --data "$WORK/data" --listen 127.0.0.1:0
has "in use" "is in use by process" "$out"
port=$("$STOWAGE" status --data "$WORK/data" --json | jq -r .server | sed 's/.*://')
fails "$STOWAGE" up --ephemeral --data "$WORK/other" --listen "127.0.0.1:$port"
has "port in use" "$port" "$out"
has "port in use" "in use" "$out"
touch "$WORK/file"
fails "$STOWAGE" up --data "$WORK/file/x" --listen 127.0.0.1:0
has "not a directory" "choose another with --data" "$out"
"$STOWAGE" up --detach --quiet --data "$WORK/newer" --listen 127.0.0.1:0
"$STOWAGE" down --data "$WORK/newer" >/dev/null
python3 - "$WORK/newer/state.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
tables = [r[0] for r in db.execute("select name from sqlite_master where type='table'")]
db.execute("pragma user_version = 999")
for t in tables:
    cols = [r[1] for r in db.execute(f"pragma table_info({t})")]
    if 'key' in cols and 'value' in cols:
        db.execute(f"update {t} set value = '999' where key like '%layout%' or key like '%version%'")
db.commit()
PY
fails "$STOWAGE" up --data "$WORK/newer" --listen 127.0.0.1:0
has "a newer layout" "newer" "$out"

say "manifests"
printf 'apiVersion: v1\nkind: Pod\nmetadata:\n\tname: x\n' >tab.yaml
fails k apply -f tab.yaml
has "tab" "error" "$out"
printf 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: x}\nspec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1GI}}\n' >unit.yaml
fails k apply -f unit.yaml
has "bad unit" "quantities must match the regular expression" "$out"
printf 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: x}\nspec:\n  accessModes: [ReadWriteOnce]\n  storageClass: gp2\n  resources: {requests: {storage: 1Gi}}\n' >field.yaml
fails k apply -f field.yaml
if since 25; then
    has "unknown field" 'unknown field "spec.storageClass"' "$out"
else # these look it up in the OpenAPI document themselves
    has "unknown field" 'unknown field "storageClass" in io.k8s.api.core.v1.PersistentVolumeClaimSpec' "$out"
fi
printf 'apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: x}\n' >kind.yaml
fails k apply -f kind.yaml
has "unknown kind" 'no matches for kind "Deploymnt" in version "apps/v1"' "$out"
printf 'apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\n' >group.yaml
fails k apply -f group.yaml
has "unknown group" 'no matches for kind "Deployment" in version "extensions/v1beta1"' "$out"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: Bad_Name}\nspec: {containers: [{name: c, image: x}]}\n' >name.yaml
fails k apply -f name.yaml
has "bad name" "RFC 1123 subdomain" "$out"
fails k create -f /dev/null
head -c 4000000 /dev/zero | tr '\0' a >big
fails k create cm big --from-file=big
eq "nothing was made" "" "$(k get pvc,pods -o name)"
server=$(k config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
has "no token" 'User \"system:anonymous\" cannot list resource' "$(curl -sk "$server/api/v1/pods")"
eq "a wrong token" 401 "$(curl -sk -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer nonsense' "$server/api/v1/pods")"
eq "kubeconfig is private" 600 "$(stat -c %a "$KUBECONFIG")"
