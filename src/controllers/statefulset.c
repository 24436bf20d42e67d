/* statefulset.c - keeps numbered pods, in order.
 *
 * DESIGN: a round looks at the pods as listed at its start and does, in this order: make or mend the wanted ones from
 * the lowest number up; delete the surplus from the highest number down; replace those of an old template from the
 * highest down. With OrderedReady each step waits for the one before it to be running, ready and available; Parallel
 * waits for nothing but updates. What a round changed comes back as an event and brings the next one.
 *
 *     wanted 0 ──► 1 ──► … ──► n-1     surplus m ──► … ──► n     old template n-1 ──► … ──► partition
 *
 * The status counts the pods listed at the start. When all pods have the update revision it becomes the current one.
 * Source: pkg/controller/statefulset/stateful_set_control.go. */
#include "controllers/statefulset_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { BURST = 500, MAX_REPLICAS = 1000000 }; /* made in one round; looked at */

struct counts {
    int64_t replicas, ready, available, current, updated;
};

/* -- who must look again -- */

static void enqueue_all(struct loop *l, const char *ns)
{
    _auto_objlist_ struct objlist sets = {0};
    objlist_load(&sets, loop_registry(l), RES.statefulsets->bucket, ns);
    for (size_t i = 0; i < sets.len; i++)
        loop_enqueue(l, sets.items[i]->ns, sets.items[i]->name);
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->prev)
        enqueue_controller(l, ev->prev->tree, "StatefulSet");
    if (controller_of(ev->obj->tree))
        enqueue_controller(l, ev->obj->tree, "StatefulSet");
    else if (ev->type != WATCH_DELETED)
        enqueue_all(l, obj_ns(ev->obj->tree));
}

/* A pod may wait for an old claim of its name to go. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED)
        enqueue_all(l, obj_ns(ev->obj->tree));
}

/* -- what pods are like -- */

static bool is_created(const json_t *pod)
{
    return !str_empty(jstr(pod, "status.phase"));
}

static bool is_terminating(const json_t *pod)
{
    return jstr(pod, "metadata.deletionTimestamp") != NULL;
}

static bool running_ready(const json_t *pod)
{
    return str_eq(jstr(pod, "status.phase"), "Running") && pod_ready(pod);
}

static bool running_available(const struct stateful *s, const json_t *pod)
{
    return running_ready(pod) && pod_available(pod, s->min_ready, s->now_ns);
}

static bool is_healthy(const json_t *pod)
{
    return running_ready(pod) && !is_terminating(pod);
}

static const char *pod_revision(const json_t *pod)
{
    const char *revision = jmap(pod, "metadata.labels", LABEL_REVISION);
    return revision ? revision : "";
}

/* Of a wanted ordinal. */
static const json_t *pod_at(const struct stateful *s, int64_t ordinal)
{
    return s->slots[ordinal - s->start];
}

static struct counts count_pods(const struct stateful *s)
{
    struct counts n = {0};
    for (size_t i = 0; i < s->pods.len; i++) {
        const json_t *pod = s->pods.trees[i];
        n.replicas += is_created(pod);
        n.ready += running_ready(pod);
        n.available += running_available(s, pod);
        if (is_created(pod) && !is_terminating(pod)) {
            n.current += str_eq(pod_revision(pod), s->current);
            n.updated += str_eq(pod_revision(pod), s->update);
        }
    }
    return n;
}

/* -- the wanted pods; each returns 1 to end the round, 0 to go on, -1 on an error -- */

/* Its successor is made when it is gone. */
static int end_ended(struct stateful *s, const json_t *pod, struct err *e)
{
    return !is_terminating(pod) && stateful_pod_remove(s, pod, e) < 0 ? -1 : 1;
}

static int keep_pod(struct stateful *s, int64_t ordinal, struct err *e)
{
    const json_t *pod = pod_at(s, ordinal);
    if (pod && pod_terminal(pod))
        return end_ended(s, pod, e);
    if (!pod) {
        int rc = stateful_pod_make(s, ordinal, e);
        return rc != 0 ? rc : !s->parallel;
    }
    if (str_eq(jstr(pod, "status.phase"), "Pending") && !is_terminating(pod) && stateful_claims_make(s, pod, e) < 0)
        return -1;
    if (!s->parallel && (is_terminating(pod) || !running_available(s, pod)))
        return 1;
    return is_terminating(pod) ? 0 : stateful_pod_keep(s, pod, e) < 0 ? -1 : 0;
}

