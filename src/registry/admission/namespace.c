/* namespace.c - NamespaceLifecycle: nothing is created in a namespace that is missing or going, and three namespaces
 * stay. Source: apiserver pkg/admission/plugin/namespace/lifecycle. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"

#include <string.h>

static int forbid_terminating(struct op *op, const json_t *obj)
{
    const char *ns = op->t->ns;
    op_forbid(op, obj, "unable to create new content in namespace %s because it is being terminated", ns);
    _auto_free_ char *message = xasprintf("namespace %s is being terminated", ns);
    json_t *cause =
        json_pack("{ss ss ss}", "reason", "NamespaceTerminating", "message", message, "field", "metadata.namespace");
    json_array_append_new(jmake_arr(op->ans->body, "details.causes"), cause);
    return -1;
}

static int check_create(struct op *op, const json_t *obj)
{
    if (!op->res->namespaced)
        return 0;
    _auto_sobj_ struct sobj *ns = store_get(op->r->store, RES.namespaces->bucket, "", op->t->ns);
    if (!ns)
        return op_fail(op, status_not_found(RES.namespaces, op->t->ns));
    return meta_deleting(ns->tree) ? forbid_terminating(op, obj) : 0;
}

static int check_delete(struct op *op, const json_t *old)
{
    static const char *const immortal[] = {"default", "kube-system", "kube-public"};
    if (op->res != RES.namespaces)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(immortal); i++)
        if (strcmp(immortal[i], op->t->name) == 0)
            return op_forbid(op, old, "this namespace may not be deleted");
    return 0;
}

int admit_namespace(struct op *op, struct admit *a)
{
    return a->verb == ADMIT_CREATE ? check_create(op, a->obj) : check_delete(op, a->old);
}
