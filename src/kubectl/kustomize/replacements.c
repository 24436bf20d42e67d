/* replacements.c - a value of one object, written into fields of others. See build_int.h.
 *
 * DESIGN: a path is "spec.containers.[name=web].image": a step is a member's name, an item by number, "[name=web]" for
 * the items with that member, "*" for all; "\." and a step in brackets keep dots. */
#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <string.h>

static void path_steps(const char *path, struct strlist *out)
{
    _auto_buf_ struct buf step = BUF_INIT;
    bool bracket = false;
    for (const char *p = path;; p++) {
        if (*p == '\0' || (*p == '.' && !bracket)) {
            strlist_add(out, buf_str(&step));
            buf_clear(&step);
            if (!*p)
                return;
            continue;
        }
        bracket = *p == '[' || (bracket && *p != ']');
        if (*p == '\\' && p[1] == '.')
            p++;
        buf_addc(&step, *p);
    }
}

/* ---- one field ---- */

struct options {
    const char *delimiter;
    int64_t index;
    bool create;
};

static struct options options_of(const json_t *from)
{
    const json_t *o = json_object_get(from, "options");
    return (struct options){jstr_or(o, "delimiter", ""), jint(o, "index", 0), jbool(o, "create", false)};
}

/* One part of a text that a delimiter divides. Out of range: NULL. Returns new. */
static char *part_of(const char *text, const struct options *o)
{
    _auto_strlist_ struct strlist parts = {0};
    if (!*o->delimiter)
        return xstrdup(text);
    strlist_split(&parts, text, *o->delimiter);
    return o->index >= 0 && (size_t)o->index < parts.len ? xstrdup(parts.items[o->index]) : NULL;
}

static char *with_part(const char *text, const char *value, const struct options *o)
{
    _auto_strlist_ struct strlist parts = {0};
    if (!*o->delimiter)
        return xstrdup(value);
    if (o->index < 0)
        return xasprintf("%s%s%s", value, o->delimiter, text);
    strlist_split(&parts, text, *o->delimiter);
    if ((size_t)o->index >= parts.len)
        return xasprintf("%s%s%s", text, o->delimiter, value);
    char *part = parts.items[o->index];
    parts.items[o->index] = xstrdup(value);
    char *whole = strlist_join(&parts, o->delimiter);
    free_cleanup(&part);
    return whole;
}

static json_t *replaced(const json_t *old, const json_t *value, const struct options *o)
{
    if (!*o->delimiter || !json_is_string(value))
        return json_deep_copy(value);
    _auto_free_ char *text = with_part(json_is_string(old) ? json_string_value(old) : "", json_string_value(value), o);
    return json_string(text);
}

/* Is this item of a list meant by "[name=web]", "*" or a number? */
static bool item_is_meant(const json_t *item, size_t i, const char *step)
{
    const char *equal = strchr(step, '=');
    if (str_eq(step, "*"))
        return true;
    if (*step != '[' || !equal) {
        _auto_free_ char *number = xasprintf("%zu", i);
        return str_eq(number, step);
    }
    _auto_free_ char *key = xstrndup(step + 1, (size_t)(equal - step - 1));
    _auto_free_ char *value = xstrndup(equal + 1, strcspn(equal + 1, "]"));
    return str_eq(jstr(item, key), value);
}

/* How many fields were set. */
static size_t set_at(json_t *at, char *const *steps, size_t count, const json_t *value, const struct options *o);

static size_t set_in_list(json_t *list, char *const *steps, size_t count, const json_t *value, const struct options *o)
{
    size_t set = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        if (!item_is_meant(item, i, steps[0]))
            continue;
        if (count > 1) {
            set += set_at(item, steps + 1, count - 1, value, o);
        } else {
            json_array_set_new(list, i, replaced(item, value, o));
            set++;
        }
    }
    return set;
}

static size_t set_at(json_t *at, char *const *steps, size_t count, const json_t *value, const struct options *o)
{
    const size_t n = strlen(steps[0]);
    _auto_free_ char *key = steps[0][0] == '[' && n > 2 ? xstrndup(steps[0] + 1, n - 2) : xstrdup(steps[0]);
    if (json_is_array(at))
        return set_in_list(at, steps, count, value, o);
    json_t *next = json_object_get(at, key);
    if (!json_is_object(at) || (!next && !o->create))
        return 0;
    if (count == 1) {
        json_object_set_new(at, key, replaced(next, value, o));
        return 1;
    }
    if (!next)
        json_object_set_new(at, key, next = json_object());
    return set_at(next, steps + 1, count - 1, value, o);
}

