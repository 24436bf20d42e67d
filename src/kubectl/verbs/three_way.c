/* three_way.c - see three_way.h.
 *
 * DESIGN: one walk over three trees at once: what was applied (`was`), what is applied now (`to`), what is there
 * (`from`). What `to` has and `from` has not, or has otherwise, goes into the patch; what only `was` has is taken out.
 * From one object to another is the same walk with `was` and `from` alike. A merge patch is the same walk without a
 * type: then every list is replaced. Lists that merge by a key get their order as a directive where it would come out
 * otherwise. */
#include "kubectl/verbs/three_way.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static json_t *diff_maps(const json_t *was, const json_t *to, const json_t *from, const struct schema_type *type);

/* ---- lists that merge ---- */

static const json_t *item_by_key(const json_t *list, const char *key, const json_t *value)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const json_t *mine = key ? json_object_get(item, key) : item;
        if (mine && json_equal(mine, value))
            return item;
    }
    return NULL;
}

static bool all_have(const json_t *list, const char *key)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) if (!json_object_get(item, key)) return false;
    return true;
}

/* The keys of a list, in its order; of objects {"name": "a"}, of scalars themselves. Returns new. */
static json_t *order_of(const json_t *list, const char *key)
{
    json_t *order = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (key)
            json_array_append_new(order, json_pack("{s:O}", key, json_object_get(item, key)));
        else
            json_array_append(order, item);
    }
    return order;
}

/* Are what both have in the same order? */
static bool same_order(const json_t *from, const json_t *to, const char *key)
{
    _auto_json_ json_t *a = json_array(), *b = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(from, i, item) if (item_by_key(to, key, key ? json_object_get(item, key) : item))
        json_array_append_new(a, key ? json_incref(json_object_get(item, key)) : json_incref(item));
    json_array_foreach(to, i, item) if (item_by_key(from, key, key ? json_object_get(item, key) : item))
        json_array_append_new(b, key ? json_incref(json_object_get(item, key)) : json_incref(item));
    return json_equal(a, b);
}

static void add_order(json_t *patch, const char *name, const json_t *to, const char *key)
{
    _auto_free_ char *directive = xasprintf("$setElementOrder/%s", name);
    json_object_set_new(patch, directive, order_of(to, key));
}

static void diff_objects(const json_t *was, const json_t *to, const json_t *from, const struct schema_field *f,
                         json_t *patch)
{
    _auto_json_ json_t *changed = json_array();
    const char *key = f->merge_key;
    size_t i;
    json_t *item;
    json_array_foreach(to, i, item)
    {
        json_t *const id = json_object_get(item, key);
        const json_t *old = item_by_key(from, key, id);
        _auto_json_ json_t *piece = old ? diff_maps(item_by_key(was, key, id), item, old, f->type) : NULL;
        if (!old)
            json_array_append(changed, item);
        if (piece && json_object_size(piece)) {
            json_object_set(piece, key, id);
            json_array_append(changed, piece);
        }
    }
    const bool order = json_array_size(changed) || !same_order(from, to, key);
    json_array_foreach(was, i, item)
    {
        json_t *const id = json_object_get(item, key);
        if (id && !item_by_key(to, key, id))
            json_array_append_new(changed, json_pack("{s:s,s:O}", "$patch", "delete", key, id));
    }
    if (order)
        add_order(patch, f->name, to, key);
    if (json_array_size(changed))
        json_object_set(patch, f->name, changed);
}

static void diff_scalars(const json_t *was, const json_t *to, const json_t *from, const struct schema_field *f,
                         json_t *patch)
{
    _auto_json_ json_t *added = json_array(), *gone = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(to, i, item) if (!item_by_key(from, NULL, item)) json_array_append(added, item);
    json_array_foreach(was, i, item) if (!item_by_key(to, NULL, item)) json_array_append(gone, item);
    if (json_array_size(added) || !same_order(from, to, NULL))
        add_order(patch, f->name, to, NULL);
    if (json_array_size(added))
        json_object_set(patch, f->name, added);
    if (json_array_size(gone)) {
        _auto_free_ char *directive = xasprintf("$deleteFromPrimitiveList/%s", f->name);
        json_object_set(patch, directive, gone);
    }
}

/* ---- maps ---- */

/* The keys that a map with alternatives (a volume, a strategy) has now: others must go. Returns new. */
static json_t *keys_kept(const json_t *to)
{
    _auto_strlist_ struct strlist keys = {0};
    const char *key;
    json_t *value, *kept = json_array();
    json_object_foreach((json_t *)(uintptr_t)to, key, value) if (!json_is_null(value)) strlist_add(&keys, key);
    strlist_sort(&keys);
    for (size_t i = 0; i < keys.len; i++)
        json_array_append_new(kept, json_string(keys.items[i]));
    return kept;
}

static void diff_inner(const char *key, const json_t *was, const json_t *to, const json_t *from,
                       const struct schema_field *f, json_t *patch)
{
    _auto_json_ json_t *piece = diff_maps(was, to, from, f && f->shape == SHAPE_ONE ? f->type : NULL);
    if (json_object_size(piece) && f && f->patch_retain_keys)
        json_object_set_new(piece, "$retainKeys", keys_kept(to));
    if (json_object_size(piece))
        json_object_set(patch, key, piece);
}

/* A list that merges by its key, and can: every item has it. */
static bool merges_by_key(const struct schema_field *f, const json_t *to, const json_t *from)
{
    return f->merge_key && all_have(from, f->merge_key) && all_have(to, f->merge_key);
}

static void diff_value(const char *key, const json_t *was, json_t *to, const json_t *from, const struct schema_field *f,
                       json_t *patch)
{
    const bool lists = json_is_array(from) && json_is_array(to);
    const bool merges = lists && f && f->patch_merge && f->shape == SHAPE_LIST;
    if (json_is_object(from) && json_is_object(to) && !(f && f->patch_replace))
        diff_inner(key, was, to, from, f, patch);
    else if (merges && merges_by_key(f, to, from))
        diff_objects(was, to, from, f, patch);
    else if (merges && !f->merge_key)
        diff_scalars(was, to, from, f, patch);
    else if (!json_equal(from, to))
        json_object_set(patch, key, to);
}

static json_t *diff_maps(const json_t *was, const json_t *to, const json_t *from, const struct schema_type *type)
{
    json_t *patch = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)to, key, value)
    {
        const json_t *old = json_object_get(from, key);
        const struct schema_field *f = type ? schema_field(type, key, strlen(key)) : NULL;
        if (json_is_null(value) && (!old || json_is_null(old)))
            continue;
        if (old)
            diff_value(key, json_object_get(was, key), value, old, f, patch);
        else
            json_object_set(patch, key, value);
    }
    json_object_foreach((json_t *)(uintptr_t)was, key, value) if (!json_object_get(to, key))
        json_object_set_new(patch, key, json_null());
    return patch;
}

/* ---- the patches ---- */

json_t *three_way(const json_t *original, const json_t *modified, const json_t *current, const struct schema_type *type)
{
    return diff_maps(original, modified, current, type);
}

const struct schema_type *builtin_type(const char *group, const char *version, const char *kind)
{
    schema_init();
    return schema_kind(group, version, kind);
}

json_t *two_way(const json_t *from, const json_t *to, const struct schema_type *type)
{
    return diff_maps(from, to, from, type);
}
