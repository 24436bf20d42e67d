/* create.c - POST, and the creating half of PUT and apply.
 *
 * ORDER, as the real server's handlers/create.go and registry/generic/registry/store.go: decode and default, namespace,
 * field ownership, mutating admission; then per name tried: system fields, allocation, the kind's preparation,
 * validation, validating admission, commit. A generated name that is taken is tried again with another suffix.
 *
 * A dry run does everything but the commit: its answer has a uid and no resourceVersion.
 *
 * Only the journal's part may be left for later (ctx->later), and only where nothing follows it but the answer: not
 * with a generated name, which may have to be tried again, nor while a Service holds the addresses it has chosen or a
 * quota what it has granted. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"
#include "registry/sub_int.h"

#include "api/validate.h"

#include <stdlib.h>
#include <string.h>

#define GENERATE_TRIES 8

static int already_exists(struct op *op, const char *name)
{
    json_t *status = status_already_exists(op->res, name);
    struct sobj *there = store_get(op->r->store, op->res->bucket, op->res->namespaced ? op->t->ns : "", name);
    if (there && meta_deleting(there->tree)) {
        _auto_free_ char *text = xasprintf("object is being deleted: %s", jstr_or(status, "message", ""));
        json_object_set_new(status, "message", json_string(text));
    }
    sobj_unref(there);
    return op_fail(op, status);
}

static int dry_create(struct op *op, json_t *take_obj)
{
    const char *name = meta_name(take_obj);
    struct sobj *there = store_get(op->r->store, op->res->bucket, op->res->namespaced ? op->t->ns : "", name);
    if (there) {
        sobj_unref(there);
        int rc = already_exists(op, name);
        json_decref(take_obj);
        return rc;
    }
    json_object_del(meta_of(take_obj), "resourceVersion");
    return op_answer_tree(op, 201, take_obj);
}

static int committed(struct op *op, int rc, const char *name, struct sobj *take_made)
{
    if (rc == 0) {
        siblings_note(op->r, take_made);
        return op_answer_obj(op, 201, take_made);
    }
    return op->e->code == ERR_ALREADY_EXISTS ? already_exists(op, name) : op_fail_err(op);
}

static int commit(struct op *op, json_t *take_obj)
{
    meta_seal(op->res, take_obj);
    if (op->ctx->dry_run)
        return dry_create(op, take_obj);
    struct store *s = op->r->store;
    struct sobj *made = NULL;
    const char *bucket = op->res->bucket, *ns = op->res->namespaced ? op->t->ns : "";
    _auto_free_ char *name = xstrdup(meta_name(take_obj));
    json_t *stored = view_to_store(op->res, take_obj);
    siblings_share(op->r, op->res, stored);
    if (op->later && !op->holds_services && !op->holds_quotas) {
        op->later->write = store_put_begin(s, bucket, ns, name, RV_ABSENT, stored, op->later->told, op->later->arg);
        op->later->name = TAKE(name);
        return 0;
    }
    int rc = store_put(s, bucket, ns, name, RV_ABSENT, stored, &made, op->e);
    return committed(op, rc, name, made);
}

/* Per name tried. */
static int create_once(struct op *op, json_t *take_obj)
{
    _auto_json_ json_t *obj = take_obj;
    meta_fill_new(op, obj);
    if (op->st->allocate && op->st->allocate(op, obj, NULL) < 0)
        return -1;
    if (op->st->prepare_create)
        op->st->prepare_create(op, obj);
    if (op->res->generation)
        json_object_set_new(meta_of(obj), "generation", json_integer(1));

    _auto_field_errors_ struct field_errors errs = {0};
    validate_create(op->res, obj, &errs);
    if (errs.len > 0)
        return op_invalid(op, meta_name(obj), &errs);
    if (op->ctx->warnings)
        validate_warnings(op->res, obj, NULL, op->ctx->warnings);
    struct admit a = {.verb = ADMIT_CREATE, .sub = "", .obj = obj};
    if (admission_validate(op, &a) < 0)
        return -1;
    if (*jstr_or(obj, "metadata.resourceVersion", ""))
        return op_fail_plain(op, "resourceVersion should not be set on objects to be created");
    return commit(op, TAKE(obj));
}

static int out_of_names(struct op *op, const char *name)
{
    json_t *status = status_already_exists(op->res, name);
    _auto_free_ char *text =
        xasprintf("%s \"%s\" already exists, the server was not able to generate a unique name for the object",
                  resource_qualified(op->res), name);
    json_object_set_new(status, "message", json_string(text));
    jset_int(status, "details.retryAfterSeconds", 1);
    return op_fail(op, status);
}

static int create_generated(struct op *op, json_t *take_obj)
{
    _auto_json_ json_t *obj = take_obj;
    _auto_free_ char *name = NULL;
    op->later = NULL;
    for (int i = 0; i < GENERATE_TRIES; i++) {
        reg_answer_release(op->ans);
        meta_generate_name(obj);
        free(name);
        name = xstrdup(meta_name(obj));
        if (create_once(op, json_deep_copy(obj)) == 0)
            return 0;
        if (op->e->code != ERR_ALREADY_EXISTS)
            return -1;
    }
    return out_of_names(op, name);
}

int op_create(struct op *op, json_t *take_obj)
{
    struct admit a = {.verb = ADMIT_CREATE, .sub = "", .obj = take_obj};
    if (admission_mutate(op, &a) < 0) {
        json_decref(take_obj);
        return -1;
    }
    if (!*meta_name(take_obj) && *jstr_or(take_obj, "metadata.generateName", ""))
        return create_generated(op, take_obj);
    return create_once(op, take_obj);
}

static int create_from_body(struct op *op, struct reg_body *body)
{
    int rc = 0;
    if (sub_create(op, body, &rc))
        return rc;
    _auto_json_ json_t *obj = NULL;
    if (op_decode(op, body, &obj) < 0 || meta_check_namespace(op, obj) < 0)
        return -1;
    op_manage(op, NULL, obj, "");
    op->later = op->ctx->later;
    return op_create(op, TAKE(obj));
}

int reg_create(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, struct reg_body *body,
               struct reg_answer *ans, struct err *e)
{
    _auto_op_ struct op op;
    op_begin(&op, r, ctx, t, ans, e);
    int rc = create_from_body(&op, body);
    json_decref(TAKE(body->tree));
    return rc;
}

int reg_create_end(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, struct reg_answer *ans,
                   struct err *e)
{
    _auto_op_ struct op op;
    struct sobj *made = NULL;
    op_begin(&op, r, ctx, t, ans, e);
    _auto_free_ char *name = TAKE(ctx->later->name);
    int rc = store_write_end(TAKE(ctx->later->write), &made, e);
    return committed(&op, rc, name, made);
}
