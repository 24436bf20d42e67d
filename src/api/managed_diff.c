/* managed_diff.c - which paths differ between two objects, and which a configuration names.
 *
 * DESIGN: one walk over the schema with both values in hand builds the two sets directly; making an object is the
 * difference to one without content, so the same code serves creates and updates. Go structs always have their fields
 * held by value, whether JSON shows them or not; implied_value() stands in for them on both sides, or every write would
 * seem to remove what another one spelled out.
 *
 * A container that comes into being is itself changed; one that was there (even as null) only has changed parts. Two
 * empty containers are compared as leaves. THREADS: pure functions. Source of the rules: structured-merge-diff,
 * typed.Compare and ToFieldSet. */
#include "api/managed_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

void diff_release(struct diff *d)
{
    json_decref(d->changed);
    json_decref(d->removed);
    *d = (struct diff){0};
}

static bool has_implied(const struct schema_type *t)
{
    for (size_t i = 0; i < t->field_count; i++)
        if (t->fields[i].always)
            return true;
    return false;
}

/* Nothing inside that could be owned? */
static bool is_empty(const struct shape *s, const json_t *v)
{
    if (v == NULL || json_is_null(v))
        return true;
    if (json_is_array(v))
        return json_array_size(v) == 0;
    return json_is_object(v) && json_object_size(v) == 0 && (s->form != FORM_STRUCT || !has_implied(s->type));
}

static struct diff diff_leaf(const json_t *old, const json_t *new)
{
    struct diff d = {0};
    if (old == NULL || (new != NULL && !json_same(old, new)))
        d.changed = fields_leaf();
    else if (new == NULL)
        d.removed = fields_leaf();
    return d;
}

static void hang(struct diff *d, const char *key, struct diff part)
{
    fields_hang(&d->changed, key, part.changed);
    fields_hang(&d->removed, key, part.removed);
}

/* "f:NAME", in `scratch`. */
static const char *name_key(struct buf *scratch, const char *name)
{
    buf_clear(scratch);
    buf_add(scratch, "f:", 2);
    buf_adds(scratch, name);
    return buf_str(scratch);
}

static const json_t *member(const json_t *obj, const char *name)
{
    return json_object_size(obj) > 0 ? json_object_get(obj, name) : NULL; /* a create asks an empty one a lot */
}

/* `o` and `n` are the field's values in `old` and `new`. */
static void diff_field(struct diff *d, const struct schema_field *f, const json_t *old, const json_t *o,
                       const json_t *new, const json_t *n)
{
    if (o == NULL && old != NULL)
        o = implied_value(f);
    if (n == NULL && new != NULL)
        n = implied_value(f);
    if (o == n)
        return;
    struct shape s = shape_of_field(f);
    struct diff part = diff_values(&s, o, n);
    if (part.changed == NULL && part.removed == NULL)
        return;
    _auto_buf_ struct buf key = BUF_INIT;
    hang(d, name_key(&key, f->name), part);
}

/* One side is not there: on the other also what is only implied counts. */
static void diff_one_sided(struct diff *d, const struct schema_type *t, const json_t *old, const json_t *new)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        diff_field(d, f, old, member(old, f->name), new, member(new, f->name));
    }
}

/* Of the many fields of a type an object has few; those that neither has do not differ. */
static void diff_struct(struct diff *d, const struct schema_type *t, const json_t *old, const json_t *new)
{
    if (old == NULL || new == NULL) {
        diff_one_sided(d, t, old, new);
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)new, key, value)
    {
        const struct schema_field *f = schema_field(t, key, strlen(key));
        if (f != NULL)
            diff_field(d, f, old, member(old, key), new, value);
    }
    json_object_foreach((json_t *)old, key, value)
    {
        const struct schema_field *f = member(new, key) == NULL ? schema_field(t, key, strlen(key)) : NULL;
        if (f != NULL)
            diff_field(d, f, old, value, new, NULL);
    }
}

static void diff_map(struct diff *d, const struct shape *s, const json_t *old, const json_t *new)
{
    struct shape element = shape_of_element(s);
    const char *key;
    json_t *value;
    _auto_buf_ struct buf name = BUF_INIT;
    json_object_foreach((json_t *)old, key, value)
    {
        hang(d, name_key(&name, key), diff_values(&element, value, member(new, key)));
    }
    json_object_foreach((json_t *)new, key, value)
    {
        if (member(old, key) != NULL)
            continue;
        hang(d, name_key(&name, key), diff_values(&element, NULL, value));
    }
}

/* One side of a list comparison. */
struct keyed_list {
    const json_t *items;
    char **keys;
    size_t count;
};

/* The elements of that key: one, unless the list has duplicates (which lists of updates may). Returns new. */
static json_t *items_of(const struct keyed_list *l, const char *key)
{
    json_t *out = json_array();
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->keys[i], key) == 0)
            json_array_append(out, json_array_get(l->items, i));
    return out;
}

