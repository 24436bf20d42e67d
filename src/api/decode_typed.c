/* decode_typed.c - JSON text to a tree, driven by the schema, in one pass.
 *
 * DESIGN: the text was checked by json_scan() before, so no syntax error can happen here. What can: unknown and
 * duplicate fields (collected with their paths, or not looked for), values of a wrong type (the first is noted and
 * decoding goes on, as Go's decoder does), and refusals of self-decoding types such as quantities (decoding stops at
 * once; that message wins over a noted one). Paths are not built unless something is wrong: frames on the C stack know
 * where we are. Recursion follows the schema, which is not recursive; values without a schema have their own bound.
 * THREADS: a decoder belongs to one thread. */
#include "api/decode_int.h"

#include "base/mem.h"

#include <string.h>

enum { STRICT_MAX = 100 }; /* Go stops collecting there */

void decoder_release(struct decoder *d)
{
    strlist_release(&d->keys);
    buf_release(&d->scratch);
}

/* -- paths and errors -- */

/* "spec.containers[0].image" */
static void path_write(struct buf *out, const struct frame *at)
{
    if (!at)
        return;
    path_write(out, at->up);
    if (!at->key) {
        buf_addf(out, "[%zu]", at->index);
        return;
    }
    if (out->len > 0)
        buf_addc(out, '.');
    buf_add(out, at->key, at->key_len);
}

/* "spec.containers": struct fields only, as Go's type errors have it. */
static void field_path_write(struct buf *out, const struct frame *at)
{
    if (!at)
        return;
    field_path_write(out, at->up);
    if (!at->owner)
        return;
    if (out->len > 0)
        buf_addc(out, '.');
    buf_add(out, at->key, at->key_len);
}

static void type_error_text(const struct frame *at, const char *what, const char *go_type, char out[512])
{
    const struct frame *field = at;
    while (field && !field->owner)
        field = field->up;
    if (!field) {
        snprintf(out, 512, "json: cannot unmarshal %s into Go value of type %s", what, go_type);
        return;
    }
    _auto_buf_ struct buf path = BUF_INIT;
    field_path_write(&path, at);
    const char *owner = strrchr(field->owner->name, '.') + 1;
    snprintf(out, 512, "json: cannot unmarshal %s into Go struct field %s.%s of type %s", what, owner, path.data,
             go_type);
}

void decode_type_error(struct decoder *d, const struct frame *at, const char *what, const char *go_type)
{
    if (d->type_error)
        return;
    d->type_error = true;
    type_error_text(at, what, go_type, d->type_text);
}

void decode_type_error_final(struct decoder *d, const struct frame *at, const char *what, const char *go_type)
{
    char text[512];
    type_error_text(at, what, go_type, text);
    d->failed = true;
    err_set(d->e, ERR_BAD_REQUEST, "%s", text);
}

static void strict_note(struct decoder *d, const char *what, const struct frame *at)
{
    if (!d->strict || d->strict->len >= STRICT_MAX)
        return;
    _auto_buf_ struct buf path = BUF_INIT;
    path_write(&path, at);
    _auto_buf_ struct buf text = BUF_INIT;
    buf_addf(&text, "%s field ", what);
    buf_add_quoted(&text, path.data, path.len);
    if (!strlist_has(d->strict, text.data))
        strlist_add(d->strict, text.data);
}

/* -- members -- */

/* Reads a key; it stays valid while the decoder lives. */
static const char *key_read(struct decoder *d, size_t *out_len)
{
    json_cursor_peek(&d->c);
    const char *key = json_cursor_string(&d->c, &d->scratch, out_len);
    if (key == d->scratch.data) {
        char *own = json_key_clean(key, *out_len, out_len);
        strlist_take(&d->keys, own);
        key = own;
    }
    json_cursor_take(&d->c, ':');
    return key;
}

/* Goes to the next member of the object (list) being read: false at its end, which is taken. */
static bool next_member(struct decoder *d, bool *first, char close)
{
    if (d->failed)
        return false;
    if (json_cursor_take(&d->c, close))
        return false;
    if (!*first)
        json_cursor_take(&d->c, ',');
    *first = false;
    return true;
}

static json_t *decode_struct(struct decoder *d, const struct schema_type *t, const struct frame *at);

/* One value of the field, whatever the field's shape. NULL: null, wrong, or failed. */
static json_t *decode_element(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    if (f->base != SB_OBJECT)
        return decode_scalar(d, f, at);
    char first = json_cursor_peek(&d->c);
    if (first == '{')
        return decode_struct(d, f->type, at);
    if (first != 'n')
        decode_type_error(d, at, json_token_kind(first), f->go_type);
    json_cursor_skip(&d->c);
    return NULL;
}

static json_t *decode_list(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    _auto_json_ json_t *out = json_array();
    bool first = true;
    struct frame here = {.up = at};
    for (json_cursor_take(&d->c, '['); next_member(d, &first, ']'); here.index++) {
        json_t *v = decode_element(d, f, &here);
        if (!d->failed)
            json_array_append_new(out, v ? v : zero_element(f));
    }
    return d->failed ? NULL : TAKE(out);
}

static json_t *decode_list_or_refuse(struct decoder *d, const struct schema_field *f, const struct frame *at,
                                     const char *type)
{
    char first = json_cursor_peek(&d->c);
    if (first == '[')
        return decode_list(d, f, at);
    if (first != 'n')
        decode_type_error(d, at, json_token_kind(first), type);
    json_cursor_skip(&d->c);
    return NULL;
}

