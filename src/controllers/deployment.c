/* deployment.c - rolls a template out over ReplicaSets.
 *
 * DESIGN: each round does at most one kind of step (pause bookkeeping, scaling, a rollout step) and then writes the
 * status; the change it made brings the next round. RollingUpdate keeps two bounds: at most replicas + maxSurge pods,
 * at least replicas - maxUnavailable available ones. Recreate waits for the last old pod to be gone.
 *
 *     paused or size changed ---> scale ---> status
 *     RollingUpdate ---> new set up | old sets down ---> status (+ clean-up when complete)
 *     Recreate      ---> old sets to 0 ---> wait for pods ---> new set up ---> status
 *
 * Source: pkg/controller/deployment. */
#include "controllers/deployment_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* -- who must look again when something changes -- */

static void map_set(struct loop *l, const struct watch_event *ev)
{
    if (ev->prev)
        enqueue_controller(l, ev->prev->tree, "Deployment");
    enqueue_controller(l, ev->obj->tree, "Deployment");
    if (controller_of(ev->obj->tree) || ev->type == WATCH_DELETED)
        return;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.deployments->bucket, ev->obj->ns);
    for (size_t i = 0; i < all.len; i++)
        loop_enqueue(l, all.items[i]->ns, all.items[i]->name);
}

/* Recreate waits for pods to go. */
static void map_pod(struct loop *l, const struct watch_event *ev)
{
    const json_t *ref = controller_of(ev->obj->tree);
    if (ev->type != WATCH_DELETED || !ref || !str_eq(jstr(ref, "kind"), "ReplicaSet"))
        return;
    _auto_sobj_ struct sobj *rs = reg_read(loop_registry(l), RES.replicasets, ev->obj->ns, jstr_or(ref, "name", ""));
    if (rs)
        enqueue_controller(l, rs->tree, "Deployment");
}

/* -- reading the strategy -- */

static void read_strategy(struct rollout *r)
{
    r->replicas = jint(r->d, "spec.replicas", 1);
    r->rolling = !str_eq(jstr(r->d, "spec.strategy.type"), "Recreate");
    if (!r->rolling)
        return;
    r->surge = int_or_percent(jat(r->d, "spec.strategy.rollingUpdate.maxSurge"), r->replicas, true);
    r->unavailable = int_or_percent(jat(r->d, "spec.strategy.rollingUpdate.maxUnavailable"), r->replicas, false);
    if (r->surge == 0 && r->unavailable == 0)
        r->unavailable = 1;
    if (r->unavailable > r->replicas)
        r->unavailable = r->replicas;
}

static int oldest_first(const void *pa, const void *pb)
{
    const struct sobj *a = *(struct sobj *const *)pa;
    const struct sobj *b = *(struct sobj *const *)pb;
    int order =
        strcmp(jstr_or(a->tree, "metadata.creationTimestamp", ""), jstr_or(b->tree, "metadata.creationTimestamp", ""));
    return order ? order : strcmp(a->name, b->name);
}

static int load_sets(struct rollout *r, struct err *e)
{
    objlist_load(&r->sets, loop_registry(r->l), RES.replicasets->bucket, obj_ns(r->d));
    if (claim_objects(r->l, r->d, RES.replicasets, &r->sets, e) < 0)
        return -1;
    if (r->sets.len)
        qsort(r->sets.items, r->sets.len, sizeof *r->sets.items, oldest_first);
    for (size_t i = 0; i < r->sets.len; i++)
        r->sets.trees[i] = r->sets.items[i]->tree;
    return 0;
}

/* -- scaling (the user changed replicas, or the rollout is paused) -- */

static bool is_scaling(const struct rollout *r)
{
    for (size_t i = 0; i < r->sets.len; i++) {
        const char *desired = jmap(r->sets.trees[i], "metadata.annotations", ANN_DESIRED);
        if (rs_size(r->sets.trees[i]) > 0 && desired && atoll(desired) != r->replicas)
            return true;
    }
    return false;
}

