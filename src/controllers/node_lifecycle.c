/* node_lifecycle.c - taints that follow a node's conditions and its cordon, and pods that a NoExecute taint drives
 * away.
 *
 * DESIGN: the taints of one node are computed whole from its conditions: a table says which condition makes which
 * taint; foreign taints are left alone. A node that is not Ready also gets the NoExecute taint; a pod there is deleted
 * when its toleration for it runs out (300 s by default, added at admission). Those who wait are remembered, so that it
 * can be said when they are spared. Source: pkg/controller/nodelifecycle, tainteviction. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define NOT_READY   "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"

struct rule {
    const char *condition; /* of status.conditions; NULL: spec.unschedulable */
    const char *status;    /* the value that makes the taint */
    const char *key, *effect;
};
static const struct rule rules[] = {
    {"Ready", "False", NOT_READY, "NoSchedule"},
    {"Ready", "Unknown", UNREACHABLE, "NoSchedule"},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", "NoSchedule"},
    {NULL, NULL, "node.kubernetes.io/unschedulable", "NoSchedule"},
    {"Ready", "False", NOT_READY, "NoExecute"},
    {"Ready", "Unknown", UNREACHABLE, "NoExecute"},
};

static bool applies(const json_t *node, const struct rule *rule)
{
    if (!rule->condition)
        return jbool(node, "spec.unschedulable", false);
    return str_eq(jstr(condition_get(node, rule->condition), "status"), rule->status);
}

static int find_taint(const json_t *taints, const struct rule *rule)
{
    size_t i;
    json_t *taint;
    json_array_foreach(taints, i, taint)
    {
        if (str_eq(jstr(taint, "key"), rule->key) && str_eq(jstr(taint, "effect"), rule->effect))
            return (int)i;
    }
    return -1;
}

static int edit_taints(json_t *node, void *arg, struct err *e)
{
    (void)e;
    bool changed = false;
    if (!jmap(node, "metadata.annotations", "node.alpha.kubernetes.io/ttl")) {
        jset_map(node, "metadata.annotations", "node.alpha.kubernetes.io/ttl", "0");
        changed = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        bool want = applies(node, &rules[i]);
        int at = find_taint(jat(node, "spec.taints"), &rules[i]);
        if (want == (at >= 0))
            continue;
        changed = true;
        if (want)
            json_array_append_new(
                jmake_arr(node, "spec.taints"),
                json_pack("{s:s, s:s, s:s}", "key", rules[i].key, "effect", rules[i].effect, "timeAdded", (char *)arg));
        else
            json_array_remove(jat(node, "spec.taints"), (size_t)at);
    }
    if (changed && jat(node, "spec.taints") && !json_array_size(jat(node, "spec.taints")))
        jdel(node, "spec.taints");
    return changed;
}

/* -- eviction by NoExecute -- */

/* Seconds the pod may stay under the taint; -1 for ever, 0 must go. */
static int64_t tolerated_seconds(const json_t *pod, const json_t *taint)
{
    size_t i;
    json_t *t;
    json_array_foreach(jat(pod, "spec.tolerations"), i, t)
    {
        const char *effect = jstr_or(t, "effect", "");
        const char *key = jstr_or(t, "key", "");
        bool exists = str_eq(jstr(t, "operator"), "Exists");
        if ((*effect && !str_eq(effect, "NoExecute")) || (*key && !str_eq(key, jstr(taint, "key"))) ||
            (!exists && !str_eq(jstr_or(t, "value", ""), jstr_or(taint, "value", ""))))
            continue;
        const json_t *seconds = jat(t, "tolerationSeconds");
        if (!seconds)
            return -1;
        int64_t n = json_integer_value(seconds);
        return n < 0 ? 0 : n < INT32_MAX ? n : INT32_MAX;
    }
    return 0;
}

/* Milliseconds until the pod must go; -1: it may stay. */
static int64_t time_left(const json_t *node, const json_t *pod, int64_t now_ns)
{
    int64_t soonest = -1;
    size_t i;
    json_t *taint;
    json_array_foreach(jat(node, "spec.taints"), i, taint)
    {
        int64_t added = now_ns;
        int64_t seconds = tolerated_seconds(pod, taint);
        if (!str_eq(jstr(taint, "effect"), "NoExecute") || seconds < 0)
            continue;
        time_parse(jstr_or(taint, "timeAdded", ""), &added);
        int64_t left = (added - now_ns) / 1000000 + seconds * 1000;
        left = left < 0 ? 0 : left;
        soonest = soonest < 0 || left < soonest ? left : soonest;
    }
    return soonest;
}

