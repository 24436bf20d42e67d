/* admit.c - whether a node takes a pod that was bound to it.
 *
 * DESIGN: the scheduler has looked at all this, but not for pods that name their node themselves, and not with what has
 * changed since. A pod that is refused is Failed for good: a controller makes another. What a pod asks for is counted
 * as the scheduler counts it; the room that others have taken is that of all pods here that have not ended.
 *
 * THREADS: the loop thread. Source: pkg/kubelet/lifecycle/predicate.go, sysctl/allowlist.go, resource helpers.
 *
 * When you add a reason not to take a pod: a row in checks[]. */
#include "kubeletsim/pod_int.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "control/objects.h"

/* -- amounts -- */

static const char *const resources[] = {"cpu", "memory", "ephemeral-storage"};

/* In the units of the kubelet's messages: thousandths of CPU, bytes. */
static int64_t amount(const json_t *list, const char *resource)
{
    struct quantity q;
    const char *text = json_string_value(json_object_get(list, resource));
    if (!text || quantity_parse(text, &q) < 0)
        return 0;
    return str_eq(resource, "cpu") ? quantity_milli(&q) : quantity_value(&q);
}

static int64_t sum(int64_t a, int64_t b)
{
    return b < INT64_MAX - a ? a + b : INT64_MAX;
}

static int64_t asked_by(const json_t *container, const char *resource)
{
    return amount(jat(container, "resources.requests"), resource);
}

/* What runs together, or the greediest moment of its start. */
static int64_t pod_asks(const json_t *pod, const char *resource)
{
    int64_t together = 0, sidecars = 0, start = 0;
    size_t i;
    const json_t *c;
    json_array_foreach(jat(pod, "spec.containers"), i, c)
    {
        together = sum(together, asked_by(c, resource));
    }
    json_array_foreach(jat(pod, "spec.initContainers"), i, c)
    {
        const int64_t asked = asked_by(c, resource);
        if (str_eq(jstr(c, "restartPolicy"), "Always"))
            sidecars = sum(sidecars, asked);
        else if (start < sum(sidecars, asked))
            start = sum(sidecars, asked);
    }
    together = sum(together, sidecars);
    return sum(together > start ? together : start, amount(jat(pod, "spec.overhead"), resource));
}

static bool takes_room(const struct pod_run *p, const struct pod_run *other)
{
    return other != p && other->node == p->node && other->stage > POD_NEW && other->stage < POD_KEPT &&
           !other->fail_reason;
}

static const char *out_of(const char *resource)
{
    return str_eq(resource, "cpu") ? "OutOfcpu" : str_eq(resource, "memory") ? "OutOfmemory" : "OutOfephemeral-storage";
}

static char *shortage(const char *resource, int64_t asked, int64_t used, int64_t capacity)
{
    return xasprintf("Node didn't have enough resource: %s, requested: %lld, used: %lld, capacity: %lld", resource,
                     (long long)asked, (long long)used, (long long)capacity);
}

static const char *lacks_room(const struct pod_run *p, const json_t *node, char **out_message)
{
    const json_t *allocatable = jat(node, "status.allocatable");
    int64_t pods = 0, most = amount(allocatable, "pods");
    for (const struct pod_run *o = p->k->pods; o; o = o->next)
        pods += takes_room(p, o);
    if (most > 0 && pods + 1 > most) {
        *out_message = shortage("pods", 1, pods, most);
        return "OutOfpods";
    }
    for (size_t r = 0; r < ARRAY_LEN(resources); r++) {
        const int64_t asked = pod_asks(pod_tree(p), resources[r]), capacity = amount(allocatable, resources[r]);
        int64_t used = 0;
        for (const struct pod_run *o = p->k->pods; asked > 0 && o; o = o->next)
            used = takes_room(p, o) ? sum(used, pod_asks(pod_tree(o), resources[r])) : used;
        if (asked > 0 && asked > capacity - used) {
            *out_message = shortage(resources[r], asked, used, capacity);
            return out_of(resources[r]);
        }
    }
    return NULL;
}

/* -- where it wants to be -- */

static const char *wants_another_node(const struct pod_run *p, const json_t *node, char **out_message)
{
    const json_t *pod = pod_tree(p), *labels = jat(node, "metadata.labels");
    const json_t *required = jat(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    bool fits = !required || node_selector_match(required, node);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)jat(pod, "spec.nodeSelector"), key, value)
    {
        fits = fits && str_eq(json_string_value(json_object_get(labels, key)), json_string_value(value));
    }
    if (fits)
        return NULL;
    *out_message = xstrdup("Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector");
    return "NodeAffinity";
}

