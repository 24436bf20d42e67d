/* openapi_schema.c - definitions: schema types in the words of OpenAPI 2 and 3.
 *
 * DESIGN: a definition is made the first time it is asked for and pulls in what it refers to. The two dialects differ
 * in where definitions stand, and in that version 3 wraps a reference that has siblings (a description, a default) in
 * allOf. What kubectl reads: x-kubernetes-group-version-kind (which definition is a kind), patch-strategy and
 * patch-merge-key (apply), list-type and list-map-keys, required, type, format, description (explain). THREADS: pure.
 */
#include "api/openapi_int.h"

#include "api/decode_int.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* Types that are no struct. `json` is the definition; version 3's where it differs. */
static const struct {
    const char *name;
    const char *v2;
    const char *v3;
} leaves[] = {
    {META "Time",
     "{\"type\":\"string\",\"format\":\"date-time\",\"description\":\"A point in time: RFC 3339, whole seconds.\"}",
     NULL},
    {META "MicroTime",
     "{\"type\":\"string\",\"format\":\"date-time\",\"description\":\"A point in time: RFC 3339 with six digits of "
     "fraction.\"}",
     NULL},
    {META "FieldsV1",
     "{\"type\":\"object\",\"description\":\"A set of fields as a tree: f:name, k:{keys}, v:value; '.' is the node "
     "itself.\"}",
     NULL},
    {META "Patch", "{\"type\":\"object\",\"description\":\"A change, in the format that the Content-Type names.\"}",
     NULL},
    {"io.k8s.apimachinery.pkg.runtime.RawExtension", "{\"type\":\"object\",\"description\":\"Any JSON.\"}", NULL},
    {"io.k8s.apimachinery.pkg.api.resource.Quantity",
     "{\"type\":\"string\",\"description\":\"A number with a unit: 500m, 1.5Gi, 1e3. Binary units are Ki to Ei, "
     "decimal ones n to E.\"}",
     "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}],\"description\":\"A number with a unit: 500m, 1.5Gi, "
     "1e3. Binary units are "
     "Ki to Ei, decimal ones n to E.\"}"},
    {"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
     "{\"type\":\"string\",\"format\":\"int-or-string\",\"description\":\"A whole number, or a text such as a name or "
     "25%.\"}",
     "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}],\"format\":\"int-or-string\",\"description\":\"A whole "
     "number, or a text such "
     "as a name or 25%.\"}"},
};

json_t *openapi_ref(const char *name, enum dialect d)
{
    _auto_free_ char *target = xasprintf("#/%s/%s", d == OPENAPI_V3 ? "components/schemas" : "definitions", name);
    return json_pack("{s:s}", "$ref", target);
}

json_t *openapi_gvk(const char *group, const char *version, const char *kind)
{
    return json_pack("{s:s, s:s, s:s}", "group", group, "kind", kind, "version", version);
}

void openapi_define_leaf(json_t *defs, const char *name, enum dialect d)
{
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        if (strcmp(leaves[i].name, name) != 0 || json_object_get(defs, name))
            continue;
        const char *text = d == OPENAPI_V3 && leaves[i].v3 ? leaves[i].v3 : leaves[i].v2;
        json_object_set_new(defs, name, json_loads(text, 0, NULL));
    }
}

/* -- one value -- */

static const char *leaf_name(const struct schema_field *f)
{
    switch (f->base) {
    case SB_TIME:
        return META "Time";
    case SB_MICROTIME:
        return META "MicroTime";
    case SB_QUANTITY:
        return "io.k8s.apimachinery.pkg.api.resource.Quantity";
    case SB_INT_OR_STRING:
        return "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    case SB_ANY:
        return str_ends(f->go_type, "FieldsV1") ? META "FieldsV1" : "io.k8s.apimachinery.pkg.runtime.RawExtension";
    default:
        return NULL;
    }
}

static json_t *plain_type(enum schema_base base)
{
    static const struct {
        const char *type, *format;
    } rows[SB_BASE_MAX] = {
        [SB_STRING] = {"string", NULL},    [SB_BOOL] = {"boolean", NULL},      [SB_INT32] = {"integer", "int32"},
        [SB_INT64] = {"integer", "int64"}, [SB_DOUBLE] = {"number", "double"}, [SB_BYTES] = {"string", "byte"},
    };
    json_t *out = json_pack("{s:s}", "type", rows[base].type);
    if (rows[base].format)
        json_object_set_new(out, "format", json_string(rows[base].format));
    return out;
}

/* The default OpenAPI tells for a value that Go always writes. Returns new or NULL. */
static json_t *zero_default(const struct schema_field *f)
{
    switch (f->base) {
    case SB_STRING:
        return json_string("");
    case SB_BOOL:
        return json_false();
    case SB_INT32:
    case SB_INT64:
    case SB_DOUBLE:
        return json_integer(0);
    case SB_OBJECT:
        return json_object();
    default:
        return NULL;
    }
}

/* A reference, wrapped where version 3 does not allow siblings. */
static json_t *reference(const char *name, bool siblings, enum dialect d)
{
    json_t *ref = openapi_ref(name, d);
    return d == OPENAPI_V3 && siblings ? json_pack("{s:[o]}", "allOf", ref) : ref;
}

/* A value of the field, without what belongs to the field. */
static json_t *value_schema(json_t *defs, const struct schema_field *f, bool siblings, enum dialect d)
{
    const char *leaf = leaf_name(f);
    if (leaf) {
        openapi_define_leaf(defs, leaf, d);
        return reference(leaf, siblings, d);
    }
    if (f->base != SB_OBJECT)
        return plain_type(f->base);
    openapi_define(defs, f->type, d);
    return reference(f->type->openapi_name, siblings, d);
}

