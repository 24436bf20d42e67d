/* patch_strategic.c - strategic merge patch: merging that knows which lists are keyed.
 *
 * DESIGN: works on private copies of document and patch, map by map. In each map first the directives ($patch,
 * $retainKeys), then the lists that come with an order ($setElementOrder/NAME), then all other members. A keyed list is
 * merged element by element and then put in order: an order asked for wins over the patch's own, that over the old one;
 * what the patch does not mention stays where it was relative to its neighbours, so unmatched new elements end up in
 * front.
 *
 * Members the schema does not know (and everything below raw JSON) merge as plain maps; their lists are replaced.
 *
 * INVARIANTS: the patch copy is consumed on the way: what is handled is deleted from it, so nothing is merged twice.
 * THREADS: pure functions. Source of the rules: apimachinery strategicpatch. */
#include "api/patch.h"

#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define PATCH       "$patch"
#define RETAIN_KEYS "$retainKeys"
static const char ORDER_PREFIX[] = "$setElementOrder/";
static const char DELETE_PREFIX[] = "$deleteFromPrimitiveList/";

/* How the schema wants one member merged. */
struct manner {
    const struct schema_type *type; /* of the member, or of the list's elements; NULL unknown */
    bool merge, replace;
    const char *key; /* merge key, or NULL */
};

static int merge_map(const struct schema_type *t, json_t *original, json_t *patch, json_t **out, struct err *e);

static struct manner manner_of(const struct schema_type *t, const char *name)
{
    const struct schema_field *f = t != NULL ? schema_field(t, name, strlen(name)) : NULL;
    if (f == NULL)
        return (struct manner){0};
    bool plain = f->shape == SHAPE_ONE || f->shape == SHAPE_LIST;
    return (struct manner){plain ? f->type : NULL, f->patch_merge, f->patch_replace, f->merge_key};
}

/* "format" with the value at %s as Go's %v. Returns -1. */
static int refuse(struct err *e, const char *before, const json_t *value, const char *after)
{
    _auto_buf_ struct buf b = BUF_INIT;
    go_plain_write(&b, value);
    return err_set(e, ERR_INTERNAL, "%s%s%s", before, buf_str(&b), after);
}

static int refuse_no_key(struct err *e, const json_t *element, const char *key)
{
    _auto_free_ char *after = xasprintf(" does not contain declared merge key: %s", key);
    return refuse(e, "map: ", element, after);
}

static int refuse_directive(struct err *e, const json_t *directive, const json_t *map)
{
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, "unknown patch type: ");
    go_plain_write(&b, directive);
    buf_adds(&b, " in map: ");
    return refuse(e, buf_str(&b), map, "");
}

static int refuse_type(struct err *e, const char *want, const json_t *got)
{
    static const char *const go[] = {[JSON_OBJECT] = "map[string]interface {}",
                                     [JSON_ARRAY] = "[]interface {}",
                                     [JSON_STRING] = "string",
                                     [JSON_INTEGER] = "int64",
                                     [JSON_REAL] = "float64",
                                     [JSON_TRUE] = "bool",
                                     [JSON_FALSE] = "bool",
                                     [JSON_NULL] = "<nil>"};
    return err_set(e, ERR_INTERNAL, "expected a %s, but received a %s", want, go[json_typeof(got)]);
}

/* -- lists -- */

/* Position of the element equal to `item` (by `key`, or as a whole), or -1. */
static int find(const json_t *list, const json_t *item, const char *key)
{
    const json_t *want = key != NULL ? json_object_get(item, key) : item;
    for (size_t i = 0; want != NULL && i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        if (json_equal(key != NULL ? json_object_get(element, key) : element, want))
            return (int)i;
    }
    return -1;
}

/* Stable sort by position in `order`; what is not in it comes first, as it stands. */
static void sort_by(json_t *list, const json_t *order, const char *key)
{
    for (size_t i = 1; i < json_array_size(list); i++) {
        json_t *item = json_incref(json_array_get(list, i));
        int at = find(order, item, key);
        size_t to = i;
        while (to > 0 && find(order, json_array_get(list, to - 1), key) > at)
            to--;
        json_array_remove(list, i);
        json_array_insert_new(list, to, item);
    }
}