/* -- host ports -- */

static bool has_host_port(const json_t *pod, const json_t *wanted)
{
    size_t i, j;
    const json_t *c, *port;
    json_array_foreach(jat(pod, "spec.containers"), i, c)
    {
        json_array_foreach(json_object_get(c, "ports"), j, port)
        {
            const char *a = jstr_or(port, "hostIP", "0.0.0.0"), *b = jstr_or(wanted, "hostIP", "0.0.0.0");
            if (jint(port, "hostPort", 0) == jint(wanted, "hostPort", 0) &&
                str_eq(jstr_or(port, "protocol", "TCP"), jstr_or(wanted, "protocol", "TCP")) &&
                (str_eq(a, b) || str_eq(a, "0.0.0.0") || str_eq(b, "0.0.0.0")))
                return true;
        }
    }
    return false;
}

static bool port_is_taken(const struct pod_run *p, const json_t *port)
{
    for (const struct pod_run *o = p->k->pods; jint(port, "hostPort", 0) > 0 && o; o = o->next)
        if (takes_room(p, o) && has_host_port(pod_tree(o), port))
            return true;
    return false;
}

static const char *lacks_ports(const struct pod_run *p, const json_t *node _unused_, char **out_message)
{
    size_t i, j;
    const json_t *c, *port;
    json_array_foreach(jat(pod_tree(p), "spec.containers"), i, c)
    {
        json_array_foreach(json_object_get(c, "ports"), j, port)
        {
            if (!port_is_taken(p, port))
                continue;
            *out_message =
                xstrdup("Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports");
            return "NodePorts";
        }
    }
    return NULL;
}

/* -- settings of the kernel -- */

static const char *const safe_sysctls[] = {
    "kernel.shm_rmid_forced",           "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",        "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",     "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",      "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",          "net.ipv4.tcp_wmem",
};

static const char *forbidden_sysctl(const struct pod_run *p, const json_t *node _unused_, char **out_message)
{
    size_t i;
    const json_t *s;
    json_array_foreach(jat(pod_tree(p), "spec.securityContext.sysctls"), i, s)
    {
        bool safe = false;
        for (size_t k = 0; !safe && k < ARRAY_LEN(safe_sysctls); k++)
            safe = str_eq(jstr(s, "name"), safe_sysctls[k]);
        if (safe)
            continue;
        *out_message = xasprintf("forbidden sysctl: \"%s\" not allowlisted", jstr_or(s, "name", ""));
        return "SysctlForbidden";
    }
    return NULL;
}

/* -- another system than this one -- */

static const char *wants_another_os(const struct pod_run *p, const json_t *node _unused_, char **out_message)
{
    const char *label = jmap(pod_tree(p), "metadata.labels", "kubernetes.io/os");
    if (label && !str_eq(label, "linux")) {
        *out_message = xstrdup("Failed to admit pod as the `kubernetes.io/os` label doesn't match node label");
        return "PodOSSelectorNodeLabelDoesNotMatch";
    }
    if (str_eq(jstr_or(pod_tree(p), "spec.os.name", "linux"), "linux"))
        return NULL;
    *out_message = xstrdup("Failed to admit pod as the OS field doesn't match node OS");
    return "PodOSNotSupported";
}

/* -- taints that let nobody stay: those who name their node have not passed the scheduler -- */

static const char *is_kept_off(const struct pod_run *p, const json_t *node, char **out_message)
{
    size_t i;
    const json_t *taint;
    json_array_foreach(jat(node, "spec.taints"), i, taint)
    {
        if (p->from_file || !str_eq(jstr(taint, "effect"), "NoExecute") || pod_tolerates(pod_tree(p), taint))
            continue;
        *out_message = xstrdup("Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
        return "TaintToleration";
    }
    return NULL;
}

const char *pod_refusal(const struct pod_run *p, char **out_message)
{
    static const char *(*const checks[])(const struct pod_run *p, const json_t *node, char **out_message) = {
        forbidden_sysctl, wants_another_os, lacks_room, wants_another_node, lacks_ports, is_kept_off};
    _auto_sobj_ struct sobj *node = reg_read(p->k->conf.registry, RES.nodes, "", pod_node(p));
    const char *reason = NULL;
    for (size_t i = 0; node && !reason && i < ARRAY_LEN(checks); i++)
        reason = checks[i](p, node->tree, out_message);
    return reason;
}
