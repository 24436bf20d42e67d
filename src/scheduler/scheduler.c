/* scheduler.c - the loop: what watches bring goes into the cache and the queue; the queue's first pod is tried.
 *
 * DESIGN: one key stands for "there are pods to try". An attempt prepares, asks the nodes, reserves the pod's volumes
 * and binds it; a pod whose volumes must be bound first is counted on its node meanwhile. One that fits nowhere gets
 * the event and the condition, perhaps sends others away (preempt.c), and waits in the queue for something that may
 * change the mind of the filters that refused it.
 *
 * How to add something that wakes pods: a bit in enum wake, a watch here, the bit in the rows of plugins.c.
 * THREADS: the loop thread; bind_work() on a worker. */
#include "scheduler/scheduler.h"
#include "scheduler/queue_int.h"
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

#define TURN "next"
/* Pods tried before the other loops have theirs. */
#define BATCH 16
/* More that wait are not asked one by one whether a changed node would do. */
#define CROWD           200
#define BIND_TIMEOUT_MS 600000 /* for volumes to be bound */
/* What waits for volumes, as if this filter had refused it. */
#define VOLUME_BINDING (1u << 8)

struct scheduler {
    struct cache cache;
    struct queue *queue; /* owned */
};

static bool is_pending(const json_t *pod)
{
    return str_empty(jstr(pod, "spec.nodeName")) && pod_active(pod) &&
           str_eq(jstr_or(pod, "spec.schedulerName", "default-scheduler"), "default-scheduler");
}

static int64_t now_ms(struct loop *l)
{
    return clock_mono_ms(loop_clock(l));
}

/* Has the loop look at the queue: now if a pod is ready, else when the next one is. */
static void kick(struct loop *l)
{
    struct scheduler *s = loop_state(l);
    int64_t now = now_ms(l), due = queue_tick(s->queue, now);
    if (queue_ready(s->queue))
        loop_enqueue(l, "", TURN);
    else if (due >= 0)
        loop_enqueue_after(l, "", TURN, due > now ? due - now : 0);
}

/* -- waking -- */

struct news {
    enum wake what;
    const struct node_info *node; /* that changed, or NULL */
    const struct sobj *claim;     /* likewise */
};

/* Would one of these filters, all about the node alone, let the pod on the node now? */
static bool node_helps(struct scheduler *s, const struct queued *p, uint32_t filters, const struct node_info *n)
{
    struct attempt a;
    bool helps = false;
    attempt_begin(&a, NULL, &s->cache, p->o);
    for (unsigned i = 0; i < sched_plugins_len && !helps; i++) {
        struct verdict v = {0};
        if (!(filters & 1u << i))
            continue;
        sched_plugins[i].filter(&a, n, &v);
        helps = v.reasons.len == 0;
        strlist_release(&v.reasons);
    }
    attempt_end(&a);
    return helps;
}

static void wake(struct loop *l, const struct news *news)
{
    struct scheduler *s = loop_state(l);
    uint32_t moved = 0, local = 0;
    size_t seen = 0;
    for (unsigned i = 0; i < sched_plugins_len; i++) {
        moved |= sched_plugins[i].wakes & news->what ? 1u << i : 0;
        local |= sched_plugins[i].local ? 1u << i : 0;
    }
    if (!queue_refused_by(s->queue, moved))
        return;
    for (struct queued *p = queue_waiting(s->queue), *next; p; p = next) {
        uint32_t hopes = p->refused & moved;
        next = p->next;
        if (!hopes ||
            (news->claim && (!str_eq(p->o->ns, news->claim->ns) || !pod_uses_claim(p->o->tree, news->claim->name))))
            continue;
        if (news->node && !(hopes & ~local) && seen++ < CROWD && !node_helps(s, p, hopes, news->node))
            continue;
        queue_wake(s->queue, p, now_ms(l));
    }
}

/* -- what watches bring -- */

/* No longer waits for us. */
static void let_go(struct scheduler *s, struct queued *p, const json_t *pod)
{
    if (p->assumed && !str_eq(p->assumed, jstr(pod, "spec.nodeName")))
        cache_forget(&s->cache, p->o->ns, p->o->name, p->assumed);
    queue_drop(s->queue, p);
}

