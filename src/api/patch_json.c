/* patch_json.c - JSON Patch and JSON Merge Patch.
 *
 * JSON Patch works on one private copy of the document and stops at the first operation that does not apply; the caller
 * never sees a half-patched tree. The real server answers every such failure with one fixed sentence, so operations
 * only report that they failed. Where its library is laxer than RFC 6902 we are too, because clients may lean on it:
 * negative indexes count from the end, a path need not begin with a slash (what stands before the first one is
 * ignored), `test` for null passes on a missing member. THREADS: pure functions. When you add an operation, add its row
 * to `operations`. */
#include "api/patch.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OPERATIONS 10000
#define MAX_COPIED     (3 * 1024 * 1024) /* bytes that all copies of a patch add, as upstream */
#define MAX_DEPTH      1024              /* levels of the document; the store reads back no more than 2048 */

/* -- merge patch -- */

static json_t *merged(const json_t *doc, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_clone(patch);
    json_t *out =
        json_is_object(doc) ? json_copy((json_t *)doc) : json_object(); /* shallow: members are replaced, not edited */
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)patch, key, value)
    {
        if (json_is_null(value))
            json_object_del(out, key);
        else
            json_object_set_new(out, key, merged(json_object_get(out, key), value));
    }
    return out;
}

static const char *go_type(const json_t *v)
{
    switch (v == NULL ? JSON_NULL : json_typeof(v)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    case JSON_NULL:
        return "null";
    default:
        return "number";
    }
}

int patch_merge(const json_t *doc, const json_t *patch, json_t **out, struct err *e)
{
    if (!json_is_object(patch) && !json_is_null(patch))
        return err_set(e, ERR_BAD_REQUEST,
                       "error decoding patch: json: cannot unmarshal %s into Go value of type map[string]interface {}",
                       go_type(patch));
    _auto_json_ json_t *shared = json_is_null(patch) ? json_incref((json_t *)doc) : merged(doc, patch);
    *out = json_clone(shared); /* unshares what both trees hold */
    return 0;
}

/* -- JSON Patch -- */

struct work {
    json_t *doc;   /* owned */
    size_t copied; /* bytes, so far */
};
/* A place in the document: a member of an object or array. */
struct place {
    json_t *parent; /* borrows; NULL if the path leads nowhere */
    char *key;      /* owned */
    int depth;      /* levels above what stands there */
};

static void place_release(struct place *p)
{
    free(p->key);
}
#define _auto_place_ _cleanup_(place_release)

/* One segment of a path, unescaped. Returns new. */
static char *segment(const char *s, size_t len)
{
    char *out = xmalloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '~' && i + 1 < len && (s[i + 1] == '0' || s[i + 1] == '1'))
            out[n++] = s[++i] == '0' ? '~' : '/';
        else
            out[n++] = s[i];
    }
    out[n] = '\0';
    return out;
}

/* The index `key` names in an array of `count` places; -1 if none. */
static int index_of(const char *key, size_t count)
{
    int64_t i;
    if (!str_to_i64(key, &i) || i >= (int64_t)count || i < -(int64_t)count)
        return -1;
    return (int)(i < 0 ? i + (int64_t)count : i);
}

static json_t *child(const json_t *parent, const char *key)
{
    if (json_is_object(parent))
        return json_object_get(parent, key);
    if (!json_is_array(parent))
        return NULL;
    int i = index_of(key, json_array_size(parent));
    return i < 0 ? NULL : json_array_get(parent, (size_t)i);
}

static struct place place_find(json_t *doc, const char *path)
{
    struct place p = {.parent = doc};
    const char *at = path != NULL ? strchr(path, '/') : NULL;
    if (at == NULL)
        return (struct place){0};
    for (;;) {
        const char *end = strchrnul(at + 1, '/');
        p.depth++;
        p.key = segment(at + 1, (size_t)(end - at - 1));
        if (*end == '\0')
            break;
        p.parent = child(p.parent, p.key);
        free(p.key);
        p.key = NULL;
        at = end;
    }
    if (!json_is_object(p.parent) && !json_is_array(p.parent))
        p.parent = NULL;
    return p;
}

/* Has the value no more levels than these? */
static bool within(json_t *v, int levels)
{
    const char *key;
    size_t i;
    json_t *inner;
    if (levels <= 0)
        return false;
    json_array_foreach(v, i, inner)
    {
        if (!within(inner, levels - 1))
            return false;
    }
    json_object_foreach(v, key, inner)
    {
        if (!within(inner, levels - 1))
            return false;
    }
    return true;
}

static bool place_add(const struct place *p, json_t *take_value)
{
    if (!within(take_value, MAX_DEPTH - p->depth)) {
        json_decref(take_value);
        return false;
    }
    if (json_is_object(p->parent))
        return json_object_set_new(p->parent, p->key, take_value) == 0;
    size_t count = json_array_size(p->parent);
    int i = !json_is_array(p->parent) ? -1 : strcmp(p->key, "-") == 0 ? (int)count : index_of(p->key, count + 1);
    if (i < 0) {
        json_decref(take_value);
        return false;
    }
    return json_array_insert_new(p->parent, (size_t)i, take_value) == 0;
}

