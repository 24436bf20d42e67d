/* runtime_class.c - RuntimeClass: a pod names a class that exists, or none. */
#include "registry/admission_int.h"

#define CLASS_BUCKET "runtimeclasses.node.k8s.io"

int admit_runtime_class(struct op *op, struct admit *a)
{
    const char *name = jstr_or(a->obj, "spec.runtimeClassName", "");
    if (!*name)
        return 0;
    _auto_sobj_ struct sobj *found = store_get(op->r->store, CLASS_BUCKET, "", name);
    return found ? 0 : op_forbid(op, a->obj, "pod rejected: RuntimeClass \"%s\" not found", name);
}