static json_t *map_value(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    if (f->shape == SHAPE_MAP_OF_LIST) {
        json_t *list = decode_list_or_refuse(d, f, at, strchr(f->go_whole, ']') + 1);
        return list || d->failed ? list : json_null();
    }
    json_t *v = decode_element(d, f, at);
    return v || d->failed ? v : zero_element(f);
}

static json_t *decode_map(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    _auto_json_ json_t *out = json_object();
    bool first = true;
    for (json_cursor_take(&d->c, '{'); next_member(d, &first, '}');) {
        struct frame here = {.up = at};
        here.key = key_read(d, &here.key_len);
        if (d->strict && json_object_getn(out, here.key, here.key_len))
            strict_note(d, "duplicate", &here);
        json_t *v = map_value(d, f, &here);
        if (v)
            json_object_setn_new_nocheck(out, here.key, here.key_len, v);
    }
    if (d->failed)
        return NULL;
    map_sort(out);
    return TAKE(out);
}

static json_t *decode_field(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    if (f->shape == SHAPE_ONE)
        return decode_element(d, f, at);
    if (f->shape == SHAPE_LIST)
        return decode_list_or_refuse(d, f, at, f->go_whole);
    char first = json_cursor_peek(&d->c);
    if (first == '{')
        return decode_map(d, f, at);
    if (first != 'n')
        decode_type_error(d, at, json_token_kind(first), f->go_whole);
    json_cursor_skip(&d->c);
    return NULL;
}

/* A field that came twice: objects are merged, as Go decodes into what is there; anything else is replaced. */
static json_t *slot_merge(json_t *take_old, json_t *take_new)
{
    if (json_is_object(take_old) && json_is_object(take_new)) {
        json_object_update_recursive(take_old, take_new);
        json_decref(take_new);
        return take_old;
    }
    json_decref(take_old);
    return take_new;
}

/* Reads the members of the object at the cursor into slots. */
static void members_read(struct decoder *d, const struct schema_type *t, const struct frame *at, json_t **slots)
{
    uint64_t seen = 0;
    bool first = true;
    for (json_cursor_take(&d->c, '{'); next_member(d, &first, '}');) {
        struct frame here = {.up = at};
        here.key = key_read(d, &here.key_len);
        const struct schema_field *f = schema_field(t, here.key, here.key_len);
        if (!f) {
            strict_note(d, "unknown", &here);
            json_cursor_skip(&d->c);
            continue;
        }
        here.owner = t;
        size_t slot = (size_t)(f - t->fields);
        if (seen & UINT64_C(1) << slot)
            strict_note(d, "duplicate", &here);
        seen |= UINT64_C(1) << slot;
        slots[slot] = slot_merge(slots[slot], decode_field(d, f, &here));
    }
}

static void slots_drop(json_t **slots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_decref(slots[i]);
}

static json_t *decode_struct(struct decoder *d, const struct schema_type *t, const struct frame *at)
{
    json_t *slots[SCHEMA_FIELDS_MAX] = {0};
    members_read(d, t, at, slots);
    if (!d->failed)
        return struct_finish(t, slots);
    slots_drop(slots, t->field_count);
    return NULL;
}

json_t *decode_struct_root(struct decoder *d, const struct schema_type *t, const char *kind, const char *api_version)
{
    json_t *slots[SCHEMA_FIELDS_MAX] = {0};
    if (json_cursor_peek(&d->c) == '{')
        members_read(d, t, NULL, slots);
    if (d->failed) {
        slots_drop(slots, t->field_count);
        return NULL;
    }
    if (kind && t->kind) {
        json_decref(slots[0]);
        json_decref(slots[1]);
        slots[0] = json_string(kind);
        slots[1] = json_string(api_version);
    }
    return struct_finish(t, slots);
}

/* -- values without a schema -- */

static json_t *any_object(struct decoder *d, const struct frame *at, unsigned depth)
{
    _auto_json_ json_t *out = json_object();
    bool first = true;
    for (json_cursor_take(&d->c, '{'); next_member(d, &first, '}');) {
        struct frame here = {.up = at};
        here.key = key_read(d, &here.key_len);
        if (d->any_strict && json_object_getn(out, here.key, here.key_len))
            strict_note(d, "duplicate", &here);
        json_t *v = decode_any(d, &here, depth + 1);
        if (v)
            json_object_setn_new_nocheck(out, here.key, here.key_len, v);
    }
    return d->failed ? NULL : TAKE(out);
}

static json_t *any_list(struct decoder *d, const struct frame *at, unsigned depth)
{
    _auto_json_ json_t *out = json_array();
    bool first = true;
    struct frame here = {.up = at};
    for (json_cursor_take(&d->c, '['); next_member(d, &first, ']'); here.index++) {
        json_t *v = decode_any(d, &here, depth + 1);
        if (v)
            json_array_append_new(out, v);
    }
    return d->failed ? NULL : TAKE(out);
}

json_t *decode_any(struct decoder *d, const struct frame *at, unsigned depth)
{
    if (depth > ANY_DEPTH_MAX) {
        d->failed = true;
        err_set(d->e, ERR_BAD_REQUEST, "exceeded max depth");
        return NULL;
    }
    char first = json_cursor_peek(&d->c);
    if (first == '{')
        return any_object(d, at, depth);
    if (first == '[')
        return any_list(d, at, depth);
    if (first == '"') {
        size_t n = 0;
        const char *s = json_cursor_string(&d->c, &d->scratch, &n);
        return json_stringn_nocheck(s, n);
    }
    const char *from = d->c.p;
    json_cursor_skip(&d->c);
    if (first == 't' || first == 'f')
        return json_boolean(first == 't');
    return first == 'n' ? json_null() : json_number(from, (size_t)(d->c.p - from));
}
