/* get.c - reading one object: one lookup in the tree, nothing copied. */
#include "registry/registry_int.h"
#include "registry/sub_int.h"

/* The most frequent of all requests, without what only other operations need. */
static bool get_stored(struct registry *r, const struct reg_target *t, struct reg_answer *ans)
{
    if (!str_empty(t->sub) || reg_view_converts(t->res))
        return false;
    struct sobj *o = store_get(r->store, t->res->bucket, t->res->namespaced ? t->ns : "", t->name);
    if (o)
        *ans = (struct reg_answer){.http = 200, .obj = o};
    return o != NULL;
}

int reg_get(struct registry *r, const struct reg_target *t, struct reg_answer *ans, struct err *e)
{
    if (get_stored(r, t, ans))
        return 0;
    static const struct reg_ctx nobody;
    _auto_op_ struct op op;
    op_begin(&op, r, &nobody, t, ans, e);
    int rc = 0;
    if (sub_get(&op, &rc))
        return rc;
    struct sobj *o = store_get(r->store, t->res->bucket, t->res->namespaced ? t->ns : "", t->name);
    return o ? op_answer_obj(&op, 200, o) : op_not_found(&op);
}

struct snapshot *reg_snapshot(struct registry *r)
{
    return store_snapshot(r->store);
}