/* Puts `list` in order: elements in `order` follow it, the others keep their place relative to `old`. Returns new. */
static json_t *ordered(const json_t *list, const json_t *order, const json_t *old, const char *key)
{
    _auto_json_ json_t *named = json_array(), *rest = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        json_array_append(find(order, item, key) >= 0 ? named : rest, item);
    }
    sort_by(named, order, key);
    sort_by(rest, old, key);
    json_t *out = json_array();
    size_t n = 0, r = 0;
    while (n < json_array_size(named) || r < json_array_size(rest)) {
        json_t *a = json_array_get(named, n), *b = json_array_get(rest, r);
        int at_a = a != NULL ? find(old, a, key) : -1, at_b = b != NULL ? find(old, b, key) : -1;
        bool rest_first = a == NULL || (b != NULL && at_a >= 0 && at_b >= 0 && at_b < at_a);
        json_array_append(out, rest_first ? b : a);
        if (rest_first)
            r++;
        else
            n++;
    }
    return out;
}

/* Carries out {"$patch": …} elements: deletes in `original`, leaves the others in *out_plain. */
static int take_special(json_t *original, const json_t *patch, const char *key, json_t *plain, bool *out_replace,
                        struct err *e)
{
    for (size_t i = 0; i < json_array_size(patch); i++) {
        json_t *element = json_array_get(patch, i);
        const json_t *directive = json_object_get(element, PATCH);
        const char *what = json_string_value(directive);
        if (directive == NULL) {
            json_array_append(plain, element);
        } else if (str_eq(what, "delete")) {
            if (json_object_get(element, key) == NULL)
                return refuse_no_key(e, element, key);
            for (int at; (at = find(original, element, key)) >= 0;)
                json_array_remove(original, (size_t)at);
        } else if (str_eq(what, "replace")) {
            *out_replace = true;
        } else if (str_eq(what, "merge")) {
            return err_set(e, ERR_INTERNAL, "merging lists cannot yet be specified in the patch");
        } else {
            return refuse_directive(e, directive, element);
        }
    }
    return 0;
}

static int all_maps(const json_t *list, struct err *e)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_object(json_array_get(list, i)))
            return refuse_type(e, "map[string]interface {}", json_array_get(list, i));
    return 0;
}

/* Merges elements matched by key. `original` is changed; *out is it or the replacement, in order. */
static int merge_keyed(const struct manner *m, json_t *original, const json_t *patch, json_t **out, struct err *e)
{
    bool replace = false;
    _auto_json_ json_t *plain = json_array();
    if (all_maps(original, e) < 0 || all_maps(patch, e) < 0 ||
        take_special(original, patch, m->key, plain, &replace, e) < 0)
        return -1;
    if (replace) {
        *out = TAKE(plain);
        return 0;
    }
    _auto_json_ json_t *merged = json_copy(original);
    for (size_t i = 0; i < json_array_size(plain); i++) {
        json_t *element = json_array_get(plain, i), *both = NULL;
        if (json_object_get(element, m->key) == NULL)
            return refuse_no_key(e, element, m->key);
        int at = find(merged, element, m->key);
        if (at < 0) {
            json_array_append(merged, element);
            continue;
        }
        if (merge_map(m->type, json_array_get(merged, (size_t)at), element, &both, e) < 0)
            return -1;
        json_array_set_new(merged, (size_t)at, both);
    }
    *out = ordered(merged, plain, original, m->key);
    return 0;
}

static json_t *union_of(const json_t *a, const json_t *b)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(a) + json_array_size(b); i++) {
        json_t *v = i < json_array_size(a) ? json_array_get(a, i) : json_array_get(b, i - json_array_size(a));
        if (find(out, v, NULL) < 0)
            json_array_append(out, v);
    }
    return out;
}

static json_t *difference_of(const json_t *a, const json_t *b)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(a); i++)
        if (find(b, json_array_get(a, i), NULL) < 0)
            json_array_append(out, json_array_get(a, i));
    return out;
}

static int merge_list(const struct manner *m, json_t *original, json_t *patch, json_t **out, struct err *e)
{
    if (!m->merge) {
        *out = json_incref(patch);
        return 0;
    }
    if (json_array_size(original) + json_array_size(patch) == 0) {
        *out = json_incref(original);
        return 0;
    }
    const json_t *first = json_array_get(json_array_size(original) > 0 ? original : patch, 0);
    if (!json_is_object(first)) {
        _auto_json_ json_t *both = union_of(original, patch);
        *out = ordered(both, patch, original, NULL);
        return 0;
    }
    if (m->key == NULL)
        return err_set(e, ERR_INTERNAL, "cannot merge lists without merge key for type struct");
    return merge_keyed(m, original, patch, out, e);
}

