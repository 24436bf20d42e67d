/* managed_apply.c - server-side apply: merge a configuration into the live object, refuse or take what others own.
 *
 * Steps: check the configuration; merge it; prune what this manager applied before and left out now; compare with the
 * live object. What changed and belongs to others is a conflict, unless `force` is given: then they lose it. The
 * manager owns exactly what its configuration names. If the object did not change, not even the entry's time does.
 *
 * Two courtesies to kubectl: a live object without entries is first given to "before-first-apply", and the manager
 * "kubectl" may take over what its own last-applied annotation names (the way from client-side to server-side apply),
 * keeping that annotation up to date.
 *
 * The result still has to be decoded and defaulted: emptied containers are null in it. THREADS: pure functions. */
#include "api/managed_int.h"

#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static const char LAST_APPLIED[] = "kubectl.kubernetes.io/last-applied-configuration";

struct apply {
    const struct manage_ctx *ctx;
    struct shape shape;
    const json_t *live; /* an object without content when there is none */
    const json_t *applied;
    struct owners owners;
    struct diff diff;
    bool same; /* the object did not change */
    json_t *result;
};

static void apply_release(struct apply *a)
{
    owners_release(&a->owners);
    diff_release(&a->diff);
    json_decref(a->result);
}

/* -- conflicts -- */

struct conflict {
    const struct owner *owner;
    char *path; /* owned */
};
struct conflicts {
    struct conflict *items;
    size_t len;
    const struct owner *current;
};

static void conflicts_release(struct conflicts *c)
{
    for (size_t i = 0; i < c->len; i++)
        free(c->items[i].path);
    free(c->items);
}

static void conflict_add(const char *path, void *arg)
{
    struct conflicts *c = arg;
    c->items = xrealloc(c->items, (c->len + 1) * sizeof *c->items);
    c->items[c->len++] = (struct conflict){c->current, xstrdup(path)};
}

static int by_owner(const void *pa, const void *pb)
{
    const struct owner *a = *(const struct owner *const *)pa, *b = *(const struct owner *const *)pb;
    int c = strcmp(a->manager, b->manager);
    return c != 0 ? c : strcmp(a->operation, b->operation);
}

/* Changed fields that others own, without those in `allowed`. */
static void conflicts_find(struct conflicts *c, const struct apply *a, const struct owner *self, const json_t *allowed)
{
    _auto_json_ json_t *disputed = fields_minus(a->diff.changed, allowed);
    _auto_free_ const struct owner **order = xcalloc(a->owners.len + 1, sizeof *order);
    for (size_t i = 0; i < a->owners.len; i++)
        order[i] = &a->owners.items[i];
    if (a->owners.len > 1)
        qsort(order, a->owners.len, sizeof *order, by_owner);
    for (size_t i = 0; i < a->owners.len; i++) {
        _auto_json_ json_t *mine = order[i] != self ? fields_common(order[i]->fields, disputed) : NULL;
        c->current = order[i];
        if (mine != NULL)
            fields_each(mine, conflict_add, c);
    }
}

/* `"hpa" with subresource "scale" using apps/v1` */
static void owner_describe(struct buf *out, const struct owner *o)
{
    buf_add_quoted(out, o->manager, strlen(o->manager));
    if (o->subresource != NULL)
        buf_addf(out, " with subresource \"%s\"", o->subresource);
    if (str_eq(o->operation, "Update"))
        buf_addf(out, " using %s", o->api_version);
}

static void conflicts_message(struct buf *out, const struct conflicts *c)
{
    if (c->len == 1) {
        buf_adds(out, "Apply failed with 1 conflict: conflict with ");
        owner_describe(out, c->items[0].owner);
        buf_addf(out, ": %s", c->items[0].path);
        return;
    }
    buf_addf(out, "Apply failed with %zu conflicts: ", c->len);
    for (size_t i = 0; i < c->len; i++) {
        if (i == 0 || c->items[i].owner != c->items[i - 1].owner) {
            buf_adds(out, i == 0 ? "conflicts with " : "\nconflicts with ");
            owner_describe(out, c->items[i].owner);
            buf_addc(out, ':');
        }
        buf_addf(out, "\n- %s", c->items[i].path);
    }
}

static json_t *conflicts_status(const struct conflicts *c)
{
    json_t *causes = json_array();
    for (size_t i = 0; i < c->len; i++) {
        _auto_buf_ struct buf text = BUF_INIT;
        buf_adds(&text, "conflict with ");
        owner_describe(&text, c->items[i].owner);
        json_array_append_new(causes, json_pack("{ss ss ss}", "reason", "FieldManagerConflict", "message",
                                                buf_str(&text), "field", c->items[i].path));
    }
    _auto_buf_ struct buf message = BUF_INIT;
    conflicts_message(&message, c);
    return status_failure(ERR_CONFLICT, buf_str(&message), json_pack("{so}", "causes", causes));
}

/* -- kubectl -- */

static const char *last_applied(const json_t *obj)
{
    return jmap(obj, "metadata.annotations", LAST_APPLIED);
}

/* What the manager may take without force: kubectl, all that its client-side apply set. */
static json_t *fields_allowed(const struct apply *a)
{
    const char *text = str_eq(a->ctx->manager, "kubectl") ? last_applied(a->live) : NULL;
    _auto_json_ json_t *config = text != NULL ? json_loads(text, 0, NULL) : NULL;
    return json_is_object(config) ? fields_of(&a->shape, config) : NULL;
}

