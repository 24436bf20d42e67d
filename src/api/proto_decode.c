/* proto_decode.c - bodies in Kubernetes' protobuf encoding, by the field numbers of the schema.
 *
 * Typed clients of kubectl 1.32 and later send them for `create configmap`, `create deployment`, `auth can-i`, … A body
 * is the magic "k8s\0" and a message Unknown{1 typeMeta{1 apiVersion, 2 kind}, 2 raw}; raw is the object.
 *
 * DESIGN: as decode_typed.c, members go to slots and struct_finish() writes them: Go's encoder writes empty values that
 * are no pointers, and struct_finish() drops exactly those. An inlined struct is a nested message here; its fields know
 * its number (proto_inlined). Numbers nobody knows are skipped, as proto2 asks. THREADS: pure. */
#include "api/decode_int.h"

#include "api/base64.h"
#include "api/go_time.h"
#include "api/proto_wire.h"
#include "api/quantity.h"
#include "base/mem.h"

#include <string.h>

static const uint8_t magic[4] = {'k', '8', 's', 0};

struct proto {
    struct err *e;
};

static json_t *message_decode(struct proto *d, const struct schema_type *t, struct wire w, const char *kind,
                              const char *api_version);

/* -- the small messages with a meaning of their own -- */

static json_t *text_value(struct wire w)
{
    return json_string_clean((const char *)w.p, (size_t)(w.end - w.p));
}

/* The field `number` of a message, last one wins; false if it is not there. */
static bool message_field(struct wire w, uint32_t number, struct wire_field *out)
{
    struct err ignored = ERR_INIT;
    struct wire_field f;
    bool found = false;
    while (wire_next(&w, &f, &ignored) > 0)
        if (f.number == number) {
            *out = f;
            found = true;
        }
    return found;
}

static json_t *quantity_value_of(struct proto *d, struct wire w)
{
    struct wire_field f;
    if (!message_field(w, 1, &f) || !f.is_bytes)
        return json_string("0");
    _auto_free_ char *s = xstrndup((const char *)f.bytes.p, (size_t)(f.bytes.end - f.bytes.p));
    char canonical[QUANTITY_TEXT_LEN];
    if (quantity_text(s, false, canonical) < 0) {
        const char *why = quantity_refusal(s);
        err_set(d->e, ERR_BAD_REQUEST, "%s", why ? why : "unable to parse numeric part of quantity");
        return NULL;
    }
    return json_string(canonical);
}

static json_t *time_value(struct wire w, bool micro)
{
    struct wire_field seconds = {0}, nanos = {0};
    if (w.p == w.end)
        return json_null();
    message_field(w, 1, &seconds);
    message_field(w, 2, &nanos);
    char text[GO_TIME_TEXT_LEN];
    go_time_text((int64_t)seconds.value, (int32_t)nanos.value, micro, text);
    return json_string(text);
}

static json_t *int_or_string_value(struct wire w)
{
    struct wire_field f = {0};
    if (message_field(w, 1, &f) && f.value == 1)
        return message_field(w, 3, &f) && f.is_bytes ? text_value(f.bytes) : json_string("");
    return message_field(w, 2, &f) ? json_integer((int32_t)f.value) : json_integer(0);
}

static json_t *raw_json_value(struct proto *d, struct wire w)
{
    struct wire_field f;
    if (!message_field(w, 1, &f) || !f.is_bytes || f.bytes.p == f.bytes.end)
        return json_null();
    json_t *v = NULL;
    return json_parse((const char *)f.bytes.p, (size_t)(f.bytes.end - f.bytes.p), &v, d->e) < 0 ? NULL : v;
}

static json_t *bytes_value(struct wire w)
{
    _auto_buf_ struct buf text = BUF_INIT;
    base64_encode(w.p, (size_t)(w.end - w.p), &text);
    return json_stringn_nocheck(buf_str(&text), text.len);
}

static json_t *double_value(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    json_t *j = json_real(v);
    return j ? j : json_integer(0);
}

static json_t *number_value(const struct schema_field *f, uint64_t v)
{
    switch (f->base) {
    case SB_BOOL:
        return json_boolean(v != 0);
    case SB_INT32:
        return json_integer((int32_t)v);
    case SB_INT64:
        return json_integer((int64_t)v);
    case SB_DOUBLE:
        return double_value(v);
    default:
        return NULL;
    }
}

/* -- one value of a field -- */

static json_t *wrong_wire(struct proto *d, const struct schema_field *f)
{
    err_set(d->e, ERR_BAD_REQUEST, "proto: wrong wireType for field %s", f->name);
    return NULL;
}

static json_t *element_value(struct proto *d, const struct schema_field *f, const struct wire_field *w)
{
    bool wants_number = f->base == SB_BOOL || f->base == SB_INT32 || f->base == SB_INT64 || f->base == SB_DOUBLE;
    if (w->is_bytes == wants_number)
        return wrong_wire(d, f);
    switch (f->base) {
    case SB_STRING:
        return text_value(w->bytes);
    case SB_BYTES:
        return bytes_value(w->bytes);
    case SB_TIME:
    case SB_MICROTIME:
        return time_value(w->bytes, f->base == SB_MICROTIME);
    case SB_QUANTITY:
        return quantity_value_of(d, w->bytes);
    case SB_INT_OR_STRING:
        return int_or_string_value(w->bytes);
    case SB_ANY:
        return raw_json_value(d, w->bytes);
    case SB_OBJECT:
        return message_decode(d, f->type, w->bytes, NULL, NULL);
    default:
        return number_value(f, w->value);
    }
}

