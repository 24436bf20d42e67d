/* view.c - other forms of the same data, see view_int.h.
 *
 * DESIGN: everything is text appended to a buffer. Indenting works on compact JSON as it stands, byte by byte, so it
 * can neither reorder nor respell anything.
 * THREADS: pure; objects are only read.
 * When you add a form: a case in accept.c (what asks for it) and here (what it looks like). */
#include "apiserver/view_int.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

json_t *view_tree(const struct resource *res, const struct sobj *obj)
{
    return reg_view_converts(res) ? reg_view(res, obj) : json_incref(obj->tree);
}

void view_bytes(const struct resource *res, const struct sobj *obj, struct buf *scratch, const char **out,
                size_t *out_len)
{
    if (!reg_view_converts(res)) {
        *out = obj->bytes;
        *out_len = obj->len;
        return;
    }
    _auto_json_ json_t *tree = reg_view(res, obj);
    buf_clear(scratch);
    json_write(scratch, tree);
    *out = scratch->data;
    *out_len = scratch->len;
}

int table_include(const char *text, enum include_object *out, struct err *e)
{
    static const struct {
        const char *text;
        enum include_object include;
    } known[] = {
        {"", INCLUDE_METADATA},
        {"Metadata", INCLUDE_METADATA},
        {"Object", INCLUDE_OBJECT},
        {"None", INCLUDE_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].text, text ? text : "") == 0) {
            *out = known[i].include;
            return 0;
        }
    return err_set(e, ERR_BAD_REQUEST,
                   "Unable to convert to Table as requested: includeObject: Invalid value: \"%s\": must be 'Metadata', "
                   "'Object', 'None', or empty",
                   text);
}

void table_open(struct buf *out, const struct resource *res, const struct table_opts *o, const char *metadata,
                bool columns)
{
    buf_addf(out,
             "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":%s,\"columnDefinitions\":", o->version,
             metadata);
    if (columns)
        table_columns_write(out, res);
    else
        buf_adds(out, "null");
    buf_adds(out, ",\"rows\":[");
}

void table_row(struct buf *out, const struct resource *res, const struct table_opts *o, const json_t *tree)
{
    table_row_write(out, res, tree, o->include, o->now);
}

void partial_write(struct buf *out, const char *version, const json_t *tree, bool item)
{
    buf_addc(out, '{');
    if (!item)
        buf_addf(out, "\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\",", version);
    buf_adds(out, "\"metadata\":");
    const json_t *meta = json_object_get(tree, "metadata");
    if (meta)
        json_write(out, meta);
    else
        buf_adds(out, "{}");
    buf_addc(out, '}');
}

/* -- indentation -- */

static void new_line(struct buf *out, size_t depth)
{
    buf_addc(out, '\n');
    for (size_t i = 0; i < depth; i++)
        buf_add(out, "  ", 2);
}

/* Copies a string literal; returns the position after it. */
static size_t copy_string(struct buf *out, const char *text, size_t at, size_t len)
{
    size_t start = at++;
    while (at < len && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    at = at < len ? at + 1 : len;
    buf_add(out, text + start, at - start);
    return at;
}

void json_indent(struct buf *out, const char *text, size_t len)
{
    size_t depth = 0;
    for (size_t i = 0; i < len;) {
        char c = text[i];
        if (c == '"') {
            i = copy_string(out, text, i, len);
            continue;
        }
        i++;
        if ((c == '{' || c == '[') && i < len && text[i] == (c == '{' ? '}' : ']')) {
            buf_add(out, text + i - 1, 2);
            i++;
        } else if (c == '{' || c == '[') {
            buf_addc(out, c);
            new_line(out, ++depth);
        } else if (c == '}' || c == ']') {
            new_line(out, depth ? --depth : 0);
            buf_addc(out, c);
        } else if (c == ',') {
            buf_addc(out, c);
            new_line(out, depth);
        } else if (c == ':') {
            buf_add(out, ": ", 2);
        } else {
            buf_addc(out, c);
        }
    }
}

/* -- YAML -- */

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted(const json_t *j);

static json_t *sorted_object(const json_t *j)
{
    size_t n = json_object_size(j), i = 0;
    _auto_free_ const char **keys = xcalloc(n, sizeof *keys);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)j, key, value) keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_key);
    json_t *out = json_object();
    for (i = 0; i < n; i++)
        json_object_set_new_nocheck(out, keys[i], sorted(json_object_get(j, keys[i])));
    return out;
}

/* A copy with the keys of every object in order. Returns new. */
static json_t *sorted(const json_t *j)
{
    if (json_is_object(j))
        return sorted_object(j);
    if (!json_is_array(j))
        return json_incref((json_t *)(uintptr_t)j);
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(j); i++)
        json_array_append_new(out, sorted(json_array_get(j, i)));
    return out;
}

void json_to_yaml(struct buf *out, const char *text, size_t len)
{
    _auto_json_ json_t *tree = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!tree)
        BUG("our own JSON does not parse");
    _auto_json_ json_t *ordered = sorted(tree);
    _auto_free_ char *yaml = yaml_text(ordered);
    buf_adds(out, yaml);
}
