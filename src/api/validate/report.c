/* report.c - paths as text, one reporting function a kind of mistake, and forgiving readers of trees.
 *
 * DESIGN: a path is a chain of structs that callers keep on their stack; nothing is allocated while an object is fine.
 * The wording around values is status.c's. THREADS: pure functions. */
#include "api/validate/validate_int.h"

static void vpath_write(struct buf *out, const struct vpath *p)
{
    if (p == NULL)
        return;
    vpath_write(out, p->up);
    if (p->name != NULL && p->name[0] != '\0') {
        if (p->up != NULL)
            buf_addc(out, '.');
        buf_adds(out, p->name);
    } else if (p->name != NULL) {
        buf_adds(out, "[]"); /* how the real server prints a path without a name: the whole object */
    } else if (p->key != NULL) {
        buf_addf(out, "[%s]", p->key);
    } else {
        buf_addf(out, "[%zu]", p->index);
    }
}

char *vpath_text(const struct vpath *p)
{
    _auto_buf_ struct buf b = BUF_INIT;
    vpath_write(&b, p);
    return buf_steal(&b, NULL);
}

static void add(struct field_errors *errs, enum field_err type, const struct vpath *p, const char *value_text,
                const char *detail)
{
    _auto_free_ char *path = vpath_text(p);
    fe_add(errs, type, path, value_text, detail);
}

void v_required(struct field_errors *errs, const struct vpath *p, const char *detail)
{
    add(errs, FE_REQUIRED, p, NULL, detail);
}

void v_invalid(struct field_errors *errs, const struct vpath *p, const char *value, const char *detail)
{
    _auto_free_ char *path = vpath_text(p);
    fe_invalid_str(errs, path, value, detail);
}

void v_invalid_int(struct field_errors *errs, const struct vpath *p, int64_t value, const char *detail)
{
    _auto_free_ char *path = vpath_text(p);
    fe_invalid_int(errs, path, value, detail);
}

void v_invalid_bool(struct field_errors *errs, const struct vpath *p, bool value, const char *detail)
{
    add(errs, FE_INVALID, p, value ? "true" : "false", detail);
}

void v_invalid_go(struct field_errors *errs, const struct vpath *p, char *take_text, const char *detail)
{
    _auto_free_ char *text = take_text;
    add(errs, FE_INVALID, p, text != NULL ? text : "null", detail);
}

void v_unsupported(struct field_errors *errs, const struct vpath *p, const char *value, const char *const *valid)
{
    _auto_free_ char *path = vpath_text(p);
    fe_not_supported(errs, path, value, valid);
}

void v_forbidden(struct field_errors *errs, const struct vpath *p, const char *detail)
{
    add(errs, FE_FORBIDDEN, p, NULL, detail);
}

void v_duplicate(struct field_errors *errs, const struct vpath *p, const char *value)
{
    _auto_free_ char *path = vpath_text(p);
    fe_duplicate(errs, path, value);
}

void v_not_found(struct field_errors *errs, const struct vpath *p, const char *value)
{
    _auto_free_ char *path = vpath_text(p);
    fe_not_found(errs, path, value);
}

void v_too_long(struct field_errors *errs, const struct vpath *p, int max)
{
    _auto_free_ char *path = vpath_text(p);
    fe_too_long(errs, path, max);
}

void v_too_many(struct field_errors *errs, const struct vpath *p, size_t got, size_t max)
{
    _auto_free_ char *path = vpath_text(p);
    fe_too_many(errs, path, (int)got, (int)max);
}

json_t *vget(const json_t *obj, const char *key)
{
    json_t *v = json_object_get(obj, key);
    return json_is_null(v) ? NULL : v;
}

const char *vstr(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return s != NULL ? s : "";
}

int64_t vint(const json_t *obj, const char *key)
{
    return json_integer_value(json_object_get(obj, key));
}

bool vbool(const json_t *obj, const char *key)
{
    return json_is_true(json_object_get(obj, key));
}

bool vhas(const json_t *obj, const char *key)
{
    return vget(obj, key) != NULL;
}

const char *vitem(const json_t *list, size_t i)
{
    const char *s = json_string_value(json_array_get(list, i));
    return s != NULL ? s : "";
}

bool one_of(const char *s, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(s, *list) == 0)
            return true;
    }
    return false;
}

bool has_outer_blanks(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && (strchr(" \t\r\n", s[0]) != NULL || strchr(" \t\r\n", s[n - 1]) != NULL);
}

void sorted_keys(const json_t *map, struct strlist *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value) strlist_add(out, key);
    strlist_sort(out);
}

void vrestore(json_t *into, const json_t *from, const char *member)
{
    json_t *value = vget(from, member);
    if (value != NULL)
        json_object_set(into, member, value);
    else
        json_object_del(into, member);
}
