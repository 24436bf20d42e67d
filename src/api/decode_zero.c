/* decode_zero.c - finished structs: what Go's encoder leaves out, what it always writes, and in which order.
 *
 * DESIGN: a decoder collects a struct's members in an array with one slot a field; struct_finish() turns that into an
 * object in field order. So any input order gives the one canonical text, and a patch or default can never leave a tree
 * that a real server would not write. schema_order() does the same for trees that were edited afterwards. THREADS:
 * pure. */
#include "api/decode_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

json_t *zero_element(const struct schema_field *f)
{
    switch (f->base) {
    case SB_STRING:
    case SB_BYTES:
        return json_string("");
    case SB_BOOL:
        return json_false();
    case SB_INT32:
    case SB_INT64:
    case SB_INT_OR_STRING:
        return json_integer(0);
    case SB_DOUBLE:
        return json_integer(0);
    case SB_QUANTITY:
        return json_string("0");
    case SB_OBJECT: {
        json_t *none[SCHEMA_FIELDS_MAX] = {0};
        return struct_finish(f->type, none);
    }
    case SB_TIME:
    case SB_MICROTIME:
    case SB_ANY:
    case SB_BASE_MAX:
        break;
    }
    return json_null();
}

json_t *zero_field(const struct schema_field *f)
{
    return f->shape == SHAPE_ONE && !f->nullable_pointer ? zero_element(f) : json_null();
}

/* Would Go's omitempty leave this value out? */
static bool is_empty(const struct schema_field *f, const json_t *v)
{
    if (f->shape != SHAPE_ONE)
        return json_is_null(v) || (json_object_size(v) == 0 && json_array_size(v) == 0);
    if (f->nullable_pointer)
        return json_is_null(v);
    switch (json_typeof(v)) {
    case JSON_STRING:
        return json_string_length(v) == 0;
    case JSON_INTEGER:
        return json_integer_value(v) == 0;
    case JSON_REAL:
        return json_real_value(v) == 0.0;
    case JSON_FALSE:
    case JSON_NULL:
        return true;
    default:
        return false;
    }
}

json_t *struct_finish(const struct schema_type *t, json_t *take_slots[SCHEMA_FIELDS_MAX])
{
    json_t *out = json_object();
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        json_t *v = take_slots[i];
        bool empty = !v || is_empty(f, v);
        /* a list that is always written is null when empty: storage does not tell the two apart */
        if (empty && f->always && (!v || f->shape != SHAPE_ONE)) {
            json_decref(v);
            v = zero_field(f);
            empty = false;
        }
        if (empty && !f->always)
            json_decref(v);
        else
            json_object_setn_new_nocheck(out, f->name, strlen(f->name), v);
    }
    return out;
}

/* -- order -- */

static void order_object(const struct schema_type *t, json_t *obj);

static int key_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Go writes maps by key. */
void map_sort(json_t *map)
{
    const char *last = NULL;
    bool sorted = true;
    for (void *it = json_object_iter(map); it && sorted; it = json_object_iter_next(map, it)) {
        const char *key = json_object_iter_key(it);
        sorted = !last || strcmp(last, key) < 0;
        last = key;
    }
    if (sorted)
        return;
    _auto_json_ json_t *old = json_copy(map);
    size_t n = 0;
    _auto_free_ const char **keys = xcalloc(json_object_size(old), sizeof *keys);
    const char *key;
    json_t *v;
    json_object_foreach(old, key, v) keys[n++] = key;
    qsort(keys, n, sizeof *keys, key_compare);
    json_object_clear(map);
    for (size_t i = 0; i < n; i++)
        json_object_set_nocheck(map, keys[i], json_object_get(old, keys[i]));
}

static void order_value(const struct schema_field *f, json_t *v)
{
    if (f->shape == SHAPE_MAP && json_is_object(v))
        map_sort(v);
    if (f->base != SB_OBJECT)
        return;
    if (f->shape == SHAPE_ONE) {
        order_object(f->type, v);
        return;
    }
    size_t i;
    const char *key;
    json_t *item;
    json_array_foreach(v, i, item) order_object(f->type, item);
    json_object_foreach(v, key, item) order_object(f->type, item);
}

/* The field of that name at or after `from`, else NULL: members mostly come in the schema's order. */
static const struct schema_field *field_ahead(const struct schema_type *t, const struct schema_field *from,
                                              const char *name)
{
    for (const struct schema_field *f = from; f < t->fields + t->field_count; f++)
        if (f->name[0] == name[0] && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* Orders what is in the members; false if one of them stands where it should not, or is none of the schema's. */
static bool order_members(const struct schema_type *t, json_t *obj)
{
    const struct schema_field *next = t->fields;
    for (void *it = json_object_iter(obj); it; it = json_object_iter_next(obj, it)) {
        const struct schema_field *f = field_ahead(t, next, json_object_iter_key(it));
        if (!f)
            return false;
        order_value(f, json_object_iter_value(it));
        next = f + 1;
    }
    return true;
}

static void reorder(const struct schema_type *t, json_t *obj)
{
    _auto_json_ json_t *old = json_copy(obj);
    json_object_clear(obj);
    for (size_t i = 0; i < t->field_count; i++) {
        json_t *v = json_object_get(old, t->fields[i].name);
        if (v)
            json_object_set_nocheck(obj, t->fields[i].name, v);
    }
    json_object_update_missing(obj, old); /* unknown members last */
}

static void order_object(const struct schema_type *t, json_t *obj)
{
    if (!json_is_object(obj) || order_members(t, obj))
        return;
    reorder(t, obj);
    order_members(t, obj);
}

void schema_order(const struct schema_type *t, json_t *tree)
{
    order_object(t, tree);
}

json_t *schema_reorder(const struct schema_type *t, const json_t *tree)
{
    json_t *copy = json_clone(tree);
    order_object(t, copy);
    return copy;
}
