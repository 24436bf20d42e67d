/* managed.c - metadata.managedFields after a create or update: who owns which field now.
 *
 * Whoever changes a field owns it, and all others lose it; removed fields have no owner. A create owns all it names.
 * The result is computed on the decoded and defaulted object *before* admission and system fields, so what the server
 * adds itself (service account volumes, finalizers, uids) belongs to nobody. Objects whose history is unknown (no
 * entries, or a client reset them with [{}]) stay untracked until the first apply.
 *
 * An update that changes nothing leaves the entries, and their times, as they were. THREADS: pure but for `obj`. */
#include "api/managed_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* [{}]: the client wants a clean slate. */
static bool is_reset(const json_t *entries)
{
    return json_array_size(entries) == 1 && json_object_size(json_array_get(entries, 0)) == 0;
}

/* The history to start from: what the client sent back, else what is stored. */
static void history_read(struct owners *owners, const struct manage_ctx *ctx, const json_t *old, const json_t *obj)
{
    const json_t *sent = jat(obj, "metadata.managedFields"), *stored = jat(old, "metadata.managedFields");
    if (str_empty(ctx->subresource) && sent != stored) {
        if (is_reset(sent))
            return;
        owners_read(owners, sent);
    }
    if (owners->len == 0)
        owners_read_stored(owners, stored);
}

static void take_ownership(struct owners *owners, const struct manage_ctx *ctx, json_t *take_changed)
{
    struct owner *self = owners_find(owners, ctx, "Update", true);
    if (self->fields == NULL) {
        self->fields = take_changed;
    } else {
        json_t *all = fields_union(self->fields, take_changed);
        json_decref(self->fields);
        json_decref(take_changed);
        self->fields = all;
    }
    free_cleanup(&self->time);
    self->time = xstrdup(ctx->now);
}

/* What stood in `old` where `changed`, made of `obj`, has something else, and what `obj` has no more. Returns new. */
static json_t *counterparts(const json_t *old, const json_t *obj, const json_t *changed)
{
    json_t *out = json_object(), *v;
    const char *key;
    json_object_foreach((json_t *)old, key, v)
    {
        if (json_object_get(changed, key) != NULL || json_object_get(obj, key) == NULL)
            json_object_set_nocheck(out, key, v);
    }
    return out;
}

/* Most updates leave most members as they are, and comparing by the schema is dear. Neither object's managedFields are
 * looked at. */
static struct diff diff_update(const struct shape *shape, const json_t *old, const json_t *obj)
{
    _auto_json_ json_t *changed = json_unlike(obj, old);
    _auto_json_ json_t *was = counterparts(old, obj, changed);
    const json_t *meta = json_object_get(obj, "metadata"), *old_meta = json_object_get(old, "metadata");
    if (json_is_object(meta) && json_is_object(old_meta)) {
        json_t *changed_meta = json_unlike(meta, old_meta), *was_meta = counterparts(old_meta, meta, changed_meta);
        json_object_del(was_meta, "managedFields");
        json_object_set_new(changed, "metadata", changed_meta);
        json_object_set_new(was, "metadata", was_meta);
    }
    return diff_values(shape, was, changed);
}

void managed_update(const struct manage_ctx *ctx, const json_t *old, json_t *obj)
{
    const struct schema_type *type = schema_type(ctx->res->type);
    json_t *metadata = json_object_get(obj, "metadata");
    if (type == NULL || metadata == NULL)
        return;
    _auto_owners_ struct owners owners = {0};
    history_read(&owners, ctx, old, obj);
    json_object_del(metadata, "managedFields");
    if (owners.len == 0 && old != NULL)
        return;

    struct shape shape = shape_of_type(type);
    _cleanup_(diff_release) struct diff d =
        old != NULL ? diff_update(&shape, old, obj) : diff_values(&shape, empty_object(), obj);
    fields_strip(ctx, &d.changed);
    fields_strip(ctx, &d.removed);
    owners_lose(&owners, NULL, d.changed);
    owners_lose(&owners, NULL, d.removed);
    if (d.changed != NULL)
        take_ownership(&owners, ctx, TAKE(d.changed));
    owners_drop_empty(&owners);
    owners_cap(&owners);
    json_t *entries = owners_write(&owners);
    if (entries != NULL)
        json_object_set_new(metadata, "managedFields", entries);
}