/* Duplicates cannot be told apart: all elements of a key are then one leaf. */
static struct diff diff_item(const struct shape *element, const struct keyed_list *old, const struct keyed_list *new,
                             const char *key)
{
    _auto_json_ json_t *o = items_of(old, key), *n = items_of(new, key);
    if (json_array_size(o) <= 1 && json_array_size(n) <= 1)
        return diff_values(element, json_array_get(o, 0), json_array_get(n, 0));
    return diff_leaf(json_array_size(o) > 0 ? o : NULL, json_array_size(n) > 0 ? n : NULL);
}

static void diff_list(struct diff *d, const struct shape *s, const json_t *old, const json_t *new)
{
    struct shape element = shape_of_element(s);
    struct keyed_list a = {old, item_keys(s, old), json_array_size(old)};
    struct keyed_list b = {new, item_keys(s, new), json_array_size(new)};
    for (size_t i = 0; i < a.count; i++)
        if (item_keys_find(a.keys, i, a.keys[i]) < 0)
            hang(d, a.keys[i], diff_item(&element, &a, &b, a.keys[i]));
    for (size_t i = 0; i < b.count; i++)
        if (item_keys_find(a.keys, a.count, b.keys[i]) < 0 && item_keys_find(b.keys, i, b.keys[i]) < 0)
            hang(d, b.keys[i], diff_item(&element, &a, &b, b.keys[i]));
    item_keys_free(a.keys, a.count);
    item_keys_free(b.keys, b.count);
}

struct diff diff_values(const struct shape *s, const json_t *old, const json_t *new)
{
    if (old == new)
        return (struct diff){0};
    if (s->form == FORM_LEAF || (is_empty(s, old) && is_empty(s, new)))
        return diff_leaf(old, new);
    struct diff d = {0};
    if (old == NULL)
        d.changed = fields_branch();
    else if (new == NULL)
        d.removed = fields_branch();
    if (s->form == FORM_STRUCT)
        diff_struct(&d, s->type, json_is_null(old) ? NULL : old, json_is_null(new) ? NULL : new);
    else if (s->form == FORM_MAP)
        diff_map(&d, s, old, new);
    else
        diff_list(&d, s, old, new);
    fields_branch_end(old == NULL ? d.changed : new == NULL ? d.removed : NULL);
    return d;
}

/* -- what a configuration names -- */

static json_t *fields_of_members(const struct shape *s, const json_t *value)
{
    json_t *set = NULL;
    const char *key;
    json_t *member;
    _auto_buf_ struct buf name = BUF_INIT;
    json_object_foreach((json_t *)value, key, member)
    {
        struct shape part = shape_of_member(s, key);
        json_t *below = fields_of(&part, member);
        if (s->form == FORM_MAP || json_is_null(member) || (json_is_object(member) && json_object_size(member) == 0))
            fields_mark(&below);
        fields_hang(&set, name_key(&name, key), below);
    }
    return set;
}

static json_t *fields_of_items(const struct shape *s, const json_t *value)
{
    json_t *set = NULL;
    struct shape element = shape_of_element(s);
    for (size_t i = 0; i < json_array_size(value); i++) {
        _auto_free_ char *key = item_key(s, json_array_get(value, i));
        json_t *below = fields_of(&element, json_array_get(value, i));
        fields_mark(&below);
        fields_hang(&set, key, below);
    }
    return set;
}

json_t *fields_of(const struct shape *s, const json_t *value)
{
    switch (s->form) {
    case FORM_LEAF:
        return fields_leaf();
    case FORM_STRUCT:
    case FORM_MAP:
        return fields_of_members(s, value);
    default:
        return fields_of_items(s, value);
    }
}

/* -- what nobody owns -- */

static void strip(json_t *set, const char *const *keys)
{
    for (; *keys != NULL && json_object_size(set) > 0; keys++)
        json_object_del(set, *keys);
}

static void drop_if_empty(json_t **set)
{
    if (json_object_size(*set) > 0)
        return;
    json_decref(*set);
    *set = NULL;
}

void fields_strip_foreign(const struct manage_ctx *ctx, json_t **set)
{
    if (*set == NULL)
        return;
    if (strcmp(ctx->subresource, "status") == 0) {
        json_object_del(*set, "f:spec");
        if (strcmp(ctx->res->group, "apps") == 0)
            json_object_del(json_object_get(*set, "f:metadata"), "f:labels");
    } else if (resource_sub(ctx->res, "status") != NULL) {
        json_object_del(*set, "f:status");
    }
    drop_if_empty(set);
}

void fields_strip(const struct manage_ctx *ctx, json_t **set)
{
    static const char *const always[] = {"f:apiVersion", "f:kind", NULL};
    static const char *const meta[] = {".",     "f:name",       "f:namespace",     "f:creationTimestamp", "f:selfLink",
                                       "f:uid", "f:generation", "f:managedFields", "f:resourceVersion",   NULL};
    fields_strip_foreign(ctx, set);
    if (*set == NULL)
        return;
    json_t *metadata = json_object_get(*set, "f:metadata");
    strip(*set, always);
    strip(metadata, meta);
    if (metadata != NULL && json_object_size(metadata) == 0)
        json_object_del(*set, "f:metadata");
    drop_if_empty(set);
}