static bool edited(const struct watch_event *ev)
{
    return ev->prev && (!same_member(ev->prev->tree, ev->obj->tree, "spec") ||
                        !same_member(ev->prev->tree, ev->obj->tree, "metadata.labels") ||
                        !same_member(ev->prev->tree, ev->obj->tree, "metadata.annotations"));
}

static void map_waiting(struct loop *l, const struct watch_event *ev)
{
    struct scheduler *s = loop_state(l);
    bool fresh;
    struct queued *p = queue_offer(s->queue, ev->obj, now_ms(l), &fresh);
    if (!fresh && edited(ev))
        queue_wake(s->queue, p, now_ms(l));
}

/* A pod that is on a node, or was promised one. */
static void map_placed(struct loop *l, const struct watch_event *ev)
{
    const json_t *pod = ev->obj->tree, *prev = ev->prev ? ev->prev->tree : NULL;
    bool gone = ev->type == WATCH_DELETED;
    bool ended = gone || (pod_terminal(pod) && prev && !pod_terminal(prev));
    bool came = !gone && jstr(pod, "spec.nodeName") && (!prev || str_empty(jstr(prev, "spec.nodeName")));
    if (ended && (jstr(pod, "spec.nodeName") || jstr(pod, "status.nominatedNodeName")))
        wake(l, &(struct news){.what = WAKE_POD_GONE});
    else if (came || (prev && !same_member(prev, pod, "metadata.labels")))
        wake(l, &(struct news){.what = WAKE_POD_CAME});
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    struct scheduler *s = loop_state(l);
    bool waits = ev->type != WATCH_DELETED && is_pending(ev->obj->tree);
    struct queued *p = waits ? NULL : queue_find(s->queue, ev->obj->ns, ev->obj->name);
    if (p)
        let_go(s, p, ev->obj->tree);
    cache_pod(&s->cache, ev->obj, ev->type == WATCH_DELETED);
    if (waits)
        map_waiting(l, ev);
    else
        map_placed(l, ev);
    kick(l);
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    static const char *const parts[] = {"spec.taints", "spec.unschedulable", "metadata.labels", "status.allocatable"};
    struct scheduler *s = loop_state(l);
    bool gone = ev->type == WATCH_DELETED, changed = !ev->prev;
    cache_node(&s->cache, ev->obj, gone);
    for (size_t i = 0; !changed && i < ARRAY_LEN(parts); i++)
        changed = !same_member(ev->prev->tree, ev->obj->tree, parts[i]);
    if (gone || (ev->prev && !same_member(ev->prev->tree, ev->obj->tree, "metadata.labels")))
        wake(l, &(struct news){.what = WAKE_NODE_GONE});
    if (changed && !gone)
        wake(l, &(struct news){.what = WAKE_NODE, .node = cache_find(&s->cache, ev->obj->name)});
    kick(l);
}

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    struct scheduler *s = loop_state(l);
    s->cache.storage_stale = true;
    /* No pod is helped by a claim that goes. */
    if (ev->type != WATCH_DELETED && !jstr(ev->obj->tree, "metadata.deletionTimestamp"))
        wake(l, &(struct news){.what = WAKE_CLAIM, .claim = ev->obj});
    kick(l);
}

static void map_storage(struct loop *l, const struct watch_event *ev)
{
    struct scheduler *s = loop_state(l);
    s->cache.storage_stale = true;
    if (ev->type != WATCH_DELETED)
        wake(l, &(struct news){.what = WAKE_STORAGE});
    kick(l);
}

/* A disk that is on its way off a node counts there until it is gone. */
static void map_attachment(struct loop *l, const struct watch_event *ev)
{
    struct scheduler *s = loop_state(l);
    s->cache.attachments_stale = true;
    if (ev->type == WATCH_DELETED)
        wake(l, &(struct news){.what = WAKE_STORAGE});
    kick(l);
}

static void map_namespace(struct loop *l, const struct watch_event *ev)
{
    struct scheduler *s = loop_state(l);
    s->cache.namespaces_stale = true;
    if (!ev->prev || !same_member(ev->prev->tree, ev->obj->tree, "metadata.labels"))
        wake(l, &(struct news){.what = WAKE_NAMESPACE});
    kick(l);
}

/* -- the attempt -- */

/* -- binding: a write that waits for the journal, so others are tried meanwhile -- */

struct binding {
    struct loop *loop;
    struct sobj *pod; /* owned reference */
    char *node;       /* owned */
    struct err e;
    int rc;
};

