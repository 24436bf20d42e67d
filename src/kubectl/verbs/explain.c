/* explain.c - `kubectl explain`: what the server's OpenAPI (v3) says of a kind or a field.
 *
 * DESIGN: a schema is read where it stands: `allOf` with one reference, a `$ref`, `items` and `additionalProperties`
 * are looked through, so a path goes on below lists and maps. Texts are wrapped as kubectl wraps them. */
#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/call.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_WIDTH 76
#define DEPTH_MAX  40
#define ENUM_SHOWN 4 /* in a line */

struct explaining {
    FILE *out;
    const json_t *schemas; /* components.schemas */
};

/* ---- schemas ---- */

static const char *ref_of(const json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    const json_t *all = json_object_get(schema, "allOf");
    if (!ref && json_array_size(all) == 1)
        ref = json_string_value(json_object_get(json_array_get(all, 0), "$ref"));
    return ref && strrchr(ref, '/') ? strrchr(ref, '/') + 1 : NULL;
}

static const json_t *resolve(const struct explaining *x, const json_t *schema)
{
    const char *ref = ref_of(schema);
    const json_t *target = ref ? json_object_get(x->schemas, ref) : NULL;
    return target ? target : schema;
}

/* What lists and maps hold; others themselves. */
static const json_t *element_of(const struct explaining *x, const json_t *schema)
{
    for (int depth = 0; schema && depth < DEPTH_MAX; depth++) {
        const json_t *whole = resolve(x, schema);
        const json_t *inner = json_object_get(whole, "items");
        if (!inner)
            inner = json_object_get(whole, "additionalProperties");
        if (!json_is_object(inner))
            return whole;
        schema = inner;
    }
    return schema;
}

static void type_of(const struct explaining *x, const json_t *schema, struct buf *out)
{
    const json_t *items = json_object_get(schema, "items");
    const json_t *values = json_object_get(schema, "additionalProperties");
    const char *ref = ref_of(schema);
    if (json_is_object(items) || json_is_object(values)) {
        buf_adds(out, items ? "[]" : "map[string]");
        type_of(x, items ? items : values, out);
        return;
    }
    const char *type = jstr(ref ? resolve(x, schema) : schema, "type");
    if (ref && (!type || str_eq(type, "object")))
        buf_adds(out, strrchr(ref, '.') ? strrchr(ref, '.') + 1 : ref);
    else
        buf_adds(out, type ? type : "Object");
}

static const json_t *schema_of_kind(const struct explaining *x, const struct kind *k)
{
    const char *name;
    json_t *schema, *gvk;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)x->schemas, name, schema)
        json_array_foreach(json_object_get(schema, "x-kubernetes-group-version-kind"), i, gvk)
    {
        if (str_eq(jstr(gvk, "kind"), k->kind) && str_eq(jstr_or(gvk, "group", ""), k->group) &&
            str_eq(jstr(gvk, "version"), k->version))
            return schema;
    }
    return NULL;
}

/* ---- printing ---- */

static void print_wrapped(const struct explaining *x, const char *text, int indent)
{
    size_t used = 0;
    for (const char *p = text; *p;) {
        const size_t n = strcspn(p, " \n");
        if (used && used + 1 + n > TEXT_WIDTH) {
            fputc('\n', x->out);
            used = 0;
        }
        fprintf(x->out, "%*s%.*s", used ? 1 : indent, "", (int)n, p);
        used += n + (used ? 1 : 0);
        p += n;
        if (*p == '\n') {
            fputc('\n', x->out);
            used = 0;
        }
        p += *p != '\0';
    }
    fputc('\n', x->out);
}

/* Its own description, then that of what it refers to, then that of what it holds. Returns whether there was one. */
static bool print_descriptions(const struct explaining *x, const json_t *schema, int depth)
{
    const char *own = jstr(schema, "description");
    const json_t *target = resolve(x, schema), *inner = json_object_get(schema, "items");
    bool any = !str_empty(own);
    if (any)
        print_wrapped(x, own, 4);
    if (depth >= DEPTH_MAX)
        return any;
    if (target != schema)
        any |= print_descriptions(x, target, depth + 1);
    if (!inner)
        inner = json_object_get(schema, "additionalProperties");
    if (json_is_object(inner))
        any |= print_descriptions(x, inner, depth + 1);
    return any;
}

