/* loops.c - the door for our own control loops: trees in, a code and a line out.
 *
 * The same path as everybody's, without field validation of what we wrote ourselves, and with errors a work queue
 * understands (CONFLICT, ALREADY_EXISTS, NOT_FOUND). */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"

#include "base/str.h"

#include <string.h>

static struct reg_ctx loop_ctx(const char *who)
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

/* -- read, modify, write -- */

struct edit {
    int (*fn)(json_t *obj, void *arg, struct err *e);
    void *arg;
    bool stopped; /* fn wants no write, or gives up with *op->e filled */
    int rc;
};

/* A copy to edit. Who owns which field, often the larger half of an object, no loop edits: that is shared. */
static json_t *draft_of(const json_t *live)
{
    json_t *draft = json_object(), *meta = json_object(), *v;
    const char *key;
    json_object_foreach((json_t *)json_object_get(live, "metadata"), key, v)
    {
        json_object_set_new_nocheck(meta, key, str_eq(key, "managedFields") ? json_incref(v) : json_clone(v));
    }
    json_object_foreach((json_t *)live, key, v)
    {
        json_object_set_new_nocheck(draft, key, str_eq(key, "metadata") ? meta : json_clone(v));
    }
    return draft;
}

static int make_edited(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    struct edit *edit = arg;
    _auto_json_ json_t *draft = draft_of(live);
    edit->rc = edit->fn(draft, edit->arg, op->e);
    edit->stopped = edit->rc <= 0;
    if (edit->stopped)
        return -1;
    json_t *obj = NULL;
    struct decode_opts opts = {.want = op->res, .media = MEDIA_JSON, .fields = FIELDS_IGNORE};
    if (decode_edited(&opts, live, TAKE(draft), &obj, op->e) < 0)
        return op_fail_err(op);
    if (op->st->convert)
        op->st->convert(obj);
    op_manage(op, live, obj, op->t->sub);
    *out_obj = obj;
    return 0;
}

int reg_modify(struct registry *r, const char *who, const struct resource *res, const char *ns, const char *name,
               const char *sub, int (*edit)(json_t *obj, void *arg, struct err *e), void *arg, struct err *e)
{
    struct reg_ctx ctx = loop_ctx(who);
    struct reg_target t = {.res = res, .ns = res->namespaced ? ns : "", .name = name, .sub = sub};
    struct edit ed = {.fn = edit, .arg = arg};
    struct change c = {.make = make_edited, .arg = &ed};
    _auto_answer_ struct reg_answer ans = {0};
    _auto_op_ struct op op;
    op_begin(&op, r, &ctx, &t, &ans, e);
    int rc = op_update(&op, &c);
    return ed.stopped ? ed.rc : rc;
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
