/* managed_set.c - sets of field paths, kept as FieldsV1 trees: union, difference, intersection, order, printing.
 *
 * The form is described in managed_int.h. An operation walks two trees side by side and returns a new one that shares
 * nothing with them (entries of frozen objects stay frozen). THREADS: pure functions, but for those that say they
 * change. */
#include "api/managed_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static const char SELF[] = ".";

json_t *fields_leaf(void)
{
    return json_object();
}

bool fields_is_member(const json_t *node)
{
    return node != NULL && (json_object_size(node) == 0 || json_object_get(node, SELF) != NULL);
}

void fields_hang(json_t **node, const char *key, json_t *take_child)
{
    if (take_child == NULL)
        return;
    if (*node == NULL)
        *node = json_object();
    json_object_set_new(*node, key, take_child);
}

void fields_mark(json_t **node)
{
    if (*node == NULL)
        *node = fields_leaf();
    else if (json_object_size(*node) > 0)
        json_object_set_new(*node, SELF, json_object());
}

json_t *fields_branch(void)
{
    json_t *node = json_object();
    json_object_set_new_nocheck(node, SELF, fields_leaf());
    return node;
}

void fields_branch_end(json_t *branch)
{
    if (json_object_size(branch) == 1)
        json_object_clear(branch);
}

enum operation { OP_UNION, OP_MINUS, OP_COMMON };

static bool keeps(enum operation op, bool a, bool b)
{
    return op == OP_UNION ? a || b : op == OP_MINUS ? a && !b : a && b;
}

static json_t *combine(enum operation op, const json_t *a, const json_t *b, bool root)
{
    if (a == NULL || b == NULL) {
        const json_t *only = op == OP_COMMON ? NULL : op == OP_MINUS ? a : a != NULL ? a : b;
        return only != NULL ? json_clone(only) : NULL;
    }
    json_t *out = NULL, *child;
    const char *key;
    json_object_foreach((json_t *)a, key, child)
    {
        if (strcmp(key, SELF) != 0)
            fields_hang(&out, key, combine(op, child, json_object_get(b, key), false));
    }
    if (op == OP_UNION) {
        json_object_foreach((json_t *)b, key, child)
        {
            if (strcmp(key, SELF) != 0 && json_object_get(a, key) == NULL)
                fields_hang(&out, key, json_clone(child));
        }
    }
    if (!root && keeps(op, fields_is_member(a), fields_is_member(b)))
        fields_mark(&out);
    return out;
}

json_t *fields_union(const json_t *a, const json_t *b)
{
    return combine(OP_UNION, a, b, true);
}

json_t *fields_minus(const json_t *a, const json_t *b)
{
    return combine(OP_MINUS, a, b, true);
}

json_t *fields_common(const json_t *a, const json_t *b)
{
    return combine(OP_COMMON, a, b, true);
}

bool fields_meet(const json_t *a, const json_t *b)
{
    json_t *below;
    const char *key;
    json_object_foreach((json_t *)b, key, below)
    {
        const json_t *same = strcmp(key, SELF) != 0 ? json_object_get(a, key) : NULL;
        if (same == NULL)
            continue;
        if ((fields_is_member(same) && fields_is_member(below)) || fields_meet(same, below))
            return true;
    }
    return false;
}

/* -- order -- */

/* Scalars in the order of structured-merge-diff: by value, not by text, so that port 80 comes before 443. */
static int value_cmp(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return (x > y) - (x < y);
    }
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    return (int)json_typeof(a) - (int)json_typeof(b);
}

static int decoded_cmp(const char *a, const char *b)
{
    _auto_json_ json_t *x = json_loads(a, JSON_DECODE_ANY, NULL), *y = json_loads(b, JSON_DECODE_ANY, NULL);
    if (!json_is_object(x) || !json_is_object(y))
        return x != NULL && y != NULL ? value_cmp(x, y) : strcmp(a, b);
    const char *key;
    json_t *v;
    json_object_foreach(x, key, v)
    {
        const json_t *w = json_object_get(y, key);
        int c = w != NULL ? value_cmp(v, w) : -1;
        if (c != 0)
            return c;
    }
    return 0;
}

static int key_cmp(const void *pa, const void *pb)
{
    const char *a = *(const char *const *)pa, *b = *(const char *const *)pb;
    if (*a != *b || (*a != 'k' && *a != 'v'))
        return strcmp(a, b); /* "." < "f:" < "k:" < "v:" */
    return decoded_cmp(a + 2, b + 2);
}

static bool is_sorted(const json_t *node)
{
    const char *key, *last = NULL;
    json_t *child;
    json_object_foreach((json_t *)node, key, child)
    {
        if (last != NULL && key_cmp(&last, &key) > 0)
            return false;
        last = key;
    }
    return true;
}

static void sort_members(json_t *node)
{
    size_t n = 0;
    _auto_free_ const char **keys = xcalloc(json_object_size(node), sizeof *keys);
    _auto_json_ json_t *all = json_copy(node); /* keeps keys and children alive */
    const char *key;
    json_t *child;
    json_object_foreach(all, key, child) keys[n++] = key;
    qsort(keys, n, sizeof *keys, key_cmp);
    json_object_clear(node);
    for (size_t i = 0; i < n; i++)
        json_object_set(node, keys[i], json_object_get(all, keys[i]));
}

void fields_sort(json_t *node)
{
    const char *key;
    json_t *child;
    json_object_foreach(node, key, child) fields_sort(child);
    if (!is_sorted(node))
        sort_members(node);
}

/* -- printing -- */

static void element_write(struct buf *out, const char *key)
{
    if (*key == 'f') {
        buf_addf(out, ".%s", key + 2);
        return;
    }
    if (*key == 'v') {
        buf_addf(out, "[=%s]", key + 2);
        return;
    }
    _auto_json_ json_t *parts = json_loads(key + 2, 0, NULL);
    const char *name;
    json_t *value;
    const char *lead = "[";
    json_object_foreach(parts, name, value)
    {
        _auto_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        buf_addf(out, "%s%s=%s", lead, name, text);
        lead = ",";
    }
    buf_addc(out, ']');
}

static void each_below(const json_t *node, struct buf *path, void (*each)(const char *path, void *arg), void *arg)
{
    const char *key;
    json_t *child;
    size_t len = path->len;
    for (int members = 1; members >= 0; members--) {
        json_object_foreach((json_t *)node, key, child)
        {
            if (strcmp(key, SELF) == 0 || (members == 1 ? !fields_is_member(child) : json_object_size(child) == 0))
                continue;
            _auto_buf_ struct buf deeper = BUF_INIT;
            buf_add(&deeper, path->data != NULL ? path->data : "", len);
            element_write(&deeper, key);
            if (members == 1)
                each(buf_str(&deeper), arg);
            else
                each_below(child, &deeper, each, arg);
        }
    }
}

void fields_each(const json_t *set, void (*each)(const char *path, void *arg), void *arg)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *sorted = json_clone(set);
    fields_sort(sorted);
    each_below(sorted, &path, each, arg);
}