static bool is_required(const json_t *schema, const char *name)
{
    return jarr_has(schema, "required", name);
}

static const json_t *enum_of(const struct explaining *x, const json_t *schema)
{
    const json_t *values = json_object_get(schema, "enum");
    return values ? values : json_object_get(resolve(x, schema), "enum");
}

/* The first so many values of them, sorted. Returns new. */
static char *enum_text(const json_t *values, const char *between, size_t most)
{
    _auto_strlist_ struct strlist all = {0};
    size_t i;
    const json_t *v;
    json_array_foreach(values, i, v) if (json_is_string(v))
        strlist_add(&all, *json_string_value(v) ? json_string_value(v) : "\"\"");
    strlist_sort(&all);
    while (all.len > most)
        free(all.items[--all.len]);
    return strlist_join(&all, between);
}

static void field_line(const struct explaining *x, const json_t *of, const char *name, const json_t *field, int indent)
{
    _auto_buf_ struct buf type = BUF_INIT;
    type_of(x, field, &type);
    fprintf(x->out, "%*s%s\t<%s>%s\n", indent, "", name, buf_str(&type), is_required(of, name) ? " -required-" : "");
    const json_t *values = enum_of(x, field);
    if (json_array_size(values)) {
        _auto_free_ char *text = enum_text(values, ", ", ENUM_SHOWN);
        fprintf(x->out, "%*senum: %s%s\n", indent, "", text, json_array_size(values) > ENUM_SHOWN ? ", ...." : "");
    }
}

static void sorted_fields(const json_t *schema, struct strlist *out)
{
    const char *name;
    json_t *field;
    json_object_foreach(json_object_get(schema, "properties"), name, field) strlist_add(out, name);
    strlist_sort(out);
}

static void print_fields(const struct explaining *x, const json_t *schema)
{
    _auto_strlist_ struct strlist names = {0};
    sorted_fields(schema, &names);
    for (size_t i = 0; i < names.len; i++) {
        const json_t *field = json_object_get(json_object_get(schema, "properties"), names.items[i]);
        const char *about = jstr(field, "description");
        field_line(x, schema, names.items[i], field, 2);
        print_wrapped(x, str_empty(about) ? "<no description>" : about, 4);
        fputc('\n', x->out);
    }
}

/* path: the references that led here; what is among them is not gone into again. */
static void print_tree(const struct explaining *x, const json_t *schema, int indent, struct strlist *path)
{
    _auto_strlist_ struct strlist names = {0};
    sorted_fields(schema, &names);
    for (size_t i = 0; i < names.len; i++) {
        const json_t *field = json_object_get(json_object_get(schema, "properties"), names.items[i]);
        const json_t *inner = element_of(x, field);
        _auto_free_ char *mark = xasprintf("%p", (const void *)inner);
        field_line(x, schema, names.items[i], field, indent);
        if (!json_object_size(json_object_get(inner, "properties")) || strlist_has(path, mark))
            continue;
        strlist_add(path, mark);
        print_tree(x, inner, indent + 2, path);
        free(path->items[--path->len]);
    }
}

/* ---- the verb ---- */

static void print_head(const struct explaining *x, const struct kind *k)
{
    if (*k->group)
        fprintf(x->out, "GROUP:      %s\n", k->group);
    fprintf(x->out, "KIND:       %s\nVERSION:    %s\n\n", k->kind, k->version);
}

static void print_field_head(const struct explaining *x, const char *name, const json_t *field)
{
    _auto_buf_ struct buf type = BUF_INIT;
    const json_t *values = enum_of(x, field);
    _auto_free_ char *text = enum_text(values, "\n    ", json_array_size(values));
    type_of(x, field, &type);
    fprintf(x->out, "FIELD: %s <%s>\n", name, buf_str(&type));
    if (json_array_size(values))
        fprintf(x->out, "ENUM:\n    %s", text);
    fputs("\n\n", x->out);
}

