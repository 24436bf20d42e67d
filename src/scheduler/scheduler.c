/* scheduler.c - one attempt to place one pod.
 *
 * DESIGN: read the world, read the pod's claims, ask the filters in the real scheduler's order (the first that refuses
 * a node gives its reasons), pick the best of the rest, reserve its volumes, and bind once they are bound. A pod that
 * cannot be placed gets the condition and the event and is tried again when something changes that could help: nodes,
 * claims, volumes, classes, and other pods where the refusal was about pods. Nothing is remembered between attempts.
 *
 * How to add a filter: a filter_fn in the file it belongs to, a row in `filters`. THREADS: the loop thread. */
#include "scheduler/scheduler.h"
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const filter_fn filters[] = {
    filter_unschedulable,    filter_taints,        filter_affinity, filter_ports, filter_resources, filter_disks,
    filter_exclusive_claims, filter_volume_limits, filter_volumes,  filter_zones, filter_spread,    filter_pod_affinity,
};

void refuse(struct verdict *v, bool final, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    strlist_add(&v->reasons, text);
    v->final |= final;
}

/* -- when to look again -- */

static bool is_pending(const json_t *pod)
{
    return str_empty(jstr(pod, "spec.nodeName")) && pod_active(pod) &&
           !json_array_size(jat(pod, "spec.schedulingGates")) &&
           str_eq(jstr_or(pod, "spec.schedulerName", "default-scheduler"), "default-scheduler");
}

/* What a change can help against: parts of the reasons the filters give. */
static const char *const helped_by_less_pods[] = {"Insufficient ",    "Too many pods",   "free ports",
                                                  "affinity rules",   "topology spread", "max volume count",
                                                  "ReadWriteOncePod", "available disk",  NULL};
static const char *const helped_by_storage[] = {"olume", "storage", NULL}; /* volume, PersistentVolumeClaim … */
static const char *const helped_by_other_pods[] = {"affinity rules", "topology spread", NULL};

struct wake {
    struct loop *l;
    const char *claim;        /* only pods that use it; NULL: all */
    const char *const *hopes; /* only pods that were refused for one of these; NULL: all */
};

/* A pod that was not refused yet hopes for everything. */
static bool hopes_for(const json_t *pod, const char *const *hopes)
{
    const char *message = jstr(condition_get(pod, "PodScheduled"), "message");
    for (; message && hopes && *hopes; hopes++)
        if (strstr(message, *hopes))
            return true;
    return !message || !hopes;
}

static int wake_pod(struct sobj *o, void *arg)
{
    struct wake *w = arg;
    if (is_pending(o->tree) && (!w->claim || pod_uses_claim(o->tree, w->claim)) && hopes_for(o->tree, w->hopes))
        loop_enqueue(w->l, o->ns, o->name);
    return 0;
}

static void wake_pods(struct loop *l, const char *ns, const char *claim, const char *const *hopes)
{
    struct wake w = {l, claim, hopes};
    struct snapshot *snap = reg_snapshot(loop_registry(l));
    snapshot_scan(snap, "pods", ns, NULL, NULL, wake_pod, &w);
    snapshot_unref(snap);
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED && is_pending(ev->obj->tree)) {
        /* Our own status writes need no second look. */
        if (!ev->prev || !same_member(ev->prev->tree, ev->obj->tree, "spec") ||
            !same_member(ev->prev->tree, ev->obj->tree, "metadata.labels"))
            loop_enqueue(l, ev->obj->ns, ev->obj->name);
        return;
    }
    bool freed = ev->type == WATCH_DELETED || pod_terminal(ev->obj->tree);
    bool bound = ev->prev && str_empty(jstr(ev->prev->tree, "spec.nodeName"));
    bool relabelled = ev->prev && !same_member(ev->prev->tree, ev->obj->tree, "metadata.labels");
    if (freed || bound || relabelled)
        wake_pods(l, NULL, NULL, freed ? helped_by_less_pods : helped_by_other_pods);
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    static const char *const parts[] = {"spec", "metadata.labels", "status.allocatable"};
    bool changed = !ev->prev || ev->type == WATCH_DELETED;
    for (size_t i = 0; !changed && i < ARRAY_LEN(parts); i++)
        changed = !same_member(ev->prev->tree, ev->obj->tree, parts[i]);
    if (changed)
        wake_pods(l, NULL, NULL, NULL);
}

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    /* No pod is helped by a claim that goes. */
    if (ev->type != WATCH_DELETED && !jstr(ev->obj->tree, "metadata.deletionTimestamp"))
        wake_pods(l, ev->obj->ns, ev->obj->name, NULL);
}

