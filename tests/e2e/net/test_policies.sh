#!/bin/bash
# NetworkPolicies: who may come, who may go, by pod, namespace, address and port; services and DNS included.
. "$SOURCE_DIR/tests/e2e/net/net.sh"
filters || { echo "skipped: this kernel has no nf_tables"; exit 77; }
cluster --nodes 2
caller friend controlplane
caller stranger node01
k create namespace far >/dev/null
k label namespace far team=far >/dev/null
k run -n far caller --image=busybox --labels=role=friend --command -- sleep 100000 >/dev/null
k label pod friend role=friend >/dev/null
page web 2
ready pod/friend pod/stranger
ready -n far pod/caller
far() { "$KUBECTL" -n far exec caller -- wget -qO- -T 3 http://web.default/ 2>/dev/null | grep -q '^web '; }
policy() { k apply -f - >/dev/null; }
hears() { within 15 "$1 hears" answers "web " "$1" "${2:-http://web/}"; }
deaf() { within 15 "$1 hears nothing" sh -c "! '$KUBECTL' exec $1 -- wget -qO- -T 2 ${2:-http://web/}"; }

say "nothing is closed"
hears friend
hears stranger
within 15 "from afar" far

say "closed for all"
policy <<'Y'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"closed"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Ingress"]}}
Y
deaf friend
deaf stranger
within 15 "not from afar" not far
within 15 "a closed pod does not refuse, it is silent" silent stranger "$(k get pods -l app=web -o 'jsonpath={.items[0].status.podIP}')" 80
has "columns" "app=web" "$(k get networkpolicy closed)"

say "open for friends of this namespace, on their port"
policy <<'Y'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"friends"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},
 "ingress":[{"from":[{"podSelector":{"matchLabels":{"role":"friend"}}}],"ports":[{"protocol":"TCP","port":80}]}]}}
Y
hears friend
deaf stranger
within 15 "a friend elsewhere is none" not far
within 15 "another port is closed" silent friend "$(k get pods -l app=web -o 'jsonpath={.items[0].status.podIP}')" 81
k label pod stranger role=friend >/dev/null
hears stranger
k label pod stranger role- >/dev/null
deaf stranger

say "a namespace, and pods of it"
policy <<'Y'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"afar"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},
 "ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"far"}},"podSelector":{"matchLabels":{"role":"friend"}}}]}]}}
Y
within 15 "from afar" far
deaf stranger
k label namespace far team- >/dev/null
within 15 "no longer" not far

say "addresses, and exceptions"
ip=$(field pod stranger .status.podIP)
policy <<Y
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"addresses"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},
 "ingress":[{"from":[{"ipBlock":{"cidr":"10.244.0.0/16","except":["$ip/32"]}}]}]}}
Y
within 15 "the rest" far
deaf stranger
k delete networkpolicy --all >/dev/null
hears stranger

say "the way out: closed, then open for DNS and one kind of pod"
policy <<'Y'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"out"},"spec":{"podSelector":{"matchLabels":{"run":"stranger"}},"policyTypes":["Egress"]}}
Y
deaf stranger
within 15 "no names either" sh -c "! '$KUBECTL' exec stranger -- nslookup web.default.svc.cluster.local"
hears friend
policy <<'Y'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"out"},"spec":{"podSelector":{"matchLabels":{"run":"stranger"}},"policyTypes":["Egress"],
 "egress":[{"to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}},"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}],"ports":[{"protocol":"UDP","port":53}]},
           {"to":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":80}]}]}}
Y
hears stranger
within 15 "others are closed" silent stranger "$(field pod friend .status.podIP)" 80
k delete networkpolicy out >/dev/null
within 15 "open again" refused stranger "$(field pod friend .status.podIP)" 80

say "probes of the node are never closed"
policy <<'Y'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"all"},"spec":{"podSelector":{},"policyTypes":["Ingress","Egress"]}}
Y
k run probed --image=nginx --overrides='{"spec":{"containers":[{"name":"probed","image":"nginx","readinessProbe":{"httpGet":{"port":80},"periodSeconds":1}}]}}' >/dev/null
ready pod/probed
