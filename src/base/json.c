/* json.c - see json.h.
 *
 * DESIGN: a path is walked without copying; jansson's own lookups by length (json_object_getn) make that free. Writing
 * follows Go's encoding/json, so that a text we store is the text a real server would send. THREADS: reading a frozen
 * tree is safe from any thread; editing is for the tree's only owner. */
#include "base/json.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *jat(const json_t *obj, const char *path)
{
    json_t *at = (json_t *)obj;
    while (at) {
        size_t n = (size_t)(strchrnul(path, '.') - path);
        at = json_object_getn(at, path, n);
        if (!path[n])
            return at;
        path += n + 1;
    }
    return NULL;
}

const char *jstr(const json_t *obj, const char *path)
{
    return json_string_value(jat(obj, path));
}

const char *jstr_or(const json_t *obj, const char *path, const char *dflt)
{
    const char *s = jstr(obj, path);
    return s ? s : dflt;
}

int64_t jint(const json_t *obj, const char *path, int64_t dflt)
{
    json_t *j = jat(obj, path);
    return json_is_integer(j) ? (int64_t)json_integer_value(j) : dflt;
}

bool jbool(const json_t *obj, const char *path, bool dflt)
{
    json_t *j = jat(obj, path);
    return json_is_boolean(j) ? json_boolean_value(j) : dflt;
}

const char *jmap(const json_t *obj, const char *path, const char *key)
{
    return json_string_value(json_object_get(jat(obj, path), key));
}

static bool is_string(const json_t *j, const char *s)
{
    const char *v = json_string_value(j);
    return v && s && strcmp(v, s) == 0;
}

bool jarr_has(const json_t *obj, const char *path, const char *s)
{
    size_t i;
    json_t *item;
    json_array_foreach(jat(obj, path), i, item)
    {
        if (is_string(item, s))
            return true;
    }
    return false;
}

json_t *jfind(const json_t *obj, const char *path, const char *member, const char *s)
{
    size_t i;
    json_t *item;
    json_array_foreach(jat(obj, path), i, item)
    {
        if (is_string(json_object_get(item, member), s))
            return item;
    }
    return NULL;
}

/* The object that holds the last part of `path`, made on the way; *out_key points at that part. */
static json_t *parent_of(json_t *obj, const char *path, const char **out_key)
{
    for (;;) {
        size_t n = (size_t)(strchrnul(path, '.') - path);
        if (!path[n]) {
            *out_key = path;
            return obj;
        }
        json_t *next = json_object_getn(obj, path, n);
        if (!json_is_object(next)) {
            next = json_object();
            json_object_setn_new(obj, path, n, next);
        }
        obj = next;
        path += n + 1;
    }
}

void jset(json_t *obj, const char *path, json_t *take_value)
{
    const char *key;
    json_t *parent = parent_of(obj, path, &key);
    json_object_set_new_nocheck(parent, key, take_value);
}

/* What is no UTF-8 (cut in the middle of a character, a tool's words) would make the whole object unreadable: such a
 * text loses all that is not ASCII. */
static json_t *text_new(const char *s)
{
    json_t *text = json_string(s);
    if (text || !s)
        return text;
    _auto_free_ char *ascii = xstrdup(s);
    for (char *c = ascii; *c; c++)
        *c = *c & 0x80 ? '?' : *c;
    return json_string(ascii);
}

void jset_str(json_t *obj, const char *path, const char *s)
{
    jset(obj, path, text_new(s));
}

void jset_int(json_t *obj, const char *path, int64_t v)
{
    jset(obj, path, json_integer(v));
}

void jset_bool(json_t *obj, const char *path, bool v)
{
    jset(obj, path, json_boolean(v));
}

void jset_map(json_t *obj, const char *path, const char *key, const char *value)
{
    json_object_set_new_nocheck(jmake_obj(obj, path), key, text_new(value));
}

void jdel(json_t *obj, const char *path)
{
    const char *dot = strrchr(path, '.');
    if (!dot) {
        json_object_del(obj, path);
        return;
    }
    _auto_free_ char *parent = xstrndup(path, (size_t)(dot - path));
    json_object_del(jat(obj, parent), dot + 1);
}

json_t *jmake_obj(json_t *obj, const char *path)
{
    json_t *at = jat(obj, path);
    if (!json_is_object(at)) {
        at = json_object();
        jset(obj, path, at);
    }
    return at;
}