static bool saturated(const struct rollout *r)
{
    const json_t *rs = new_set(r);
    const char *desired = jmap(rs, "metadata.annotations", ANN_DESIRED);
    return rs && desired && rs_size(rs) == r->replicas && atoll(desired) == r->replicas &&
           jint(rs, "status.availableReplicas", 0) == r->replicas;
}

/* In the middle of a rollout every active set gets its share of the change, the largest first; what rounding leaves
 * over goes to the largest. */
static int scale_in_proportion(struct rollout *r, struct err *e)
{
    int64_t allowed = r->replicas > 0 ? r->replicas + r->surge : 0;
    int64_t total = sets_size(r);
    int64_t left = allowed - total;
    _auto_free_ int64_t *share = xcalloc(r->sets.len + 1, sizeof *share);
    size_t largest = 0;
    for (size_t i = 0; i < r->sets.len; i++) {
        int64_t size = rs_size(r->sets.trees[i]);
        const char *most = jmap(r->sets.trees[i], "metadata.annotations", ANN_MAX);
        int64_t of = most && atoll(most) > 0 ? atoll(most) : total;
        share[i] = 0;
        if (size > rs_size(r->sets.trees[largest]))
            largest = i;
        if (size == 0 || left == 0 || of == 0)
            continue;
        int64_t want = (size * allowed + of / 2) / of - size;
        if ((left > 0 && want > left) || (left < 0 && want < left))
            want = left;
        share[i] = (left > 0) == (want > 0) ? want : 0;
        left -= share[i];
    }
    for (size_t i = 0; i < r->sets.len; i++) {
        int64_t size = rs_size(r->sets.trees[i]);
        int64_t next = size == 0 ? 0 : size + share[i] + (i == largest ? left : 0);
        if (size > 0 && scale_set(r, i, next < 0 ? 0 : next, e) < 0)
            return -1;
    }
    return 0;
}

/* The one set to scale when there is only one with pods (or none): its index, or -1. */
static int only_active(const struct rollout *r)
{
    int found = -1;
    for (size_t i = 0; i < r->sets.len; i++) {
        if (rs_size(r->sets.trees[i]) == 0)
            continue;
        if (found >= 0)
            return -1;
        found = (int)i;
    }
    if (found >= 0)
        return found;
    return r->new_at >= 0 ? r->new_at : (int)r->sets.len - 1;
}

static int scale(struct rollout *r, struct err *e)
{
    int only = only_active(r);
    if (only >= 0)
        return rs_size(r->sets.trees[only]) == r->replicas ? 0 : scale_set(r, (size_t)only, r->replicas, e);
    if (saturated(r)) {
        for (size_t i = 0; i < r->sets.len; i++)
            if (!is_new(r, i) && rs_size(r->sets.trees[i]) > 0 && scale_set(r, i, 0, e) < 0)
                return -1;
        return 0;
    }
    return r->rolling ? scale_in_proportion(r, e) : 0;
}

static int sync_scale(struct rollout *r, struct err *e)
{
    if (sync_new_set(r, false, e) < 0 || scale(r, e) < 0)
        return -1;
    if (jbool(r->d, "spec.paused", false) && drop_old_sets(r, e) < 0)
        return -1;
    return sync_status(r, e);
}

/* -- RollingUpdate -- */

static int grow_new(struct rollout *r, struct err *e)
{
    int64_t now = rs_size(new_set(r));
    int64_t next = now > r->replicas ? r->replicas : now < r->replicas ? new_set_size(r, now) : now;
    return next == now ? 0 : scale_set(r, (size_t)r->new_at, next, e);
}

