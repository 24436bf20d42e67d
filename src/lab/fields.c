/* fields.c - see fields.h.
 *
 * DESIGN: types are rows: how a value is checked, what is said when it is wrong, and what the JSON Schema says of it.
 * The walk over objects and lists is the same for all. THREADS: pure. */
#include "lab/fields.h"

#include "api/quantity.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- small readers ---- */

bool duration_parse(const char *text, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    double total = 0;
    const char *p = text;
    if (!*p)
        return false;
    while (*p) {
        char *end;
        size_t u = 0;
        if (!isdigit((unsigned char)*p))
            return false;
        const double n = strtod(p, &end);
        const size_t len = strspn(end, "hms");
        while (u < ARRAY_LEN(units) && (strlen(units[u].unit) != len || strncmp(end, units[u].unit, len) != 0))
            u++;
        if (u == ARRAY_LEN(units))
            return false;
        total += n * units[u].ms;
        p = end + len;
    }
    if (total > 7.0 * 24 * 3600 * 1000)
        return false;
    *out_ms = (int64_t)total;
    return true;
}

const char *nearest_name(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2;
    for (; *names; names++) {
        const size_t d = str_slips(word, *names);
        if (d < least) {
            least = d;
            best = *names;
        }
    }
    return best;
}

/* ---- types ---- */

static bool is_text(const json_t *v)
{
    return json_is_string(v);
}

