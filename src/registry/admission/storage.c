/* storage.c - three rules about storage: the default class, protection from deletion in use, and who may grow a claim.
 * Source: plugin/pkg/admission/storage/{storageclass/setdefault, storageobjectinuseprotection,
 * persistentvolume/resize}. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"

#include "api/quantity.h"
#include "base/str.h"

#include <string.h>

#define DEFAULT_ANNOTATION      "storageclass.kubernetes.io/is-default-class"
#define DEFAULT_ANNOTATION_BETA "storageclass.beta.kubernetes.io/is-default-class"
#define CLASS_ANNOTATION_BETA   "volume.beta.kubernetes.io/storage-class"
#define REQUEST_PATH            "spec.resources.requests.storage"

static bool is_default(const json_t *sc)
{
    return str_eq(jmap(sc, "metadata.annotations", DEFAULT_ANNOTATION), "true") ||
           str_eq(jmap(sc, "metadata.annotations", DEFAULT_ANNOTATION_BETA), "true");
}

/* The newest default class; of equally old ones the first by name. */
static int consider_class(struct sobj *sc, void *arg)
{
    struct sobj **best = arg;
    if (!is_default(sc->tree))
        return 0;
    if (*best && strcmp(jstr_or((*best)->tree, "metadata.creationTimestamp", ""),
                        jstr_or(sc->tree, "metadata.creationTimestamp", "")) >= 0)
        return 0;
    sobj_unref(*best);
    *best = sobj_ref(sc);
    return 0;
}

int admit_default_class(struct op *op, struct admit *a)
{
    json_t *spec = json_object_get(a->obj, "spec");
    if (!json_is_object(spec) || json_object_get(spec, "storageClassName") ||
        jmap(a->obj, "metadata.annotations", CLASS_ANNOTATION_BETA))
        return 0;
    _auto_sobj_ struct sobj *best = NULL;
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, RES.storageclasses->bucket, NULL, NULL, NULL, consider_class, &best);
    snapshot_unref(snap);
    if (!best)
        return 0;
    json_object_set_new(spec, "storageClassName", json_string(best->name));
    return 0;
}

int admit_protection(struct op *op, struct admit *a)
{
    bool claim = op->res == RES.persistentvolumeclaims;
    meta_finalizer_add(a->obj, claim ? "kubernetes.io/pvc-protection" : "kubernetes.io/pv-protection");
    return 0;
}

static const char *class_of(const json_t *claim)
{
    const char *beta = jmap(claim, "metadata.annotations", CLASS_ANNOTATION_BETA);
    return beta ? beta : jstr_or(claim, "spec.storageClassName", "");
}

static bool may_grow(struct op *op, const json_t *claim, const json_t *old)
{
    const char *name = class_of(claim);
    if (!*name || strcmp(name, class_of(old)) != 0)
        return false;
    _auto_sobj_ struct sobj *sc = store_get(op->r->store, RES.storageclasses->bucket, "", name);
    return sc && jbool(sc->tree, "allowVolumeExpansion", false);
}

int admit_claim_resize(struct op *op, struct admit *a)
{
    struct quantity was, now;
    if (quantity_parse(jstr_or(a->old, REQUEST_PATH, "0"), &was) < 0 ||
        quantity_parse(jstr_or(a->obj, REQUEST_PATH, "0"), &now) < 0 || quantity_cmp(&now, &was) <= 0)
        return 0;
    if (!str_eq(jstr(a->old, "status.phase"), "Bound"))
        return op_forbid(op, a->obj, "only bound persistent volume claims can be expanded");
    if (!may_grow(op, a->obj, a->old))
        return op_forbid(
            op, a->obj,
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
            "support resize");
    return 0;
}
