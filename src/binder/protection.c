/* protection.c - claims in use by pods and volumes in use by claims do not vanish.
 *
 * DESIGN: admission puts the finalizer on every new claim and volume; these loops take it off when the object is being
 * deleted and nobody uses it, and put it on objects that somehow lack it. A pod uses a claim from the moment it has a
 * node, whatever its phase. Source: pkg/controller/volume/pvcprotection, pvprotection. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/str.h"

static bool claim_in_use(struct loop *l, const json_t *claim)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, obj_ns(claim));
    for (size_t i = 0; i < pods.len; i++)
        if (!str_empty(jstr(pods.trees[i], "spec.nodeName")) && pod_uses_claim(pods.trees[i], obj_name(claim)))
            return true;
    return false;
}

static int protect(struct loop *l, const struct resource *res, const json_t *obj, const char *finalizer, bool in_use,
                   struct err *e)
{
    if (!obj_deleting(obj))
        return finalizer_has(obj, finalizer) ? 0
                                             : modify(l, WHO, res, obj, "", edit_finalizer_add, (void *)finalizer, e);
    if (in_use || !finalizer_has(obj, finalizer))
        return 0;
    return modify(l, WHO, res, obj, "", edit_finalizer_remove, (void *)finalizer, e);
}

static int reconcile_claim(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, name);
    if (!claim)
        return 0;
    bool in_use = obj_deleting(claim->tree) && claim_in_use(l, claim->tree);
    return protect(l, RES.persistentvolumeclaims, claim->tree, FIN_PVC_PROTECTION, in_use, e);
}

static int reconcile_volume(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)ns;
    _auto_sobj_ struct sobj *pv = read_pv(l, name);
    return pv ? protect(l, RES.persistentvolumes, pv->tree, FIN_PV_PROTECTION, pv_phase(pv->tree) == PV_BOUND, e) : 0;
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED)
        enqueue_claims_of_pod(l, ev->obj->tree);
}

static const struct loop_watch claim_watches[] = {{"persistentvolumeclaims", NULL}, {"pods", map_pod}, {NULL, NULL}};

const struct loop_def pvc_protection_loop = {
    .name = "pvc-protection",
    .component = "pvc-protection-controller",
    .watches = claim_watches,
    .reconcile = reconcile_claim,
    .max_backoff_ms = 5000,
};

static const struct loop_watch volume_watches[] = {{"persistentvolumes", NULL}, {NULL, NULL}};

const struct loop_def pv_protection_loop = {
    .name = "pv-protection",
    .component = "pv-protection-controller",
    .watches = volume_watches,
    .reconcile = reconcile_volume,
    .max_backoff_ms = 5000,
};
