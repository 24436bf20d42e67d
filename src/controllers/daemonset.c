/* daemonset.c - keeps one pod on each node that it fits.
 *
 * DESIGN: a round looks at each node: a pod that is missing is made, one too many or where none belongs is deleted, one
 * that ended is replaced. If nothing had to be done so, pods of an old template are replaced, at most maxUnavailable
 * nodes being without an available pod at a time; with maxSurge the new pod is made first. The status counts the pods
 * listed at the start. Source: pkg/controller/daemon. */
#include "controllers/daemonset_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* -- who must look again -- */

static void enqueue_all(struct loop *l, const char *ns)
{
    _auto_objlist_ struct objlist sets = {0};
    objlist_load(&sets, loop_registry(l), RES.daemonsets->bucket, ns);
    for (size_t i = 0; i < sets.len; i++)
        loop_enqueue(l, sets.items[i]->ns, sets.items[i]->name);
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->prev)
        enqueue_controller(l, ev->prev->tree, "DaemonSet");
    if (controller_of(ev->obj->tree))
        enqueue_controller(l, ev->obj->tree, "DaemonSet");
    else if (ev->type != WATCH_DELETED)
        enqueue_all(l, ev->obj->ns);
}

/* Heartbeats do not matter. */
static void map_node(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_MODIFIED && ev->prev && same_member(ev->obj->tree, ev->prev->tree, "metadata.labels") &&
        same_member(ev->obj->tree, ev->prev->tree, "spec"))
        return;
    enqueue_all(l, NULL);
}

/* -- one node -- */

struct place {
    const json_t *node;
    size_t first, count; /* its pods in daemons.pods */
    bool wanted, may_stay;
    const json_t *old, *fresh; /* the oldest active pod of each kind, or NULL */
    size_t active, ending;
};

static bool older(const json_t *a, const json_t *b)
{
    return !b || strcmp(jstr_or(a, "metadata.creationTimestamp", ""), jstr_or(b, "metadata.creationTimestamp", "")) < 0;
}

static struct place place_of(const struct daemons *d, const json_t *node)
{
    struct place p = {.node = node};
    p.wanted = daemon_fits(d, node, &p.may_stay);
    p.count = daemons_on(d, obj_name(node), &p.first);
    for (size_t i = p.first; i < p.first + p.count; i++) {
        const json_t *pod = d->pods.trees[i];
        if (!pod_active(pod)) {
            p.ending += !pod_terminal(pod) || jstr(pod, "metadata.deletionTimestamp") != NULL;
            continue;
        }
        const json_t **slot = daemon_is_new(d, pod) ? &p.fresh : &p.old;
        if (older(pod, *slot))
            *slot = pod;
        p.active++;
    }
    return p;
}

/* A number or a percentage of the nodes, rounded up. */
static int64_t resolve(const struct daemons *d, const char *member, int64_t nodes)
{
    return int_or_percent(json_object_get(jat(d->set, "spec.updateStrategy.rollingUpdate"), member), nodes, true);
}

static bool rolls(const struct daemons *d)
{
    return str_eq(jstr(d->set, "spec.updateStrategy.type"), "RollingUpdate");
}

/* -- pods that ended, are too many, or where they should not be -- */

static int replace_ended(struct daemons *d, struct err *e)
{
    for (size_t i = 0; i < d->pods.len; i++) {
        const json_t *pod = d->pods.trees[i];
        bool failed = str_eq(jstr(pod, "status.phase"), "Failed");
        if (!pod_terminal(pod) || jstr(pod, "metadata.deletionTimestamp"))
            continue;
        loop_event(d->l, d->set, failed ? EVENT_WARNING : EVENT_NORMAL,
                   failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                   "Found %s daemon pod %s/%s on node %s, will try to %s it", failed ? "failed" : "succeeded",
                   obj_ns(pod), obj_name(pod), daemon_node(pod), failed ? "kill" : "delete");
        if (daemon_remove(d, pod, e) < 0)
            return -1;
    }
    return 0;
}