static bool place_remove(const struct place *p)
{
    if (json_is_object(p->parent))
        return json_object_del(p->parent, p->key) == 0;
    int i = index_of(p->key, json_array_size(p->parent));
    return i >= 0 && json_array_remove(p->parent, (size_t)i) == 0;
}

static json_t *value_of(const json_t *op)
{
    json_t *value = json_object_get(op, "value");
    return value != NULL ? json_clone(value) : json_null();
}

static bool op_add(struct work *w, const json_t *op)
{
    _auto_place_ struct place p = place_find(w->doc, jstr(op, "path"));
    return p.parent != NULL && place_add(&p, value_of(op));
}

static bool op_remove(struct work *w, const json_t *op)
{
    _auto_place_ struct place p = place_find(w->doc, jstr(op, "path"));
    return p.parent != NULL && place_remove(&p);
}

static bool op_replace(struct work *w, const json_t *op)
{
    if (str_eq(jstr(op, "path"), "")) {
        json_decref(w->doc);
        w->doc = value_of(op);
        return true;
    }
    _auto_place_ struct place p = place_find(w->doc, jstr(op, "path"));
    if (p.parent == NULL || child(p.parent, p.key) == NULL ||
        !within(json_object_get(op, "value"), MAX_DEPTH - p.depth))
        return false;
    if (json_is_object(p.parent))
        return json_object_set_new(p.parent, p.key, value_of(op)) == 0;
    int i = index_of(p.key, json_array_size(p.parent));
    return json_array_set_new(p.parent, (size_t)i, value_of(op)) == 0;
}

static bool op_copy(struct work *w, const json_t *op)
{
    _auto_place_ struct place from = place_find(w->doc, jstr(op, "from"));
    _auto_place_ struct place to = place_find(w->doc, jstr(op, "path"));
    json_t *value = from.parent != NULL ? child(from.parent, from.key) : NULL;
    w->copied += value != NULL ? json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;
    return value != NULL && w->copied <= MAX_COPIED && to.parent != NULL && place_add(&to, json_clone(value));
}

static bool op_move(struct work *w, const json_t *op)
{
    _auto_place_ struct place from = place_find(w->doc, jstr(op, "from"));
    _auto_json_ json_t *value = from.parent != NULL ? json_incref(child(from.parent, from.key)) : NULL;
    if (value == NULL || !place_remove(&from))
        return false;
    _auto_place_ struct place to = place_find(w->doc, jstr(op, "path"));
    return to.parent != NULL && place_add(&to, json_incref(value));
}

static bool op_test(struct work *w, const json_t *op)
{
    _auto_json_ json_t *want = value_of(op);
    if (str_eq(jstr(op, "path"), ""))
        return json_equal(w->doc, want);
    _auto_place_ struct place p = place_find(w->doc, jstr(op, "path"));
    if (p.parent == NULL)
        return false;
    const json_t *have = child(p.parent, p.key);
    return have != NULL ? json_equal(have, want) : json_is_null(want) && json_is_object(p.parent);
}

static const struct {
    const char *name;
    bool (*run)(struct work *w, const json_t *op);
} operations[] = {
    {"add", op_add},   {"remove", op_remove}, {"replace", op_replace},
    {"move", op_move}, {"copy", op_copy},     {"test", op_test},
};

static bool operation_run(struct work *w, const json_t *op)
{
    const char *name = jstr(op, "op");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (str_eq(operations[i].name, name))
            return operations[i].run(w, op);
    return false;
}

/* The shape of the whole list, before anything is applied. */
static int operations_check(const json_t *ops, struct err *e)
{
    static const char *const texts[] = {"op", "from", "path"};
    if (!json_is_array(ops))
        return err_set(e, ERR_BAD_REQUEST,
                       "error decoding patch: json: cannot unmarshal %s into Go value of type []handlers.jsonPatchOp",
                       go_type(ops));
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);
        if (!json_is_object(op))
            return err_set(e, ERR_BAD_REQUEST,
                           "error decoding patch: json: cannot unmarshal %s into Go value of type handlers.jsonPatchOp",
                           go_type(op));
        for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
            const json_t *v = json_object_get(op, texts[t]);
            if (v != NULL && !json_is_string(v) && !json_is_null(v))
                return err_set(e, ERR_BAD_REQUEST,
                               "error decoding patch: json: cannot unmarshal %s into Go struct field jsonPatchOp.%s of "
                               "type string",
                               go_type(v), texts[t]);
        }
    }
    if (json_array_size(ops) > MAX_OPERATIONS)
        return err_set(e, ERR_TOO_LARGE,
                       "Request entity too large: The allowed maximum operations in a JSON patch is %d, got %zu",
                       MAX_OPERATIONS, json_array_size(ops));
    return 0;
}

int patch_json(const json_t *doc, const json_t *ops, json_t **out, struct err *e)
{
    if (!json_is_null(ops) && operations_check(ops, e) < 0)
        return -1;
    struct work work = {.doc = json_clone(doc)};
    for (size_t i = 0; i < json_array_size(ops); i++)
        if (!operation_run(&work, json_array_get(ops, i))) {
            json_decref(work.doc);
            return err_set(e, ERR_INVALID, "the server rejected our request due to an error in our request");
        }
    *out = work.doc;
    return 0;
}
