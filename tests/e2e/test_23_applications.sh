#!/bin/sh
# What courses deploy beside nginx and busybox: applications that answer who they are, one that needs a database, one that
# fails its probe, one that eats memory, one that asks the API. Each does what its labs look at.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

shows() { [ "$(k get pod "$1" --no-headers 2>/dev/null | awk '{print $3}')" = "$2" ]; }
reason() { k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}'; }
# pod NAME IMAGE [MEMBERS OF THE CONTAINER]
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","labels":{"run":"%s"}},"spec":{"restartPolicy":"%s","terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"%s"%s}]}}' \
        "$1" "$1" "${4:-Always}" "$2" "${3:+,$3}" | k apply -f - >/dev/null
}
pod curl curlimages/curl:8.5.0 '"command":["sleep","100000"]'
within 30 "curl" shows curl Running
# answers NAME PORT PATH WORDS: the pod of that name does
answers() { k exec curl -- curl -s -m 20 "$(k get pod "$1" -o 'jsonpath={.status.podIP}'):$2$3" | grep -qF -e "$4"; }

say "applications that say who they are"
pod hello gcr.io/google-samples/hello-app:2.0
pod echo hashicorp/http-echo:1.0 '"args":["-text=apple","-listen=:8080"]'
pod who traefik/whoami:v1.10
pod color kodekloud/webapp-color:v2 '"env":[{"name":"APP_COLOR","value":"pink"}]'
pod host registry.k8s.io/e2e-test-images/agnhost:2.39 '"command":["/agnhost","netexec","--http-port=8081"]'
pod open nginxinc/nginx-unprivileged:1.25
within 30 "version" answers hello 8080 / "Version: 2.0.0"
within 30 "name" answers hello 8080 / "Hostname: hello"
within 30 "text" answers echo 8080 / apple
within 30 "address" answers who 80 / "IP: $(k get pod who -o 'jsonpath={.status.podIP}')"
within 30 "colour" answers color 8080 / "background: pink"
within 30 "host name" answers host 8081 /hostname host
within 30 "shell" answers host 8081 '/shell?cmd=echo+a%20b' '{"output":"a b\n"}'
within 30 "another port" answers open 8080 / "Welcome to nginx!"
k exec host -- /agnhost connect "$(k get pod hello -o 'jsonpath={.status.podIP}'):8080" --timeout=20s
fails k exec host -- /agnhost connect "$(k get pod hello -o 'jsonpath={.status.podIP}'):1" --timeout=20s
has "connect" REFUSED "$out"

say "the digits of pi, and a greeting"
k create job pi --image=perl:5.34.0 -- perl -Mbignum=bpi -wle 'print bpi(30)' >/dev/null
within 30 "pi" value_is 3.14159265358979323846264338328 k logs job/pi
pod hi hello-world '' Never
within 30 "ends" shows hi Completed
has "greeting" "Hello from Docker!" "$(k logs hi)"

say "wordpress, without its database and with it"
pod wordpress wordpress:6.2.1-apache '"env":[{"name":"WORDPRESS_DB_HOST","value":"db"}]'
within 30 "no database" answers wordpress 80 / "Error establishing a database connection"
pod db mysql:8.0 '"env":[{"name":"MYSQL_ROOT_PASSWORD","value":"x"}]'
k expose pod db --port=3306 >/dev/null
names() { k exec "$1" -- nslookup "$2" | grep -q 'db.default.svc.cluster.local'; }
within 30 "names with dots are looked for in the search list" names host db.default
within 60 "the database" answers wordpress 80 / "WordPress &rsaquo; Installation"
has "files" wp-config.php "$(k exec wordpress -- ls /var/www/html)"

say "memory that is really taken"
pod stress polinux/stress '"command":["stress"],"args":["--vm","1","--vm-bytes","250M","--vm-hang","1"],"resources":{"limits":{"memory":"100Mi"}}' Never
pod vish vish/stress '"args":["-mem-total","250Mi","-mem-alloc-size","10Mi"],"resources":{"limits":{"memory":"100Mi"}}' Never
pod modest polinux/stress '"command":["stress"],"args":["--vm","1","--vm-bytes","20M","--vm-hang","1"],"resources":{"limits":{"memory":"100Mi"}}' Never
if "$STOWAGE" doctor | grep -q '^ok  *control groups'; then
    within 30 "killed" value_is "OOMKilled 137" reason stress
    within 30 "killed" value_is "OOMKilled 137" reason vish
fi
within 30 "within its limit" shows modest Running

say "well for ten seconds, then no more"
pod live registry.k8s.io/e2e-test-images/agnhost:2.40 '"args":["liveness"],"livenessProbe":{"httpGet":{"path":"/healthz","port":8080},"initialDelaySeconds":3,"periodSeconds":3}'
within 90 "the probe" event_says live "Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500"
within 30 "restarted" event_says live "Killing: Container c failed liveness probe, will be restarted"

say "the API, asked from a pod"
pod ask bitnami/kubectl:1.32 '"args":["get","pods","-o","name"]' Never
within 30 "ended" shows ask Error
if k logs ask | grep -q 'this machine has none'; then
    say "no kubectl without libraries here"
else
    has "refused" 'User "system:serviceaccount:default:default" cannot list resource "pods"' "$(k logs ask)"
    pod ask2 bitnami/kubectl:1.32 '"args":["get","--raw","/version"]' Never
    within 30 "allowed" shows ask2 Completed
    has "what it sees" '"gitVersion"' "$(k logs ask2)"
fi

say "a tag that is none is refused as before"
pod tag wordpress:nosuchtag
within 30 "no such tag" shows tag ImagePullBackOff
