/* eviction.c - the eviction manager of each node: measures it every ten seconds, and acts when it runs low.
 *
 *      measure -> conditions -> pods over limits of their own -> a threshold is met -> reclaim -> measure -> evict one
 * pod
 *         ^____________________________|__________________________________________________________________________|
 *                                         (until what was evicted is gone, half a minute at most)
 *
 * DESIGN: one key a node. What blocks (measuring, removing images) runs on a worker, decisions are made on the loop
 * thread from the finished measurement by the pure functions of eviction_rules.c. Between the end of a shortage and the
 * end of the condition that it made five minutes pass, on the cluster's clock, so that it does not flap. At most one
 * pod a round goes because of its node; all that broke limits of their own go at once.
 *
 * THREADS: the loop thread owns a struct eviction; its measurement may be read by others under k->mu.
 * Source: pkg/kubelet/eviction/eviction_manager.go synchronize. */
#include "kubeletsim/eviction_int.h"

#include <stdlib.h>

#define ROUND_MS       10000
#define TRANSITION_MS  300000
#define CLEANUP_MS     30000
#define CLEANUP_ASK_MS 1000

struct eviction {
    struct node_stats *stats; /* owned; replaced under k->mu */
    bool busy;                /* a job runs */
    bool pressure[PRESSURE_MAX], seen[PRESSURE_MAX];
    int64_t seen_at[PRESSURE_MAX]; /* mono ms: when a threshold was last met */
    int64_t next;                  /* mono ms: earliest next round */
    struct strlist awaited;        /* "namespace/pod/uid" of what was evicted and is not gone yet */
    int64_t awaited_until;         /* mono ms */
    struct image_gc images;
};

static const struct {
    const char *set, *cleared; /* events */
} condition_events[PRESSURE_MAX] = {
    [PRESSURE_MEMORY] = {"NodeHasInsufficientMemory", "NodeHasSufficientMemory"},
    [PRESSURE_DISK] = {"NodeHasDiskPressure", "NodeHasNoDiskPressure"},
};
static const char *const condition_types[PRESSURE_MAX] = {"MemoryPressure", "DiskPressure"};

void eviction_free(struct eviction *ev)
{
    if (!ev)
        return;
    stats_free(ev->stats);
    strlist_release(&ev->awaited);
    free(ev);
}

bool node_has_pressure(const struct node_run *n, enum pressure pressure)
{
    return n->eviction && n->eviction->pressure[pressure];
}

const struct node_stats *node_stats_locked(const struct node_run *n)
{
    return n->eviction ? n->eviction->stats : NULL;
}

/* -- may a pod come? -- */

static bool is_best_effort(const json_t *pod)
{
    return str_eq(jstr_or(pod, "status.qosClass", "BestEffort"), "BestEffort");
}

bool eviction_admits(const struct node_run *n, const json_t *pod, char **out_message)
{
    const bool disk = node_has_pressure(n, PRESSURE_DISK), memory = node_has_pressure(n, PRESSURE_MEMORY);
    if ((!disk && !memory) || pod_is_critical(pod) || (!disk && !is_best_effort(pod)))
        return true;
    *out_message = xasprintf("The node had condition: [%s%s%s]. ", memory ? condition_types[PRESSURE_MEMORY] : "",
                             memory && disk ? " " : "", disk ? condition_types[PRESSURE_DISK] : "");
    return false;
}

/* -- conditions -- */

static void update_conditions(struct kubelet *k, struct node_run *n, const bool *met)
{
    struct eviction *ev = n->eviction;
    bool changed[PRESSURE_MAX] = {false}, any = false;
    for (int s = 0; s < SIGNAL_KINDS; s++)
        if (met[s]) {
            ev->seen[signals[s].pressure] = true;
            ev->seen_at[signals[s].pressure] = kubelet_mono(k);
        }
    for (int i = 0; i < PRESSURE_MAX; i++) {
        const bool now = ev->seen[i] && kubelet_mono(k) - ev->seen_at[i] < TRANSITION_MS;
        changed[i] = now != ev->pressure[i];
        any = any || changed[i];
        ev->pressure[i] = now;
    }
    if (!any)
        return;
    node_conditions_changed(k, n);
    for (int i = 0; i < PRESSURE_MAX; i++) {
        const char *reason = ev->pressure[i] ? condition_events[i].set : condition_events[i].cleared;
        if (changed[i])
            node_event(k, n, EVENT_NORMAL, reason, "Node %s status is now: %s", n->name, reason);
    }
}

