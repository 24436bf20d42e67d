/* equal.c - are two objects the same to Kubernetes (apiequality.Semantic.DeepEqual)?
 *
 * DESIGN: driven by the schema. What JSON can leave out or write as empty is the same: empty lists and maps, zero
 * values of members that are no pointers. Quantities compare by value. A pointer that is absent differs from one to an
 * empty struct. THREADS: pure functions. */
#include "api/validate/validate_int.h"

static bool struct_equal(const struct schema_type *t, const json_t *a, const json_t *b);

static bool value_equal(const struct schema_field *f, const json_t *a, const json_t *b)
{
    if (f->base == SB_OBJECT)
        return struct_equal(f->type, a, b);
    if (f->base == SB_QUANTITY) {
        struct quantity x = qty(a), y = qty(b);
        return quantity_cmp(&x, &y) == 0;
    }
    return a != NULL && b != NULL && json_equal(a, b);
}

static bool list_equal(const struct schema_field *f, const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++) {
        if (!value_equal(f, json_array_get(a, i), json_array_get(b, i)))
            return false;
    }
    return true;
}

static bool map_equal(const struct schema_field *f, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach((json_t *)a, key, value)
    {
        const json_t *other = json_object_get(b, key);
        if (other == NULL || !(f->shape == SHAPE_MAP ? value_equal(f, value, other) : json_equal(value, other)))
            return false;
    }
    return true;
}

/* Is this the zero value of its type, as an absent member would be? */
static bool is_zero(const struct schema_field *f, const json_t *v)
{
    switch (f->base) {
    case SB_OBJECT:
        return struct_equal(f->type, v, NULL);
    case SB_QUANTITY:
        return qty(v).nano == 0;
    case SB_ANY:
        return false;
    default:
        return v == NULL || json_is_null(v) || json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0) ||
               (json_is_number(v) && json_number_value(v) == 0);
    }
}

static bool field_equal(const struct schema_field *f, const json_t *a, const json_t *b)
{
    if (f->shape == SHAPE_LIST)
        return list_equal(f, a, b);
    if (f->shape != SHAPE_ONE)
        return map_equal(f, a, b);
    if (a == NULL && b == NULL)
        return true;
    if (a != NULL && b != NULL)
        return value_equal(f, a, b);
    return !f->nullable_pointer && is_zero(f, a != NULL ? a : b);
}

static bool struct_equal(const struct schema_type *t, const json_t *a, const json_t *b)
{
    if (a == b)
        return true;
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        if (!field_equal(f, vget(a, f->name), vget(b, f->name)))
            return false;
    }
    return true;
}

bool go_equal(const char *type, const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return struct_equal(go_known_type(type), a, b);
}

bool go_equal_field(const char *type, const char *field, const json_t *a, const json_t *b)
{
    const struct schema_field *f = schema_field(go_known_type(type), field, strlen(field));
    if (f == NULL)
        BUG("no field %s in %s", field, type);
    return field_equal(f, vget(a, field), vget(b, field));
}
