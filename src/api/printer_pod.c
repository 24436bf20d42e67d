/* printer_pod.c - columns of Pod; the Status column is the one students live by.
 *
 * DESIGN: pod_summary() walks the statuses once, as the real printer does. The phase is only the beginning: a reason of
 * the pod, a scheduling gate, the first init container that is not done ("Init:1/2", "Init:CrashLoopBackOff"), and then
 * the *first* container that waits or has ended (the walk goes backwards and the last word wins) each overrule it; a
 * deletion overrules them all. Restarts of init containers count only while they run, except those of sidecars (init
 * containers that restart always).
 *
 * THREADS: pure functions. */
#include "api/printer.h"
#include "api/printer_int.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

struct summary {
    char reason[128];
    int64_t ready, total, restarts;
    int64_t last_restart; /* wall ns, 0: none known */
};

static void reason_set(struct summary *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void reason_set(struct summary *s, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(s->reason, sizeof s->reason, format, ap);
    va_end(ap);
}

static const json_t *condition(const json_t *pod, const char *type)
{
    const json_t *conditions = jat(pod, "status.conditions");
    for (size_t i = 0; i < json_array_size(conditions); i++)
        if (str_eq(jstr(json_array_get(conditions, i), "type"), type))
            return json_array_get(conditions, i);
    return NULL;
}

static bool condition_true(const json_t *pod, const char *type)
{
    return str_eq(jstr(condition(pod, type), "status"), "True");
}

static bool is_sidecar(const json_t *pod, const char *container)
{
    const json_t *inits = jat(pod, "spec.initContainers");
    for (size_t i = 0; i < json_array_size(inits); i++) {
        const json_t *c = json_array_get(inits, i);
        if (str_eq(jstr(c, "name"), container))
            return str_eq(jstr(c, "restartPolicy"), "Always");
    }
    return false;
}

/* Adds the restarts of one container status. */
static void restarts_add(struct summary *s, const json_t *status)
{
    int64_t at;
    const char *finished = jstr(status, "lastState.terminated.finishedAt");
    s->restarts += jint(status, "restartCount", 0);
    if (finished != NULL && time_parse(finished, &at) == 0 && at > s->last_restart)
        s->last_restart = at;
}

/* "Error", "Signal:9" or "ExitCode:2", behind `prefix`. */
static void terminated_reason(struct summary *s, const char *prefix, const json_t *terminated)
{
    const char *reason = jstr(terminated, "reason");
    int64_t signal = jint(terminated, "signal", 0);
    if (!str_empty(reason))
        reason_set(s, "%s%s", prefix, reason);
    else if (signal != 0)
        reason_set(s, "%sSignal:%lld", prefix, (long long)signal);
    else
        reason_set(s, "%sExitCode:%lld", prefix, (long long)jint(terminated, "exitCode", 0));
}

/* Walks the init containers up to the first that is not done; true if there is one. Restarts of sidecars also go to
 * `sidecars`. */
static bool init_containers(struct summary *s, struct summary *sidecars, const json_t *pod)
{
    const json_t *statuses = jat(pod, "status.initContainerStatuses");
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const json_t *status = json_array_get(statuses, i);
        const json_t *terminated = jat(status, "state.terminated");
        const char *waiting = jstr(status, "state.waiting.reason");
        bool sidecar = is_sidecar(pod, jstr(status, "name"));
        restarts_add(s, status);
        if (sidecar)
            restarts_add(sidecars, status);
        if (terminated != NULL && jint(terminated, "exitCode", 0) == 0)
            continue;
        if (sidecar && jbool(status, "started", false)) {
            s->ready += jbool(status, "ready", false) ? 1 : 0;
            continue;
        }
        if (terminated != NULL)
            terminated_reason(s, "Init:", terminated);
        else if (!str_empty(waiting) && !str_eq(waiting, "PodInitializing"))
            reason_set(s, "Init:%s", waiting);
        else
            reason_set(s, "Init:%zu/%zu", i, json_array_size(jat(pod, "spec.initContainers")));
        return true;
    }
    return false;
}

static void containers(struct summary *s, const json_t *pod)
{
    const json_t *statuses = jat(pod, "status.containerStatuses");
    bool running = false;
    for (size_t i = json_array_size(statuses); i-- > 0;) {
        const json_t *status = json_array_get(statuses, i), *terminated = jat(status, "state.terminated");
        const char *waiting = jstr(status, "state.waiting.reason");
        restarts_add(s, status);
        if (!str_empty(waiting)) {
            reason_set(s, "%s", waiting);
        } else if (terminated != NULL) {
            terminated_reason(s, "", terminated);
        } else if (jbool(status, "ready", false) && jat(status, "state.running") != NULL) {
            running = true;
            s->ready++;
        }
    }
    if (running && strcmp(s->reason, "Completed") == 0)
        reason_set(s, "%s", condition_true(pod, "Ready") ? "Running" : "NotReady");
}

