/* patch_convert.c - can the result of a strategic patch become an object again?
 *
 * A strategic merge works on untyped maps; the real server then fills a Go struct from them with a converter of its
 * own, whose few complaints name neither field nor value. They reach users inside a 422 about "patch". THREADS: pure
 * functions. */
#include "api/patch.h"

#include "api/quantity.h"
#include "api/status.h"
#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

static const char *kind_of(const json_t *v)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "map",   [JSON_ARRAY] = "slice", [JSON_STRING] = "string", [JSON_INTEGER] = "int64",
        [JSON_REAL] = "float64", [JSON_TRUE] = "bool",   [JSON_FALSE] = "bool",    [JSON_NULL] = "interface"};
    return kinds[json_typeof(v)];
}

static int convertible_struct(const struct schema_type *t, const json_t *v, struct err *e)
{
    if (!json_is_object(v))
        return err_set(e, ERR_INVALID, "cannot restore struct from: %s", kind_of(v));
    return patch_convertible(t, v, e);
}

/* One value, not a list or map of them. */
static int convertible_one(const struct schema_field *f, const json_t *v, struct err *e)
{
    switch (f->base) {
    case SB_STRING:
        return json_is_string(v) ? 0 : err_set(e, ERR_INVALID, "unrecognized type: string");
    case SB_BOOL:
        return json_is_boolean(v) ? 0 : err_set(e, ERR_INVALID, "unrecognized type: bool");
    case SB_INT32:
        return json_is_number(v) ? 0 : err_set(e, ERR_INVALID, "unrecognized type: int32");
    case SB_INT64:
        return json_is_number(v) ? 0 : err_set(e, ERR_INVALID, "unrecognized type: int64");
    case SB_BYTES:
        return json_is_string(v) ? 0 : err_set(e, ERR_INVALID, "cannot restore slice from %s", kind_of(v));
    case SB_QUANTITY: {
        const char *why = json_is_string(v) ? quantity_refusal(json_string_value(v)) : NULL;
        return why == NULL ? 0 : err_set(e, ERR_INVALID, "%s", why);
    }
    case SB_OBJECT:
        return convertible_struct(f->type, v, e);
    default:
        return 0; /* types that read JSON themselves: the decoder has the words for them */
    }
}

static int convertible_list(const struct schema_field *f, const json_t *v, struct err *e)
{
    if (!json_is_array(v))
        return err_set(e, ERR_INVALID, "cannot restore slice from %s", kind_of(v));
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_null(json_array_get(v, i)) && convertible_one(f, json_array_get(v, i), e) < 0)
            return -1;
    return 0;
}

static int convertible_map(const struct schema_field *f, const json_t *v, struct err *e)
{
    if (!json_is_object(v))
        return err_set(e, ERR_INVALID, "cannot restore map from %s", kind_of(v));
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)v, key, member)
    {
        if (json_is_null(member))
            continue;
        int done = f->shape == SHAPE_MAP_OF_LIST ? convertible_list(f, member, e) : convertible_one(f, member, e);
        if (done < 0)
            return -1;
    }
    return 0;
}

int patch_convertible(const struct schema_type *t, const json_t *tree, struct err *e)
{
    for (size_t i = 0; t != NULL && i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        const json_t *v = json_object_get(tree, f->name);
        if (v == NULL || json_is_null(v))
            continue;
        int done = f->shape == SHAPE_ONE    ? convertible_one(f, v, e)
                   : f->shape == SHAPE_LIST ? convertible_list(f, v, e)
                                            : convertible_map(f, v, e);
        if (done < 0)
            return -1;
    }
    return 0;
}

json_t *patch_unusable_status(const json_t *patch, const char *why)
{
    _auto_field_errors_ struct field_errors errs = {0};
    _auto_buf_ struct buf value = BUF_INIT;
    go_plain_write(&value, patch);
    fe_invalid_str(&errs, "patch", buf_str(&value), why);
    return status_invalid("", "", "", &errs);
}
