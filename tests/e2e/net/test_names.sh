#!/bin/bash
# DNS: services, headless pods, aliases, SRV and reverse names, searching, what there is not. Endpoints by hand.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
cluster --nodes 2
caller a
k create namespace other >/dev/null
page web 2
k create -n other service clusterip web --tcp=80 --clusterip=10.96.44.4 >/dev/null
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 5432, targetPort: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: out}
spec: {type: ExternalName, externalName: web.other.svc.cluster.local}
Y
k rollout status statefulset db --timeout=120s >/dev/null
ready pod/a
ip=$(field service web .spec.clusterIP)

say "short and long names, and those of another namespace"
for name in web.default.svc.cluster.local web.default.svc.cluster.local.; do
    within 10 "$name" looks_up "Address: $ip" a $name
done
within 15 "by its short name" answers "web " a http://web/
within 15 "with its namespace" answers "web " a http://web.default/
within 15 "with svc" answers "web " a http://web.default.svc/
within 10 "other" looks_up "Address: 10.96.44.4" a web.other.svc.cluster.local

say "pods of a headless service"
zero=$(field pod db-0 .status.podIP)
within 10 "by host name" looks_up "Address: $zero" a db-0.db.default.svc.cluster.local
within 15 "by host name, searched" answers "Welcome" a http://db-0.db/
both() { lookup a db.default.svc.cluster.local | grep -c 'Address: 10\.244\.'; }
within 10 "both" value_is 2 both
within 10 "by address" looks_up "Address: $zero" a "$(echo "$zero" | tr . -).default.pod.cluster.local"

say "other types"
within 10 "SRV" looks_up " 80 db-0.db.default.svc.cluster.local" a _sql._tcp.db.default.svc.cluster.local srv
within 10 "PTR" looks_up "name = web.default.svc.cluster.local" a "$ip"
within 10 "PTR of a pod" looks_up "db-0.db.default.svc.cluster.local" a "$zero"
within 10 "an alias" looks_up "canonical name = web.other.svc.cluster.local" a out.default.svc.cluster.local
within 10 "and where it leads" looks_up "10.96.44.4" a out.default.svc.cluster.local

say "what there is not"
within 10 "no name" looks_up "NXDOMAIN" a nosuch.default.svc.cluster.local
fails lookup a nosuch.default.svc.cluster.local
lacks "no such record is no such name" "NXDOMAIN" "$(lookup a default.svc.cluster.local 2>&1 || true)"

say "only pods that are ready, unless the service wants all"
k patch statefulset db -p '{"spec":{"template":{"spec":{"containers":[{"name":"db","readinessProbe":{"exec":{"command":["test","-e","/tmp/go"]},"periodSeconds":1}}]}}}}' >/dev/null
within 60 "one is not ready" sh -c "'$KUBECTL' get endpoints db -o 'jsonpath={.subsets[*].notReadyAddresses[*].ip}' | grep -q 10.244"
within 20 "it has no name" sh -c "! '$KUBECTL' exec a -- nslookup db-1.db.default.svc.cluster.local"
k patch service db -p '{"spec":{"publishNotReadyAddresses":true}}' >/dev/null
within 20 "it has one" sh -c "'$KUBECTL' exec a -- nslookup db-1.db.default.svc.cluster.local"

say "a service without selector: Endpoints written by hand are mirrored and lead somewhere"
k apply -f - >/dev/null <<Y
{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Service","metadata":{"name":"manual"},"spec":{"ports":[{"port":80}]}},
{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"manual"},"subsets":[{"addresses":[{"ip":"$zero"}],"ports":[{"port":80}]}]}]}
Y
within 10 "mirrored" sh -c "'$KUBECTL' get endpointslices -l kubernetes.io/service-name=manual -o 'jsonpath={.items[0].endpoints[0].addresses[0]}' | grep -qx '$zero'"
within 10 "it leads there" answers "Welcome" a http://manual/
k apply -f - >/dev/null <<Y
{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Service","metadata":{"name":"sliced"},"spec":{"ports":[{"port":80}]}},
{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"sliced-1","labels":{"kubernetes.io/service-name":"sliced"}},
 "addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["$zero"]}]}]}
Y
within 10 "so do slices" answers "Welcome" a http://sliced/
k delete endpoints manual >/dev/null
within 20 "the mirror goes, too" value_is "" k get endpointslices -l kubernetes.io/service-name=manual -o name

say "a service leads datagrams, too"
k apply -f - >/dev/null <<'Y'
{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Service","metadata":{"name":"resolver"},"spec":{"ports":[{"port":53,"protocol":"UDP"}]}},
{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"resolver"},"subsets":[{"addresses":[{"ip":"10.96.0.10"}],"ports":[{"port":53,"protocol":"UDP"}]}]}]}
Y
resolver=$(field service resolver .spec.clusterIP)
within 10 "an answer by another address" sh -c "'$KUBECTL' exec a -- nslookup web.default.svc.cluster.local $resolver | grep -q '$ip'"
