/* write_go.c - trees as text for clients: as Go's encoding/json writes them, so that a text we store is the text that a
 * real server would send. THREADS: any. */
#include "base/jtree/jtree_int.h"

#include "base/buf.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Go writes whole floats without a fraction and small or huge ones with an exponent. */
static void write_real(struct buf *out, double v)
{
    if (v == floor(v) && fabs(v) < 1e15) {
        buf_addf(out, "%.0f", v);
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_adds(out, text);
}

static void write_integer(struct buf *out, json_int_t v)
{
    char digits[24];
    char *p = digits + sizeof digits;
    unsigned long long u = v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    buf_add(out, p, (size_t)(digits + sizeof digits - p));
}

static void write_object(struct buf *out, const struct object *o)
{
    buf_addc(out, '{');
    bool first = true;
    for (uint32_t i = 0; i < o->used; i++) {
        const struct member *m = &o->members[i];
        if (!m->key)
            continue;
        if (!first)
            buf_addc(out, ',');
        first = false;
        buf_add_json_string(out, m->key->text, m->key->len);
        buf_addc(out, ':');
        json_write(out, m->value);
    }
    buf_addc(out, '}');
}

static void write_array(struct buf *out, const struct array *a)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < a->len; i++) {
        if (i)
            buf_addc(out, ',');
        json_write(out, a->items[i]);
    }
    buf_addc(out, ']');
}

void json_write(struct buf *out, const json_t *j)
{
    switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_OBJECT:
        write_object(out, object_of(j));
        break;
    case JSON_ARRAY:
        write_array(out, array_of(j));
        break;
    case JSON_STRING:
        buf_add_json_string(out, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        write_integer(out, json_integer_value(j));
        break;
    case JSON_REAL:
        write_real(out, json_real_value(j));
        break;
    case JSON_TRUE:
        buf_adds(out, "true");
        break;
    case JSON_FALSE:
        buf_adds(out, "false");
        break;
    default:
        buf_adds(out, "null");
    }
}
