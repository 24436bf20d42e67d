/* json.c - see json.h.
 *
 * DESIGN: a path is walked without copying; lookups by length (json_object_getn) make that free. THREADS: reading a
 * frozen tree is safe from any thread; editing is for the tree's only owner. */
#include "base/json.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

json_t *jat(const json_t *obj, const char *path)
{
    json_t *at = (json_t *)obj;
    while (at) {
        size_t n = strcspn(path, ".");
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
    return v && strcmp(v, s) == 0;
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

/* The object that holds the last part of `path`, made on the way; *out_key points at that part. */
static json_t *parent_of(json_t *obj, const char *path, const char **out_key)
{
    for (;;) {
        size_t n = strcspn(path, ".");
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

void jset_str(json_t *obj, const char *path, const char *s)
{
    jset(obj, path, json_string_nocheck(s));
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
    json_object_set_new_nocheck(jmake_obj(obj, path), key, json_string_nocheck(value));
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

json_t *json_unlike(const json_t *obj, const json_t *other)
{
    json_t *out = json_object(), *v;
    const char *key;
    json_object_foreach((json_t *)obj, key, v)
    {
        if (!json_equal(v, json_object_get(other, key)))
            json_object_set_nocheck(out, key, v);
    }
    return out;
}

char *json_text(const json_t *j)
{
    struct buf b = BUF_INIT;
    json_write(&b, j);
    return buf_steal(&b, NULL);
}
