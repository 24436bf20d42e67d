/* govalue.c - values as Go's %#v prints them, with the names of Kubernetes' internal types.
 *
 * DESIGN: field errors quote values this way (core.Taint{Key:"a", Value:"", …}). The schema knows the members, their
 * order and Go names; internal types are those of the schema with the package of their group instead of the version:
 * v1.Taint of core.v1 is core.Taint, while types of meta.v1 stay v1. Go prints the address of a pointer inside a
 * struct, which says nothing to anyone; we print a fixed one.
 * THREADS: pure functions. */
#include "api/validate/godiff_int.h"

#include <ctype.h>
#include <stdlib.h>

#define SOME_POINTER "0xc000000000"

static void struct_write(struct buf *out, const struct schema_type *t, const json_t *v);

/* The package of a schema type as internal code names it: "core", "apps", "v1" for meta. */
static const char *internal_package(const struct schema_type *t, size_t *len)
{
    if (str_starts(t->name, "meta.v1.")) {
        *len = 2;
        return "v1";
    }
    *len = strcspn(t->name, ".");
    return t->name;
}

/* Go's name of a type with the internal package for the version's: "[]v1.Container" -> "[]core.Container". */
void go_type_name_write(struct buf *out, const struct schema_type *t, const char *go_name)
{
    const char *at = strstr(go_name, "v1.");
    if (at == NULL) {
        buf_adds(out, go_name);
        return;
    }
    size_t n;
    const char *package = internal_package(t, &n);
    buf_add(out, go_name, (size_t)(at - go_name));
    buf_add(out, package, n);
    buf_adds(out, at + 2);
}

void go_quantity_parts(const json_t *value, int64_t *out_value, int *out_scale, const char **out_format)
{
    static const char *const formats[] = {"BinarySI", "DecimalSI", "DecimalExponent"};
    static const char suffixes[] = "num kMGTPE"; /* thousands; the blank is one */
    struct quantity q = qty(value);
    char text[QUANTITY_TEXT_LEN];
    quantity_format(&q, text);
    *out_format = formats[q.format];
    *out_value = quantity_value(&q);
    *out_scale = 0;
    if (q.format == QF_BINARY_SI)
        return;
    char *suffix = NULL;
    *out_value = strtoll(text, &suffix, 10);
    if (q.format == QF_DECIMAL_EXPONENT)
        *out_scale = *suffix == 'e' ? (int)strtol(suffix + 1, NULL, 10) : 0;
    else if (*suffix != '\0' && strchr(suffixes, *suffix) != NULL)
        *out_scale = 3 * (int)(strchr(suffixes, *suffix) - suffixes) - 9;
}

static void quantity_write(struct buf *out, const json_t *value)
{
    char text[QUANTITY_TEXT_LEN];
    int64_t number;
    int scale;
    const char *format;
    qty_text(value, text);
    go_quantity_parts(value, &number, &scale, &format);
    buf_addf(out,
             "resource.Quantity{i:resource.int64Amount{value:%lld, scale:%d}, "
             "d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"%s\", Format:\"%s\"}",
             (long long)number, scale, text, format);
}

static void int_or_string_write(struct buf *out, const json_t *v)
{
    buf_addf(out, "intstr.IntOrString{Type:%d, IntVal:%lld, StrVal:", json_is_string(v),
             (long long)json_integer_value(v));
    const char *s = json_is_string(v) ? json_string_value(v) : "";
    buf_add_quoted(out, s, strlen(s));
    buf_addc(out, '}');
}

/* One value that is present or the zero value of its type. */
static void value_write(struct buf *out, const struct schema_field *f, const json_t *v)
{
    switch (f->base) {
    case SB_OBJECT:
        struct_write(out, f->type, v);
        break;
    case SB_QUANTITY:
        quantity_write(out, v);
        break;
    case SB_INT_OR_STRING:
        int_or_string_write(out, v);
        break;
    case SB_BOOL:
        buf_adds(out, json_is_true(v) ? "true" : "false");
        break;
    case SB_INT32:
    case SB_INT64:
        buf_addf(out, "%lld", (long long)json_integer_value(v));
        break;
    default: {
        const char *s = json_is_string(v) ? json_string_value(v) : "";
        buf_add_quoted(out, s, strlen(s));
    }
    }
}

