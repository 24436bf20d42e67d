/* loops.c - the door for our own control loops: trees in, a code and a line out.
 *
 * The same path as everybody's, without field validation of what we wrote ourselves, and with errors a work queue
 * understands (CONFLICT, ALREADY_EXISTS, NOT_FOUND). */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"

#include "base/str.h"

#include <string.h>

struct reg_ctx loop_ctx(const char *who)
{
    return (struct reg_ctx){.user = who, .manager = who, .loop = true, .fields = FIELDS_IGNORE};
}

/* Hands the object of an answer over, if it is wanted. */
static void give(struct reg_answer *ans, struct sobj **out)
{
    if (out)
        *out = TAKE(ans->obj);
}

struct sobj *reg_read(struct registry *r, const struct resource *res, const char *ns, const char *name)
{
    return store_get(r->store, res->bucket, res->namespaced ? ns : "", name);
}

int reg_make(struct registry *r, const char *who, const struct resource *res, const char *ns, json_t *take_tree,
             struct sobj **out, struct err *e)
{
    struct reg_ctx ctx = loop_ctx(who);
    struct reg_target t = {.res = res, .ns = res->namespaced ? ns : "", .name = "", .sub = ""};
    struct reg_body body = {.tree = take_tree};
    _auto_answer_ struct reg_answer ans = {0};
    if (reg_create(r, &ctx, &t, &body, &ans, e) < 0)
        return -1;
    give(&ans, out);
    return 0;
}

int reg_write(struct registry *r, const char *who, const struct resource *res, const char *sub, json_t *take_tree,
              struct sobj **out, struct err *e)
{
    struct reg_ctx ctx = loop_ctx(who);
    _auto_free_ char *ns = xstrdup(meta_namespace(take_tree));
    _auto_free_ char *name = xstrdup(meta_name(take_tree));
    struct reg_target t = {.res = res, .ns = ns, .name = name, .sub = sub};
    struct reg_body body = {.tree = take_tree};
    _auto_answer_ struct reg_answer ans = {0};
    if (reg_update(r, &ctx, &t, &body, &ans, e) < 0)
        return -1;
    give(&ans, out);
    return 0;
}

int reg_remove(struct registry *r, const char *who, const struct resource *res, const char *ns, const char *name,
               const struct reg_delete_opts *o, struct err *e)
{
    struct reg_ctx ctx = loop_ctx(who);
    struct reg_target t = {.res = res, .ns = res->namespaced ? ns : "", .name = name, .sub = ""};
    struct reg_delete_opts plain = REG_DELETE_DEFAULT;
    _auto_answer_ struct reg_answer ans = {0};
    return reg_delete(r, &ctx, &t, o ? o : &plain, &ans, e);
}

int reg_bind_pod(struct registry *r, const char *who, const char *ns, const char *pod, const char *node, struct err *e)
{
    struct reg_ctx ctx = loop_ctx(who);
    struct reg_target t = {.res = RES.pods, .ns = ns, .name = pod, .sub = "binding"};
    struct reg_body body = {.tree = json_pack("{ss ss s{ss} s{ssss}}", "kind", "Binding", "apiVersion", "v1",
                                              "metadata", "name", pod, "target", "kind", "Node", "name", node)};
    _auto_answer_ struct reg_answer ans = {0};
    return reg_create(r, &ctx, &t, &body, &ans, e);
}
