#!/bin/bash
# A teacher's link into a student's cluster: everything but secrets is seen, nothing can be changed, also after a reset of the step.
. "$SOURCE_DIR/tests/e2e/class/class.sh"
class start small --students 1 --quiet >/dev/null
its student-01 create configmap seen >/dev/null
its student-01 create secret generic hidden --from-literal=a=b >/dev/null

link=$(class open student-01)
base=${link%/console/*}
status() { curl -s -o "$WORK/body" -w '%{http_code}' --max-time 60 -b "$WORK/jar" -c "$WORK/jar" -H "Origin: $base" "$@"; }
look() {
    for path in /api/v1/namespaces/default/configmaps/seen /api/v1/pods /api/v1/nodes /api/v1/persistentvolumes /apis/storage.k8s.io/v1/storageclasses /api/v1/events /apis/apps/v1/deployments; do
        eq "sees $path" 200 "$(status "$base$path")"
    done
}

say "it signs in, once"
eq "in" 303 "$(status "$link")"
eq "who" stowage:viewer "$(status -H 'Content-Type: application/json' -d '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' "$base/apis/authentication.k8s.io/v1/selfsubjectreviews" >/dev/null; jq -r .status.userInfo.username "$WORK/body")"
has "not again" "?expired" "$(curl -s -D - -o /dev/null "$link")"

say "sees"
look
for op in status disk-list disk-snapshots; do eq "asks $op" 200 "$(status -X POST "$base/console/api/$op")"; done

say "changes nothing"
one="$base/api/v1/namespaces/default/configmaps"
map='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"mine"}}'
eq "create" 403 "$(status -H 'Content-Type: application/json' -d "$map" "$one")"
has "says who and what" 'User \"stowage:viewer\" cannot create resource \"configmaps\"' "$(cat "$WORK/body")"
eq "patch" 403 "$(status -X PATCH -H 'Content-Type: application/merge-patch+json' -d '{"data":{"a":"b"}}' "$one/seen")"
eq "delete" 403 "$(status -X DELETE "$one/seen")"
eq "delete all" 403 "$(status -X DELETE "$one")"
eq "secrets" 403 "$(status "$base/api/v1/namespaces/default/secrets")"
eq "tokens" 403 "$(status -H 'Content-Type: application/json' -d '{}' "$base/api/v1/namespaces/default/serviceaccounts/default/token")"
eq "roles for itself" 403 "$(status -H 'Content-Type: application/json' -d '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"x"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"stowage:viewers"}]}' "$base/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")"
eq "a node's files" 403 "$(status "$base/api/v1/nodes/controlplane/proxy/logs/")"
for op in disk-create disk-remove disk-detach clock node-power checkpoint-restore; do eq "$op" 403 "$(status -X POST -d '{}' "$base/console/api/$op")"; done
socket() { status --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' -H 'Sec-WebSocket-Protocol: v5.channel.k8s.io' "$@"; }
eq "a shell on a node" 403 "$(socket "$base/console/shell?node=controlplane&stdin=true&stdout=true&tty=true")"
eq "exec" 403 "$(socket "$base/api/v1/namespaces/default/pods/web/exec?command=id&stdout=true")"
eq "it is all there" seen "$(its student-01 get cm seen -o 'jsonpath={.metadata.name}')"

say "the student's step begins anew: the teacher still sees, and still changes nothing"
as student-01 reset >/dev/null
its student-01 create configmap seen >/dev/null
look
eq "create" 403 "$(status -H 'Content-Type: application/json' -d "$map" "$one")"

say "whose cluster does not run can not be looked into"
class stop --quiet
fails class open student-01
has "says so" "no cluster runs" "$out"
fails class open nobody
has "who" 'no student "nobody"' "$out"