/* -- pods -- */

static struct pod_run *pod_of(struct kubelet *k, const struct pod_stats *s)
{
    struct pod_run *p = pod_run_find(k, s->ns, s->name);
    return p && str_eq(p->uid, s->uid) ? p : NULL;
}

static bool evictable(const struct pod_run *p)
{
    return p && p->stage == POD_RUN && !p->fail_reason && !pod_being_deleted(p) && !pod_is_critical(pod_tree(p));
}

static void evict(struct kubelet *k, struct eviction *ev, struct pod_run *p, const char *message,
                  const json_t *annotations)
{
    pod_evict(p, message, annotations);
    strlist_take(&ev->awaited, xasprintf("%s/%s/%s", p->ns, p->name, p->uid));
    ev->awaited_until = kubelet_mono(k) + CLEANUP_MS;
}

/* Those that use more than they may, whatever room there is. */
static bool evict_over_limits(struct kubelet *k, struct eviction *ev)
{
    bool any = false;
    for (size_t i = 0; i < ev->stats->pod_count; i++) {
        const struct pod_stats *s = &ev->stats->pods[i];
        struct pod_run *p = pod_of(k, s);
        _auto_free_ char *message = evictable(p) ? eviction_limit_message(s, pod_tree(p)) : NULL;
        if (message)
            evict(k, ev, p, message, NULL);
        any = any || message;
    }
    return any;
}

static void evict_one(struct kubelet *k, struct eviction *ev, enum signal_kind kind, const struct observation *o)
{
    const struct node_stats *s = ev->stats;
    const json_t **specs = xcalloc(s->pod_count + 1, sizeof *specs);
    for (size_t i = 0; i < s->pod_count; i++) {
        const struct pod_run *p = pod_of(k, &s->pods[i]);
        specs[i] = p ? pod_tree(p) : NULL;
    }
    _auto_free_ size_t *order = eviction_rank(s, specs, kind);
    for (size_t i = 0; i < s->pod_count; i++) {
        const struct pod_stats *victim = &s->pods[order[i]];
        struct pod_run *p = pod_of(k, victim);
        if (!evictable(p))
            continue;
        _auto_json_ json_t *annotations = json_object();
        _auto_free_ char *message = eviction_message(victim, pod_tree(p), kind, o, annotations);
        evict(k, ev, p, message, annotations);
        break;
    }
    free(specs);
}

/* Is what was evicted off the node? */
static bool all_gone(struct kubelet *k, struct eviction *ev)
{
    for (size_t i = 0; i < ev->awaited.len; i++) {
        _auto_strlist_ struct strlist part = {0};
        strlist_split(&part, ev->awaited.items[i], '/');
        const struct pod_run *p = pod_run_find(k, part.items[0], part.items[1]);
        if (p && str_eq(p->uid, part.items[2]) && p->stage < POD_KEPT)
            return false;
    }
    return true;
}

/* -- a round -- */

struct round {
    struct kubelet *k;
    struct node_run *n;
    struct node_stats *stats;        /* owned: being made */
    const struct node_stats *before; /* borrowed: stays until the round ends */
    struct strlist used_images;
    bool reclaim, reclaimed; /* images are to be removed first; they were */
    struct image_gc_result images;
};

static void round_start(struct loop *l, struct node_run *n, bool reclaim);

/* What is met most urgently; SIGNAL_KINDS: nothing. Signals are in the order of urgency. */
static enum signal_kind most_urgent(const bool *met)
{
    int kind = 0;
    while (kind < SIGNAL_KINDS && !met[kind])
        kind++;
    return (enum signal_kind)kind;
}