static int keep_pods(struct stateful *s, struct err *e)
{
    int end = 0, made = 0;
    for (int64_t ordinal = s->start; ordinal < s->start + s->count && made < BURST; ordinal++) {
        made += pod_at(s, ordinal) == NULL;
        int rc = keep_pod(s, ordinal, e);
        if (rc < 0)
            return -1;
        end |= rc;
        if (rc > 0 && !s->parallel)
            return 1;
    }
    return end | (made == BURST); /* their events bring the next round */
}

/* -- the surplus -- */

static const json_t *first_unhealthy(const struct stateful *s, const struct objlist *surplus)
{
    for (int64_t ordinal = s->start; ordinal < s->start + s->count; ordinal++) {
        const json_t *pod = pod_at(s, ordinal);
        if (pod && !is_healthy(pod))
            return pod;
    }
    for (size_t i = surplus->len; i-- > 0;)
        if (!is_healthy(surplus->trees[i]))
            return surplus->trees[i];
    return NULL;
}

static int remove_pod(struct stateful *s, const json_t *pod, const json_t *unhealthy, struct err *e)
{
    if (is_terminating(pod))
        return !s->parallel;
    if (!s->parallel && !running_available(s, pod) && pod != unhealthy)
        return 1;
    if (stateful_pod_remove(s, pod, e) < 0)
        return -1;
    return !s->parallel;
}

