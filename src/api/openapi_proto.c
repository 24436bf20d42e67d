/* openapi_proto.c - an OpenAPI 2 document as protobuf, for kubectl 1.20 to 1.28, which accept nothing else.
 *
 * DESIGN: gnostic's messages mirror the JSON document, so each message is a table from JSON member to field number and
 * encoder, and one function walks the member list of any of them. Extensions (x-…) are pairs of a name and a YAML text;
 * JSON is YAML. Field numbers: gnostic-models openapiv2. THREADS: pure. */
#include "api/openapi_int.h"

#include "api/proto_wire.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

typedef void encoder(struct buf *out, unsigned number, const json_t *v);
struct member {
    const char *name; /* NULL: every extension; ends the table */
    unsigned number;
    encoder *put;
};

/* -- small encoders -- */

static void put_text(struct buf *out, unsigned number, const json_t *v)
{
    wire_put_bytes(out, number, json_string_value(v), json_string_length(v));
}

static void put_texts(struct buf *out, unsigned number, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        put_text(out, number, json_array_get(v, i));
}

static void put_bool(struct buf *out, unsigned number, const json_t *v)
{
    wire_put_uint(out, number, json_is_true(v));
}

/* Any{2 yaml} */
static void put_any(struct buf *out, unsigned number, const json_t *v)
{
    _auto_free_ char *text = json_text(v);
    size_t at = wire_open(out, number);
    wire_put_string(out, 2, text);
    wire_close(out, at);
}

/* NamedAny{1 name, 2 value} */
static void put_extension(struct buf *out, unsigned number, const char *name, const json_t *v)
{
    size_t at = wire_open(out, number);
    wire_put_string(out, 1, name);
    put_any(out, 2, v);
    wire_close(out, at);
}

/* TypeItem{1 value} */
static void put_type(struct buf *out, unsigned number, const json_t *v)
{
    size_t at = wire_open(out, number);
    put_text(out, 1, v);
    wire_close(out, at);
}

/* The members of one message. */
static void put_members(struct buf *out, const json_t *v, const struct member *table)
{
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item)
    {
        const struct member *m = table;
        while (m->name && strcmp(m->name, key) != 0)
            m++;
        if (m->name)
            m->put(out, m->number, item);
        else if (strncmp(key, "x-", 2) == 0)
            put_extension(out, m->number, key, item);
    }
}

static void put_message(struct buf *out, unsigned number, const json_t *v, const struct member *table)
{
    size_t at = wire_open(out, number);
    put_members(out, v, table);
    wire_close(out, at);
}

/* A map as repeated Named…{1 name, 2 value} with field number 1 of one message. */
static void put_named(struct buf *out, unsigned number, const json_t *v, encoder *put)
{
    size_t whole = wire_open(out, number);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item)
    {
        size_t at = wire_open(out, 1);
        wire_put_string(out, 1, key);
        put(out, 2, item);
        wire_close(out, at);
    }
    wire_close(out, whole);
}

/* -- schemas -- */

static void put_schema(struct buf *out, unsigned number, const json_t *v);

static void put_schemas(struct buf *out, unsigned number, const json_t *v)
{
    put_named(out, number, v, put_schema);
}

/* ItemsItem{1 schema}, AdditionalPropertiesItem{1 schema}, SchemaItem{1 schema} */
static void put_boxed_schema(struct buf *out, unsigned number, const json_t *v)
{
    size_t at = wire_open(out, number);
    put_schema(out, 1, v);
    wire_close(out, at);
}

static const struct member schema_members[] = {
    {"$ref", 1, put_text},   {"format", 2, put_text},         {"description", 4, put_text},
    {"default", 5, put_any}, {"required", 19, put_texts},     {"additionalProperties", 21, put_boxed_schema},
    {"type", 22, put_type},  {"items", 23, put_boxed_schema}, {"properties", 25, put_schemas},
    {NULL, 31, NULL},
};