/* Takes `budget` pods from old sets: first those that are not available anyway (healthy = false), then any. */
static int shrink(struct rollout *r, int64_t budget, bool healthy, struct err *e)
{
    int64_t taken = 0;
    for (size_t i = 0; i < r->sets.len && taken < budget; i++) {
        int64_t size = rs_size(r->sets.trees[i]);
        int64_t spare = healthy ? size : size - jint(r->sets.trees[i], "status.availableReplicas", 0);
        int64_t n = spare < budget - taken ? spare : budget - taken;
        if (is_new(r, i) || n <= 0)
            continue;
        if (scale_set(r, i, size - n, e) < 0)
            return -1;
        taken += n;
    }
    return taken > 0;
}

static int64_t available(const struct rollout *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->sets.len; i++)
        n += jint(r->sets.trees[i], "status.availableReplicas", 0);
    return n;
}

static int shrink_old(struct rollout *r, struct err *e)
{
    int64_t floor = r->replicas - r->unavailable;
    int64_t total = sets_size(r);
    int64_t size = rs_size(new_set(r));
    if (total == size)
        return 0;
    int64_t budget = total - floor - (size - jint(new_set(r), "status.availableReplicas", 0));
    if (budget <= 0)
        return 0;
    int sick = shrink(r, budget, false, e);
    if (sick < 0)
        return -1;
    int rest = shrink(r, available(r) - floor, true, e);
    return rest < 0 ? -1 : sick || rest;
}

static int roll(struct rollout *r, struct err *e)
{
    if (sync_new_set(r, true, e) < 0)
        return -1;
    int moved = grow_new(r, e);
    if (moved == 0)
        moved = shrink_old(r, e);
    if (moved < 0)
        return -1;
    if (moved == 0 && rollout_complete(r, jat(r->d, "status")) && drop_old_sets(r, e) < 0)
        return -1;
    return sync_rollout_status(r, e);
}

/* -- Recreate -- */

static bool old_pods_left(struct rollout *r)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(r->l), RES.pods->bucket, obj_ns(r->d));
    for (size_t p = 0; p < pods.len; p++)
        for (size_t i = 0; i < r->sets.len; i++)
            if (!is_new(r, i) && controlled_by(pods.trees[p], r->sets.trees[i]) && !pod_terminal(pods.trees[p]))
                return true;
    return false;
}

static int recreate(struct rollout *r, struct err *e)
{
    if (sync_new_set(r, false, e) < 0)
        return -1;
    bool moved = false;
    for (size_t i = 0; i < r->sets.len; i++) {
        if (is_new(r, i) || rs_size(r->sets.trees[i]) == 0)
            continue;
        if (scale_set(r, i, 0, e) < 0)
            return -1;
        moved = true;
    }
    if (moved || old_pods_left(r))
        return sync_rollout_status(r, e);
    if (r->new_at < 0 && sync_new_set(r, true, e) < 0)
        return -1;
    if (scale_set(r, (size_t)r->new_at, r->replicas, e) < 0)
        return -1;
    if (rollout_complete(r, jat(r->d, "status")) && drop_old_sets(r, e) < 0)
        return -1;
    return sync_rollout_status(r, e);
}

/* -- one round -- */

static int run(struct rollout *r, struct err *e)
{
    read_strategy(r);
    if (load_sets(r, e) < 0)
        return -1;
    if (jstr(r->d, "metadata.deletionTimestamp"))
        return sync_status(r, e);
    if (sync_paused_condition(r, e) < 0)
        return -1;
    if (jbool(r->d, "spec.paused", false) || is_scaling(r))
        return sync_scale(r, e);
    return r->rolling ? roll(r, e) : recreate(r, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct rollout r = {.l = l, .new_at = -1};
    r.obj = reg_read(loop_registry(l), RES.deployments, ns, name);
    if (!r.obj)
        return 0;
    r.d = r.obj->tree;
    int rc = run(&r, e);
    objlist_release(&r.sets);
    sobj_unref(r.obj);
    return rc;
}

static const struct loop_watch watches[] = {
    {"deployments.apps", NULL}, {"replicasets.apps", map_set}, {"pods", map_pod}, {NULL, NULL}};

const struct loop_def deployment_loop = {
    .name = "deployment",
    .component = "deployment-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