/* -- directives of a map -- */

static bool is_directive(const char *name)
{
    return str_starts(name, ORDER_PREFIX) || str_starts(name, DELETE_PREFIX);
}

static bool names_has(const json_t *names, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++)
        if (str_eq(json_string_value(json_array_get(names, i)), name))
            return true;
    return false;
}

/* Drops all members of `original` that $retainKeys does not name. */
static int apply_retain_keys(json_t *original, json_t *patch, struct err *e)
{
    static const char WRONG[] = "invalid patch format of retainKeys";
    _auto_json_ json_t *keep = json_incref(json_object_get(patch, RETAIN_KEYS));
    if (keep == NULL)
        return 0;
    json_object_del(patch, RETAIN_KEYS);
    if (!json_is_array(keep))
        return err_set(e, ERR_BAD_REQUEST, "%s", WRONG);
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach(patch, name, value)
    {
        if (!json_is_null(value) && !is_directive(name) && !names_has(keep, name))
            return err_set(e, ERR_BAD_REQUEST, "%s", WRONG);
    }
    json_object_foreach_safe(original, next, name, value)
    {
        if (!names_has(keep, name))
            json_object_del(original, name);
    }
    return 0;
}

/* Every element of the patch must stand in the asked order, in the same sequence. */
static int check_order(const json_t *patch, const json_t *order, const char *key, struct err *e)
{
    size_t p = 0, o = 0, count = json_array_size(patch);
    if (count == 0 || json_array_size(order) == 0)
        return 0;
    while (p < count && o < json_array_size(order)) {
        const json_t *element = json_array_get(patch, p), *place = json_array_get(order, o);
        if (json_object_get(element, PATCH) != NULL) {
            p++;
            continue;
        }
        const json_t *a = key != NULL ? json_object_get(element, key) : element;
        const json_t *b = key != NULL ? json_object_get(place, key) : place;
        if (a == NULL || b == NULL)
            return refuse_no_key(e, a == NULL ? element : place, key);
        if (json_equal(a, b))
            p++;
        o++;
    }
    while (p < count && json_object_get(json_array_get(patch, p), PATCH) != NULL)
        p++;
    if (p == count)
        return 0;
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, "The order in patch list:\n");
    go_plain_write(&b, patch);
    buf_adds(&b, "\n doesn't match $setElementOrder list:\n");
    return refuse(e, buf_str(&b), order, "\n");
}

/* One $setElementOrder/NAME: merges list NAME (if the patch has it) and orders it. */
static int merge_ordered(const struct schema_type *t, json_t *original, json_t *patch, const char *name,
                         const json_t *order, struct err *e)
{
    struct manner m = manner_of(t, name);
    json_t *old = json_object_get(original, name), *new = json_object_get(patch, name);
    if (!json_is_array(order))
        return refuse_type(e, "[]interface {}", order);
    if (old != NULL && !json_is_array(old))
        return refuse_type(e, "[]interface {}", old);
    if (new != NULL && !json_is_array(new))
        return refuse_type(e, "[]interface {}", new);
    if (check_order(new, order, m.key, e) < 0)
        return -1;
    if (old == NULL && new == NULL)
        return 0;
    _auto_json_ json_t *none = json_array(), *before = json_copy(old != NULL ? old : none), *merged = NULL;
    if (new == NULL)
        merged = json_incref(old);
    else if (merge_list(&m, old != NULL ? old : none, new, &merged, e) < 0)
        return -1;
    json_object_set_new(original, name, ordered(merged, order, before, m.key));
    json_object_del(patch, name);
    return 0;
}

static int apply_orders(const struct schema_type *t, json_t *original, json_t *patch, struct err *e)
{
    _auto_strlist_ struct strlist names = {0};
    const char *key;
    json_t *value;
    json_object_foreach(patch, key, value)
    {
        if (str_starts(key, ORDER_PREFIX))
            strlist_add(&names, key);
    }
    for (size_t i = 0; i < names.len; i++) {
        _auto_json_ json_t *order = json_incref(json_object_get(patch, names.items[i]));
        json_object_del(patch, names.items[i]);
        if (merge_ordered(t, original, patch, names.items[i] + strlen(ORDER_PREFIX), order, e) < 0)
            return -1;
    }
    return 0;
}

