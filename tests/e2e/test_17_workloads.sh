#!/bin/sh
# Jobs, cron jobs and daemon sets as a user meets them: work that ends, fails, is numbered, is held back, starts by the clock;
# one pod on each node.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster --nodes 3
cd "$WORK"

# job NAME COMMAND [MEMBERS OF SPEC]
job() {
    printf '{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"%s"},"spec":{"template":{"spec":{"restartPolicy":"Never","terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox:1.36","command":["sh","-c","%s"]}]}}%s}}' \
        "$1" "$2" "${3:+,$3}" | k create -f - >/dev/null
}
is() { within 60 "job $1 is $2" k wait --for="condition=$2" "job/$1" --timeout=1s; }

say "a job that ends, one that fails, one with a deadline"
job ok "echo done"
job fails "exit 3" '"backoffLimit":0'
job late "sleep 1000" '"activeDeadlineSeconds":1'
is ok Complete
eq "log" "done" "$(k logs job/ok)"
is fails Failed
within 5 "event" event_says fails "BackoffLimitExceeded: Job has reached the specified backoff limit"
is late Failed
within 5 "event" event_says late "DeadlineExceeded: Job was active longer than specified deadline"

say "numbered pods"
job idx 'echo $JOB_COMPLETION_INDEX $(hostname)' '"completions":3,"parallelism":2,"completionMode":"Indexed"'
is idx Complete
eq "indexes" "0-2" "$(k get job idx -o 'jsonpath={.status.completedIndexes}')"
eq "what they said" "0 idx-0,1 idx-1,2 idx-2," "$(k logs -l job-name=idx | sort | tr '\n' ,)"

say "held back, then let go; and gone when its time is over"
job susp true '"suspend":true,"ttlSecondsAfterFinished":0'
within 10 "suspended" k wait --for=condition=Suspended job/susp --timeout=1s
eq "no pods" "" "$(k get pods -l job-name=susp -o name)"
k patch job susp -p '{"spec":{"suspend":false}}' >/dev/null
gone() { ! k get "$@"; }
within 60 "finished and gone" gone job susp
k delete job ok >/dev/null
within 30 "its pods go with a job" value_is "" k get pods -l job-name=ok -o name

say "by the clock, or by hand"
if since 21; then # older ones make and read cron jobs of batch/v1beta1 only
    k create cronjob tick --image=busybox:1.36 --schedule='0 0 29 2 *' -- true >/dev/null
    k create job now --from=cronjob/tick >/dev/null
    is now Complete
    within 5 "not of its making" event_says tick "UnexpectedJob: Saw a job that the controller did not create or forgot: now"
    has "table" "0 0 29 2 *" "$(k get cronjobs)"
fi

say "a daemon on each node"
printf '{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"busybox:1.36","command":["sleep","100000"]}]}}}}' | k apply -f - >/dev/null
k rollout status ds/d --timeout=300s >/dev/null
on_nodes() { k get pods -l app=d -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | tr '\n' ' '; }
eq "nodes" "node01 node02 " "$(on_nodes)"
k set image ds/d c=busybox:1.37 >/dev/null
k rollout status ds/d --timeout=300s >/dev/null
k rollout undo ds/d >/dev/null
k rollout status ds/d --timeout=300s >/dev/null
eq "image" "busybox:1.36 busybox:1.36" "$(k get pods -l app=d -o 'jsonpath={.items[*].spec.containers[0].image}')"
k label node node02 disk=ssd >/dev/null
k patch ds d -p '{"spec":{"template":{"spec":{"nodeSelector":{"disk":"ssd"}}}}}' >/dev/null
within 60 "only where the label is" value_is "node02 " on_nodes
k cordon node02 >/dev/null
k delete pod -l app=d >/dev/null
within 60 "a cordon is nothing to it" value_is "node02 " on_nodes

say "a namespace with a running job can be deleted"
k create namespace away >/dev/null
k create job hold -n away --image=busybox:1.36 -- sleep 1000 >/dev/null
holding() { k get pods -n away -o name | grep -q pod; }
within 30 "it runs" holding
k delete namespace away --timeout=300s >/dev/null
