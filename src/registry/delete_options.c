/* delete_options.c - what came with a DELETE: a DeleteOptions body, or the same in the query.
 *
 * The body is decoded by hand, because its errors are not those of other bodies: a wrong type is a plain 500, any
 * group's DeleteOptions will do, unknown fields are nobody's business. Source: apiserver endpoints/handlers/delete.go,
 * apimachinery apis/meta/v1/validation ValidateDeleteOptions. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"

#include "base/buf.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define POLICY_TEXTS "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""

static const char *const policies[] = {"Foreground", "Background", "Orphan"};

static const char *go_kind_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return "string";
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    default:
        return "number";
    }
}

static const struct {
    const char *member;
    json_type type;
    const char *go_type;
} members[] = {
    {"gracePeriodSeconds", JSON_INTEGER, "int64"},
    {"orphanDependents", JSON_TRUE, "bool"},
    {"propagationPolicy", JSON_STRING, "v1.DeletionPropagation"},
    {"preconditions", JSON_OBJECT, "v1.Preconditions"},
    {"dryRun", JSON_ARRAY, "[]string"},
};

static bool type_fits(const json_t *v, json_type want)
{
    if (want == JSON_TRUE)
        return json_is_boolean(v);
    return json_typeof(v) == want;
}

static int check_types(struct op *op, const json_t *o)
{
    const char *kind = jstr_or(o, "kind", "DeleteOptions"), *version = jstr_or(o, "apiVersion", "v1");
    if (*kind && strcmp(kind, "DeleteOptions") != 0)
        return op_fail_plain(op,
                             "no kind \"%s\" is registered for version \"%s\" in scheme "
                             "\"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\"",
                             kind, version);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *v = json_object_get(o, members[i].member);
        if (v && !json_is_null(v) && !type_fits(v, members[i].type))
            return op_fail_plain(op, "json: cannot unmarshal %s into Go struct field DeleteOptions.%s of type %s",
                                 go_kind_of(v), members[i].member, members[i].go_type);
    }
    return 0;
}

static int invalid(struct op *op, struct field_errors *errs)
{
    return op_fail(op, status_invalid("meta.k8s.io", "DeleteOptions", "", errs));
}

static void check_policy(const json_t *o, struct field_errors *errs)
{
    const char *policy = jstr(o, "propagationPolicy");
    if (!policy)
        return;
    if (json_is_boolean(json_object_get(o, "orphanDependents"))) {
        fe_invalid_str(errs, "propagationPolicy", policy,
                       "orphanDependents and deletionPropagation cannot be both set");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (strcmp(policies[i], policy) == 0)
            return;
    _auto_free_ char *value = xasprintf("\"%s\"", policy);
    fe_add(errs, FE_NOT_SUPPORTED, "propagationPolicy", value, POLICY_TEXTS);
}

static bool check_dry_run(const json_t *o, struct field_errors *errs)
{
    const json_t *list = json_object_get(o, "dryRun");
    bool all = json_array_size(list) > 0;
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)list, i, v) all = all && str_eq(json_string_value(v), "All");
    if (all || json_array_size(list) == 0)
        return all;
    _auto_buf_ struct buf value = BUF_INIT;
    go_value_write(&value, list);
    fe_add(errs, FE_NOT_SUPPORTED, "dryRun", buf_str(&value), "supported values: \"All\"");
    return false;
}

/* Checks the options and takes what delete.c needs. Texts in *out point into `o`. */
static int take(struct op *op, const json_t *o, struct reg_delete_opts *out, bool *out_dry_run)
{
    _auto_field_errors_ struct field_errors errs = {0};
    if (check_types(op, o) < 0)
        return -1;
    check_policy(o, &errs);
    bool dry = check_dry_run(o, &errs);
    if (errs.len > 0)
        return invalid(op, &errs);
    *out = REG_DELETE_DEFAULT;
    int64_t grace = jint(o, "gracePeriodSeconds", -1);
    if (json_is_integer(json_object_get(o, "gracePeriodSeconds")))
        out->grace_seconds = grace < 0 ? 1 : grace;
    out->propagation = jstr(o, "propagationPolicy");
    json_t *orphan = json_object_get(o, "orphanDependents");
    if (json_is_boolean(orphan))
        out->propagation = json_boolean_value(orphan) ? "Orphan" : "Background";
    out->uid = jstr(o, "preconditions.uid");
    out->resource_version = jstr(o, "preconditions.resourceVersion");
    *out_dry_run = *out_dry_run || dry;
    return 0;
}

static int parse_body(struct op *op, const struct reg_body *body, json_t **out)
{
    if (body->tree) {
        *out = json_incref(body->tree);
        return 0;
    }
    if (body->media == MEDIA_JSON) {
        if (json_parse(body->bytes, body->len, out, op->e) < 0)
            return op_fail_plain(op, "couldn't get version/kind; json parse error: %s", op->e->msg);
        return 0;
    }
    struct decode_opts opts = {
        .type = schema_type("meta.v1.DeleteOptions"), .media = body->media, .fields = FIELDS_IGNORE};
    if (decode_object(&opts, body->bytes, body->len, out, NULL, op->e) < 0)
        return op_fail_plain(op, "%s", op->e->msg);
    return 0;
}

/* The query as an options object. */
static int parse_query(struct op *op, const struct reg_delete_query *q, json_t **out)
{
    _auto_json_ json_t *o = json_object();
    int64_t grace;
    if (q->grace && *q->grace) {
        if (!str_to_i64(q->grace, &grace))
            return op_fail_code(op, ERR_BAD_REQUEST, "strconv.ParseInt: parsing \"%s\": invalid syntax", q->grace);
        json_object_set_new(o, "gracePeriodSeconds", json_integer(grace));
    }
    if (q->propagation && *q->propagation)
        json_object_set_new(o, "propagationPolicy", json_string(q->propagation));
    if (q->orphan)
        json_object_set_new(o, "orphanDependents",
                            json_boolean(strcmp(q->orphan, "false") != 0 && strcmp(q->orphan, "0") != 0));
    if (q->dry_run && *q->dry_run)
        json_object_set_new(o, "dryRun", json_pack("[s]", q->dry_run));
    *out = TAKE(o);
    return 0;
}

int reg_delete_options(const struct reg_body *body, const struct reg_delete_query *q, struct reg_delete_opts *out_o,
                       bool *out_dry_run, json_t **out_hold, struct reg_answer *ans, struct err *e)
{
    static const struct resource options = {.group = "", .version = "v1", .kind = "DeleteOptions", .plural = ""};
    static const struct reg_target nothing = {.res = &options, .ns = "", .name = "", .sub = ""};
    struct op op = {.res = &options, .t = &nothing, .ans = ans, .e = e};
    *ans = (struct reg_answer){0};
    _auto_json_ json_t *o = NULL;
    bool has_body = body && (body->tree || body->len > 0);
    if ((has_body ? parse_body(&op, body, &o) : parse_query(&op, q, &o)) < 0)
        return -1;
    bool dry = has_body && q->dry_run && strcmp(q->dry_run, "All") == 0;
    if (take(&op, o, out_o, &dry) < 0)
        return -1;
    *out_dry_run = dry;
    *out_hold = TAKE(o);
    return 0;
}