static int list_add(struct proto *d, const struct schema_field *f, const struct wire_field *w, json_t **slot)
{
    if (!*slot)
        *slot = json_array();
    bool number = f->base == SB_INT32 || f->base == SB_INT64 || f->base == SB_BOOL;
    if (w->is_bytes && number) { /* packed */
        struct wire in = w->bytes;
        uint64_t v;
        while (wire_varint(&in, &v))
            json_array_append_new(*slot, number_value(f, v));
        return 0;
    }
    json_t *v = element_value(d, f, w);
    return v ? json_array_append_new(*slot, v) : -1;
}

/* ExtraValue{1 repeated string} */
static json_t *list_message(struct wire w)
{
    json_t *list = json_array();
    struct err ignored = ERR_INIT;
    struct wire_field f;
    while (wire_next(&w, &f, &ignored) > 0)
        if (f.number == 1 && f.is_bytes)
            json_array_append_new(list, text_value(f.bytes));
    return list;
}

/* An entry {1 key, 2 value}. */
static int map_add(struct proto *d, const struct schema_field *f, const struct wire_field *w, json_t **slot)
{
    struct wire_field key = {0}, value = {0};
    if (!*slot)
        *slot = json_object();
    if (!w->is_bytes) {
        wrong_wire(d, f);
        return -1;
    }
    size_t name_len = 0;
    bool named = message_field(w->bytes, 1, &key) && key.is_bytes;
    _auto_free_ char *name =
        named ? json_key_clean((const char *)key.bytes.p, (size_t)(key.bytes.end - key.bytes.p), &name_len)
              : xstrdup("");
    json_t *v = NULL;
    if (!message_field(w->bytes, 2, &value))
        v = f->shape == SHAPE_MAP ? zero_element(f) : json_array();
    else if (f->shape == SHAPE_MAP)
        v = element_value(d, f, &value);
    else
        v = value.is_bytes ? list_message(value.bytes) : wrong_wire(d, f);
    if (!v)
        return -1;
    return json_object_setn_new_nocheck(*slot, name, name_len, v);
}

static int field_decode(struct proto *d, const struct schema_field *f, const struct wire_field *w, json_t **slot)
{
    if (f->shape == SHAPE_LIST)
        return list_add(d, f, w, slot);
    if (f->shape != SHAPE_ONE)
        return map_add(d, f, w, slot);
    json_t *v = element_value(d, f, w);
    if (!v)
        return -1;
    json_decref(*slot);
    *slot = v;
    return 0;
}

/* -- messages -- */

/* Reads the fields of one message: those that an inlined struct with number `inlined` contributes, or the type's own
 * (0). */
static int fields_decode(struct proto *d, const struct schema_type *t, struct wire w, unsigned inlined, json_t **slots)
{
    struct wire_field in;
    int rc;
    while ((rc = wire_next(&w, &in, d->e)) > 0) {
        bool holder = false;
        for (size_t i = 0; i < t->field_count; i++) {
            const struct schema_field *f = &t->fields[i];
            if (f->proto_inlined == inlined && f->proto == in.number && field_decode(d, f, &in, &slots[i]) < 0)
                return -1;
            holder = holder || (inlined == 0 && f->proto_inlined == in.number);
        }
        if (holder && in.is_bytes && fields_decode(d, t, in.bytes, in.number, slots) < 0)
            return -1;
    }
    return rc;
}

static json_t *message_decode(struct proto *d, const struct schema_type *t, struct wire w, const char *kind,
                              const char *api_version)
{
    json_t *slots[SCHEMA_FIELDS_MAX] = {0};
    int rc = fields_decode(d, t, w, 0, slots);
    for (size_t i = 0; i < t->field_count; i++) {
        if (rc < 0)
            json_decref(slots[i]);
        else if (slots[i] && t->fields[i].shape == SHAPE_MAP)
            map_sort(slots[i]);
    }
    if (rc < 0)
        return NULL;
    if (kind && t->kind) {
        slots[0] = json_string(kind);
        slots[1] = json_string(api_version);
    }
    return struct_finish(t, slots);
}

/* -- the envelope -- */

static int unknown_open(const void *bytes, size_t len, struct wire *out, struct err *e)
{
    if (len < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return err_set(e, ERR_BAD_REQUEST,
                       "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
    const uint8_t *p = bytes;
    *out = (struct wire){p + sizeof magic, p + len};
    return 0;
}

static void name_copy(struct wire message, uint32_t number, char out[256])
{
    struct wire_field f;
    size_t n = 0;
    if (message_field(message, number, &f) && f.is_bytes)
        n = (size_t)(f.bytes.end - f.bytes.p);
    if (n > 255)
        n = 255;
    if (n > 0)
        memcpy(out, f.bytes.p, n);
    out[n] = '\0';
}

int proto_envelope(const void *bytes, size_t len, char api_version[256], char kind[256], struct err *e)
{
    struct wire w;
    struct wire_field f;
    if (unknown_open(bytes, len, &w, e) < 0)
        return -1;
    int rc;
    while ((rc = wire_next(&w, &f, e)) > 0) {
        if (f.number != 1 || !f.is_bytes)
            continue;
        name_copy(f.bytes, 1, api_version);
        name_copy(f.bytes, 2, kind);
    }
    return rc;
}

int proto_decode_object(const void *bytes, size_t len, const struct schema_type *t, const char *kind,
                        const char *api_version, json_t **out, struct err *e)
{
    struct wire w, raw = {NULL, NULL};
    struct wire_field f;
    if (unknown_open(bytes, len, &w, e) < 0)
        return -1;
    while (wire_next(&w, &f, e) > 0)
        if (f.number == 2 && f.is_bytes)
            raw = f.bytes;
    struct proto d = {.e = e};
    json_t *tree = message_decode(&d, t, raw, kind, api_version);
    if (!tree)
        return -1;
    *out = tree;
    return 0;
}
