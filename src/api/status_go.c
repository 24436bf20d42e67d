/* status_go.c - values as Go prints them, for error texts.
 *
 * Kubernetes puts values into messages with %#v (field errors) or %v (patch errors); both order map keys. The static
 * types behind a JSON tree are not known here, so %#v names the types the common cases have: map[string]string and
 * []string when every member is a string, the empty interface else. THREADS: pure functions. */
#include "api/status.h"

#include "base/json.h"
#include "base/str.h"

#include <string.h>

/* The member names of an object, sorted. */
static void sorted_keys(const json_t *object, struct strlist *out)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member) strlist_add(out, key);
    strlist_sort(out);
}

/* The element type Go would name for these members: "string" when all are, else the empty interface. */
static bool all_strings(const json_t *v)
{
    size_t i;
    const char *key;
    json_t *member;
    if (json_is_array(v)) {
        json_array_foreach((json_t *)v, i, member)
        {
            if (!json_is_string(member))
                return false;
        }
        return true;
    }
    json_object_foreach((json_t *)v, key, member)
    {
        if (!json_is_string(member))
            return false;
    }
    return true;
}

static void go_map_write(struct buf *out, const json_t *v)
{
    _auto_strlist_ struct strlist keys = {0};
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)v, key, member) strlist_add(&keys, key);
    strlist_sort(&keys);
    buf_adds(out, all_strings(v) ? "map[string]string{" : "map[string]interface {}{");
    for (size_t i = 0; i < keys.len; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        buf_add_quoted(out, keys.items[i], strlen(keys.items[i]));
        buf_addc(out, ':');
        go_value_write(out, json_object_get(v, keys.items[i]));
    }
    buf_addc(out, '}');
}

static void go_slice_write(struct buf *out, const json_t *v)
{
    size_t i;
    json_t *member;
    buf_adds(out, all_strings(v) ? "[]string{" : "[]interface {}{");
    json_array_foreach((json_t *)v, i, member)
    {
        if (i > 0)
            buf_adds(out, ", ");
        go_value_write(out, member);
    }
    buf_addc(out, '}');
}

void go_value_write(struct buf *out, const json_t *v)
{
    switch (v == NULL ? JSON_NULL : json_typeof(v)) {
    case JSON_NULL:
        buf_adds(out, "null");
        break;
    case JSON_STRING:
        buf_add_quoted(out, json_string_value(v), json_string_length(v));
        break;
    case JSON_OBJECT:
        go_map_write(out, v);
        break;
    case JSON_ARRAY:
        go_slice_write(out, v);
        break;
    default:
        json_write(out, v);
    }
}

void go_plain_write(struct buf *out, const json_t *v)
{
    if (json_is_object(v)) {
        _auto_strlist_ struct strlist keys = {0};
        sorted_keys(v, &keys);
        buf_adds(out, "map[");
        for (size_t i = 0; i < keys.len; i++) {
            buf_adds(out, i > 0 ? " " : "");
            buf_adds(out, keys.items[i]);
            buf_addc(out, ':');
            go_plain_write(out, json_object_get(v, keys.items[i]));
        }
        buf_addc(out, ']');
    } else if (json_is_array(v)) {
        buf_addc(out, '[');
        for (size_t i = 0; i < json_array_size(v); i++) {
            buf_adds(out, i > 0 ? " " : "");
            go_plain_write(out, json_array_get(v, i));
        }
        buf_addc(out, ']');
    } else if (json_is_string(v)) {
        buf_add(out, json_string_value(v), json_string_length(v));
    } else if (v == NULL || json_is_null(v)) {
        buf_adds(out, "<nil>");
    } else {
        json_write(out, v);
    }
}