static void list_write(struct buf *out, const struct schema_field *f, const json_t *v)
{
    size_t i;
    json_t *item;
    buf_addc(out, '{');
    json_array_foreach(v, i, item)
    {
        buf_adds(out, i > 0 ? ", " : "");
        value_write(out, f, item);
    }
    buf_addc(out, '}');
}

static void map_write(struct buf *out, const struct schema_field *f, const json_t *v)
{
    _auto_strlist_ struct strlist keys = {0};
    sorted_keys(v, &keys);
    buf_addc(out, '{');
    for (size_t i = 0; i < keys.len; i++) {
        buf_adds(out, i > 0 ? ", " : "");
        buf_add_quoted(out, keys.items[i], strlen(keys.items[i]));
        buf_addc(out, ':');
        value_write(out, f, json_object_get(v, keys.items[i]));
    }
    buf_addc(out, '}');
}

static void field_write(struct buf *out, const struct schema_type *holder, const struct schema_field *f,
                        const json_t *v)
{
    const struct schema_type *of = f->type != NULL ? f->type : holder;
    bool pointer = f->shape == SHAPE_ONE && f->nullable_pointer;
    if (pointer && (f->base == SB_TIME || f->base == SB_MICROTIME) && v == NULL) {
        buf_adds(out, "<nil>"); /* its printing method does not survive a nil pointer */
        return;
    }
    if (f->shape == SHAPE_ONE && !pointer) {
        value_write(out, f, v);
        return;
    }
    buf_adds(out, pointer ? "(*" : "");
    go_type_name_write(out, of, f->go_whole);
    buf_adds(out, pointer ? ")" : "");
    if (v == NULL)
        buf_adds(out, "(nil)");
    else if (pointer)
        buf_adds(out, "(" SOME_POINTER ")");
    else if (f->shape == SHAPE_LIST)
        list_write(out, f, v);
    else
        map_write(out, f, v);
}

static void struct_write(struct buf *out, const struct schema_type *t, const json_t *v)
{
    go_type_name_write(out, t, t->go_name);
    buf_addc(out, '{');
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        buf_adds(out, i > 0 ? ", " : "");
        if (f->go_name != NULL)
            buf_adds(out, f->go_name);
        else
            buf_addf(out, "%c%s", toupper((unsigned char)f->name[0]), f->name + 1);
        buf_addc(out, ':');
        field_write(out, t, f, vget(v, f->name));
    }
    buf_addc(out, '}');
}

const struct schema_type *go_known_type(const char *name)
{
    const struct schema_type *t = schema_type(name);
    if (t == NULL)
        BUG("no schema type %s", name);
    return t;
}

char *go_struct_text(const char *type, const json_t *value)
{
    _auto_buf_ struct buf b = BUF_INIT;
    struct_write(&b, go_known_type(type), value);
    return buf_steal(&b, NULL);
}

char *go_map_text(const json_t *map)
{
    static const struct schema_field text = {.base = SB_STRING, .shape = SHAPE_MAP};
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, "map[string]string");
    if (map == NULL)
        buf_adds(&b, "(nil)");
    else
        map_write(&b, &text, map);
    return buf_steal(&b, NULL);
}

char *go_list_text(const char *go_type, const json_t *list)
{
    const struct schema_type *t = strcmp(go_type, "string") == 0 ? NULL : schema_type(go_type);
    const struct schema_field item = {.base = t != NULL ? SB_OBJECT : SB_STRING, .shape = SHAPE_LIST, .type = t};
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, "[]");
    if (t != NULL)
        go_type_name_write(&b, t, t->go_name);
    else
        buf_adds(&b, go_type);
    if (list == NULL)
        buf_adds(&b, "(nil)");
    else
        list_write(&b, &item, list);
    return buf_steal(&b, NULL);
}

char *go_resources_text(const json_t *map)
{
    static const struct schema_field amount = {.base = SB_QUANTITY, .shape = SHAPE_MAP};
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, "core.ResourceList");
    if (map == NULL)
        buf_adds(&b, "(nil)");
    else
        map_write(&b, &amount, map);
    return buf_steal(&b, NULL);
}

char *go_quantity_text(const json_t *value)
{
    _auto_buf_ struct buf b = BUF_INIT;
    quantity_write(&b, value);
    return buf_steal(&b, NULL);
}

char *go_int_or_string_text(const json_t *value)
{
    _auto_buf_ struct buf b = BUF_INIT;
    int_or_string_write(&b, value);
    return buf_steal(&b, NULL);
}