static bool is_scalar(const json_t *v)
{
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static bool is_int(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= 1000000;
}

static bool is_bool(const json_t *v)
{
    return json_is_boolean(v);
}

static bool is_duration(const json_t *v)
{
    int64_t ms;
    return json_is_string(v) && duration_parse(json_string_value(v), &ms);
}

static bool is_size(const json_t *v)
{
    struct quantity q;
    return json_is_string(v) && quantity_parse(json_string_value(v), &q) == 0;
}

/* No way out of the lab's folder. */
static bool is_file(const json_t *v)
{
    const char *s = json_string_value(v);
    return !str_empty(s) && *s != '/' && !path_climbs(s);
}

static bool all(const json_t *v, bool (*is)(const json_t *))
{
    size_t i;
    const json_t *x;
    json_array_foreach(v, i, x) if (!is(x)) return false;
    return true;
}

static bool is_texts(const json_t *v)
{
    return is_text(v) || (json_is_array(v) && all(v, is_text));
}

static bool is_scalars(const json_t *v)
{
    return is_scalar(v) || (json_is_array(v) && all(v, is_scalar));
}

static bool is_tree(const json_t *v)
{
    return json_is_object(v);
}

static bool is_trees(const json_t *v)
{
    return json_is_array(v) && all(v, is_tree);
}

static bool is_list(const json_t *v)
{
    return json_is_array(v);
}

static bool is_map(const json_t *v)
{
    const char *key;
    const json_t *x;
    if (!json_is_object(v))
        return false;
    json_object_foreach((json_t *)(uintptr_t)v, key,
                        x) if (!json_is_array(x) || !json_array_size(x) || !all(x, is_scalar)) return false;
    return true;
}

static const struct type {
    bool (*is)(const json_t *v);
    const char *what; /* expected … */
    const char *schema;
} types[] = {
    [FIELD_TEXT] = {is_text, "a text", "{\"type\":\"string\"}"},
    [FIELD_SCALAR] = {is_scalar, "a text, a number, true or false", "{\"type\":[\"string\",\"number\",\"boolean\"]}"},
    [FIELD_INT] = {is_int, "a whole number from 0 to 1000000", "{\"type\":\"integer\",\"minimum\":0}"},
    [FIELD_BOOL] = {is_bool, "true or false", "{\"type\":\"boolean\"}"},
    [FIELD_DURATION] = {is_duration, "a time such as 30s or 2m",
                        "{\"type\":\"string\",\"pattern\":\"^([0-9.]+(ms|s|m|h))+$\"}"},
    [FIELD_SIZE] = {is_size, "a size such as 10Gi", "{\"type\":\"string\",\"pattern\":\"^[0-9.]+([KMGTPE]i?|k|m)?$\"}"},
    [FIELD_FILE] = {is_file, "a path below the lab's folder", "{\"type\":\"string\"}"},
    [FIELD_TEXTS] = {is_texts, "a text or a list of texts",
                     "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}"},
    [FIELD_SCALARS] = {is_scalars, "a value or a list of values", "{}"},
    [FIELD_OBJECT] = {is_tree, "an object", NULL},
    [FIELD_LIST] = {is_list, "a list", NULL},
    [FIELD_MAP] = {is_map, "names, each with a list of values", "{\"type\":\"object\"}"},
    [FIELD_TREE] = {is_tree, "an object", "{\"type\":\"object\"}"},
    [FIELD_TREES] = {is_trees, "a list of objects", "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"},
};

/* ---- checking ---- */

struct checking {
    const char *file;
    const struct marks *marks;
    struct strlist *faults;
};

static void fault(const struct checking *c, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void fault(const struct checking *c, const char *path, const char *fmt, ...)
{
    int line, column;
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    marks_find(c->marks, path, &line, &column);
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    strlist_addf(c->faults, "%s:%d:%d: %s%s%s", c->file, line, column, path, *path ? ": " : "", buf_str(&text));
}

static void check_object(const struct checking *c, const struct shape *shape, const json_t *tree, const char *path);

/* "found …" of a value. Returns new. */
static char *shown(const json_t *v)
{
    _auto_buf_ struct buf text = BUF_INIT;
    json_write(&text, v);
    return text.len > 60 ? xasprintf("%.57s...", buf_str(&text)) : buf_steal(&text, NULL);
}

static void check_choice(const struct checking *c, const struct field *f, const json_t *v, const char *path)
{
    const char *word = json_string_value(v);
    _auto_buf_ struct buf list = BUF_INIT;
    for (const char *const *x = f->values; *x; x++) {
        if (strcmp(*x, word) == 0)
            return;
        buf_addf(&list, "%s%s", list.len ? ", " : "", *x);
    }
    const char *near = nearest_name(word, f->values);
    fault(c, path, "expected one of %s, found \"%s\"%s%s%s", buf_str(&list), word, near ? "; did you mean \"" : "",
          near ? near : "", near ? "\"?" : "");
}

static void check_value(const struct checking *c, const struct field *f, const json_t *v, const char *path)
{
    size_t i;
    const json_t *x;
    if (!types[f->type].is(v)) {
        _auto_free_ char *found = shown(v);
        fault(c, path, "expected %s, found %s", types[f->type].what, found);
    } else if (f->type == FIELD_OBJECT) {
        check_object(c, f->of, v, path);
    } else if (f->values) {
        check_choice(c, f, v, path);
    } else if (f->type == FIELD_LIST) {
        json_array_foreach(v, i, x)
        {
            _auto_free_ char *inner = xasprintf("%s[%zu]", path, i);
            if (json_is_object(x))
                check_object(c, f->of, x, inner);
            else
                fault(c, inner, "expected %s (an object)", f->of->name);
        }
    }
}

static const struct field *field_of(const struct shape *shape, const char *name)
{
    for (const struct field *f = shape->fields; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static void unknown(const struct checking *c, const struct shape *shape, const char *name, const char *path)
{
    const char *names[64];
    size_t n = 0;
    for (const struct field *f = shape->fields; f->name && n + 1 < ARRAY_LEN(names); f++)
        names[n++] = f->name;
    names[n] = NULL;
    const char *near = nearest_name(name, names);
    fault(c, path, "%s has no field \"%s\"%s%s%s", shape->name, name, near ? "; did you mean \"" : "", near ? near : "",
          near ? "\"?" : "");
}

static void check_picks(const struct checking *c, const struct shape *shape, const json_t *tree, const char *path)
{
    _auto_buf_ struct buf list = BUF_INIT;
    int have = 0;
    for (const struct field *f = shape->fields; f->name; f++) {
        if (!f->pick)
            continue;
        buf_addf(&list, "%s%s", list.len ? ", " : "", f->name);
        have += json_object_get(tree, f->name) != NULL;
    }
    if (list.len && have != 1)
        fault(c, path, "%s needs exactly one of %s; this has %s", shape->name, buf_str(&list),
              have ? "several" : "none");
}

static void check_object(const struct checking *c, const struct shape *shape, const json_t *tree, const char *path)
{
    const char *key;
    const json_t *v;
    json_object_foreach((json_t *)(uintptr_t)tree, key, v)
    {
        _auto_free_ char *inner = *path ? xasprintf("%s.%s", path, key) : xstrdup(key);
        const struct field *f = field_of(shape, key);
        if (f)
            check_value(c, f, v, inner);
        else
            unknown(c, shape, key, inner);
    }
    for (const struct field *f = shape->fields; f->name; f++)
        if (f->required && !json_object_get(tree, f->name))
            fault(c, path, "%s needs a field \"%s\": %s", shape->name, f->name, types[f->type].what);
    check_picks(c, shape, tree, path);
}

void fields_check(const struct shape *shape, const json_t *tree, const char *file, const struct marks *marks,
                  struct strlist *faults)
{
    const struct checking c = {file, marks, faults};
    if (json_is_object(tree))
        check_object(&c, shape, tree, "");
    else
        fault(&c, "", "expected %s (an object)", shape->name);
}

/* ---- walking ---- */

static void walk(const struct shape *shape, const json_t *tree, const char *path, fields_visit_fn *visit, void *arg)
{
    const char *key;
    size_t i;
    const json_t *v, *x;
    json_object_foreach((json_t *)(uintptr_t)tree, key, v)
    {
        const struct field *f = field_of(shape, key);
        _auto_free_ char *inner = *path ? xasprintf("%s.%s", path, key) : xstrdup(key);
        if (!f)
            continue;
        visit(arg, shape, f, tree, v, inner);
        if (f->type == FIELD_OBJECT)
            walk(f->of, v, inner, visit, arg);
        if (f->type != FIELD_LIST)
            continue;
        json_array_foreach(v, i, x)
        {
            _auto_free_ char *at = xasprintf("%s[%zu]", inner, i);
            walk(f->of, x, at, visit, arg);
        }
    }
}

void fields_walk(const struct shape *shape, const json_t *tree, fields_visit_fn *visit, void *arg)
{
    walk(shape, tree, "", visit, arg);
}

/* ---- the schema ---- */

static json_t *schema_object(const struct shape *shape, json_t *defs);

/* "a jsonpath check" -> "#/$defs/jsonpath-check" */
static json_t *schema_ref(const struct shape *shape, json_t *defs)
{
    _auto_free_ char *name = xstrdup(strchr(shape->name, ' ') + 1); /* no article */
    for (char *p = name; *p; p++)
        *p = *p == ' ' ? '-' : *p;
    if (!json_object_get(defs, name)) {
        json_object_set_new(defs, name, json_null()); /* being made: shapes may hold themselves */
        json_object_set_new(defs, name, schema_object(shape, defs));
    }
    return json_sprintf("#/$defs/%s", name);
}

static json_t *schema_field(const struct field *f, json_t *defs)
{
    json_t *s;
    if (f->type == FIELD_OBJECT)
        s = json_pack("{s:o}", "$ref", schema_ref(f->of, defs));
    else if (f->type == FIELD_LIST)
        s = json_pack("{s:s, s:{s:o}}", "type", "array", "items", "$ref", schema_ref(f->of, defs));
    else
        s = json_loads(types[f->type].schema, 0, NULL);
    for (const char *const *v = f->values; v && *v; v++)
        jarr_add_unique(jmake_arr(s, "enum"), *v);
    jset_str(s, "description", f->about);
    return s;
}

static json_t *schema_object(const struct shape *shape, json_t *defs)
{
    json_t *s = json_pack("{s:s, s:b, s:{}}", "type", "object", "additionalProperties", 0, "properties");
    for (const struct field *f = shape->fields; f->name; f++) {
        json_object_set_new(json_object_get(s, "properties"), f->name, schema_field(f, defs));
        if (f->required)
            jarr_add_unique(jmake_arr(s, "required"), f->name);
        if (f->pick)
            json_array_append_new(jmake_arr(s, "oneOf"), json_pack("{s:[s]}", "required", f->name));
    }
    return s;
}

json_t *fields_schema(const struct shape *shape, const char *title)
{
    _auto_json_ json_t *defs = json_object();
    json_t *s = schema_object(shape, defs);
    jset_str(s, "title", title);
    json_object_set_new(s, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    json_object_set(s, "$defs", defs);
    return s;
}