/* All active pods of the node but the kept ones. */
static int remove_others(struct daemons *d, const struct place *p, const json_t *keep, const json_t *keep_too,
                         struct err *e)
{
    for (size_t i = p->first; i < p->first + p->count; i++) {
        const json_t *pod = d->pods.trees[i];
        if (pod == keep || pod == keep_too || !pod_active(pod))
            continue;
        if (daemon_remove(d, pod, e) < 0)
            return -1;
    }
    return 0;
}

static int keep_place(struct daemons *d, const struct place *p, bool surge, struct err *e)
{
    if (!p->may_stay)
        return remove_others(d, p, NULL, NULL, e);
    if (p->active == 0)
        return p->wanted && (p->ending == 0 || surge) ? daemon_make(d, obj_name(p->node), e) : 0;
    if (surge && p->old && p->fresh)
        return daemon_available(d, p->fresh) ? remove_others(d, p, p->fresh, NULL, e)
                                             : remove_others(d, p, p->old, p->fresh, e);
    const json_t *keep = p->old && p->fresh ? (older(p->old, p->fresh) ? p->old : p->fresh)
                         : p->old           ? p->old
                                            : p->fresh;
    return remove_others(d, p, keep, NULL, e);
}

/* A pod of a node that is gone has no place to be. */
static int remove_homeless(struct daemons *d, struct err *e)
{
    for (size_t i = 0; i < d->pods.len; i++) {
        const json_t *pod = d->pods.trees[i];
        const char *node = daemon_node(pod);
        if (*node && pod_active(pod) && !objlist_find(&d->nodes, "", node) && daemon_remove(d, pod, e) < 0)
            return -1;
    }
    return 0;
}

/* -- the update -- */

