/* collection.c - DELETE of a collection: what matches is deleted one by one, and answered as it was.
 *
 * Not atomic, as on the real server: each object meets its own finalizers and grace. Objects that went away meanwhile
 * do not matter; the first other failure ends the work. */
#include "registry/registry_int.h"
#include "registry/strategy_int.h"

#include <inttypes.h>

struct sweep {
    const struct resource *res;
    const struct label_selector *labels;
    const struct field_selector *fields;
    json_t *items;        /* as answered: without kind and apiVersion */
    struct strlist where; /* namespace, name, namespace, name … */
};

static int collect(struct sobj *o, void *arg)
{
    struct sweep *s = arg;
    if (s->labels && !label_selector_match(s->labels, jat(o->tree, "metadata.labels")))
        return 0;
    if (s->fields && !field_selector_match(s->fields, o->tree))
        return 0;
    _auto_json_ json_t *view = reg_view(s->res, o);
    json_t *item = json_copy(view);
    json_object_del(item, "kind");
    json_object_del(item, "apiVersion");
    json_array_append_new(s->items, item);
    strlist_add(&s->where, o->ns);
    strlist_add(&s->where, o->name);
    return 0;
}

static int remove_all(struct op *op, const struct sweep *s, const struct reg_delete_opts *o)
{
    for (size_t i = 0; i + 1 < s->where.len; i += 2) {
        struct reg_target t = {.res = s->res, .ns = s->where.items[i], .name = s->where.items[i + 1], .sub = ""};
        _auto_answer_ struct reg_answer one = {0};
        if (reg_delete(op->r, op->ctx, &t, o, &one, op->e) == 0 || op->e->code == ERR_NOT_FOUND)
            continue;
        op->ans->http = one.http;
        op->ans->body = TAKE(one.body);
        return -1;
    }
    return 0;
}

int reg_delete_collection(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t,
                          const struct label_selector *labels, const struct field_selector *fields,
                          const struct reg_delete_opts *o, struct reg_answer *ans, struct err *e)
{
    _auto_op_ struct op op;
    op_begin(&op, r, ctx, t, ans, e);
    op_warn_orphans(&op, o);
    struct sweep s = {.res = t->res, .labels = labels, .fields = fields, .items = json_array()};
    struct snapshot *snap = store_snapshot(r->store);
    snapshot_scan(snap, t->res->bucket, t->res->namespaced && *t->ns ? t->ns : NULL, NULL, NULL, collect, &s);
    _auto_free_ char *rv = xasprintf("%" PRIu64, snapshot_rv(snap));
    snapshot_unref(snap);
    int rc = remove_all(&op, &s, o);
    strlist_release(&s.where);
    if (rc < 0) {
        json_decref(s.items);
        return -1;
    }
    err_clear(e);
    return op_answer_tree(&op, 200,
                          json_pack("{ss ss s{ss} so}", "kind", t->res->list_kind, "apiVersion",
                                    resource_api_version(t->res), "metadata", "resourceVersion", rv, "items", s.items));
}