static const json_t *value_at(const json_t *at, const struct strlist *steps)
{
    for (size_t i = 0; at && i < steps->len; i++) {
        const json_t *next = json_is_object(at) ? json_object_get(at, steps->items[i]) : NULL;
        for (size_t k = 0; !next && k < json_array_size(at); k++)
            if (item_is_meant(json_array_get(at, k), k, steps->items[i]))
                next = json_array_get(at, k);
        at = next;
    }
    return at;
}

/* ---- source and targets ---- */

/* *out: new. */
static int read_source(const struct layer *l, const json_t *source, json_t **out, struct err *e)
{
    const struct options o = options_of(source);
    const char *path = jstr_or(source, "fieldPath", "metadata.name");
    const struct element *found = NULL;
    _auto_strlist_ struct strlist steps = {0};
    for (size_t i = 0; i < l->all->len; i++) {
        if (!target_means(source, &l->all->items[i]))
            continue;
        if (found)
            return err_set(e, ERR_BAD_REQUEST, "multiple matches for selector %s", jstr_or(source, "kind", ""));
        found = &l->all->items[i];
    }
    if (!found)
        return err_set(e, ERR_NOT_FOUND, "nothing selected by %s:%s", jstr_or(source, "kind", ""),
                       jstr_or(source, "name", ""));
    path_steps(path, &steps);
    const json_t *value = value_at(found->object, &steps);
    if (!value)
        return err_set(e, ERR_NOT_FOUND, "fieldPath `%s` is missing for replacement source %s:%s", path,
                       element_kind(found), element_name(found));
    if (!json_is_string(value)) {
        *out = json_deep_copy(value);
        return 0;
    }
    _auto_free_ char *part = part_of(json_string_value(value), &o);
    if (!part)
        return err_set(e, ERR_BAD_REQUEST, "options.index %d is out of bounds for value %s", (int)o.index,
                       json_string_value(value));
    *out = json_string(part);
    return 0;
}

static bool is_rejected(const json_t *rejects, const struct element *x)
{
    size_t i;
    json_t *reject;
    json_array_foreach(rejects, i, reject) if (target_means(reject, x)) return true;
    return false;
}

static int write_fields(struct element *x, const json_t *target, const json_t *value, struct err *e)
{
    const struct options o = options_of(target);
    size_t i;
    json_t *path;
    json_array_foreach(json_object_get(target, "fieldPaths"), i, path)
    {
        const char *text = json_is_string(path) ? json_string_value(path) : "";
        _auto_strlist_ struct strlist steps = {0};
        path_steps(text, &steps);
        if (set_at(x->object, steps.items, steps.len, value, &o) == 0)
            return err_set(e, ERR_NOT_FOUND, "unable to find field \"%s\" in replacement target", text);
    }
    return 0;
}

static int run_one(struct layer *l, const json_t *replacement, struct err *e)
{
    _auto_json_ json_t *value = NULL;
    size_t i;
    json_t *target;
    if (read_source(l, json_object_get(replacement, "source"), &value, e) < 0)
        return -1;
    json_array_foreach(json_object_get(replacement, "targets"), i, target)
    {
        for (size_t k = 0; k < l->all->len; k++) {
            struct element *x = &l->all->items[k];
            if (target_means(json_object_get(target, "select"), x) &&
                !is_rejected(json_object_get(target, "reject"), x) && write_fields(x, target, value, e) < 0)
                return -1;
        }
    }
    return 0;
}

int replacements_run(struct layer *l, struct err *e)
{
    size_t i, k;
    json_t *entry, *doc;
    json_array_foreach(json_object_get(l->spec, "replacements"), i, entry)
    {
        _auto_json_ json_t *docs = json_pack("[O]", entry);
        _auto_buf_ struct buf text = BUF_INIT;
        const char *path = jstr(entry, "path");
        if (path) {
            json_decref(docs);
            docs = NULL;
            if (layer_text(l, path, &text, e) < 0 || yaml_parse_all(buf_str(&text), text.len, &docs, e) < 0)
                return -1;
        }
        json_array_foreach(docs, k, doc) if (run_one(l, doc, e) < 0) return -1;
    }
    return 0;
}
