/* ingress.c - an ingress that names no class gets the default one. Source:
 * plugin/pkg/admission/network/defaultingressclass. */
#include "registry/admission_int.h"

#include "base/str.h"

#include <string.h>

#define DEFAULT_ANNOTATION "ingressclass.kubernetes.io/is-default-class"
#define CLASS_ANNOTATION   "kubernetes.io/ingress.class"

/* The newest default class; of equally old ones the first by name. */
static int consider(struct sobj *class, void *arg)
{
    struct sobj **best = arg;
    if (!str_eq(jmap(class->tree, "metadata.annotations", DEFAULT_ANNOTATION), "true"))
        return 0;
    if (*best && strcmp(jstr_or((*best)->tree, "metadata.creationTimestamp", ""),
                        jstr_or(class->tree, "metadata.creationTimestamp", "")) >= 0)
        return 0;
    sobj_unref(*best);
    *best = sobj_ref(class);
    return 0;
}

int admit_ingress_class(struct op *op, struct admit *a)
{
    json_t *spec = json_object_get(a->obj, "spec");
    if (!json_is_object(spec) || json_object_get(spec, "ingressClassName") ||
        jmap(a->obj, "metadata.annotations", CLASS_ANNOTATION))
        return 0;
    _auto_sobj_ struct sobj *best = NULL;
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, RES.ingressclasses->bucket, NULL, NULL, NULL, consider, &best);
    snapshot_unref(snap);
    if (best)
        json_object_set_new(spec, "ingressClassName", json_string(best->name));
    return 0;
}