static void map_storage(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED)
        wake_pods(l, NULL, NULL, helped_by_storage);
}

/* -- the attempt -- */

void filter_node(const struct attempt *a, const struct node_info *n, struct verdict *v, struct strlist *also)
{
    struct verdict later = {0};
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (v->reasons.len && !also)
            break;
        filters[i](a, n, v->reasons.len ? &later : v);
    }
    for (size_t i = 0; i < later.reasons.len; i++)
        strlist_add(also, later.reasons.items[i]);
    strlist_release(&later.reasons);
}

/* The index of the node to use, or -1 with the FitError text in *out_why (new). */
static int find_node(struct attempt *a, char **out_why)
{
    size_t n = a->world.nodes.len;
    char text[1024];
    if (claims_load(a, text, sizeof text)) {
        *out_why = fit_error_for_all(text, n);
        return -1;
    }
    _auto_free_ struct verdict *verdicts = xcalloc(n + 1, sizeof *verdicts);
    _auto_free_ bool *fits = xcalloc(n + 1, sizeof *fits);
    for (size_t i = 0; i < n; i++) {
        filter_node(a, &a->world.info[i], &verdicts[i], NULL);
        fits[i] = verdicts[i].reasons.len == 0;
    }
    int best = pick_best(a, fits);
    if (best < 0)
        *out_why = fit_error(verdicts, n);
    for (size_t i = 0; i < n; i++)
        strlist_release(&verdicts[i].reasons);
    return best;
}

static int place(struct attempt *a, struct err *e)
{
    _auto_free_ char *why = NULL;
    int at = find_node(a, &why);
    if (at < 0)
        return report_failure(a, why, e);
    const json_t *node = a->world.nodes.trees[at];
    bool ready;
    if (claims_reserve(a, node, &ready, e) < 0)
        return -1;
    if (!ready)
        return 0; /* the claims' binding brings the next attempt */
    if (reg_bind_pod(loop_registry(a->l), WHO, obj_ns(a->pod), obj_name(a->pod), obj_name(node), e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        return 0;
    }
    report_scheduled(a, obj_name(node));
    return 0;
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *pod = reg_read(loop_registry(l), RES.pods, ns, name);
    if (!pod || !is_pending(pod->tree))
        return 0;
    struct attempt a = {.l = l, .pod = pod->tree};
    world_load(&a.world, loop_registry(l));
    int rc = place(&a, e);
    world_release(&a.world);
    return rc;
}

static const struct loop_watch watches[] = {{"pods", map_pod},
                                            {"nodes", map_node},
                                            {"persistentvolumeclaims", map_claim},
                                            {"persistentvolumes", map_storage},
                                            {"storageclasses.storage.k8s.io", map_storage},
                                            {"csinodes.storage.k8s.io", map_storage},
                                            {"csistoragecapacities.storage.k8s.io", map_storage},
                                            {NULL, NULL}};

static const struct loop_def scheduler_loop = {
    .name = "scheduler",
    .component = "default-scheduler",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 10000,
};

const struct loop_def *const *scheduler_loops(size_t *n)
{
    static const struct loop_def *const loops[] = {&scheduler_loop};
    *n = ARRAY_LEN(loops);
    return loops;
}
