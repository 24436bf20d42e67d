/* pod.c - pods: the status a new one begins with, quality of service, scheduling gates, grace.
 * Source: pkg/registry/core/pod/strategy.go, pkg/apis/core/helper/qos. */
#include "registry/meta_int.h"
#include "registry/strategy_int.h"

#include "api/quantity.h"
#include "base/str.h"

#include <string.h>

/* -- quality of service: only cpu and memory count -- */

static const char *const qos_resources[] = {"cpu", "memory"};

struct qos {
    bool any;        /* somebody asks for something */
    bool guaranteed; /* everybody's limits are set for both, and requests equal them */
};

/* 1 and *out when the list has a positive amount of it. */
static bool amount(const json_t *container, const char *list, const char *what, struct quantity *out)
{
    const char *text = jmap(json_object_get(container, "resources"), list, what);
    return text && quantity_parse(text, out) == 0 && out->nano > 0;
}

static void qos_add(const json_t *containers, struct qos *q)
{
    size_t i;
    json_t *c;
    json_array_foreach((json_t *)containers, i, c)
    {
        for (size_t k = 0; k < ARRAY_LEN(qos_resources); k++) {
            struct quantity request, limit;
            bool has_request = amount(c, "requests", qos_resources[k], &request);
            bool has_limit = amount(c, "limits", qos_resources[k], &limit);
            q->any = q->any || has_request || has_limit;
            if (!has_limit || (has_request && quantity_cmp(&request, &limit) != 0))
                q->guaranteed = false;
        }
    }
}

static const char *qos_class(const json_t *pod)
{
    struct qos q = {.guaranteed = true};
    qos_add(jat(pod, "spec.containers"), &q);
    qos_add(jat(pod, "spec.initContainers"), &q);
    return !q.any ? "BestEffort" : q.guaranteed ? "Guaranteed" : "Burstable";
}

void pod_prepare_create(struct op *op, json_t *obj)
{
    json_t *status = json_object();
    json_object_set_new(status, "phase", json_string("Pending"));
    if (json_array_size(jat(obj, "spec.schedulingGates")) > 0)
        json_object_set_new(status, "conditions",
                            json_pack("[{ssss sn ss ss ss}]", "type", "PodScheduled", "status", "False",
                                      "lastProbeTime", "lastTransitionTime", op->now, "reason", "SchedulingGated",
                                      "message", "Scheduling is blocked due to non-empty scheduling gates"));
    json_object_set_new(status, "qosClass", json_string(qos_class(obj)));
    json_object_set_new(obj, "status", status);
    if (jint(obj, "spec.terminationGracePeriodSeconds", 0) < 0)
        jset_int(obj, "spec.terminationGracePeriodSeconds", 1);
}

/* Through /ephemeralcontainers nothing else changes. */
void pod_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    if (strcmp(op->t->sub, "ephemeralcontainers") != 0)
        return;
    static const char *const meta_keys[] = {"labels", "annotations", "finalizers", "ownerReferences", "managedFields"};
    json_t *spec = json_copy(json_object_get(old, "spec"));
    member_copy(spec, json_object_get(obj, "spec"), "ephemeralContainers");
    json_object_set_new(obj, "spec", spec);
    for (size_t i = 0; i < ARRAY_LEN(meta_keys); i++)
        member_copy(meta_of(obj), json_object_get(old, "metadata"), meta_keys[i]);
}

/* Old kubelets sent owner references back damaged, and dropped the class. */
void pod_prepare_status(struct op *op, json_t *obj, const json_t *old)
{
    (void)op;
    member_copy(meta_of(obj), json_object_get(old, "metadata"), "ownerReferences");
    json_object_del(meta_of(obj), "deletionTimestamp");
    json_t *status = json_object_get(obj, "status");
    if (json_is_object(status) && !*jstr_or(status, "qosClass", "")) {
        member_copy(status, json_object_get(old, "status"), "qosClass");
    }
}

/* podIP and podIPs[0] are one value; the old name wins where they differ. */
void pod_convert(json_t *obj)
{
    json_t *status = json_object_get(obj, "status");
    const char *ip = jstr_or(status, "podIP", "");
    const char *first = jstr_or(json_array_get(json_object_get(status, "podIPs"), 0), "ip", "");
    if (*ip && strcmp(ip, first) != 0)
        json_object_set_new(status, "podIPs", json_pack("[{ss}]", "ip", ip));
    else if (!*ip && *first)
        json_object_set_new(status, "podIP", json_string(first));
}

int64_t pod_grace(const json_t *obj, int64_t asked)
{
    const char *phase = jstr_or(obj, "status.phase", "");
    if (!*jstr_or(obj, "spec.nodeName", "") || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        return 0;
    int64_t grace = asked >= 0 ? asked : jint(obj, "spec.terminationGracePeriodSeconds", 30);
    return grace < 0 ? 1 : grace;
}
