/* modify.c - read, edit, write: how a loop changes an object that others change, too.
 *
 * DESIGN: an edit is a function that is given a private copy; who has changed the object meanwhile makes it run again,
 * on what is there now. Edits of several objects begin their writes one after the other and wait for the journal once:
 * they share its transaction, and come to watches in their order. One of them that lost a race is made again alone.
 *
 * THREADS: any. */
#include "registry/registry_int.h"
#include "registry/strategy_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

struct edit {
    edit_fn fn;
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

/* later: where the write may be left; NULL: it is waited for. */
static int modify(struct registry *r, const char *who, const struct reg_edit *x, struct reg_later *later, struct err *e)
{
    struct reg_ctx ctx = loop_ctx(who);
    struct reg_target t = {.res = x->res, .ns = x->res->namespaced ? x->ns : "", .name = x->name, .sub = x->sub};
    struct edit ed = {.fn = x->edit, .arg = x->arg};
    struct change c = {.make = make_edited, .arg = &ed};
    _auto_answer_ struct reg_answer ans = {0};
    _auto_op_ struct op op;
    op_begin(&op, r, &ctx, &t, &ans, e);
    op.later = later;
    int rc = op_update(&op, &c);
    return ed.stopped ? ed.rc : rc;
}

int reg_modify(struct registry *r, const char *who, const struct resource *res, const char *ns, const char *name,
               const char *sub, edit_fn edit, void *arg, struct err *e)
{
    const struct reg_edit x = {.res = res, .ns = ns, .name = name, .sub = sub, .edit = edit, .arg = arg};
    return modify(r, who, &x, NULL, e);
}

/* The write that modify() has left. */
static int finish(struct registry *r, const char *who, struct reg_edit *x, struct reg_later *later)
{
    _auto_sobj_ struct sobj *now = NULL;
    if (store_write_end(TAKE(later->write), &now, &x->err) == 0) {
        siblings_note(r, now);
        return 0;
    }
    if (x->err.code != ERR_CONFLICT && x->err.code != ERR_NOT_FOUND)
        return -1;
    err_clear(&x->err);
    return modify(r, who, x, NULL, &x->err);
}

int reg_modify_all(struct registry *r, const char *who, struct reg_edit *edits, size_t n)
{
    int rc = 0;
    _auto_free_ struct reg_later *later = xcalloc(n ? n : 1, sizeof *later);
    for (size_t i = 0; i < n; i++) {
        err_clear(&edits[i].err);
        edits[i].rc = modify(r, who, &edits[i], &later[i], &edits[i].err);
    }
    store_flush(r->store);
    for (size_t i = 0; i < n; i++) {
        if (later[i].write)
            edits[i].rc = finish(r, who, &edits[i], &later[i]);
        if (edits[i].rc < 0)
            rc = -1;
    }
    return rc;
}