json_t *jmake_arr(json_t *obj, const char *path)
{
    json_t *at = jat(obj, path);
    if (!json_is_array(at)) {
        at = json_array();
        jset(obj, path, at);
    }
    return at;
}

bool jarr_add_unique(json_t *arr, const char *s)
{
    size_t i;
    json_t *item;
    json_array_foreach(arr, i, item)
    {
        if (is_string(item, s))
            return false;
    }
    json_array_append_new(arr, json_string_nocheck(s));
    return true;
}

bool jarr_remove(json_t *arr, const char *s)
{
    size_t i;
    json_t *item;
    json_array_foreach(arr, i, item)
    {
        if (is_string(item, s)) {
            json_array_remove(arr, i);
            return true;
        }
    }
    return false;
}

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

static void write_object(struct buf *out, const json_t *j)
{
    buf_addc(out, '{');
    bool first = true;
    for (void *it = json_object_iter((json_t *)j); it; it = json_object_iter_next((json_t *)j, it)) {
        if (!first)
            buf_addc(out, ',');
        first = false;
        buf_add_json_string(out, json_object_iter_key(it), json_object_iter_key_len(it));
        buf_addc(out, ':');
        json_write(out, json_object_iter_value(it));
    }
    buf_addc(out, '}');
}

static void write_array(struct buf *out, const json_t *j)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(j); i++) {
        if (i)
            buf_addc(out, ',');
        json_write(out, json_array_get(j, i));
    }
    buf_addc(out, ']');
}

void json_write(struct buf *out, const json_t *j)
{
    switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_OBJECT:
        write_object(out, j);
        break;
    case JSON_ARRAY:
        write_array(out, j);
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

static json_t *clone_object(const json_t *j)
{
    json_t *out = json_object();
    for (void *it = json_object_iter((json_t *)j); it; it = json_object_iter_next((json_t *)j, it))
        json_object_setn_new_nocheck(out, json_object_iter_key(it), json_object_iter_key_len(it),
                                     json_clone(json_object_iter_value(it)));
    return out;
}

static json_t *clone_array(const json_t *j)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(j); i++)
        json_array_append_new(out, json_clone(json_array_get(j, i)));
    return out;
}

json_t *json_clone(const json_t *j)
{
    if (json_is_object(j))
        return clone_object(j);
    if (json_is_array(j))
        return clone_array(j);
    return json_incref((json_t *)j);
}

/* Looks the members of one object up in another. Most often they stand in the same places there: then a step beside the
 * first one's own iteration finds them, and nothing is hashed. */
struct twin {
    const json_t *obj;
    void *at;
};

static struct twin twin_of(const json_t *obj)
{
    return (struct twin){obj, json_object_iter((json_t *)obj)};
}

static json_t *twin_find(struct twin *t, const char *key, size_t len)
{
    if (!t->at || json_object_iter_key_len(t->at) != len || memcmp(json_object_iter_key(t->at), key, len) != 0)
        return json_object_getn(t->obj, key, len);
    json_t *v = json_object_iter_value(t->at);
    t->at = json_object_iter_next((json_t *)t->obj, t->at);
    return v;
}

static bool same_members(const json_t *a, const json_t *b)
{
    struct twin twin = twin_of(b);
    if (json_object_size(a) != json_object_size(b))
        return false;
    for (void *it = json_object_iter((json_t *)a); it; it = json_object_iter_next((json_t *)a, it))
        if (!json_same(json_object_iter_value(it),
                       twin_find(&twin, json_object_iter_key(it), json_object_iter_key_len(it))))
            return false;
    return true;
}

static bool same_items(const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!json_same(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

bool json_same(const json_t *a, const json_t *b)
{
    if (a == b || !a || !b)
        return a && a == b;
    if (json_is_object(a) && json_is_object(b))
        return same_members(a, b);
    if (json_is_array(a) && json_is_array(b))
        return same_items(a, b);
    return json_equal(a, b);
}

json_t *json_unlike(const json_t *obj, const json_t *other)
{
    json_t *out = json_object();
    struct twin twin = twin_of(other);
    for (void *it = json_object_iter((json_t *)obj); it; it = json_object_iter_next((json_t *)obj, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        json_t *v = json_object_iter_value(it);
        if (!json_same(v, twin_find(&twin, key, len)))
            json_object_setn_new_nocheck(out, key, len, json_incref(v));
    }
    return out;
}

char *json_text(const json_t *j)
{
    struct buf b = BUF_INIT;
    json_write(&b, j);
    return buf_steal(&b, NULL);
}