static int remove_pods(struct stateful *s, const struct objlist *surplus, struct err *e)
{
    const json_t *unhealthy = first_unhealthy(s, surplus);
    for (size_t i = 0; i < surplus->len; i++)
        if (stateful_claims_own(s, surplus->trees[i], e) < 0)
            return -1;
    for (size_t i = 0; i < surplus->len; i++) {
        int rc = remove_pod(s, surplus->trees[i], unhealthy, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* -- the update -- */

/* Replaces one pod of another revision, if all above it are well. Counts it out of the current ones. */
static int update_pods(struct stateful *s, struct counts *n, struct err *e)
{
    int64_t low = s->start + jint(s->set, "spec.updateStrategy.rollingUpdate.partition", 0);
    if (str_eq(jstr(s->set, "spec.updateStrategy.type"), "OnDelete"))
        return 0;
    for (int64_t ordinal = s->start + s->count - 1; ordinal >= low && ordinal >= s->start; ordinal--) {
        const json_t *pod = pod_at(s, ordinal);
        if (!pod)
            return 0;
        if (!str_eq(pod_revision(pod), s->update) && !is_terminating(pod)) {
            if (stateful_pod_remove(s, pod, e) < 0)
                return -1;
            n->current -= n->current > 0;
            return 0;
        }
        if (!is_healthy(pod))
            return 0;
    }
    return 0;
}

static int highest_first(const void *pa, const void *pb)
{
    const struct sobj *a = *(struct sobj *const *)pa, *b = *(struct sobj *const *)pb;
    size_t la = strlen(a->name), lb = strlen(b->name);
    return la != lb ? (la < lb) - (la > lb) : strcmp(b->name, a->name);
}

static int act(struct stateful *s, struct counts *n, struct err *e)
{
    _auto_objlist_ struct objlist surplus = {0};
    for (size_t i = 0; i < s->pods.len; i++)
        if (!ordinal_wanted(s, pod_ordinal(s->set, s->pods.trees[i])))
            objlist_add(&surplus, s->pods.items[i]);
    if (surplus.len)
        qsort(surplus.items, surplus.len, sizeof *surplus.items, highest_first);
    for (size_t i = 0; i < surplus.len; i++)
        surplus.trees[i] = surplus.items[i]->tree;
    int rc = keep_pods(s, e);
    if (rc == 0)
        rc = remove_pods(s, &surplus, e);
    if (rc == 0)
        rc = update_pods(s, n, e);
    return rc < 0 ? -1 : 0;
}

/* -- status -- */

static int update_status(struct stateful *s, struct counts n, struct err *e)
{
    json_t *next = json_deep_copy(s->set);
    json_t *status = jmake_obj(next, "status");
    const char *current = s->current;
    if (str_eq(jstr(s->set, "spec.updateStrategy.type"), "RollingUpdate") && n.updated == s->count &&
        n.ready == s->count && n.replicas == s->count) {
        n.current = n.updated;
        current = s->update;
    }
    jset_int(status, "observedGeneration", jint(s->set, "metadata.generation", 0));
    jset_int(status, "replicas", n.replicas);
    put_count(status, "readyReplicas", n.ready);
    put_count(status, "currentReplicas", n.current);
    put_count(status, "updatedReplicas", n.updated);
    jset_str(status, "currentRevision", current);
    jset_str(status, "updateRevision", s->update);
    jset_int(status, "collisionCount", s->revisions.collisions);
    jset_int(status, "availableReplicas", n.available);
    if (n.available < n.ready)
        loop_enqueue_after(s->l, obj_ns(s->set), obj_name(s->set), s->min_ready * 1000);
    return write_status(s->l, RES.statefulsets, s->set, next, e) < 0 ? -1 : 0;
}

/* -- one round -- */

/* Pods of other names may match the selector: they are not ours to adopt. */
static int load_pods(struct stateful *s, struct err *e)
{
    objlist_load(&s->pods, loop_registry(s->l), RES.pods->bucket, obj_ns(s->set));
    size_t kept = 0;
    for (size_t i = 0; i < s->pods.len; i++) {
        if (pod_ordinal(s->set, s->pods.trees[i]) >= 0) {
            s->pods.items[kept] = s->pods.items[i];
            s->pods.trees[kept++] = s->pods.trees[i];
        } else {
            sobj_unref(s->pods.items[i]);
        }
    }
    s->pods.len = kept;
    return claim_objects(s->l, s->set, RES.pods, &s->pods, e);
}

static void fill_slots(struct stateful *s)
{
    s->slots = xcalloc((size_t)s->count + 1, sizeof *s->slots);
    for (size_t i = 0; i < s->pods.len; i++) {
        int64_t ordinal = pod_ordinal(s->set, s->pods.trees[i]);
        if (ordinal_wanted(s, ordinal))
            s->slots[ordinal - s->start] = s->pods.trees[i];
    }
}

static bool revision_used(const json_t *revision, void *arg)
{
    const struct stateful *s = arg;
    const char *name = obj_name(revision);
    bool used = str_eq(name, s->current) || str_eq(name, s->update);
    for (size_t i = 0; i < s->pods.len && !used; i++)
        used = str_eq(pod_revision(s->pods.trees[i]), name);
    return used;
}

static int run(struct stateful *s, struct err *e)
{
    if (load_pods(s, e) < 0 || revisions_load(s->l, s->set, &s->revisions, e) < 0)
        return -1;
    fill_slots(s);
    const json_t *update = revision_sync(s->l, s->set, "controller.kubernetes.io/hash", &s->revisions, e);
    if (!update)
        return -1;
    const json_t *current = revision_named(&s->revisions, jstr_or(s->set, "status.currentRevision", ""));
    s->update = obj_name(update);
    s->current = current ? obj_name(current) : s->update;
    struct counts n = count_pods(s);
    struct err why = ERR_INIT;
    int rc = is_terminating(s->set) ? 0 : act(s, &n, &why);
    if (update_status(s, n, e) < 0)
        return -1;
    if (rc < 0) {
        *e = why;
        return -1;
    }
    return revisions_truncate(s->l, s->set, &s->revisions, revision_used, s, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.statefulsets, ns, name);
    if (!obj)
        return 0;
    int64_t wanted = jint(obj->tree, "spec.replicas", 1);
    struct stateful s = {
        .l = l,
        .set = obj->tree,
        .start = jint(obj->tree, "spec.ordinals.start", 0),
        .count = wanted < MAX_REPLICAS ? wanted : MAX_REPLICAS,
        .min_ready = jint(obj->tree, "spec.minReadySeconds", 0),
        .now_ns = clock_wall_ns(loop_clock(l)),
        .parallel = str_eq(jstr(obj->tree, "spec.podManagementPolicy"), "Parallel"),
    };
    int rc = run(&s, e);
    objlist_release(&s.pods);
    free(s.slots);
    revisions_release(&s.revisions);
    return rc;
}

static const struct loop_watch watches[] = {
    {"statefulsets.apps", NULL}, {"pods", map_pod}, {"persistentvolumeclaims", map_claim}, {NULL, NULL}};

const struct loop_def statefulset_loop = {
    .name = "statefulset",
    .component = "statefulset-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
