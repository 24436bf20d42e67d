/* ephemeral.c - generic ephemeral volumes: a claim <pod>-<volume> for each, owned by the pod. Source:
 * pkg/controller/volume/ephemeral. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/str.h"

static int make_claim(struct loop *l, const json_t *pod, const json_t *volume, const char *name, struct err *e)
{
    const json_t *tmpl = jat(volume, "ephemeral.volumeClaimTemplate");
    json_t *claim = json_pack("{s:s, s:s, s:{s:s, s:s, s:[o]}, s:o}", "kind", "PersistentVolumeClaim", "apiVersion",
                              "v1", "metadata", "name", name, "namespace", obj_ns(pod), "ownerReferences",
                              controller_ref(pod), "spec", json_deep_copy(jat(tmpl, "spec")));
    if (jat(tmpl, "metadata.labels"))
        jset(claim, "metadata.labels", json_deep_copy(jat(tmpl, "metadata.labels")));
    if (jat(tmpl, "metadata.annotations"))
        jset(claim, "metadata.annotations", json_deep_copy(jat(tmpl, "metadata.annotations")));
    return reg_make(loop_registry(l), WHO, RES.persistentvolumeclaims, obj_ns(pod), claim, NULL, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *pod = reg_read(loop_registry(l), RES.pods, ns, name);
    if (!pod || obj_deleting(pod->tree))
        return 0;
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod->tree, "spec.volumes"), i, volume)
    {
        char claim_name[512];
        if (!jat(volume, "ephemeral"))
            continue;
        pod_volume_claim(pod->tree, volume, claim_name, sizeof claim_name);
        _auto_sobj_ struct sobj *have = read_claim(l, ns, claim_name);
        if (!have && make_claim(l, pod->tree, volume, claim_name, e) < 0)
            return -1;
        if (have && !controlled_by(have->tree, pod->tree)) {
            err_set(e, ERR_CONFLICT, "PVC %s/%s was not created for pod %s/%s (pod is not owner)", ns, claim_name, ns,
                    name);
            loop_event(l, pod->tree, EVENT_WARNING, "FailedBinding", "ephemeral volume %s: %s",
                       jstr_or(volume, "name", ""), e->msg);
            return -1;
        }
    }
    return 0;
}

/* A real controller's own delays: the scheduler looks at the pod first and says that it waits for the claim. */
#define AFTER_SCHEDULER_MS 5

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_ADDED)
        loop_enqueue_after(l, ev->obj->ns, ev->obj->name, AFTER_SCHEDULER_MS);
}

/* A claim that stood in the way, or one that was deleted under the pod. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED)
        return;
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, ev->obj->ns);
    for (size_t i = 0; i < pods.len; i++)
        if (pod_uses_claim(pods.trees[i], ev->obj->name))
            loop_enqueue(l, pods.items[i]->ns, pods.items[i]->name);
}

static const struct loop_watch watches[] = {{"pods", map_pod}, {"persistentvolumeclaims", map_claim}, {NULL, NULL}};

const struct loop_def ephemeral_loop = {
    .name = "ephemeral-volume",
    .component = "ephemeral_volume",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
