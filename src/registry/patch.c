/* patch.c - PATCH: JSON patch, merge patch, strategic merge, server-side apply.
 *
 * A patch is a recipe, not a state: it is applied to the live object each time the update engine asks, so a race costs
 * a retry and not a conflict (unless the patch names a resourceVersion). The patch document is parsed only once there
 * is an object to patch: a bad patch of a missing object is a 404, as on the real server.
 *
 * Source: apiserver endpoints/handlers/patch.go. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/sub_int.h"

#include "base/buf.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct patching {
    enum patch_type type;
    bool force;
    const struct reg_body *body;
};

/* The 422 of a patch whose result cannot be: " "" is invalid: patch: Invalid value: "…": why". */
static int patch_refused(struct op *op, const char *value, const char *why)
{
    _auto_field_errors_ struct field_errors errs = {0};
    fe_invalid_str(&errs, "patch", value, why);
    return op_fail(op, status_invalid("", "", "", &errs));
}

int patch_fail_decode(struct op *op, const json_t *doc)
{
    _auto_free_ char *text = json_text(doc);
    _auto_free_ char *why = xstrdup(op->e->msg);
    return patch_refused(op, text, why);
}

static int parse_json(struct op *op, enum patch_type type, const struct reg_body *body, struct strlist *dups,
                      json_t **out)
{
    if (body->tree) {
        *out = json_incref(body->tree);
        return 0;
    }
    if (json_parse_strict(body->bytes, body->len, out, dups, op->e) < 0)
        return op_fail_code(op, ERR_BAD_REQUEST, "%s%s",
                            type == PATCH_STRATEGIC ? "" : "error decoding patch: ", op->e->msg);
    return 0;
}

/* Members of operations that JSON patch does not know. */
static void check_operations(const json_t *ops, struct strlist *strict)
{
    static const char *const known[] = {"op", "path", "from", "value"};
    size_t i;
    const char *key;
    json_t *op, *v;
    json_array_foreach((json_t *)ops, i, op)
    {
        json_object_foreach(op, key, v)
        {
            bool found = false;
            for (size_t k = 0; k < ARRAY_LEN(known); k++)
                found = found || strcmp(known[k], key) == 0;
            if (!found)
                strlist_addf(strict, "json patch unknown field \"[%zu].%s\"", i, key);
        }
    }
}

static int run_patch(struct op *op, enum patch_type type, const struct schema_type *schema, const json_t *doc,
                     const json_t *patch, json_t **out)
{
    int rc = -1;
    switch (type) {
    case PATCH_JSON:
        rc = patch_json(doc, patch, out, op->e);
        break;
    case PATCH_MERGE:
        rc = patch_merge(doc, patch, out, op->e);
        break;
    case PATCH_STRATEGIC:
        rc = patch_strategic(schema, doc, patch, out, op->e);
        break;
    case PATCH_APPLY:
        BUG("apply is not a patch of a document");
    }
    return rc < 0 ? op_fail_err(op) : 0;
}

int patch_apply_body(struct op *op, enum patch_type type, const struct schema_type *schema, const json_t *doc,
                     const struct reg_body *body, json_t **out)
{
    _auto_json_ json_t *patch = NULL;
    if (parse_json(op, type, body, NULL, &patch) < 0)
        return -1;
    return run_patch(op, type, schema, doc, patch, out);
}

/* Says what was found, or refuses. `value` is what the refusal shows. */
static int settle_strictness(struct op *op, const struct strlist *strict, const char *value)
{
    if (strict->len == 0 || op->ctx->fields == FIELDS_IGNORE)
        return 0;
    if (op->ctx->fields == FIELDS_STRICT) {
        _auto_free_ char *all = strlist_join(strict, ", ");
        _auto_free_ char *why = xasprintf("strict decoding error: %s", all);
        return patch_refused(op, value, why);
    }
    for (size_t i = 0; op->ctx->warnings && i < strict->len; i++)
        strlist_add(op->ctx->warnings, strict->items[i]);
    return 0;
}

/* Strategic patches are turned into Go values by another converter, with words of its own for what does not fit:
 * "json: cannot unmarshal string into Go struct field X.spec.replicas of type int32" -> "unrecognized type: int32". */
static char *converter_words(const char *msg)
{
    static const char *const seen[][2] = {
        {"object", "map"}, {"array", "slice"}, {"string", "string"}, {"number", "int64"}, {"bool", "bool"}};
    char what[16] = "", type[256] = "";
    const char *of = strstr(msg, " of type ");
    if (!of || sscanf(msg, "json: cannot unmarshal %15s", what) != 1 || sscanf(of, " of type %255s", type) != 1)
        return xstrdup(msg);
    const char *kind = what;
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        if (strcmp(seen[i][0], what) == 0)
            kind = seen[i][1];
    if (str_starts(type, "[]"))
        return xasprintf("cannot restore slice from %s", kind);
    if (str_starts(type, "map["))
        return xasprintf("cannot restore map from %s", kind);
    if (strchr(type, '.'))
        return xasprintf("cannot restore struct from: %s", kind);
    if (strcmp(kind, "int64") == 0 && strcmp(type, "string") == 0)
        return xstrdup("cannot convert int64 to string");
    return xasprintf("unrecognized type: %s", type);
}

/* A patched document back to a typed, defaulted object. `shown`: the text refusals show, NULL for the document's own.
 */
