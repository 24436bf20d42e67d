/* conditions.c - the conditions of a pod.
 *
 * DESIGN: those that others own (readiness gates …) are kept as they are and come first; ours follow in the kubelet's
 * order. lastTransitionTime moves only when the status does.
 *
 * THREADS: the loop thread. Source: pkg/kubelet/status/generate.go. */
#include "kubeletsim/pod_int.h"

#include "base/buf.h"

static const char *const own_conditions[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                                             "PodScheduled"};

struct condition {
    const char *type;
    bool value;
    const char *reason;  /* or NULL */
    const char *message; /* or NULL */
};

static const json_t *condition_find(const json_t *pod, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(jat(pod, "status.conditions"), i, c)
    {
        if (str_eq(jstr(c, "type"), type))
            return c;
    }
    return NULL;
}

static void add_condition(const struct pod_run *p, json_t *list, const json_t *pod, const struct condition *c)
{
    const json_t *old = condition_find(pod, c->type);
    const char *status = c->value ? "True" : "False";
    char now[TIME_TEXT_LEN];
    time_format(kubelet_now(p->k), now);
    json_t *out = json_object();
    jset(out, "lastProbeTime", json_null());
    jset_str(out, "lastTransitionTime",
             old && str_eq(jstr(old, "status"), status) ? jstr_or(old, "lastTransitionTime", now) : now);
    if (c->message)
        jset_str(out, "message", c->message);
    if (c->reason)
        jset_str(out, "reason", c->reason);
    jset_str(out, "status", status);
    jset_str(out, "type", c->type);
    json_array_append_new(list, out);
}

static bool is_own(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(own_conditions); i++)
        if (str_eq(own_conditions[i], type))
            return true;
    return false;
}

/* -- what each says -- */

static bool lacks_start(const struct container_run *c)
{
    return container_is_init(c) && !(c->kind == CONTAINER_SIDECAR ? container_is_started(c) : container_is_ready(c));
}

static bool lacks_readiness(const struct container_run *c)
{
    return (c->kind == CONTAINER_REGULAR || c->kind == CONTAINER_SIDECAR) && !container_is_ready(c);
}

/* "containers with unready status: [a b]"; false if all are fine. */
static bool name_lacking(const struct pod_run *p, bool (*lacks)(const struct container_run *c), const char *what,
                         struct buf *out)
{
    bool any = false;
    buf_addf(out, "containers with %s status: [", what);
    for (size_t i = 0; i < p->container_count; i++) {
        if (!lacks(&p->containers[i]))
            continue;
        buf_addf(out, "%s%s", any ? " " : "", p->containers[i].name);
        any = true;
    }
    buf_addc(out, ']');
    return any;
}

/* False with the texts if a readiness gate is not open. */
static bool gates_open(const json_t *pod, struct buf *out)
{
    size_t i;
    const json_t *gate;
    json_array_foreach(jat(pod, "spec.readinessGates"), i, gate)
    {
        const char *type = jstr_or(gate, "conditionType", "");
        const json_t *c = condition_find(pod, type);
        const char *status = jstr_or(c, "status", "");
        if (str_eq(status, "True"))
            continue;
        buf_adds(out, out->len ? ", " : "");
        if (c)
            buf_addf(out, "the status of pod readiness gate \"%s\" is not \"True\", but %s", type, status);
        else
            buf_addf(out, "corresponding condition of pod readiness gate \"%s\" does not exist.", type);
    }
    return out->len == 0;
}

static struct condition initialized_of(const struct pod_run *p, bool succeeded, struct buf *text)
{
    struct condition c = {"Initialized", true, succeeded ? "PodCompleted" : NULL, NULL};
    /* Once the regular containers have run, what init containers do again does not count. */
    bool passed = pod_initialized(p);
    if (succeeded || !name_lacking(p, lacks_start, "incomplete", text) || passed)
        return c;
    return (struct condition){"Initialized", false, "ContainersNotInitialized", buf_str(text)};
}

static struct condition containers_ready_of(const struct pod_run *p, const char *phase, struct buf *text)
{
    if (str_eq(phase, "Succeeded"))
        return (struct condition){"ContainersReady", false, "PodCompleted", NULL};
    if (str_eq(phase, "Failed"))
        return (struct condition){"ContainersReady", false, "PodFailed", NULL};
    if (name_lacking(p, lacks_readiness, "unready", text))
        return (struct condition){"ContainersReady", false, "ContainersNotReady", buf_str(text)};
    return (struct condition){"ContainersReady", true, NULL, NULL};
}

static struct condition ready_of(const struct condition *containers, const json_t *pod, struct buf *text)
{
    struct condition ready = *containers;
    ready.type = "Ready";
    if (ready.value && !gates_open(pod, text))
        ready = (struct condition){"Ready", false, "ReadinessGatesNotReady", buf_str(text)};
    return ready;
}

json_t *conditions_of(const struct pod_run *p, const json_t *pod, const char *phase)
{
    json_t *list = json_array();
    size_t i;
    json_t *old;
    json_array_foreach(jat(pod, "status.conditions"), i, old)
    {
        if (!is_own(jstr(old, "type")))
            json_array_append(list, old);
    }
    _auto_buf_ struct buf init = BUF_INIT;
    _auto_buf_ struct buf unready = BUF_INIT;
    _auto_buf_ struct buf gates = BUF_INIT;
    struct condition containers = containers_ready_of(p, phase, &unready);
    const struct condition rows[] = {
        {"PodReadyToStartContainers", p->sandbox, NULL, NULL},
        initialized_of(p, str_eq(phase, "Succeeded"), &init),
        ready_of(&containers, pod, &gates),
        containers,
        {"PodScheduled", true, NULL, NULL},
    };
    if (p->starved && !condition_find(pod, "DisruptionTarget"))
        add_condition(p, list, pod,
                      &(struct condition){"DisruptionTarget", true, "TerminationByKubelet", p->fail_message});
    for (size_t r = 0; r < ARRAY_LEN(rows); r++)
        add_condition(p, list, pod, &rows[r]);
    return list;
}
