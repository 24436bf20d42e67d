/* sub_eviction.c - POST pods/NAME/eviction: a polite DELETE that leaves the condition DisruptionTarget behind.
 *
 * Disruption budgets are asked when the server knows that kind (the bucket is empty otherwise).
 * Source: pkg/registry/core/pod/storage/eviction.go. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#define BUDGET_BUCKET "poddisruptionbudgets.policy"

struct budgets {
    const json_t *labels;
    struct sobj *first;
    unsigned count;
};

static int match_budget(struct sobj *pdb, void *arg)
{
    struct budgets *b = arg;
    struct label_selector *sel = NULL;
    struct err e = ERR_INIT;
    if (label_selector_from_json(jat(pdb->tree, "spec.selector"), &sel, &e) < 0)
        return 0;
    if (label_selector_match(sel, b->labels) && b->count++ == 0)
        b->first = sobj_ref(pdb);
    label_selector_free(sel);
    return 0;
}

static int too_many(struct op *op, char *take_message, int64_t retry_after)
{
    _auto_free_ char *message = take_message;
    json_t *details = json_pack("{s[{ssss}]}", "causes", "reason", "DisruptionBudget", "message", message);
    if (retry_after > 0)
        json_object_set_new(details, "retryAfterSeconds", json_integer(retry_after));
    return op_fail(
        op, status_failure(ERR_TOO_MANY, "Cannot evict pod as it would violate the pod's disruption budget.", details));
}

static int ask_budget(struct op *op, const struct sobj *pdb)
{
    if (jint(pdb->tree, "status.observedGeneration", 0) < jint(pdb->tree, "metadata.generation", 0))
        return too_many(op, xasprintf("The disruption budget %s is still being processed by the server.", pdb->name),
                        10);
    if (jint(pdb->tree, "status.disruptionsAllowed", 0) > 0)
        return 0;
    return too_many(op,
                    xasprintf("The disruption budget %s needs %" PRId64 " healthy pods and has %" PRId64 " currently",
                              pdb->name, jint(pdb->tree, "status.desiredHealthy", 0),
                              jint(pdb->tree, "status.currentHealthy", 0)),
                    0);
}

static bool budgets_apply(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return strcmp(phase, "Pending") != 0 && strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0 &&
           !meta_deleting(pod);
}

static int ask_budgets(struct op *op, const struct sobj *pod)
{
    struct budgets b = {.labels = jat(pod->tree, "metadata.labels")};
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, BUDGET_BUCKET, op->t->ns, NULL, NULL, match_budget, &b);
    snapshot_unref(snap);
    int rc = 0;
    if (b.count > 1)
        rc =
            op_fail_plain(op, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                              "support.");
    else if (b.count == 1)
        rc = ask_budget(op, b.first);
    sobj_unref(b.first);
    return rc;
}

static int add_condition(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    (void)arg;
    json_t *pod = json_deep_copy(live);
    json_t *list = jmake_arr(pod, "status.conditions"), *c;
    size_t i;
    *out_obj = pod;
    json_array_foreach(list, i, c)
    {
        if (str_eq(jstr(c, "type"), "DisruptionTarget"))
            return 0;
    }
    json_array_append_new(list, json_pack("{ssss sn ss ss ss}", "type", "DisruptionTarget", "status", "True",
                                          "lastProbeTime", "lastTransitionTime", op->now, "reason",
                                          "EvictionByEvictionAPI", "message", "Eviction API: evicting"));
    return 0;
}

static struct reg_delete_opts options_of(const json_t *eviction)
{
    const json_t *o = json_object_get(eviction, "deleteOptions");
    struct reg_delete_opts out = REG_DELETE_DEFAULT;
    if (json_is_integer(json_object_get(o, "gracePeriodSeconds")))
        out.grace_seconds = jint(o, "gracePeriodSeconds", 0) < 0 ? 1 : jint(o, "gracePeriodSeconds", 0);
    out.propagation = jstr(o, "propagationPolicy");
    out.uid = jstr(o, "preconditions.uid");
    return out;
}

static int evict(struct op *op, const json_t *eviction)
{
    _auto_sobj_ struct sobj *pod = store_get(op->r->store, op->res->bucket, op->t->ns, op->t->name);
    if (!pod)
        return op_not_found(op);
    if (budgets_apply(pod->tree) && ask_budgets(op, pod) < 0)
        return -1;
    if (op->ctx->dry_run)
        return 0;
    struct change c = {.make = add_condition, .ours = true};
    struct reg_delete_opts o = options_of(eviction);
    if (op_update(op, &c) < 0)
        return -1;
    return op_delete(op, &o);
}

int eviction_create(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *eviction = NULL;
    if (sub_decode(op, "policy.v1.Eviction", body, &eviction) < 0 || meta_check_namespace(op, eviction) < 0)
        return -1;
    const char *name = meta_name(eviction);
    if (*name && strcmp(name, op->t->name) != 0)
        return op_fail_code(op, ERR_BAD_REQUEST, "name in URL does not match name in Eviction object");
    if (evict(op, eviction) < 0)
        return -1;
    reg_answer_release(op->ans);
    return sub_answer_created(op);
}
