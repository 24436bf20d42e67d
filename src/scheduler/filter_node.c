/* filter_node.c - filters about the node itself: cordon, taints, affinity, host ports, resources.
 *
 * Texts are Kubernetes' own; `final` says whether preemption could help. Source: pkg/scheduler/framework/plugins. */
#include "scheduler/scheduler_int.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"

void filter_unschedulable(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    if (!jbool(n->node, "spec.unschedulable", false))
        return;
    json_t *taint = json_pack("{s:s, s:s}", "key", "node.kubernetes.io/unschedulable", "effect", "NoSchedule");
    if (!pod_tolerates(a->pod, taint))
        refuse(v, true, "node(s) were unschedulable");
    json_decref(taint);
}

void filter_taints(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    size_t i;
    json_t *taint;
    json_array_foreach(jat(n->node, "spec.taints"), i, taint)
    {
        const char *effect = jstr_or(taint, "effect", "");
        if ((!str_eq(effect, "NoSchedule") && !str_eq(effect, "NoExecute")) || pod_tolerates(a->pod, taint))
            continue;
        refuse(v, true, "node(s) had untolerated taint {%s: %s}", jstr_or(taint, "key", ""),
               jstr_or(taint, "value", ""));
        return;
    }
}

void filter_affinity(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    bool fits = true;
    const char *key;
    json_t *value;
    json_object_foreach(jat(a->pod, "spec.nodeSelector"), key, value) fits &=
        str_eq(jmap(n->node, "metadata.labels", key), json_string_value(value));
    const json_t *required = jat(a->pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    if (!fits || (required && !node_selector_match(required, n->node)))
        refuse(v, true, "node(s) didn't match Pod's node affinity/selector");
}

static bool same_port(const json_t *a, const json_t *b)
{
    const char *ip_a = jstr_or(a, "hostIP", "0.0.0.0");
    const char *ip_b = jstr_or(b, "hostIP", "0.0.0.0");
    bool same_ip = str_eq(ip_a, ip_b) || str_eq(ip_a, "0.0.0.0") || str_eq(ip_b, "0.0.0.0");
    return jint(a, "hostPort", 0) == jint(b, "hostPort", 0) && same_ip &&
           str_eq(jstr_or(a, "protocol", "TCP"), jstr_or(b, "protocol", "TCP"));
}

static bool port_taken(const json_t *pod, const json_t *want)
{
    size_t c, p;
    json_t *container, *port;
    json_array_foreach(jat(pod, "spec.containers"), c, container)
    {
        json_array_foreach(jat(container, "ports"), p, port)
        {
            if (jint(port, "hostPort", 0) && same_port(port, want))
                return true;
        }
    }
    return false;
}

void filter_ports(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    size_t c, p;
    json_t *container, *port;
    json_array_foreach(jat(a->pod, "spec.containers"), c, container)
    {
        json_array_foreach(jat(container, "ports"), p, port)
        {
            for (size_t i = 0; jint(port, "hostPort", 0) && i < n->pods.len; i++) {
                if (!port_taken(n->pods.trees[i], port))
                    continue;
                refuse(v, false, "node(s) didn't have free ports for the requested pod ports");
                return;
            }
        }
    }
}

static void check_resource(const struct attempt *a, const struct node_info *n, const char *resource, struct verdict *v)
{
    int64_t want = pod_request(a->pod, resource);
    if (want == 0)
        return;
    struct quantity q = {0};
    const char *text = jmap(n->node, "status.allocatable", resource);
    int64_t have = 0;
    if (text && quantity_parse(text, &q) == 0)
        have = str_eq(resource, "cpu") ? quantity_milli(&q) : quantity_value(&q);
    for (size_t i = 0; i < n->pods.len; i++)
        have -= pod_request(n->pods.trees[i], resource);
    if (want > have)
        refuse(v, false, "Insufficient %s", resource);
}

static void check_extended(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    struct strlist seen = {0};
    size_t c;
    json_t *container;
    json_array_foreach(jat(a->pod, "spec.containers"), c, container)
    {
        const char *name;
        json_t *value;
        json_object_foreach(jat(container, "resources.requests"), name, value)
        {
            if (str_eq(name, "cpu") || str_eq(name, "memory") || str_eq(name, "ephemeral-storage") ||
                strlist_has(&seen, name))
                continue;
            strlist_add(&seen, name);
            check_resource(a, n, name, v);
        }
    }
    strlist_release(&seen);
}

void filter_resources(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    int64_t limit = quantity_bytes(jmap(n->node, "status.allocatable", "pods"), 110);
    if ((int64_t)n->pods.len + 1 > limit)
        refuse(v, false, "Too many pods");
    check_resource(a, n, "cpu", v);
    check_resource(a, n, "memory", v);
    check_resource(a, n, "ephemeral-storage", v);
    check_extended(a, n, v);
}
