/* replicaset.c - keeps spec.replicas pods of a template alive: replica sets, and replication controllers, which are the
 * same with a plainer selector.
 *
 * DESIGN: count (census.c), claim, make or delete the difference. Making is slow-started (1, 2, 4, …) so that a
 * template the server refuses costs one refusal per round, not hundreds. The status counts the pods seen at the start
 * of the round; their own events bring the next round. Source: pkg/controller/replicaset/replica_set.go. */
#include "controllers/census_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define BURST 500

/* What a loop of this file looks after. */
struct keeper {
    const char *kind;
    const struct resource **res; /* in RES: filled when the loops run */
};
static const struct keeper keep_sets = {"ReplicaSet", &RES.replicasets};
static const struct keeper keep_controllers = {"ReplicationController", &RES.replicationcontrollers};

static void map_pod(struct loop *l, const struct watch_event *ev, const struct keeper *k)
{
    const json_t *pod = ev->obj->tree;
    if (ev->prev)
        enqueue_controller(l, ev->prev->tree, k->kind);
    if (controller_of(pod)) {
        enqueue_controller(l, pod, k->kind);
        return;
    }
    if (ev->type == WATCH_DELETED)
        return;
    /* An orphan: whoever selects it may adopt it. */
    _auto_objlist_ struct objlist sets = {0};
    objlist_load(&sets, loop_registry(l), (*k->res)->bucket, obj_ns(pod));
    for (size_t i = 0; i < sets.len; i++)
        loop_enqueue(l, sets.items[i]->ns, sets.items[i]->name);
}

static void map_pod_of_set(struct loop *l, const struct watch_event *ev)
{
    map_pod(l, ev, &keep_sets);
}

static void map_pod_of_controller(struct loop *l, const struct watch_event *ev)
{
    map_pod(l, ev, &keep_controllers);
}

/* Pods that are made or deleted together. */
struct together {
    struct loop *l;
    const json_t *rs;
    const struct objlist *pods;
};

static int make_one(void *arg, size_t i _unused_, struct err *e)
{
    const struct together *t = arg;
    return pod_make(t->l, t->rs, e);
}

static int delete_one(void *arg, size_t i, struct err *e)
{
    const struct together *t = arg;
    return pod_remove(t->l, t->rs, t->pods->trees[i], e);
}

static int make_pods(struct loop *l, const json_t *rs, int64_t missing, struct err *e)
{
    struct together t = {.l = l, .rs = rs};
    missing = missing > BURST ? BURST : missing;
    for (int64_t batch = 1; missing > 0; batch *= 2) {
        int64_t n = batch < missing ? batch : missing;
        if (loop_each(l, (size_t)n, make_one, &t, e) < 0)
            return -1;
        missing -= n;
    }
    return 0;
}

static int delete_pods(struct loop *l, const json_t *rs, struct objlist *pods, int64_t surplus, struct err *e)
{
    struct together t = {.l = l, .rs = rs, .pods = pods};
    pods_rank_for_deletion(pods);
    return loop_each(l, (size_t)(surplus < BURST ? surplus : BURST), delete_one, &t, e);
}

/* The ReplicaFailure condition follows the outcome of this round. */
static void set_failure(json_t *status, const struct err *why, const char *now)
{
    json_t *conds = jat(status, "conditions");
    for (size_t i = json_array_size(conds); i-- > 0;) {
        if (!str_eq(jstr(json_array_get(conds, i), "type"), "ReplicaFailure"))
            continue;
        if (why->code != ERR_OK)
            return; /* stays as first seen */
        json_array_remove(conds, i);
    }
    if (conds && !json_array_size(conds))
        jdel(status, "conditions");
    if (why->code == ERR_OK)
        return;
    json_array_append_new(jmake_arr(status, "conditions"),
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "ReplicaFailure", "status", "True",
                                    "lastTransitionTime", now, "reason", "FailedCreate", "message", why->msg));
}

