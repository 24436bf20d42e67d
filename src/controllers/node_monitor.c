/* node_monitor.c - nodes that are no longer heard of: their conditions become Unknown, their pods not ready.
 *
 * DESIGN: what counts is when this controller last saw the lease change, on its own clock: leases from before a restart
 * give a node a full grace period. After that it is looked at once more a moment later, so that a machine that was held
 * up as a whole (and has a heartbeat due at the same instant) does not lose its nodes. What follows from the conditions
 * (taints, evictions) is node_lifecycle.c's. Source: pkg/controller/nodelifecycle node_lifecycle_controller.go
 * monitorNodeHealth; the grace period is that of Kubernetes 1.32. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define LEASE_NS "kube-node-lease"
#define GRACE_MS 50000
#define DOUBT_MS 2000

struct heard {
    char node[254], renewed[40];
    int64_t at; /* mono ms */
    bool doubted;
};
struct state {
    struct heard *nodes; /* owned */
    size_t count, cap;
};

static struct heard *heard_of(struct state *s, const char *node)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(s->nodes[i].node, node))
            return &s->nodes[i];
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->nodes = xrealloc(s->nodes, s->cap * sizeof *s->nodes);
    }
    struct heard *h = &s->nodes[s->count++];
    *h = (struct heard){0};
    snprintf(h->node, sizeof h->node, "%s", node);
    return h;
}

/* -- what is written -- */

static int edit_conditions(json_t *node, void *arg, struct err *e)
{
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    (void)e;
    bool changed = false;
    size_t i;
    json_t *c;
    json_array_foreach(jat(node, "status.conditions"), i, c)
    {
        for (size_t t = 0; t < ARRAY_LEN(types); t++) {
            if (!str_eq(jstr(c, "type"), types[t]) || str_eq(jstr(c, "status"), "Unknown"))
                continue;
            jset_str(c, "status", "Unknown");
            jset_str(c, "reason", "NodeStatusUnknown");
            jset_str(c, "message", "Kubelet stopped posting node status.");
            jset_str(c, "lastTransitionTime", arg);
            changed = true;
        }
    }
    return changed;
}

static int edit_not_ready(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "status.conditions"), i, c)
    {
        if (!str_eq(jstr(c, "type"), "Ready") || !str_eq(jstr(c, "status"), "True"))
            continue;
        jset_str(c, "status", "False");
        jset_str(c, "lastTransitionTime", arg);
        return 1;
    }
    return 0;
}

static int mark_pods(struct loop *l, const char *node, char *now, struct err *e)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, NULL);
    for (size_t i = 0; i < pods.len; i++) {
        const json_t *pod = pods.trees[i];
        if (!str_eq(jstr(pod, "spec.nodeName"), node) || !pod_ready(pod))
            continue;
        if (reg_modify(loop_registry(l), WHO, RES.pods, obj_ns(pod), obj_name(pod), "status", edit_not_ready, now, e) <
                0 &&
            e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        loop_event(l, pod, EVENT_WARNING, "NodeNotReady", "Node is not ready");
    }
    return 0;
}

static int mark_unknown(struct loop *l, const json_t *node, struct err *e)
{
    char now[TIME_TEXT_LEN];
    bool was_ready = condition_true(node, "Ready");
    now_text(loop_clock(l), now);
    if (reg_modify(loop_registry(l), WHO, RES.nodes, "", obj_name(node), "status", edit_conditions, now, e) < 0)
        return -1;
    if (!was_ready)
        return 0;
    loop_event(l, node, EVENT_NORMAL, "NodeNotReady", "Node %s status is now: NodeNotReady", obj_name(node));
    return mark_pods(l, obj_name(node), now, e);
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *none, const char *name, struct err *e)
{
    (void)none;
    struct heard *h = heard_of(loop_state(l), name);
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(l), RES.nodes, "", name);
    _auto_sobj_ struct sobj *lease = reg_read(loop_registry(l), RES.leases, LEASE_NS, name);
    if (!node || !lease)
        return 0;
    int64_t now = clock_mono_ms(loop_clock(l));
    const char *renewed = jstr_or(lease->tree, "spec.renewTime", "");
    if (!h->at || !str_eq(h->renewed, renewed)) {
        snprintf(h->renewed, sizeof h->renewed, "%s", renewed);
        h->at = now;
        h->doubted = false;
    }
    int64_t left = h->at + GRACE_MS + (h->doubted ? DOUBT_MS : 0) - now;
    if (left <= 0 && !h->doubted) {
        h->doubted = true;
        left = DOUBT_MS;
    }
    if (left > 0) {
        loop_enqueue_after(l, "", name, left);
        return 0;
    }
    if (mark_unknown(l, node->tree, e) < 0 && e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

static void map_lease(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED && str_eq(ev->obj->ns, LEASE_NS))
        loop_enqueue(l, "", ev->obj->name);
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_ADDED)
        loop_enqueue(l, "", ev->obj->name);
}

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    free(s->nodes);
}

static const struct loop_watch watches[] = {
    {"leases.coordination.k8s.io", map_lease}, {"nodes", map_node}, {NULL, NULL}};

const struct loop_def node_monitor_loop = {
    .name = "node-monitor",
    .component = "node-controller",
    .watches = watches,
    .state_size = sizeof(struct state),
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 5000,
};