/* -- maps -- */

/* What a patch value becomes where the document has nothing: no nulls, no directives, no deleted elements. Returns new
 * or NULL. */
static json_t *without_directives(const json_t *v)
{
    if (json_is_object(v)) {
        if (str_eq(json_string_value(json_object_get(v, PATCH)), "delete"))
            return NULL;
        json_t *out = json_object();
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)v, key, member)
        {
            json_t *kept = json_is_null(member) || is_directive(key) || str_eq(key, PATCH) || str_eq(key, RETAIN_KEYS)
                               ? NULL
                               : without_directives(member);
            if (kept != NULL)
                json_object_set_new(out, key, kept);
        }
        return out;
    }
    if (!json_is_array(v))
        return json_incref((json_t *)v);
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *element = json_array_get(v, i);
        bool marker = json_object_size(element) == 1 && json_object_get(element, PATCH) != NULL;
        json_t *kept = marker ? NULL : without_directives(element);
        if (kept != NULL)
            json_array_append_new(out, kept);
    }
    return out;
}

static bool same_kind(const json_t *a, const json_t *b)
{
    return json_typeof(a) == json_typeof(b) || (json_is_boolean(a) && json_is_boolean(b));
}

static int merge_member(const struct schema_type *t, json_t *original, const char *key, json_t *value, struct err *e)
{
    if (str_starts(key, DELETE_PREFIX)) {
        const char *name = key + strlen(DELETE_PREFIX);
        json_t *list = json_object_get(original, name);
        if (json_is_array(list) && json_is_array(value))
            json_object_set_new(original, name, difference_of(list, value));
        return 0;
    }
    if (json_is_null(value)) {
        json_object_del(original, key);
        return 0;
    }
    json_t *old = json_object_get(original, key), *merged = NULL;
    struct manner m = manner_of(t, key);
    if (old == NULL || !same_kind(old, value)) {
        merged = without_directives(value);
    } else if (json_is_object(value) && !m.replace) {
        if (merge_map(m.type, old, value, &merged, e) < 0)
            return -1;
    } else if (json_is_array(value)) {
        if (merge_list(&m, old, value, &merged, e) < 0)
            return -1;
    } else {
        merged = json_incref(value);
    }
    if (merged != NULL)
        json_object_set_new(original, key, merged);
    return 0;
}

/* Both are private to the caller and may change. */
static int merge_map(const struct schema_type *t, json_t *original, json_t *patch, json_t **out, struct err *e)
{
    const json_t *directive = json_object_get(patch, PATCH);
    if (directive != NULL) {
        bool replace = str_eq(json_string_value(directive), "replace");
        if (!replace && !str_eq(json_string_value(directive), "delete"))
            return refuse_directive(e, directive, patch);
        json_object_del(patch, PATCH);
        *out = replace ? json_incref(patch) : json_object();
        return 0;
    }
    if (apply_retain_keys(original, patch, e) < 0 || apply_orders(t, original, patch, e) < 0)
        return -1;
    const char *key;
    json_t *value;
    json_object_foreach(patch, key, value)
    {
        if (merge_member(t, original, key, value, e) < 0)
            return -1;
    }
    *out = json_incref(original);
    return 0;
}

int patch_strategic(const struct schema_type *t, const json_t *doc, const json_t *patch, json_t **out, struct err *e)
{
    _auto_json_ json_t *merged = NULL, *work = json_clone(doc), *changes = json_clone(patch);
    if (json_is_null(changes)) {
        *out = TAKE(work);
        return 0;
    }
    if (!json_is_object(changes))
        return err_set(e, ERR_BAD_REQUEST, "json: cannot unmarshal %s into Go value of type map[string]interface {}",
                       json_is_array(changes)     ? "array"
                       : json_is_string(changes)  ? "string"
                       : json_is_boolean(changes) ? "bool"
                                                  : "number");
    if (merge_map(t, work, changes, &merged, e) < 0)
        return -1;
    *out = json_clone(merged); /* elements of the patch may stand in two places */
    return 0;
}
