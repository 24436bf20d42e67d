#!/bin/sh
# Who may what: tokens, anonymous requests, impersonation, service accounts; and what never shows.
set -eu
. "$SOURCE_DIR/tests/http/http.sh"
serve "$@"
bare() { curl -sS --max-time 60 --cacert "$dir/pki/ca.crt" -A test "$@"; }
code() { bare -o /dev/null -w '%{http_code}' "$@"; }
ns=/api/v1/namespaces/default

expect "administrator" 200 "$(status GET $ns)"
expect "anonymous" 403 "$(code "$url$ns")"
expect_in "its words" 'namespaces \"default\" is forbidden: User \"system:anonymous\" cannot get resource \"namespaces\" in API group \"\" in the namespace \"default\"' "$(bare "$url$ns")"
expect "wrong token" 401 "$(code "$url$ns" -H 'Authorization: Bearer wrong')"
expect "half a token" 401 "$(code "$url$ns" -H "Authorization: Bearer $(echo "$token" | cut -c1-32)")"
expect "scheme in any case" 200 "$(code "$url$ns" -H "Authorization: bEARER $token")"
expect "basic is ignored" 403 "$(code "$url$ns" -H 'Authorization: Basic YWRtaW46YWRtaW4=')"
expect "token in the query is ignored" 403 "$(code "$url$ns?access_token=$token")"
for p in /version /healthz /livez /readyz; do expect "$p for everybody" 200 "$(code "$url$p")"; done
for p in /api /apis /openapi/v3 /metrics / /nosuch; do expect "$p not" 403 "$(code "$url$p")"; done
expect_in "path" 'forbidden: User \"system:anonymous\" cannot get path \"/metrics\"' "$(bare "$url/metrics")"

# impersonation
expect "as somebody" 403 "$(status GET $ns -H 'Impersonate-User: bob')"
expect_in "his name" 'User \"bob\"' "$(api GET $ns -H 'Impersonate-User: bob')"
expect "as a master" 200 "$(status GET $ns -H 'Impersonate-User: bob' -H 'Impersonate-Group: system:masters')"
expect "only masters may" 403 "$(code "$url$ns" -H 'Impersonate-User: bob')"
expect "a group needs a user" 500 "$(status GET $ns -H 'Impersonate-Group: x')"

# service accounts
api POST $ns/serviceaccounts -d '{"metadata":{"name":"robot"}}' >/dev/null
answer=$(api POST $ns/serviceaccounts/robot/token -d '{"spec":{"expirationSeconds":3600}}')
robot=$(echo "$answer" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
[ -n "$robot" ] || expect "a token" "a token" "$answer"
as_robot() { code "$1" -H "Authorization: Bearer $robot"; }
expect "robot discovers" 200 "$(as_robot "$url/version")"
expect "robot reads the keys" 200 "$(as_robot "$url/.well-known/openid-configuration")"
expect "robot may not list" 403 "$(as_robot "$url$ns/pods")"
expect_in "robot's name" 'User \"system:serviceaccount:default:robot\" cannot list resource \"pods\"' "$(bare "$url$ns/pods" -H "Authorization: Bearer $robot")"
rbac=/apis/rbac.authorization.k8s.io/v1/namespaces/default
grant() { api POST "$rbac/rolebindings" -d "{\"metadata\":{\"name\":\"$1\"},\"roleRef\":{\"kind\":\"Role\",\"name\":\"$2\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"robot\",\"namespace\":\"default\"}]}" >/dev/null; }
api POST "$rbac/roles" -d '{"metadata":{"name":"lists"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["list"]}]}' >/dev/null
grant lists lists
expect "robot may list by a role" 200 "$(as_robot "$url$ns/pods")"
expect "not elsewhere" 403 "$(as_robot "$url/api/v1/namespaces/kube-system/pods")"
expect "nor do more" 403 "$(as_robot "$url$ns/pods/x")"
grant dangling nosuch
expect_in "a role that is not there" 'in the namespace \"default\": RBAC: role.rbac.authorization.k8s.io \"nosuch\" not found' "$(bare "$url$ns/secrets" -H "Authorization: Bearer $robot")"
access() { api POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews -H 'Impersonate-User: system:serviceaccount:default:robot' -d "{\"spec\":{\"resourceAttributes\":{\"namespace\":\"default\",\"verb\":\"$1\",\"resource\":\"pods\"}}}"; }
expect_in "why he may" '"allowed":true,"reason":"RBAC: allowed by RoleBinding \"lists/default\" of Role \"lists\" to ServiceAccount \"robot/default\""' "$(access list)"
expect_in "what he may not" '"allowed":false' "$(access delete)"
api POST "$rbac/roles" -d '{"metadata":{"name":"acts"},"rules":[{"apiGroups":[""],"resources":["serviceaccounts"],"resourceNames":["robot"],"verbs":["impersonate"]}]}' >/dev/null
grant acts acts
self='-H Impersonate-User:system:serviceaccount:default:robot'
expect "he may be himself" 200 "$(code "$url$ns/pods" -H "Authorization: Bearer $robot" $self)"
expect_in "but with no uid he likes" 'uids.authentication.k8s.io \"x\" is forbidden' "$(bare "$url$ns/pods" -H "Authorization: Bearer $robot" $self -H 'Impersonate-Uid: x')"
api DELETE "$rbac/rolebindings/lists" >/dev/null
expect "until it is taken away" 403 "$(as_robot "$url$ns/pods")"
review=$(api POST /apis/authentication.k8s.io/v1/tokenreviews -d "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":{\"token\":\"$robot\"}}")
expect_in "a review of it" '"authenticated":true' "$review"
expect_in "whose it is" '"username":"system:serviceaccount:default:robot"' "$review"
expect_in "which one it is" '"authentication.kubernetes.io/credential-id":["JTI=' "$review"
bind() { api POST $ns/serviceaccounts/robot/token -d "{\"spec\":{\"boundObjectRef\":{\"kind\":\"$1\",\"apiVersion\":\"v1\",\"name\":\"$2\"}}}"; }
expect_in "bound to nothing" 'secrets \"none\" not found' "$(bind Secret none)"
api POST $ns/secrets -d '{"metadata":{"name":"held"}}' >/dev/null
held=$(bind Secret held | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
as_held() { code "$1" -H "Authorization: Bearer $held"; }
expect "a bound token" 200 "$(as_held "$url/version")"
api DELETE $ns/secrets/held >/dev/null
expect "what it is bound to is gone" 401 "$(as_held "$url/version")"
expect "changed token" 401 "$(code "$url/version" -H "Authorization: Bearer ${robot%??}AA")"
api DELETE $ns/serviceaccounts/robot >/dev/null
expect "the account is gone" 401 "$(as_robot "$url/version")"

# secrets stay secret
for f in ca.key server.key sa.key admin.token; do expect "mode of $f" 600 "$(stat -c %a "$dir/pki/$f")"; done
expect "mode of kubeconfig" 600 "$(stat -c %a "$dir/kubeconfig")"
expect "no token in the log" 0 "$(grep -c -e "$token" -e "$robot" "$dir/log" || true)"

# the certificate; the other CA is one of ours too: a small machine has none
"$program" --data "$dir/other" --kubeconfig "$dir/other/kubeconfig" >"$dir/other.log" 2>&1 &
other=$!
await "another CA" test -s "$dir/other/kubeconfig"
leave $other
expect "another CA is refused" 60 "$(curl -sS --max-time 60 --cacert "$dir/other/pki/ca.crt" "$url/version" >/dev/null 2>&1 || echo $?)"
expect "by name" 200 "$(code "https://localhost:$port/version")"
