/* sub_eviction.c - POST pods/NAME/eviction: a polite DELETE that asks the pod's disruption budget, and leaves the
 * condition DisruptionTarget behind.
 *
 * DESIGN: a budget is counted down by a write to its status before the pod is touched, so of two evictions that meet
 * only one gets the last disruption allowed; the disruption controller counts anew from the pods it sees. A granted
 * pod is remembered in status.disruptedPods until it is gone, so that it is not counted as healthy meanwhile.
 * Source: pkg/registry/core/pod/storage/eviction.go. */
#include "registry/budget.h"
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#define DISRUPTED_MAX 2000
#define RETRY_SECONDS 10

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

/* -- a budget's refusals; NULL: granted. All return new. -- */

static json_t *too_many(char *take_message, int64_t retry_after)
{
    _auto_free_ char *message = take_message;
    json_t *details = json_pack("{s[{ssss}]}", "causes", "reason", "DisruptionBudget", "message", message);
    if (retry_after > 0)
        json_object_set_new(details, "retryAfterSeconds", json_integer(retry_after));
    return status_failure(ERR_TOO_MANY, "Cannot evict pod as it would violate the pod's disruption budget.", details);
}

static json_t *forbidden(const json_t *pdb, const char *why)
{
    _auto_free_ char *message = xasprintf("poddisruptionbudget.policy \"%s\" is forbidden: %s", meta_name(pdb), why);
    return status_failure(
        ERR_FORBIDDEN, message,
        json_pack("{ss ss ss}", "name", meta_name(pdb), "group", "policy", "kind", "poddisruptionbudget"));
}

/* Why the controller could not count, or NULL. */
static const char *sync_failure(const json_t *pdb)
{
    size_t i;
    json_t *c;
    json_array_foreach(jat(pdb, "status.conditions"), i, c)
    {
        if (str_eq(jstr(c, "type"), "DisruptionAllowed") && str_eq(jstr(c, "status"), "False") &&
            str_eq(jstr(c, "reason"), "SyncFailed"))
            return jstr_or(c, "message", "");
    }
    return NULL;
}

static json_t *used_up(const json_t *pdb)
{
    const char *failure = sync_failure(pdb);
    if (failure)
        return too_many(xasprintf("The disruption budget %s does not allow evicting pods currently because it failed "
                                  "sync: %s",
                                  meta_name(pdb), failure),
                        0);
    return too_many(xasprintf("The disruption budget %s needs %" PRId64 " healthy pods and has %" PRId64 " currently",
                              meta_name(pdb), jint(pdb, "status.desiredHealthy", 0),
                              jint(pdb, "status.currentHealthy", 0)),
                    0);
}

static json_t *refusal_of(const json_t *pdb)
{
    int64_t allowed = jint(pdb, "status.disruptionsAllowed", 0);
    if (jint(pdb, "status.observedGeneration", 0) < jint(pdb, "metadata.generation", 0))
        return too_many(xasprintf("The disruption budget %s is still being processed by the server.", meta_name(pdb)),
                        RETRY_SECONDS);
    if (allowed < 0)
        return forbidden(pdb, "pdb disruptions allowed is negative");
    if (json_object_size(jat(pdb, "status.disruptedPods")) > DISRUPTED_MAX)
        return forbidden(pdb, "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    return allowed == 0 ? used_up(pdb) : NULL;
}

/* -- asking it -- */

struct asking {
    const struct op *op;
    json_t *refusal; /* owned */
};

static int edit_count_down(json_t *pdb, void *arg, struct err *e)
{
    struct asking *a = arg;
    (void)e;
    a->refusal = refusal_of(pdb);
    if (a->refusal)
        return 0;
    json_t *status = jmake_obj(pdb, "status");
    int64_t left = jint(status, "disruptionsAllowed", 0) - 1;
    jset_int(status, "disruptionsAllowed", left);
    if (left == 0)
        budget_tell_allowed(status, a->op->now);
    json_object_set_new(jmake_obj(status, "disruptedPods"), a->op->t->name, json_string(a->op->now));
    return 1;
}

/* A pod that is not ready does not count: it may go if the budget says so, or has what it needs without it. */
static bool unhealthy_may_go(const json_t *pod, const json_t *pdb)
{
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "status.conditions"), i, c)
    {
        if (str_eq(jstr(c, "type"), "Ready") && str_eq(jstr(c, "status"), "True"))
            return false;
    }
    int64_t desired = jint(pdb, "status.desiredHealthy", 0);
    return str_eq(jstr(pdb, "spec.unhealthyPodEvictionPolicy"), "AlwaysAllow") ||
           (desired > 0 && jint(pdb, "status.currentHealthy", 0) >= desired);
}

static int ask_budget(struct op *op, const struct sobj *pod, const struct sobj *pdb)
{
    struct asking a = {.op = op};
    if (unhealthy_may_go(pod->tree, pdb->tree))
        return 0;
    if (op->ctx->dry_run)
        a.refusal = refusal_of(pdb->tree);
    else if (reg_modify(op->r, "kube-apiserver", RES.poddisruptionbudgets, pdb->ns, pdb->name, "status",
                        edit_count_down, &a, op->e) < 0)
        return op->e->code == ERR_NOT_FOUND ? 0 : op_fail_err(op);
    return a.refusal ? op_fail(op, a.refusal) : 0;
}

static bool budgets_apply(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return strcmp(phase, "Pending") != 0 && strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0 &&
           !meta_deleting(pod) && json_object_size(jat(pod, "metadata.labels")) > 0;
}

static int ask_budgets(struct op *op, const struct sobj *pod)
{
    struct budgets b = {.labels = jat(pod->tree, "metadata.labels")};
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, RES.poddisruptionbudgets->bucket, op->t->ns, NULL, NULL, match_budget, &b);
    snapshot_unref(snap);
    int rc = 0;
    if (b.count > 1)
        rc =
            op_fail_plain(op, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                              "support.");
    else if (b.count == 1)
        rc = ask_budget(op, pod, b.first);
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

/* Evictions of policy/v1beta1 have the same members and are still taken: kubectl before 1.22 sends them. */
static void accept_older(struct reg_body *body)
{
    static const char older[] = "policy/v1beta1";
    if (body->tree || !body->bytes || !memmem(body->bytes, body->len, older, sizeof older - 1))
        return;
    _auto_json_ json_t *tree = json_loadb(body->bytes, body->len, JSON_REJECT_DUPLICATES, NULL);
    if (!str_eq(jstr(tree, "apiVersion"), older))
        return;
    jset_str(tree, "apiVersion", "policy/v1");
    body->tree = TAKE(tree);
}

int eviction_create(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *eviction = NULL;
    accept_older(body);
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