static void bind_work(void *arg)
{
    struct binding *b = arg;
    b->rc = reg_bind_pod(loop_registry(b->loop), WHO, b->pod->ns, b->pod->name, b->node, &b->e);
    if (b->rc == 0) /* at once: what others tell of the pod comes after it */
        report_scheduled(b->loop, b->pod->tree, b->node);
}

static void bind_done(struct loop *l, void *arg)
{
    struct binding *b = arg;
    struct scheduler *s = loop_state(l);
    struct queued *p = queue_find(s->queue, b->pod->ns, b->pod->name);
    bool same = p && str_eq(obj_uid(p->o->tree), obj_uid(b->pod->tree));
    if (b->rc < 0 && same) {
        log_line(LOG_LEVEL_DEBUG, "scheduler", "%s/%s: %s", b->pod->ns, b->pod->name, b->e.msg);
        cache_forget(&s->cache, b->pod->ns, b->pod->name, b->node);
        free(TAKE(p->assumed));
        p->binding = false;
        if (b->e.code == ERR_NOT_FOUND)
            queue_drop(s->queue, p);
        else
            queue_failed(s->queue, p, now_ms(l));
    }
    kick(l);
    sobj_unref(b->pod);
    free(b->node);
    free(b);
}

/* To the node it is assumed on. Nothing wakes it meanwhile. */
static void bind_begin(struct attempt *a, struct scheduler *s, struct queued *p)
{
    struct binding *b = xcalloc(1, sizeof *b);
    *b = (struct binding){.loop = a->l, .pod = sobj_ref(a->me->o), .node = xstrdup(p->assumed)};
    p->binding = true;
    p->refused = 0;
    queue_waits(s->queue, p, now_ms(a->l));
    loop_offload(a->l, bind_work, bind_done, b);
}

/* Volumes first; then the pod. Either way it is counted on the node from now on. */
static int commit(struct attempt *a, struct scheduler *s, struct queued *p, const struct node_info *n, struct err *e)
{
    bool ready;
    if (claims_reserve(a, n->node, &ready, e) < 0)
        return -1;
    p->assumed = xstrdup(n->name);
    p->assumed_ms = now_ms(a->l);
    cache_nominate(a->cache, a->me, NULL);
    cache_assume(a->cache, a->me, n->name);
    if (ready) {
        bind_begin(a, s, p);
        return 0;
    }
    a->cache->storage_stale = true; /* its claims were written to */
    p->refused = VOLUME_BINDING;
    queue_waits(s->queue, p, now_ms(a->l));
    return 0;
}

static int fail(struct attempt *a, const char *refused, const struct verdict *verdicts, struct err *e)
{
    struct preemption plan;
    preempt_plan(a, verdicts, &plan);
    _auto_free_ char *message = fit_error(a, refused, verdicts, &plan);
    _auto_free_ char *node = plan.node ? xstrdup(plan.node) : NULL;
    int rc = node ? preempt_act(a, &plan, e) : 0;
    const char *promise = node ? node : plan.keep ? NULL : "";
    preemption_release(&plan);
    if (rc < 0 || report_failure(a, "Unschedulable", message, promise, e) < 0)
        return -1;
    if (promise)
        cache_nominate(a->cache, a->me, promise);
    return 0;
}

/* The binding of its volumes has failed: the pod loses its node. */
static void give_up(struct attempt *a, struct scheduler *s, struct queued *p, const char *why)
{
    struct err e = ERR_INIT;
    _auto_free_ char *text = xasprintf("running PreBind plugin \"VolumeBinding\": binding volumes: %s", why);
    cache_forget(&s->cache, a->me->ns, a->me->name, p->assumed);
    free(TAKE(p->assumed));
    if (report_failure(a, "SchedulerError", text, NULL, &e) < 0)
        log_line(LOG_LEVEL_DEBUG, "scheduler", "%s/%s: %s", a->me->ns, a->me->name, e.msg);
    queue_failed(s->queue, p, now_ms(a->l));
}

/* A pod that was given a node waits there for its volumes, and is looked for no other. False: that node is gone, or one
 * of the claims. */