static void decide(struct loop *l, struct round *r)
{
    struct kubelet *k = r->k;
    struct eviction *ev = r->n->eviction;
    struct observation seen[SIGNAL_KINDS];
    bool met[SIGNAL_KINDS];
    signals_observe(ev->stats, k->info.memory_bytes, seen);
    for (int i = 0; i < SIGNAL_KINDS; i++)
        met[i] = signal_met((enum signal_kind)i, &seen[i]);
    update_conditions(k, r->n, met);
    const enum signal_kind kind = most_urgent(met);
    if (!r->reclaimed && evict_over_limits(k, ev))
        return;
    if (kind == SIGNAL_KINDS)
        return;
    if (!r->reclaimed)
        node_event(k, r->n, EVENT_WARNING, "EvictionThresholdMet", "Attempting to reclaim %s", signals[kind].resource);
    const bool images = kind == SIGNAL_IMAGEFS || kind == SIGNAL_IMAGEFS_INODES;
    if (images && !r->reclaimed)
        round_start(l, r->n, true);
    else
        evict_one(k, ev, kind, &seen[kind]);
}

static void round_work(void *arg)
{
    struct round *r = arg;
    stats_measure(r->k, r->n->name, r->stats, r->before);
    image_gc_run(r->k, r->n->name, r->stats, &r->used_images, r->reclaim, &r->images);
}

static void round_end(struct loop *l, void *arg)
{
    struct round *r = arg;
    struct eviction *ev = r->n->eviction;
    r->reclaimed = r->reclaim;
    ev->busy = false;
    ev->next = kubelet_mono(r->k) + ROUND_MS;
    image_gc_tell(r->k, r->n, &ev->images, &r->images);
    if (r->stats->ok && !node_is_off(r->n)) {
        pthread_mutex_lock(&r->k->mu);
        struct node_stats *old = ev->stats;
        ev->stats = TAKE(r->stats);
        pthread_mutex_unlock(&r->k->mu);
        stats_free(old);
        decide(l, r);
    }
    stats_free(r->stats);
    strlist_release(&r->used_images);
    if (!ev->busy)
        loop_enqueue_after(l, "", r->n->name, ev->awaited.len ? CLEANUP_ASK_MS : ROUND_MS);
    free(r);
}

static void round_start(struct loop *l, struct node_run *n, bool reclaim)
{
    struct kubelet *k = loop_env(l);
    struct round *r = xcalloc(1, sizeof *r);
    *r = (struct round){.k = k, .n = n, .stats = stats_plan(k, n), .before = n->eviction->stats, .reclaim = reclaim};
    r->images.due = image_gc_due(k, &n->eviction->images);
    if (reclaim || r->images.due)
        images_in_use(k, &r->used_images);
    n->eviction->busy = true;
    loop_offload(l, round_work, round_end, r);
}

static int reconcile(struct loop *l, const char *ns _unused_, const char *name, struct err *e _unused_)
{
    struct kubelet *k = loop_env(l);
    const int index = kubelet_node_index(k, name);
    if (index < 0)
        return 0;
    struct node_run *n = &k->nodes[index];
    const int64_t now = kubelet_mono(k);
    if (!n->eviction)
        n->eviction = xcalloc(1, sizeof *n->eviction);
    struct eviction *ev = n->eviction;
    if (ev->busy || (now < ev->next && ev->awaited.len == 0))
        return 0; /* the node's object changed */
    if (node_is_off(n)) {
        ev->next = now + ROUND_MS;
        loop_enqueue_after(l, "", name, ROUND_MS);
        return 0;
    }
    if (ev->awaited.len > 0 && now < ev->awaited_until && !all_gone(k, ev)) {
        loop_enqueue_after(l, "", name, CLEANUP_ASK_MS);
        return 0;
    }
    strlist_release(&ev->awaited);
    round_start(l, n, false);
    return 0;
}

static const struct loop_watch watches[] = {{"nodes", NULL}, {NULL, NULL}};

const struct loop_def eviction_loop_def = {
    .name = "kubelet-eviction",
    .component = "kubelet",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 10000,
};