/* An element of a list or map, with the default it has. */
static json_t *element_schema(json_t *defs, const struct schema_field *f, enum dialect d)
{
    json_t *dflt = d == OPENAPI_V3 ? zero_default(f) : NULL;
    json_t *v = value_schema(defs, f, dflt != NULL, d);
    if (dflt)
        json_object_set_new(v, "default", dflt);
    return v;
}

/* -- one field -- */

static json_t *shaped_schema(json_t *defs, const struct schema_field *f, bool siblings, enum dialect d)
{
    switch (f->shape) {
    case SHAPE_LIST:
        return json_pack("{s:s, s:o}", "type", "array", "items", element_schema(defs, f, d));
    case SHAPE_MAP:
        return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", element_schema(defs, f, d));
    case SHAPE_MAP_OF_LIST:
        return json_pack("{s:s, s:{s:s, s:o}}", "type", "object", "additionalProperties", "type", "array", "items",
                         element_schema(defs, f, d));
    default:
        return value_schema(defs, f, siblings, d);
    }
}

/* The values there are, on the value itself: of a list, on its items. */
static void enums_add(json_t *out, const struct schema_field *f)
{
    json_t *at = f->shape == SHAPE_LIST ? json_object_get(out, "items") : out;
    json_t *values = json_array();
    for (const char *const *v = f->enums; *v; v++)
        json_array_append_new(values, json_string(*v));
    json_object_set_new(at, "enum", values);
}

static json_t *field_default(const struct schema_field *f)
{
    if (f->dflt && !f->dflt_silent)
        return json_deep_copy(f->dflt);
    return f->always && f->shape == SHAPE_ONE && !f->nullable_pointer ? zero_default(f) : NULL;
}

static void patch_extensions(json_t *out, const struct schema_field *f)
{
    static const char *const names[] = {"merge", "replace", "retainKeys"};
    const bool set[] = {f->patch_merge, f->patch_replace, f->patch_retain_keys};
    _auto_buf_ struct buf strategy = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (set[i])
            buf_addf(&strategy, "%s%s", strategy.len ? "," : "", names[i]);
    if (f->merge_key)
        json_object_set_new(out, "x-kubernetes-patch-merge-key", json_string(f->merge_key));
    if (strategy.len)
        json_object_set_new(out, "x-kubernetes-patch-strategy", json_string(strategy.data));
}

static void list_extensions(json_t *out, const struct schema_field *f)
{
    static const char *const types[] = {[LIST_ATOMIC] = "atomic", [LIST_SET] = "set", [LIST_MAP] = "map"};
    if (f->shape == SHAPE_LIST && !f->list_undeclared)
        json_object_set_new(out, "x-kubernetes-list-type", json_string(types[f->list]));
    if (f->list_keys) {
        json_t *keys = json_array();
        for (const char *const *k = f->list_keys; *k; k++)
            json_array_append_new(keys, json_string(*k));
        json_object_set_new(out, "x-kubernetes-list-map-keys", keys);
    }
    if (f->map_atomic || f->map_granular)
        json_object_set_new(out, "x-kubernetes-map-type", json_string(f->map_atomic ? "atomic" : "granular"));
}

static json_t *field_schema(json_t *defs, const struct schema_field *f, enum dialect d)
{
    json_t *dflt = d == OPENAPI_V3 ? field_default(f) : NULL;
    json_t *out = shaped_schema(defs, f, dflt || f->descr, d);
    if (dflt)
        json_object_set_new(out, "default", dflt);
    if (f->descr)
        json_object_set_new(out, "description", json_string(f->descr));
    if (f->enums && d == OPENAPI_V3)
        enums_add(out, f);
    list_extensions(out, f);
    patch_extensions(out, f);
    return out;
}

/* -- one type -- */

/* Every group version knows DeleteOptions by its own name. */
static json_t *delete_options_kinds(void)
{
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    json_t *kinds = json_array();
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(all[i - 1]->group, all[i]->group) != 0)
            json_array_append_new(kinds, openapi_gvk(all[i]->group, all[i]->version, "DeleteOptions"));
    return kinds;
}

static void kind_extension(json_t *def, const struct schema_type *t)
{
    if (!t->kind)
        return;
    json_t *kinds = str_eq(t->kind, "DeleteOptions") ? delete_options_kinds()
                                                     : json_pack("[o]", openapi_gvk(t->group, t->version, t->kind));
    json_object_set_new(def, "x-kubernetes-group-version-kind", kinds);
}

void openapi_define(json_t *defs, const struct schema_type *t, enum dialect d)
{
    if (json_object_get(defs, t->openapi_name))
        return;
    json_t *def = json_pack("{s:s}", "type", "object");
    json_object_set_new(defs, t->openapi_name, def); /* before its fields: they may come back here */
    if (t->descr)
        json_object_set_new(def, "description", json_string(t->descr));
    _auto_json_ json_t *required = json_array();
    json_t *properties = json_object();
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        if (f->required)
            json_array_append_new(required, json_string(f->name));
        json_object_set_new(properties, f->name, field_schema(defs, f, d));
    }
    if (json_array_size(required) > 0)
        json_object_set(def, "required", required);
    map_sort(properties);
    if (json_object_size(properties) > 0)
        json_object_set(def, "properties", properties);
    json_decref(properties);
    kind_extension(def, t);
    if (t->map_atomic)
        json_object_set_new(def, "x-kubernetes-map-type", json_string("atomic"));
}