/* Whom the loop waits to evict: {"node": {"ns/name": "uid"}}. */
static json_t *waiting_of(struct loop *l)
{
    json_t **all = loop_state(l);
    if (!*all)
        *all = json_object();
    return *all;
}

static void stop(struct loop *l)
{
    json_decref(*(json_t **)loop_state(l));
}

static int evict_pod(struct loop *l, const json_t *pod, struct err *e)
{
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    struct disruption why = {now, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"};
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    loop_event(l, pod, EVENT_NORMAL, "TaintManagerEviction", "Marking for deletion Pod %s/%s", obj_ns(pod),
               obj_name(pod));
    if ((reg_modify(loop_registry(l), WHO, RES.pods, obj_ns(pod), obj_name(pod), "status", edit_disrupted, &why, e) <
             0 ||
         reg_remove(loop_registry(l), WHO, RES.pods, obj_ns(pod), obj_name(pod), &opts, e) < 0) &&
        e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

static int evict(struct loop *l, const json_t *node, struct err *e)
{
    _auto_objlist_ struct objlist pods = {0};
    json_t *waiting = json_object();
    json_object_set_new(waiting_of(l), obj_name(node), waiting);
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, NULL);
    for (size_t i = 0; i < pods.len; i++) {
        const json_t *pod = pods.trees[i];
        if (!str_eq(jstr(pod, "spec.nodeName"), obj_name(node)) || jstr(pod, "metadata.deletionTimestamp"))
            continue;
        int64_t left = time_left(node, pod, clock_wall_ns(loop_clock(l)));
        if (left > 0) {
            _auto_free_ char *key = xasprintf("%s/%s", obj_ns(pod), obj_name(pod));
            json_object_set_new(waiting, key, json_string(obj_uid(pod)));
            loop_enqueue_after(l, "", obj_name(node), left);
        }
        if (left == 0 && evict_pod(l, pod, e) < 0)
            return -1;
    }
    return 0;
}

/* The node drives nobody away any more: who was waiting for it stays. */
static void spare(struct loop *l, const char *node)
{
    const char *key;
    json_t *uid;
    json_object_foreach(json_object_get(waiting_of(l), node), key, uid)
    {
        const char *slash = strchr(key, '/');
        _auto_free_ char *ns = xstrndup(key, (size_t)(slash - key));
        _auto_sobj_ struct sobj *pod = reg_read(loop_registry(l), RES.pods, ns, slash + 1);
        if (pod && str_eq(obj_uid(pod->tree), json_string_value(uid)) && !jstr(pod->tree, "metadata.deletionTimestamp"))
            loop_event(l, pod->tree, EVENT_NORMAL, "TaintManagerEviction", "Cancelling deletion of Pod %s", key);
    }
    json_object_del(waiting_of(l), node);
}

static bool has_no_execute(const json_t *node)
{
    size_t i;
    json_t *taint;
    json_array_foreach(jat(node, "spec.taints"), i, taint)
    {
        if (str_eq(jstr(taint, "effect"), "NoExecute"))
            return true;
    }
    return false;
}

static int reconcile(struct loop *l, const char *none, const char *name, struct err *e)
{
    (void)none;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    if (reg_modify(loop_registry(l), WHO, RES.nodes, "", name, "", edit_taints, now, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        json_object_del(waiting_of(l), name);
        return 0;
    }
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(l), RES.nodes, "", name);
    if (node && has_no_execute(node->tree))
        return evict(l, node->tree, e);
    spare(l, name);
    return 0;
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    /* Heartbeats change nothing here. */
    if (ev->type == WATCH_DELETED || (ev->prev && same_member(ev->prev->tree, ev->obj->tree, "spec") &&
                                      same_member(ev->prev->tree, ev->obj->tree, "status.conditions")))
        return;
    loop_enqueue(l, "", ev->obj->name);
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    const char *node = jstr(ev->obj->tree, "spec.nodeName");
    if (node && ev->type != WATCH_DELETED && !(ev->prev && jstr(ev->prev->tree, "spec.nodeName")))
        loop_enqueue(l, "", node);
}

static const struct loop_watch watches[] = {{"nodes", map_node}, {"pods", map_pod}, {NULL, NULL}};

const struct loop_def node_lifecycle_loop = {
    .name = "node-lifecycle",
    .component = "taint-eviction-controller",
    .watches = watches,
    .state_size = sizeof(json_t *),
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 5000,
};