static struct summary pod_summary(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", ""), *reason = jstr(pod, "status.reason");
    struct summary s = {.total = (int64_t)json_array_size(jat(pod, "spec.containers"))}, sidecars = {0};
    const json_t *inits = jat(pod, "spec.initContainers");
    for (size_t i = 0; i < json_array_size(inits); i++)
        s.total += str_eq(jstr(json_array_get(inits, i), "restartPolicy"), "Always") ? 1 : 0;

    reason_set(&s, "%s", str_empty(reason) ? phase : reason);
    if (str_eq(jstr(condition(pod, "PodScheduled"), "reason"), "SchedulingGated"))
        reason_set(&s, "SchedulingGated");
    if (!init_containers(&s, &sidecars, pod) || condition_true(pod, "Initialized")) {
        s.restarts = sidecars.restarts;
        s.last_restart = sidecars.last_restart;
        containers(&s, pod);
    }
    if (jat(pod, "metadata.deletionTimestamp") != NULL) {
        if (str_eq(reason, "NodeLost"))
            reason_set(&s, "Unknown");
        else if (!str_eq(phase, "Succeeded") && !str_eq(phase, "Failed"))
            reason_set(&s, "Terminating");
    }
    return s;
}

static void pod_ready(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    struct summary s = pod_summary(obj);
    _auto_free_ char *text = xasprintf("%lld/%lld", (long long)s.ready, (long long)s.total);
    cell_text(out, text);
}

static void pod_status(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    struct summary s = pod_summary(obj);
    cell_text(out, s.reason);
}

static void pod_restarts(struct buf *out, const json_t *obj, int64_t now)
{
    struct summary s = pod_summary(obj);
    char ago[24];
    human_duration(now - s.last_restart, ago);
    _auto_free_ char *text = s.restarts != 0 && s.last_restart != 0
                                 ? xasprintf("%lld (%s ago)", (long long)s.restarts, ago)
                                 : xasprintf("%lld", (long long)s.restarts);
    cell_text(out, text);
}

static void pod_ip(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *ips = jat(obj, "status.podIPs");
    const char *ip = json_array_size(ips) > 0 ? jstr(json_array_get(ips, 0), "ip") : jstr(obj, "status.podIP");
    cell_text_or(out, ip, "<none>");
}

static void pod_node(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "spec.nodeName"), "<none>");
}

static void pod_nominated(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "status.nominatedNodeName"), "<none>");
}

static void pod_gates(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *gates = jat(obj, "spec.readinessGates");
    size_t open = 0;
    for (size_t i = 0; i < json_array_size(gates); i++)
        open += condition_true(obj, jstr_or(json_array_get(gates, i), "conditionType", "")) ? 1 : 0;
    _auto_free_ char *text = xasprintf("%zu/%zu", open, json_array_size(gates));
    cell_text(out, json_array_size(gates) > 0 ? text : "<none>");
}

/* A finished pod says so: clients may hide such rows. */
static void pod_conditions(struct buf *out, const json_t *obj)
{
    const char *phase = jstr_or(obj, "status.phase", "");
    const char *message = str_eq(phase, "Succeeded") ? "The pod has completed successfully."
                          : str_eq(phase, "Failed")  ? "The pod failed."
                                                     : NULL;
    if (message != NULL)
        buf_addf(out,
                 "\"conditions\":[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"%s\",\"message\":\"%s\"}],",
                 phase, message);
}

static const struct column pod_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Ready", "string", "", 0, pod_ready, "The aggregate readiness state of this pod for accepting traffic."},
    {"Status", "string", "", 0, pod_status, "The aggregate status of the containers in this pod."},
    {"Restarts", "string", "", 0, pod_restarts,
     "The number of times the containers in this pod have been restarted and when the last container in "
     "this pod has restarted."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"IP", "string", "", 1, pod_ip,
     "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet "
     "allocated."},
    {"Node", "string", "", 1, pod_node,
     "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for "
     "scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this "
     "node becomes responsible for the lifecycle of this pod. This field should not be used to express a "
     "desire for the pod to be scheduled on a specific node. "
     "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename"},
    {"Nominated Node", "string", "", 1, pod_nominated,
     "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be "
     "scheduled right away as preemption victims receive their graceful termination periods. This field "
     "does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the "
     "pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the "
     "resources on this node to a higher priority pod that is created after preemption. As a result, this "
     "field may be different than PodSpec.nodeName when the pod is scheduled."},
    {"Readiness Gates", "string", "", 1, pod_gates,
     "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its "
     "containers are ready AND all conditions specified in the readiness gates have status equal to "
     "\"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates"},
};
const struct printer printer_pod = {"", "Pod", pod_columns, ARRAY_LEN(pod_columns), pod_conditions};