static int explain(struct call *c, const struct kind *k, const struct strlist *path, const json_t *document)
{
    const struct explaining x = {c->k->out, jat(document, "components.schemas")};
    const json_t *schema = schema_of_kind(&x, k);
    print_head(&x, k);
    for (size_t i = 0; schema && i < path->len; i++) {
        const json_t *of = element_of(&x, schema);
        schema = json_object_get(json_object_get(of, "properties"), path->items[i]);
        if (!schema)
            return call_fail(c, "field \"%s\" does not exist", path->items[i]);
    }
    if (!schema)
        return call_fail(c, "couldn't find resource for \"%s/%s, Kind=%s\"", k->group, k->version, k->kind);
    if (path->len)
        print_field_head(&x, path->items[path->len - 1], schema);
    fputs("DESCRIPTION:\n", x.out);
    if (!print_descriptions(&x, schema, 0))
        fputs("    <empty>\n", x.out);
    fputs("    \n", x.out);
    const json_t *inner = element_of(&x, schema);
    if (json_object_size(json_object_get(inner, "properties"))) {
        _auto_strlist_ struct strlist seen = {0};
        fputs("FIELDS:\n", x.out);
        if (call_bool(c, "recursive"))
            print_tree(&x, inner, 2, &seen);
        else
            print_fields(&x, inner);
    }
    fputc('\n', x.out);
    return 0;
}

/* With --api-version the same plural in that version. NULL: told. */
static const struct kind *kind_meant(struct call *c, const char *word)
{
    const char *version = call_text(c, "api-version"), *slash = strchr(version, '/');
    struct err e = ERR_INIT;
    const struct kinds *all = call_kinds(c, &e);
    const struct kind *k = all ? kinds_find(all, word) : NULL;
    if (!all)
        return call_error(c, &e), NULL;
    if (!k) {
        fprintf(c->k->err, "the server doesn't have a resource type \"%s\"\n", word);
        c->code = 1;
    }
    if (!k || !*version)
        return k;
    _auto_free_ char *group = slash ? xstrndup(version, (size_t)(slash - version)) : xstrdup("");
    for (size_t i = 0; i < all->len; i++)
        if (str_eq(all->items[i].plural, k->plural) && str_eq(all->items[i].group, group) &&
            str_eq(all->items[i].version, slash ? slash + 1 : version))
            return &all->items[i];
    call_fail(c, "couldn't find resource for \"%s, Resource=%s\"", version, k->plural);
    return NULL;
}

static int explain_run(struct call *c)
{
    _auto_strlist_ struct strlist path = {0};
    _auto_json_ json_t *document = NULL;
    struct err e = ERR_INIT;
    if (c->words.len == 0)
        return call_fail(c, "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a "
                            "complete list of supported resources.");
    if (c->words.len > 1)
        return call_fail(c, "We accept only this format: explain RESOURCE");
    const char *word = c->words.items[0], *dot = strchr(word, '.');
    _auto_free_ char *first = xstrndup(word, strcspn(word, "."));
    const struct kind *k = kind_meant(c, first);
    if (!k)
        return c->code;
    if (dot && dot[1])
        strlist_split(&path, dot + 1, '.');
    _auto_free_ char *where = *k->group ? xasprintf("/openapi/v3/apis/%s/%s", k->group, k->version)
                                        : xasprintf("/openapi/v3/api/%s", k->version);
    if (call_json(c, "GET", where, NULL, NULL, &document, &e) < 0)
        return call_error(c, &e);
    return explain(c, k, &path, document);
}

static const struct kubectl_flag flags[] = {
    {"recursive", 0, FLAG_BOOL, NULL, "Fields of fields, without texts"},
    {"api-version", 0, FLAG_TEXT, NULL, "Of this version"},
    {0},
};

const struct kubectl_verb kubectl_explain = {
    .name = "explain",
    .summary = "Get documentation for a resource",
    .usage = "TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [options]",
    .help =
        "  kubectl explain pvc\n  kubectl explain pod.spec.containers.volumeMounts\n  kubectl explain pv --recursive\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = explain_run,
};