/* Keeps the annotation of client-side apply in step with what kubectl applied here. */
static void last_applied_update(const struct apply *a, json_t *obj)
{
    if (!str_eq(a->ctx->manager, "kubectl") || last_applied(obj) == NULL)
        return;
    _auto_json_ json_t *config = json_clone(a->applied);
    json_t *annotations = jat(config, "metadata.annotations");
    json_object_del(annotations, LAST_APPLIED);
    if (annotations != NULL && json_object_size(annotations) == 0)
        json_object_del(json_object_get(config, "metadata"), "annotations");
    _auto_free_ char *sorted = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    _auto_json_ json_t *tree = json_loads(sorted, 0, NULL);
    _auto_free_ char *compact = json_text(tree);
    _auto_free_ char *line = xasprintf("%s\n", compact);
    jset_map(obj, "metadata.annotations", LAST_APPLIED, line);
}

/* -- the steps -- */

static int check_request(const struct manage_ctx *ctx, const json_t *applied, struct err *e)
{
    const char *version = jstr_or(applied, "apiVersion", ""), *kind = jstr_or(applied, "kind", "");
    if (!str_eq(version, resource_api_version(ctx->res)) || !str_eq(kind, ctx->res->kind))
        return err_set(e, ERR_BAD_REQUEST, "invalid object type: %s%s, Kind=%s",
                       strchr(version, '/') != NULL ? "" : "/", version, kind);
    if (jat(applied, "metadata.managedFields") != NULL)
        return err_set(e, ERR_BAD_REQUEST, "metadata.managedFields must be nil");
    return check_applied(schema_type(ctx->res->type), applied, e);
}

/* A live object nobody has claimed: all of it belongs to "before-first-apply". */
static void claim_unowned(struct apply *a)
{
    if (a->owners.len > 0)
        return;
    struct manage_ctx before = *a->ctx;
    before.manager = "before-first-apply";
    struct diff d = diff_values(&a->shape, empty_object(), a->live);
    fields_strip(a->ctx, &d.changed);
    if (d.changed != NULL) {
        struct owner *o = owners_find(&a->owners, &before, "Update", true);
        o->time = xstrdup(a->ctx->now);
        o->fields = TAKE(d.changed);
    }
    diff_release(&d);
}

/* Lays the configuration over the live object and gives the manager its new set. */
static void merge_and_prune(struct apply *a, struct owner *self)
{
    _auto_json_ json_t *last = TAKE(self->fields), *owned = NULL;
    self->fields = fields_of(&a->shape, a->applied);
    fields_strip(a->ctx, &self->fields);
    for (size_t i = 0; i < a->owners.len; i++) {
        json_t *more = fields_union(owned, a->owners.items[i].fields);
        json_decref(owned);
        owned = more;
    }
    _auto_json_ json_t *merged = merge_values(&a->shape, a->live, a->applied);
    a->result = prune_values(&a->shape, merged, last, owned);
    a->diff = diff_values(&a->shape, a->live, a->result);
    fields_strip_foreign(a->ctx, &a->diff.changed);
    fields_strip_foreign(a->ctx, &a->diff.removed);
    a->same = a->diff.changed == NULL && a->diff.removed == NULL;
    fields_strip(a->ctx, &a->diff.changed);
    fields_strip(a->ctx, &a->diff.removed);
}

static int settle_conflicts(struct apply *a, const struct owner *self, json_t **out_status, struct err *e)
{
    struct conflicts c = {0};
    _auto_json_ json_t *allowed = fields_allowed(a);
    conflicts_find(&c, a, self, allowed);
    int rc = 0;
    if (c.len > 0) {
        *out_status = conflicts_status(&c);
        rc = status_to_err(*out_status, e);
    }
    conflicts_release(&c);
    return rc;
}

/* Puts the entries into the object; `metadata` may be missing in a configuration. */
static json_t *finish(struct apply *a, struct owner *self)
{
    if (!a->same) {
        free(self->time);
        self->time = xstrdup(a->ctx->now);
    }
    json_t *out = a->same ? json_clone(a->live) : TAKE(a->result);
    owners_lose(&a->owners, self, a->diff.changed);
    owners_lose(&a->owners, self, a->diff.removed);
    last_applied_update(a, out);
    json_t *metadata = jmake_obj(out, "metadata"), *entries = owners_write(&a->owners);
    json_object_del(metadata, "managedFields");
    if (entries != NULL)
        json_object_set_new(metadata, "managedFields", entries);
    return out;
}

int managed_apply(const struct manage_ctx *ctx, const json_t *live, const json_t *applied, bool force, json_t **out,
                  json_t **out_status, struct err *e)
{
    if (check_request(ctx, applied, e) < 0)
        return -1;
    _cleanup_(apply_release) struct apply a = {
        .ctx = ctx,
        .shape = shape_of_type(schema_type(ctx->res->type)),
        .live = live != NULL ? live : empty_object(),
        .applied = applied,
    };
    owners_read(&a.owners, jat(live, "metadata.managedFields"));
    claim_unowned(&a);
    struct owner *self = owners_find(&a.owners, ctx, "Apply", true);
    free(self->api_version);
    self->api_version = xstrdup(resource_api_version(ctx->res));
    merge_and_prune(&a, self);
    if (!force && settle_conflicts(&a, self, out_status, e) < 0)
        return -1;
    *out = finish(&a, self);
    return 0;
}
