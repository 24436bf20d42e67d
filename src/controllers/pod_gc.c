/* pod_gc.c - pods that no kubelet will end are ended and removed by force: those of a node that is gone, and those that
 * are being deleted on a node that is out of service (the user's word that its machine is off). Source:
 * pkg/controller/podgc.
 */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

/* -- ending one pod; arg: why, if its node no longer exists -- */

static int edit_failed(json_t *pod, void *arg, struct err *e)
{
    if (pod_terminal(pod))
        return 0;
    jset_str(pod, "status.phase", "Failed");
    if (arg)
        edit_disrupted(pod, arg, e);
    return 1;
}

static int collect(struct loop *l, const json_t *pod, bool lost, struct err *e)
{
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    struct disruption why = {now, "DeletionByPodGC", "PodGC: node no longer exists"};
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.grace_seconds = 0;
    opts.uid = obj_uid(pod);
    if ((reg_modify(loop_registry(l), WHO, RES.pods, obj_ns(pod), obj_name(pod), "status", edit_failed,
                    lost ? &why : NULL, e) < 0 ||
         reg_remove(loop_registry(l), WHO, RES.pods, obj_ns(pod), obj_name(pod), &opts, e) < 0) &&
        e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* -- the loop: by node -- */

static bool out_of_service(const json_t *node)
{
    size_t i;
    const json_t *taint;
    json_array_foreach(jat(node, "spec.taints"), i, taint)
    {
        if (str_eq(jstr(taint, "key"), OUT_OF_SERVICE))
            return !condition_true(node, "Ready");
    }
    return false;
}

static int reconcile(struct loop *l, const char *none, const char *name, struct err *e)
{
    (void)none;
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(l), RES.nodes, "", name);
    if (node && !out_of_service(node->tree))
        return 0;
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, NULL);
    for (size_t i = 0; i < pods.len; i++) {
        const json_t *pod = pods.trees[i];
        if (!str_eq(jstr(pod, "spec.nodeName"), name) || (node && !jat(pod, "metadata.deletionTimestamp")))
            continue;
        if (collect(l, pod, !node, e) < 0)
            return -1;
    }
    return 0;
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED || out_of_service(ev->obj->tree))
        loop_enqueue(l, "", ev->obj->name);
}

/* A pod that leaves a node nobody has ever heard of is its owner's business: only a node that goes takes its pods. */
static void map_pod(struct loop *l, const struct watch_event *ev)
{
    const char *name = jstr(ev->obj->tree, "spec.nodeName");
    if (!name || ev->type == WATCH_DELETED || !jat(ev->obj->tree, "metadata.deletionTimestamp"))
        return;
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(l), RES.nodes, "", name);
    if (node && out_of_service(node->tree))
        loop_enqueue(l, "", name);
}

static const struct loop_watch watches[] = {{"nodes", map_node}, {"pods", map_pod}, {NULL, NULL}};

const struct loop_def pod_gc_loop = {
    .name = "pod-garbage-collector",
    .component = "pod-garbage-collector",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 20000,
};
