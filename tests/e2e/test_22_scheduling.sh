#!/bin/sh
# Where pods go, as a user sees it: spread over zones, kept away, gated, sent away for more important ones; a thousand
# simulated nodes beside real ones; a clock that goes faster.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster --nodes 5 --simulated-nodes 300
cd "$WORK"

# pod NAME LABELS [MEMBERS OF SPEC]
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","labels":{%s}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox:1.36","command":["sleep","100000"]}]%s}}' \
        "$1" "$2" "${3:+,$3}" | k apply -f - >/dev/null
}
node_of() { k get pod "$1" -o 'jsonpath={.spec.nodeName}'; }
says() { event_says "$1" "FailedScheduling: $2"; }

say "zones, and real nodes beside simulated ones"
eq "real nodes" "controlplane node01 node02 node03 node04 " "$(k get nodes -l '!stowage.io/simulated' -o name | sed 's|node/||' | tr '\n' ' ')"
eq "all nodes" 305 "$(k get nodes --no-headers | wc -l)"
k get nodes -L topology.kubernetes.io/zone | grep -q us-east-1c || die "three zones"

say "one on each of the nodes by a constraint, and the one too many waits"
SPREAD='"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"s"}},"nodeTaintsPolicy":"Honor"}]'
for i in 1 2 3 4; do pod "s$i" '"app":"s"' "$SPREAD"; done
for i in 1 2 3 4; do within 30 "s$i" phase_is pod "s$i" Running; done
eq "nodes" "node01 node02 node03 node04" "$(for i in 1 2 3 4; do node_of s$i; echo; done | sort | xargs)"

say "a pod that wants no company has a node until there is none"
APART='"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchLabels":{"alone":"yes"}},"topologyKey":"kubernetes.io/hostname"}]}}'
for i in 1 2 3 4; do pod "a$i" '"alone":"yes"' "$APART"; done
for i in 1 2 3 4; do within 30 "a$i" phase_is pod "a$i" Running; done
pod a5 '"alone":"yes"' "$APART"
within 30 "the reason" says a5 "0/305 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 300 node(s) had untolerated taint {stowage.io/simulated: true}, 4 node(s) didn't match pod anti-affinity rules. preemption: 0/305 nodes are available: 301 Preemption is not helpful for scheduling, 4 No preemption victims found for incoming pod."
has "why" "anti-affinity" "$("$STOWAGE" why --data "$WORK/data" pod/a5)"
k delete pod a2 >/dev/null
within 30 "its place is taken" phase_is pod a5 Running

say "gates"
pod gated '"x":"y"' '"schedulingGates":[{"name":"example.com/wait"}]'
within 10 "the column" sh -c "$KUBECTL get pod gated | grep -q SchedulingGated"
k patch pod gated --type=json -p '[{"op":"remove","path":"/spec/schedulingGates"}]' >/dev/null
within 30 "let go" phase_is pod gated Running

say "more important pods"
if since 21; then
    k create priorityclass high --value=1000 >/dev/null
else
    printf '{"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":"high"},"value":1000}' | k apply -f - >/dev/null
fi
has "classes" "system-node-critical" "$(k get priorityclasses)"
cpus=$(k get node node03 -o 'jsonpath={.status.allocatable.cpu}')
ON3='"nodeSelector":{"kubernetes.io/hostname":"node03"}'
HUNGRY="\"containers\":[{\"name\":\"c\",\"image\":\"busybox:1.36\",\"command\":[\"sleep\",\"100000\"],\"resources\":{\"requests\":{\"cpu\":\"$cpus\"}}}]"
pod victim '"x":"y"' "$ON3,$HUNGRY"
within 30 "victim" phase_is pod victim Running
pod vip '"x":"y"' "$ON3,\"priorityClassName\":\"high\",$HUNGRY"
within 30 "the victim is told" event_says victim "Preempted: Preempted by pod $(k get pod vip -o 'jsonpath={.metadata.uid}') on node node03"
within 60 "its place is taken" phase_is pod vip Running

say "simulated pods"
printf '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"many"},"spec":{"replicas":500,"selector":{"matchLabels":{"app":"many"}},"template":{"metadata":{"labels":{"app":"many"}},"spec":{"runtimeClassName":"simulated","containers":[{"name":"c","image":"nginx"}]}}}}' | k apply -f - >/dev/null
k rollout status deploy/many --timeout=600s >/dev/null
has "where" "sim-0" "$(k get pods -l app=many -o 'jsonpath={.items[0].spec.nodeName}')"
nodes=$(k get pods -l app=many -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u | wc -l)
[ "$nodes" -gt 150 ] || die "500 pods stand on $nodes of 300 nodes only"
fails k exec deploy/many -- true
has "no processes" "it is simulated" "$out"
k scale deploy/many --replicas=10 >/dev/null
within 60 "fewer" value_is 10 k get deploy many -o 'jsonpath={.status.replicas}'
k create job quick --image=busybox:1.36 --dry-run=client -o json -- true | jq '.spec.template.spec.runtimeClassName = "simulated"' | k apply -f - >/dev/null
within 60 "a job ends" k wait --for=condition=complete job/quick --timeout=1s

say "real use decides how many"
k create deployment busy --image=busybox:1.36 -- sh -c 'while true; do :; done' >/dev/null
k set resources deployment/busy --requests=cpu=20m >/dev/null
k autoscale deployment busy --cpu-percent=50 --min=1 --max=2 >/dev/null
"$STOWAGE" clock --data "$WORK/data" speed 3 >/dev/null
within 120 "a second one" value_is 2 k get deployment busy -o 'jsonpath={.spec.replicas}'
"$STOWAGE" clock --data "$WORK/data" speed 1 >/dev/null
has "table" "Deployment/busy" "$(k get hpa)"
k delete deployment busy >/dev/null

say "an old controller"
printf '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"old"},"spec":{"replicas":2,"template":{"metadata":{"labels":{"app":"old"}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox:1.36","command":["sleep","100000"]}]}}}}' | k apply -f - >/dev/null
within 60 "two pods" value_is 2 k get rc old -o 'jsonpath={.status.readyReplicas}'
k scale rc old --replicas=1 >/dev/null
within 60 "one pod" value_is 1 k get rc old -o 'jsonpath={.status.replicas}'
has "table" "old" "$(k get rc)"

say "a clock that goes faster"
has "speed" "120 times as fast" "$("$STOWAGE" clock --data "$WORK/data" speed 120)"
began=$("$STOWAGE" clock --data "$WORK/data" | cut -c1-20)
later() { [ "$(($(date -d "$("$STOWAGE" clock --data "$WORK/data" | cut -c1-20)" +%s) - $(date -d "$began" +%s)))" -gt 300 ]; }
within 60 "five minutes pass" later
lacks "as fast as this machine's again" "times" "$("$STOWAGE" clock --data "$WORK/data" speed 1)"
not_ready() { k get nodes --no-headers | grep -v ' Ready'; }
eq "nobody is lost meanwhile" "" "$(not_ready || true)"