static bool go_on(struct loop *l, struct scheduler *s, struct queued *p, struct sobj *pod)
{
    struct attempt a;
    char text[1024];
    const struct node_info *n = cache_find(&s->cache, p->assumed);
    attempt_begin(&a, l, &s->cache, pod);
    bool there = n && n->o && attempt_prepare(&a, text, sizeof text) == 0;
    enum claims_state state = there ? claims_bound(&a, n->node, text, sizeof text) : CLAIMS_WAIT;
    if (there && state == CLAIMS_READY)
        bind_begin(&a, s, p);
    else if (there && state == CLAIMS_FAILED)
        give_up(&a, s, p, text);
    else if (there && now_ms(l) - p->assumed_ms >= BIND_TIMEOUT_MS)
        give_up(&a, s, p, "context deadline exceeded");
    else if (there)
        queue_waits(s->queue, p, now_ms(l));
    attempt_end(&a);
    return there;
}

/* Tries the pod and puts it where it belongs next. */
static void try_pod(struct loop *l, struct scheduler *s, struct queued *p, struct sobj *pod)
{
    struct attempt a;
    struct err e = ERR_INIT;
    char text[1024];
    struct verdict *verdicts = NULL;
    if (p->binding) {
        queue_waits(s->queue, p, now_ms(l));
        return;
    }
    if (p->assumed && go_on(l, s, p, pod))
        return;
    if (p->assumed)
        cache_forget(&s->cache, pod->ns, pod->name, p->assumed);
    free(TAKE(p->assumed));
    attempt_begin(&a, l, &s->cache, pod);
    size_t nodes = s->cache.len;
    bool refused = attempt_prepare(&a, text, sizeof text) != 0;
    int at = refused ? -1 : attempt_find(&a, &verdicts);
    int rc = at >= 0 ? commit(&a, s, p, s->cache.nodes[at], &e) : fail(&a, refused ? text : NULL, verdicts, &e);
    if (rc < 0) {
        log_line(LOG_LEVEL_DEBUG, "scheduler", "%s/%s: %s", pod->ns, pod->name, e.msg);
        queue_failed(s->queue, p, now_ms(l));
    } else if (at < 0) {
        p->refused = s->cache.present ? a.refused : (1u << sched_plugins_len) - 1;
        queue_unschedulable(s->queue, p, now_ms(l));
    }
    verdicts_free(verdicts, nodes);
    attempt_end(&a);
}

static int reconcile(struct loop *l, const char *ns _unused_, const char *name _unused_, struct err *e _unused_)
{
    struct scheduler *s = loop_state(l);
    struct queued *p;
    queue_tick(s->queue, now_ms(l));
    for (int i = 0; i < BATCH && (p = queue_pop(s->queue)); i++) {
        _auto_sobj_ struct sobj *pod = reg_read(loop_registry(l), RES.pods, p->o->ns, p->o->name);
        if (pod && is_pending(pod->tree))
            try_pod(l, s, p, pod);
        else
            let_go(s, p, pod ? pod->tree : NULL);
    }
    kick(l);
    return 0;
}

/* -- the loop -- */

static int start(struct loop *l, struct err *e _unused_)
{
    struct scheduler *s = loop_state(l);
    cache_init(&s->cache, loop_registry(l));
    s->queue = queue_new();
    return 0;
}

static void stop(struct loop *l)
{
    struct scheduler *s = loop_state(l);
    queue_free(s->queue);
    cache_release(&s->cache);
}

static const struct loop_watch watches[] = {{"nodes", map_node},
                                            {"pods", map_pod},
                                            {"persistentvolumes", map_storage}, /* before claims: see binder/table.c */
                                            {"persistentvolumeclaims", map_claim},
                                            {"storageclasses.storage.k8s.io", map_storage},
                                            {"csinodes.storage.k8s.io", map_storage},
                                            {"csidrivers.storage.k8s.io", map_storage},
                                            {"csistoragecapacities.storage.k8s.io", map_storage},
                                            {"volumeattachments.storage.k8s.io", map_attachment},
                                            {"namespaces", map_namespace},
                                            {NULL, NULL}};

static const struct loop_def scheduler_loop = {
    .name = "scheduler",
    .component = "default-scheduler",
    .watches = watches,
    .state_size = sizeof(struct scheduler),
    .start = start,
    .stop = stop,
    .reconcile = reconcile,
    .restless = true,
    .max_backoff_ms = 10000,
};

const struct loop_def *const *scheduler_loops(size_t *n)
{
    static const struct loop_def *const loops[] = {&scheduler_loop};
    *n = ARRAY_LEN(loops);
    return loops;
}