static void put_schema(struct buf *out, unsigned number, const json_t *v)
{
    put_message(out, number, v, schema_members);
}

/* -- parameters and answers -- */

static const struct member body_members[] = {
    {"description", 1, put_text}, {"name", 2, put_text},     {"in", 3, put_text},
    {"required", 4, put_bool},    {"schema", 5, put_schema}, {NULL, 6, NULL},
};
static const struct member query_members[] = {
    {"required", 1, put_bool}, {"in", 2, put_text},   {"description", 3, put_text},
    {"name", 4, put_text},     {"type", 6, put_text}, {"uniqueItems", 20, put_bool},
    {NULL, 23, NULL},
};
static const struct member path_members[] = {
    {"required", 1, put_bool}, {"in", 2, put_text},   {"description", 3, put_text},
    {"name", 4, put_text},     {"type", 5, put_text}, {"uniqueItems", 19, put_bool},
    {NULL, 22, NULL},
};

/* ParametersItem{1 Parameter{1 body, 2 NonBodyParameter{3 query, 4 path}}} */
static void put_parameter(struct buf *out, unsigned number, const json_t *v)
{
    const char *in = jstr_or(v, "in", "");
    size_t item = wire_open(out, number);
    size_t parameter = wire_open(out, 1);
    if (strcmp(in, "body") == 0) {
        put_message(out, 1, v, body_members);
    } else {
        bool path = strcmp(in, "path") == 0;
        size_t other = wire_open(out, 2);
        put_message(out, path ? 4 : 3, v, path ? path_members : query_members);
        wire_close(out, other);
    }
    wire_close(out, parameter);
    wire_close(out, item);
}

static void put_parameters(struct buf *out, unsigned number, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        put_parameter(out, number, json_array_get(v, i));
}

static const struct member response_members[] = {
    {"description", 1, put_text},
    {"schema", 2, put_boxed_schema},
    {NULL, 5, NULL},
};

/* ResponseValue{1 Response} */
static void put_response(struct buf *out, unsigned number, const json_t *v)
{
    size_t at = wire_open(out, number);
    put_message(out, 1, v, response_members);
    wire_close(out, at);
}

static void put_responses(struct buf *out, unsigned number, const json_t *v)
{
    put_named(out, number, v, put_response);
}

/* -- paths and the document -- */

static const struct member operation_members[] = {
    {"description", 3, put_text},
    {"operationId", 5, put_text},
    {"produces", 6, put_texts},
    {"consumes", 7, put_texts},
    {"parameters", 8, put_parameters},
    {"responses", 9, put_responses},
    {NULL, 13, NULL},
};

static void put_operation(struct buf *out, unsigned number, const json_t *v)
{
    put_message(out, number, v, operation_members);
}

static const struct member path_item_members[] = {
    {"get", 2, put_operation},
    {"put", 3, put_operation},
    {"post", 4, put_operation},
    {"delete", 5, put_operation},
    {"patch", 8, put_operation},
    {"parameters", 9, put_parameters},
    {NULL, 10, NULL},
};

/* Paths{2 repeated NamedPathItem{1 name, 2 PathItem}} */
static void put_paths(struct buf *out, unsigned number, const json_t *v)
{
    size_t whole = wire_open(out, number);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item)
    {
        size_t at = wire_open(out, 2);
        wire_put_string(out, 1, key);
        put_message(out, 2, item, path_item_members);
        wire_close(out, at);
    }
    wire_close(out, whole);
}

static void put_info(struct buf *out, unsigned number, const json_t *v)
{
    static const struct member members[] = {{"title", 1, put_text}, {"version", 2, put_text}, {NULL, 7, NULL}};
    put_message(out, number, v, members);
}

void openapi_proto_write(struct buf *out, const json_t *v2)
{
    static const struct member members[] = {
        {"swagger", 1, put_text},        {"info", 2, put_info}, {"paths", 8, put_paths},
        {"definitions", 9, put_schemas}, {NULL, 16, NULL},
    };
    put_members(out, v2, members);
}