static int update_status(struct loop *l, const struct keeper *k, const json_t *rs, const struct census_counts *n,
                         const struct err *why, struct err *e)
{
    json_t *next = json_deep_copy(rs);
    json_t *status = jmake_obj(next, "status");
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    jset_int(status, "replicas", n->all);
    put_count(status, "fullyLabeledReplicas", n->labelled);
    put_count(status, "readyReplicas", n->ready);
    put_count(status, "availableReplicas", n->available);
    jset_int(status, "observedGeneration", jint(rs, "metadata.generation", 0));
    set_failure(status, why, now);
    return write_status(l, *k->res, rs, next, e);
}

static void keep_active(struct objlist *pods)
{
    size_t kept = 0;
    for (size_t i = 0; i < pods->len; i++) {
        if (pod_active(pods->trees[i])) {
            pods->items[kept] = pods->items[i];
            pods->trees[kept++] = pods->trees[i];
        } else {
            sobj_unref(pods->items[i]);
        }
    }
    pods->len = kept;
}

/* The set's own active pods; adopts and releases on the way. */
static int load_pods(struct loop *l, const json_t *rs, struct objlist *out, struct err *e)
{
    objlist_load(out, loop_registry(l), RES.pods->bucket, obj_ns(rs));
    keep_active(out);
    return claim_objects(l, rs, RES.pods, out, e);
}

/* Counts; who is to be adopted or released is so first. */
static int count_pods(struct loop *l, const json_t *rs, struct census_counts *out, struct err *e)
{
    if (census_take(l, loop_state(l), rs, out, e) < 0)
        return -1;
    if (out->strays) {
        _auto_objlist_ struct objlist pods = {0};
        if (load_pods(l, rs, &pods, e) < 0 || census_take(l, loop_state(l), rs, out, e) < 0)
            return -1;
    }
    if (out->available < out->ready)
        loop_enqueue_after(l, obj_ns(rs), obj_name(rs), jint(rs, "spec.minReadySeconds", 0) * 1000);
    return 0;
}

static int make_or_delete(struct loop *l, const json_t *rs, int64_t missing, struct err *e)
{
    if (missing == 0 || jstr(rs, "metadata.deletionTimestamp"))
        return 0;
    loop_goes_on(l);
    if (missing > 0)
        return make_pods(l, rs, missing, e);
    _auto_objlist_ struct objlist pods = {0};
    if (load_pods(l, rs, &pods, e) < 0)
        return -1;
    return delete_pods(l, rs, &pods, -missing, e);
}

static int reconcile(struct loop *l, const struct keeper *k, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), *k->res, ns, name);
    if (!obj) {
        census_drop(loop_state(l), ns, name);
        return 0;
    }
    const json_t *rs = obj->tree;
    struct census_counts n;
    struct err why = ERR_INIT;
    if (count_pods(l, rs, &n, e) < 0)
        return -1;
    int rc = make_or_delete(l, rs, jint(rs, "spec.replicas", 1) - n.all, &why);
    if (update_status(l, k, rs, &n, &why, e) < 0)
        return -1;
    if (rc < 0)
        *e = why;
    return rc;
}

static void stop(struct loop *l)
{
    census_release(loop_state(l));
}

static int reconcile_set(struct loop *l, const char *ns, const char *name, struct err *e)
{
    return reconcile(l, &keep_sets, ns, name, e);
}

static int reconcile_controller(struct loop *l, const char *ns, const char *name, struct err *e)
{
    return reconcile(l, &keep_controllers, ns, name, e);
}

static const struct loop_watch set_watches[] = {{"replicasets.apps", NULL}, {"pods", map_pod_of_set}, {NULL, NULL}};
static const struct loop_watch controller_watches[] = {
    {"replicationcontrollers", NULL}, {"pods", map_pod_of_controller}, {NULL, NULL}};

const struct loop_def replicaset_loop = {
    .name = "replicaset",
    .component = "replicaset-controller",
    .watches = set_watches,
    .state_size = sizeof(struct census *),
    .stop = stop,
    .reconcile = reconcile_set,
    .max_backoff_ms = 30000,
};

const struct loop_def replication_controller_loop = {
    .name = "replication-controller",
    .component = "replication-controller",
    .watches = controller_watches,
    .state_size = sizeof(struct census *),
    .stop = stop,
    .reconcile = reconcile_controller,
    .max_backoff_ms = 30000,
};
