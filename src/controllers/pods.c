/* pods.c - pods of a template: made, deleted, and in which order they are given up.
 *
 * Texts and order as pkg/controller/controller_utils.go. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

json_t *pod_from_template(const json_t *owner, const json_t *tmpl)
{
    static const char *const kept[] = {"labels", "annotations", "finalizers"};
    json_t *pod = json_pack("{s:s, s:s, s:{}}", "kind", "Pod", "apiVersion", "v1", "metadata");
    json_t *meta = jat(pod, "metadata");
    jset(meta, "generateName", json_sprintf("%s-", obj_name(owner)));
    jset_str(meta, "namespace", obj_ns(owner));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const json_t *from = json_object_get(jat(tmpl, "metadata"), kept[i]);
        if (from)
            json_object_set_new(meta, kept[i], json_deep_copy(from));
    }
    json_object_set_new(meta, "ownerReferences", json_pack("[o]", controller_ref(owner)));
    json_object_set_new(pod, "spec", json_deep_copy(jat(tmpl, "spec")));
    return pod;
}

int pod_make(struct loop *l, const json_t *owner, struct err *e)
{
    return pod_make_from(l, owner, pod_from_template(owner, jat(owner, "spec.template")), e);
}

int pod_make_from(struct loop *l, const json_t *owner, json_t *take_pod, struct err *e)
{
    _auto_sobj_ struct sobj *made = NULL;
    if (reg_make(loop_registry(l), WHO, RES.pods, obj_ns(owner), take_pod, &made, e) < 0) {
        loop_event(l, owner, EVENT_WARNING, "FailedCreate", "Error creating: %s", e->msg);
        return -1;
    }
    loop_event(l, owner, EVENT_NORMAL, "SuccessfulCreate", "Created pod: %s", made->name);
    return 0;
}

int pod_remove(struct loop *l, const json_t *owner, const json_t *pod, struct err *e)
{
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.uid = obj_uid(pod);
    if (reg_remove(loop_registry(l), WHO, RES.pods, obj_ns(pod), obj_name(pod), &opts, e) < 0) {
        if (e->code == ERR_NOT_FOUND) {
            err_clear(e);
            return 0;
        }
        loop_event(l, owner, EVENT_WARNING, "FailedDelete", "Error deleting: %s", e->msg);
        return -1;
    }
    loop_event(l, owner, EVENT_NORMAL, "SuccessfulDelete", "Deleted pod: %s", obj_name(pod));
    return 0;
}

static int phase_rank(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return str_eq(phase, "Pending") ? 0 : str_eq(phase, "Unknown") ? 1 : 2;
}

static int64_t restarts(const json_t *pod)
{
    int64_t most = 0;
    size_t i;
    json_t *status;
    json_array_foreach(jat(pod, "status.containerStatuses"), i, status)
    {
        int64_t n = jint(status, "restartCount", 0);
        most = n > most ? n : most;
    }
    return most;
}

static int by_value(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Unassigned before assigned, Pending before Running, not ready before ready, cheap to delete, ready more recently,
 * more restarts, younger. Ties by name, so that the choice is repeatable. */
static int compare(const void *pa, const void *pb)
{
    const json_t *a = (*(struct sobj *const *)pa)->tree;
    const json_t *b = (*(struct sobj *const *)pb)->tree;
#define COST "controller.kubernetes.io/pod-deletion-cost"
    const char *cost_a = jmap(a, "metadata.annotations", COST);
    const char *cost_b = jmap(b, "metadata.annotations", COST);
    int order = by_value(jstr(a, "spec.nodeName") != NULL, jstr(b, "spec.nodeName") != NULL);
    order = order ? order : by_value(phase_rank(a), phase_rank(b));
    order = order ? order : by_value(pod_ready(a), pod_ready(b));
    order = order ? order : by_value(cost_a ? atoll(cost_a) : 0, cost_b ? atoll(cost_b) : 0);
    if (!order && pod_ready(a))
        order = -strcmp(jstr_or(condition_get(a, "Ready"), "lastTransitionTime", ""),
                        jstr_or(condition_get(b, "Ready"), "lastTransitionTime", ""));
    order = order ? order : by_value(restarts(b), restarts(a));
    order = order ? order
                  : -strcmp(jstr_or(a, "metadata.creationTimestamp", ""), jstr_or(b, "metadata.creationTimestamp", ""));
    return order ? order : strcmp(obj_name(a), obj_name(b));
}

void pods_rank_for_deletion(struct objlist *pods)
{
    if (pods->len)
        qsort(pods->items, pods->len, sizeof *pods->items, compare);
    for (size_t i = 0; i < pods->len; i++)
        pods->trees[i] = pods->items[i]->tree;
}