static int retype(struct op *op, json_t *take_doc, struct strlist *strict, const char *shown, json_t **out_obj)
{
    _auto_json_ json_t *doc = take_doc;
    _auto_json_ json_t *obj = NULL;
    struct decode_opts opts = {.want = op->res, .media = MEDIA_JSON, .fields = FIELDS_WARN};
    int rc = decode_tree(&opts, json_incref(doc), &obj, strict, op->e);
    if (rc < 0 || (strict->len > 0 && op->ctx->fields == FIELDS_STRICT)) {
        _auto_free_ char *own = shown ? NULL : json_text(doc);
        _auto_free_ char *why = shown ? converter_words(op->e->msg) : xstrdup(op->e->msg);
        if (rc < 0)
            return patch_refused(op, shown ? shown : own, why);
        return settle_strictness(op, strict, shown ? shown : own);
    }
    settle_strictness(op, strict, "");
    op_default(op, obj);
    *out_obj = TAKE(obj);
    return 0;
}

static int make_patched(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    const struct patching *p = arg;
    json_t *doc = NULL;
    _auto_json_ json_t *patch = NULL;
    _auto_json_ json_t *obj = NULL;
    _auto_strlist_ struct strlist strict = {0};
    _auto_buf_ struct buf shown = BUF_INIT;
    if (parse_json(op, p->type, p->body, &strict, &patch) < 0)
        return -1;
    if (p->type == PATCH_JSON)
        check_operations(patch, &strict);
    if (p->type == PATCH_STRATEGIC)
        go_plain_write(&shown, patch);
    if (run_patch(op, p->type, schema_type(op->res->type), live, patch, &doc) < 0 ||
        retype(op, doc, &strict, p->type == PATCH_STRATEGIC ? buf_str(&shown) : NULL, &obj) < 0 ||
        meta_check_name(op, obj) < 0 || meta_check_namespace(op, obj) < 0)
        return -1;
    op_manage(op, live, obj, op->t->sub);
    *out_obj = TAKE(obj);
    return 0;
}

/* -- server-side apply -- */

static int wrong_type(struct op *op, const char *api_version, const char *kind)
{
    return op_fail_code(op, ERR_BAD_REQUEST, "invalid object type: %s%s, Kind=%s", strchr(api_version, '/') ? "" : "/",
                        api_version, kind);
}

static int check_applied(struct op *op, const json_t *applied, bool creates)
{
    const char *av = jstr_or(applied, "apiVersion", ""), *kind = jstr_or(applied, "kind", "");
    if (strcmp(av, resource_api_version(op->res)) != 0 || strcmp(kind, op->res->kind) != 0)
        return wrong_type(op, av, kind);
    if (json_array_size(jat(applied, "metadata.managedFields")) > 0)
        return op_fail_code(op, ERR_BAD_REQUEST, "metadata.managedFields must be nil");
    const char *uid = jstr_or(applied, "metadata.uid", "");
    if (creates && *uid) {
        _auto_field_errors_ struct field_errors errs = {0};
        for (int i = 0; i < 2; i++) /* said twice: once by each of two checks there */
            fe_invalid_str(&errs, "metadata.uid", uid, "field is immutable");
        return op_invalid(op, op->t->name, &errs);
    }
    return meta_check_name(op, applied);
}

static int parse_applied(struct op *op, const struct reg_body *body, json_t **out)
{
    if (body->tree) {
        *out = json_incref(body->tree);
        return 0;
    }
    _auto_strlist_ struct strlist dups = {0};
    _auto_json_ json_t *doc = NULL;
    if (yaml_parse(body->bytes, body->len, &doc, &dups, op->e) < 0)
        return op_fail_code(op, ERR_BAD_REQUEST, "error decoding YAML: error converting YAML to JSON: %s", op->e->msg);
    if (dups.len > 0 && op->ctx->fields == FIELDS_STRICT) {
        _auto_free_ char *lines = strlist_join(&dups, "\n  ");
        return op_fail_code(op, ERR_BAD_REQUEST,
                            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  %s",
                            lines);
    }
    settle_strictness(op, &dups, "");
    *out = TAKE(doc);
    return 0;
}

static int make_applied(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    const struct patching *p = arg;
    _auto_json_ json_t *applied = NULL;
    if (parse_applied(op, p->body, &applied) < 0 || check_applied(op, applied, !live) < 0)
        return -1;
    struct manage_ctx m = {.res = op->res, .manager = op->ctx->manager, .subresource = op->t->sub, .now = op->now};
    json_t *doc = NULL, *status = NULL, *obj = NULL;
    if (managed_apply(&m, live, applied, p->force, &doc, &status, op->e) < 0)
        return status ? op_fail(op, status) : op_fail_err(op);
    _auto_strlist_ struct strlist strict = {0};
    if (retype(op, doc, &strict, NULL, &obj) < 0)
        return -1;
    if (!*meta_name(obj))
        jset_str(obj, "metadata.name", op->t->name);
    if (meta_check_namespace(op, obj) < 0) {
        json_decref(obj);
        return -1;
    }
    *out_obj = obj;
    return 0;
}

int reg_patch(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, enum patch_type type,
              bool force, struct reg_body *body, struct reg_answer *ans, struct err *e)
{
    _auto_op_ struct op op;
    op_begin(&op, r, ctx, t, ans, e);
    struct patching p = {.type = type, .force = force, .body = body};
    struct change c = {
        .make = type == PATCH_APPLY ? make_applied : make_patched,
        .arg = &p,
        .may_create = type == PATCH_APPLY && !*t->sub,
    };
    int rc = 0;
    if (!sub_patch(&op, type, force, body, &rc))
        rc = op_update(&op, &c);
    json_decref(TAKE(body->tree));
    return rc;
}