/* Nodes whose old pod may go, and new pods that may be made beside it. */
static int update(struct daemons *d, const struct place *places, size_t n, struct err *e)
{
    int64_t nodes = 0, without = 0, surging = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *best = places[i].fresh ? places[i].fresh : places[i].old;
        nodes += places[i].wanted;
        without += places[i].wanted && (!best || !daemon_available(d, best));
        surging += places[i].old && places[i].fresh;
    }
    int64_t budget = resolve(d, "maxUnavailable", nodes) - without, surge = resolve(d, "maxSurge", nodes) - surging;
    bool surges = resolve(d, "maxSurge", nodes) > 0;
    for (size_t i = 0; i < n; i++) {
        const struct place *p = &places[i];
        if (!p->wanted || !p->old || p->fresh)
            continue;
        bool broken = !daemon_available(d, p->old);
        int rc = 0;
        if (surges && surge > 0 && !broken) {
            rc = daemon_make(d, obj_name(p->node), e);
            surge--;
        } else if (broken || (!surges && budget > 0)) {
            rc = daemon_remove(d, p->old, e);
            budget -= !broken;
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* -- status -- */

struct counts {
    int64_t desired, current, misplaced, ready, updated, available;
};

static void count_place(const struct daemons *d, const struct place *p, struct counts *n)
{
    bool running = false, ready = false, available = false, updated = false;
    for (size_t i = p->first; i < p->first + p->count; i++) {
        const json_t *pod = d->pods.trees[i];
        if (pod_terminal(pod))
            continue;
        running = true;
        if (jstr(pod, "metadata.deletionTimestamp") && p->active > 0)
            continue;
        ready |= pod_ready(pod);
        available |= daemon_available(d, pod);
        updated |= daemon_is_new(d, pod);
    }
    n->desired += p->wanted;
    n->current += p->wanted && running;
    n->misplaced += !p->wanted && running;
    n->ready += p->wanted && ready;
    n->available += p->wanted && available;
    n->updated += p->wanted && running && updated;
}

static int update_status(struct daemons *d, const struct counts *n, struct err *e)
{
    json_t *next = json_deep_copy(d->set), *status = jmake_obj(next, "status");
    jset_int(status, "currentNumberScheduled", n->current);
    jset_int(status, "numberMisscheduled", n->misplaced);
    jset_int(status, "desiredNumberScheduled", n->desired);
    jset_int(status, "numberReady", n->ready);
    jset_int(status, "observedGeneration", jint(d->set, "metadata.generation", 0));
    put_count(status, "updatedNumberScheduled", n->updated);
    put_count(status, "numberAvailable", n->available);
    put_count(status, "numberUnavailable", n->desired - n->available);
    if (d->revisions.collisions)
        jset_int(status, "collisionCount", d->revisions.collisions);
    if (n->available < n->ready)
        loop_enqueue_after(d->l, obj_ns(d->set), obj_name(d->set), d->min_ready * 1000);
    return write_status(d->l, RES.daemonsets, d->set, next, e) < 0 ? -1 : 0;
}

/* -- one round -- */

static int act(struct daemons *d, const struct place *places, size_t n, struct err *e)
{
    bool surge = rolls(d) && resolve(d, "maxSurge", (int64_t)n) > 0;
    if (replace_ended(d, e) < 0 || remove_homeless(d, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (keep_place(d, &places[i], surge, e) < 0)
            return -1;
    return rolls(d) && !d->changed ? update(d, places, n, e) : 0;
}

static bool revision_used(const json_t *revision, void *arg)
{
    const struct daemons *d = arg;
    const char *hash = jmap(revision, "metadata.labels", LABEL_REVISION);
    bool used = str_eq(hash, d->hash);
    for (size_t i = 0; i < d->pods.len && !used; i++)
        used = str_eq(jmap(d->pods.trees[i], "metadata.labels", LABEL_REVISION), hash);
    return used;
}

static int run(struct daemons *d, struct err *e)
{
    objlist_load(&d->nodes, loop_registry(d->l), RES.nodes->bucket, NULL);
    objlist_load(&d->pods, loop_registry(d->l), RES.pods->bucket, obj_ns(d->set));
    if (claim_objects(d->l, d->set, RES.pods, &d->pods, e) < 0 || revisions_load(d->l, d->set, &d->revisions, e) < 0)
        return -1;
    const json_t *revision = revision_sync(d->l, d->set, LABEL_REVISION, &d->revisions, e);
    if (!revision)
        return -1;
    d->hash = jmap(revision, "metadata.labels", LABEL_REVISION);
    d->sample = daemon_sample(d);
    daemons_sort(d);
    _auto_free_ struct place *places = xcalloc(d->nodes.len + 1, sizeof *places);
    struct counts n = {0};
    for (size_t i = 0; i < d->nodes.len; i++) {
        places[i] = place_of(d, d->nodes.trees[i]);
        count_place(d, &places[i], &n);
    }
    struct err why = ERR_INIT;
    int rc = jstr(d->set, "metadata.deletionTimestamp") ? 0 : act(d, places, d->nodes.len, &why);
    if (update_status(d, &n, e) < 0)
        return -1;
    if (rc < 0) {
        *e = why;
        return -1;
    }
    return revisions_truncate(d->l, d->set, &d->revisions, revision_used, d, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.daemonsets, ns, name);
    if (!obj)
        return 0;
    struct daemons d = {.l = l,
                        .set = obj->tree,
                        .min_ready = jint(obj->tree, "spec.minReadySeconds", 0),
                        .now_ns = clock_wall_ns(loop_clock(l))};
    int rc = run(&d, e);
    objlist_release(&d.nodes);
    json_decref(d.sample);
    objlist_release(&d.pods);
    revisions_release(&d.revisions);
    return rc;
}

static const struct loop_watch watches[] = {
    {"daemonsets.apps", NULL}, {"pods", map_pod}, {"nodes", map_node}, {NULL, NULL}};

const struct loop_def daemonset_loop = {
    .name = "daemonset",
    .component = "daemonset-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
