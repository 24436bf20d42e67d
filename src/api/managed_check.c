/* managed_check.c - is an applied configuration of the right shape? Unknown fields, wrong types, duplicate list
 * elements.
 *
 * Apply has its own type checker, with its own words; they name the place but print values the way Go prints its
 * internals. THREADS: pure functions. */
#include "api/managed_int.h"

#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct checking {
    struct strlist errors;
};

static void check_value(struct checking *c, const struct shape *s, const char *path, const json_t *v);

static void complain(struct checking *c, const char *path, const char *what)
{
    strlist_addf(&c->errors, "%s%s%s", path, *path != '\0' ? ": " : "", what);
}

/* "expected list, got &{5}" */
static void complain_got(struct checking *c, const char *path, const char *wanted, const json_t *v, bool go_syntax)
{
    _auto_buf_ struct buf b = BUF_INIT;
    buf_addf(&b, "expected %s, got ", wanted);
    buf_adds(&b, go_syntax ? "&value.valueUnstructured{Value:" : "&{");
    if (go_syntax)
        go_value_write(&b, v);
    else
        go_plain_write(&b, v);
    buf_addc(&b, '}');
    complain(c, path, buf_str(&b));
}

static const char *go_type(const json_t *v)
{
    return json_is_string(v)    ? "string"
           : json_is_boolean(v) ? "bool"
           : json_is_object(v)  ? "map[string]interface {}"
                                : "[]interface {}";
}

static void check_scalar(struct checking *c, const struct schema_field *f, const char *path, const json_t *v)
{
    bool scalar = json_is_string(v) || json_is_number(v) || json_is_boolean(v);
    switch (f->base) {
    case SB_STRING:
    case SB_BYTES:
        if (!json_is_string(v))
            complain_got(c, path, "string", v, true);
        break;
    case SB_BOOL:
        if (!json_is_boolean(v))
            complain_got(c, path, "boolean", v, false);
        break;
    case SB_INT32:
    case SB_INT64:
    case SB_DOUBLE:
        if (!json_is_number(v)) {
            _auto_free_ char *what = xasprintf("expected numeric (int or float), got %s", go_type(v));
            complain(c, path, what);
        }
        break;
    case SB_TIME:
    case SB_MICROTIME:
    case SB_QUANTITY:
    case SB_INT_OR_STRING:
        if (!scalar)
            complain_got(c, path, "any scalar", v, false);
        break;
    default:
        break;
    }
}

static void check_struct(struct checking *c, const struct schema_type *t, const char *path, const json_t *v)
{
    if (!json_is_object(v)) {
        complain_got(c, path, "map", v, false);
        return;
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)v, key, member)
    {
        _auto_free_ char *below = xasprintf("%s.%s", path, key);
        const struct schema_field *f = schema_field(t, key, strlen(key));
        if (f == NULL) {
            complain(c, below, "field not declared in schema");
            continue;
        }
        struct shape s = {FORM_LEAF, NULL, f};
        check_value(c, &s, below, member);
    }
}

/* One value of a field: the element of its list or map, or the field itself. */
static void check_one(struct checking *c, const struct schema_field *f, const char *path, const json_t *v)
{
    if (json_is_null(v))
        return;
    if (f->base == SB_OBJECT)
        check_struct(c, f->type, path, v);
    else
        check_scalar(c, f, path, v);
}

/* ".containers" + `k:{"name":"a"}` -> `[name="a"]`, as paths show it. Returns new. */
static void key_text(const char *path, void *arg)
{
    char **out = arg;
    *out = xstrdup(path);
}

static char *item_text(const struct shape *list, const json_t *item)
{
    char *text = NULL;
    _auto_free_ char *key = item_key(list, item);
    _auto_json_ json_t *set = json_object();
    json_object_set_new(set, key, fields_leaf());
    fields_each(set, key_text, &text);
    return text;
}

static void check_list(struct checking *c, const struct schema_field *f, const char *path, const json_t *v)
{
    if (!json_is_array(v)) {
        complain_got(c, path, "list", v, false);
        return;
    }
    struct shape list = shape_of_field(f);
    bool keyed = list.form == FORM_KEYED || list.form == FORM_SET;
    _auto_strlist_ struct strlist seen = {0};
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        _auto_free_ char *name = keyed ? item_text(&list, item) : xasprintf("[%zu]", i);
        _auto_free_ char *below = xasprintf("%s%s", path, name);
        if (keyed && strlist_has(&seen, name)) {
            _auto_free_ char *what = xasprintf("duplicate entries for key %s", name);
            complain(c, path, what);
        }
        strlist_add(&seen, name);
        check_one(c, f, below, item);
    }
}

static void check_map(struct checking *c, const struct schema_field *f, const char *path, const json_t *v)
{
    if (!json_is_object(v)) {
        complain_got(c, path, "map", v, false);
        return;
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)v, key, member)
    {
        _auto_free_ char *below = xasprintf("%s.%s", path, key);
        if (f->shape != SHAPE_MAP_OF_LIST)
            check_one(c, f, below, member);
        else if (!json_is_null(member) && !json_is_array(member))
            complain_got(c, below, "list", member, false);
    }
}

static void check_value(struct checking *c, const struct shape *s, const char *path, const json_t *v)
{
    const struct schema_field *f = s->field;
    if (json_is_null(v))
        return;
    if (f->shape == SHAPE_ONE)
        check_one(c, f, path, v);
    else if (f->shape == SHAPE_LIST)
        check_list(c, f, path, v);
    else
        check_map(c, f, path, v);
}

int check_applied(const struct schema_type *t, const json_t *applied, struct err *e)
{
    struct checking c = {0};
    check_struct(&c, t, "", applied);
    int rc = 0;
    if (c.errors.len > 0) {
        _auto_free_ char *all = strlist_join(&c.errors, "\n  ");
        const char *version = jstr_or(applied, "apiVersion", "");
        rc = err_set(e, ERR_INTERNAL, "failed to create typed patch object (%s/%s; %s%s, Kind=%s): %s%s",
                     jstr_or(applied, "metadata.namespace", ""), jstr_or(applied, "metadata.name", ""),
                     strchr(version, '/') != NULL ? "" : "/", version, jstr_or(applied, "kind", ""),
                     c.errors.len > 1 ? "errors:\n  " : "", all);
    }
    strlist_release(&c.errors);
    return rc;
}
