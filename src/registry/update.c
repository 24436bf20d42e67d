/* update.c - PUT, and the engine under every change of an existing object.
 *
 * op_update() is the real server's Store.Update with GuaranteedUpdate: read the live object, let the caller make the
 * wanted one from it, admit, check versions, prepare, validate, commit if the live object is still the same; if not,
 * begin again. A client that named a resourceVersion loses such a race with a 409, because its version is then stale.
 *
 * INVARIANTS: what is equal to the stored object is not written (no new resourceVersion, no event). An object that is
 * being deleted and lost its last finalizer is removed by the update that took it; the answer is the object as written.
 * THREADS: any. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"
#include "registry/sub_int.h"

#include "api/validate.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#define RACE_TRIES 16
#define OPTIMISTIC_LOCK_TEXT                                                                                           \
    "the object has been modified; please apply your changes to the latest version and try again"

static const char *target_ns(const struct op *op)
{
    return op->res->namespaced ? op->t->ns : "";
}

static int check_uid(struct op *op, const char *wanted, const json_t *live)
{
    const char *uid = live ? jstr_or(live, "metadata.uid", "") : "";
    if (!wanted || strcmp(wanted, uid) == 0)
        return 0;
    _auto_free_ char *key = strategy_key(op->st, op->res, target_ns(op), op->t->name);
    return op_conflict(op,
                       "StorageError: invalid object, Code: 4, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: "
                       "Precondition failed: UID in precondition: %s, UID in object meta: %s",
                       key, wanted, uid);
}

/* The version the client named must be the live one; none at all is fine for most kinds. */
static int check_version(struct op *op, json_t *obj, const struct sobj *cur)
{
    const char *text = jstr_or(obj, "metadata.resourceVersion", "");
    uint64_t rv = 0;
    if (*text && !str_to_u64(text, &rv)) {
        _auto_field_errors_ struct field_errors errs = {0};
        fe_invalid_str(&errs, "metadata.resourceVersion", text, "invalid resource version");
        return op_invalid(op, op->t->name, &errs);
    }
    if (rv == cur->rv)
        return 0;
    if (rv != 0)
        return op_conflict(op, "%s", OPTIMISTIC_LOCK_TEXT);
    if (op->res->needs_rv) {
        _auto_field_errors_ struct field_errors errs = {0};
        fe_add(&errs, FE_INVALID, "metadata.resourceVersion", "0x0", "must be specified for an update");
        return op_fail(op, status_invalid(op->res->group, op->res->plural, op->t->name, &errs));
    }
    return 0;
}

/* A write to /status: nothing but the status, and what the kind allows of the metadata. */
static void keep_all_but_status(struct op *op, json_t *obj, const json_t *live)
{
    static const char *const meta_keys[] = {"labels", "annotations", "finalizers", "ownerReferences"};
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)live, key, v)
    {
        if (strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0) {
            json_object_set(obj, key, v);
        }
    }
    const json_t *old = json_object_get(live, "metadata");
    size_t n = op->st->status_keeps_meta ? ARRAY_LEN(meta_keys) : op->st->status_keeps_labels ? 1 : 0;
    for (size_t i = 0; i < n; i++)
        member_copy(meta_of(obj), old, meta_keys[i]);
}

static bool wants_bump(const struct op *op, const json_t *obj, const json_t *live)
{
    if (op->st->bumps)
        return op->st->bumps(obj, live);
    return op->res->generation && !member_equal(obj, live, "spec");
}

static void prepare(struct op *op, json_t *obj, const json_t *live)
{
    const char *sub = op->t->sub;
    member_copy(meta_of(obj), json_object_get(live, "metadata"), "generation");
    if (strcmp(sub, "status") == 0) {
        keep_all_but_status(op, obj, live);
        if (op->st->prepare_status)
            op->st->prepare_status(op, obj, live);
    } else {
        if (op->st->status_split) {
            member_copy(obj, live, "status");
        }
        if (op->st->prepare_update)
            op->st->prepare_update(op, obj, live);
        if (wants_bump(op, obj, live))
            json_object_set_new(meta_of(obj), "generation", json_integer(jint(live, "metadata.generation", 0) + 1));
    }
    meta_before_update(obj, live);
}

static int validate(struct op *op, json_t *obj, const json_t *live)
{
    _auto_field_errors_ struct field_errors errs = {0};
    validate_update(op->res, op->t->sub, obj, live, &errs);
    if (errs.len > 0)
        return op_invalid(op, meta_name(obj), &errs);
    if (op->ctx->warnings)
        validate_warnings(op->res, obj, live, op->ctx->warnings);
    return 0;
}

/* No finalizers left on an object whose deletion was asked for, and no grace running. */
static bool gone_by_update(const struct op *op, const json_t *obj, const json_t *live)
{
    if (meta_has_finalizers(obj) || !meta_deleting(live) || jint(live, "metadata.deletionGracePeriodSeconds", 0) > 0)
        return false;
    return !op->st->may_go || op->st->may_go(obj);
}

enum outcome { DONE = 0, FAILED = -1, RACED = 1 };

static enum outcome remove_emptied(struct op *op, json_t *take_obj, const struct sobj *cur)
{
    if (!op->ctx->dry_run && store_delete(op->r->store, cur->bucket, cur->ns, cur->name, cur->rv, NULL, op->e) < 0) {
        json_decref(take_obj);
        return op->e->code == ERR_CONFLICT    ? RACED
               : op->e->code == ERR_NOT_FOUND ? RACED
                                              : (enum outcome)op_fail_err(op);
    }
    return (enum outcome)op_answer_tree(op, 200, take_obj);
}

static enum outcome commit(struct op *op, json_t *take_obj, struct sobj *cur, const json_t *live)
{
    json_object_set(meta_of(take_obj), "resourceVersion",
                    json_object_get(json_object_get(live, "metadata"), "resourceVersion"));
    if (gone_by_update(op, take_obj, live))
        return remove_emptied(op, take_obj, cur);
    if (json_same(take_obj, live)) {
        json_decref(take_obj);
        return (enum outcome)op_answer_obj(op, 200, sobj_ref(cur));
    }
    if (!op->ctx->dry_run)
        versions_share(take_obj, live);
    meta_seal(op->res, take_obj);
    if (op->ctx->dry_run)
        return (enum outcome)op_answer_tree(op, 200, take_obj);
    struct sobj *now = NULL;
    json_t *stored = view_to_store(op->res, take_obj);
    siblings_share(op->r, op->res, stored);
    if (op->later && !op->holds_services && !op->holds_quotas) {
        op->later->write = store_put_begin(op->r->store, cur->bucket, cur->ns, cur->name, cur->rv, stored,
                                           op->later->told, op->later->arg);
        return DONE;
    }
    if (store_put(op->r->store, cur->bucket, cur->ns, cur->name, cur->rv, stored, &now, op->e) == 0) {
        siblings_note(op->r, now);
        return (enum outcome)op_answer_obj(op, 200, now);
    }
    if (op->e->code == ERR_CONFLICT || op->e->code == ERR_NOT_FOUND)
        return RACED;
    return (enum outcome)op_fail_err(op);
}

static enum outcome create_missing(struct op *op, const struct change *c)
{
    if (!c->may_create)
        return (enum outcome)op_not_found(op);
    json_t *obj = NULL;
    if (c->make(op, NULL, c->arg, &obj) < 0)
        return FAILED;
    json_object_del(meta_of(obj), "resourceVersion"); /* of an object that is gone: nobody minds */
    if (op_create(op, obj) == 0)
        return DONE;
    return op->e->code == ERR_ALREADY_EXISTS && !op->ctx->dry_run ? RACED : FAILED;
}

static enum outcome try_update(struct op *op, const struct change *c)
{
    _auto_sobj_ struct sobj *cur = store_get(op->r->store, op->res->bucket, target_ns(op), op->t->name);
    _auto_json_ json_t *live = cur ? reg_view(op->res, cur) : NULL;
    if (check_uid(op, c->uid, live) < 0)
        return FAILED;
    if (!cur)
        return create_missing(op, c);
    _auto_json_ json_t *obj = NULL;
    if (c->make(op, live, c->arg, &obj) < 0)
        return FAILED;
    struct admit a = {.verb = ADMIT_UPDATE, .sub = op->t->sub, .obj = obj, .old = live};
    if (admission_mutate(op, &a) < 0 || check_version(op, obj, cur) < 0)
        return FAILED;
    if (op->st->allocate && !*op->t->sub && op->st->allocate(op, obj, live) < 0)
        return FAILED;
    if (c->ours)
        return commit(op, TAKE(obj), cur, live);
    prepare(op, obj, live);
    if (validate(op, obj, live) < 0 || admission_validate(op, &a) < 0)
        return FAILED;
    return commit(op, TAKE(obj), cur, live);
}

int op_update(struct op *op, const struct change *c)
{
    for (int i = 0; i < RACE_TRIES; i++) {
        reg_answer_release(op->ans);
        enum outcome o = try_update(op, c);
        op_end(op);
        if (o != RACED)
            return o;
    }
    return op_conflict(op, "%s", OPTIMISTIC_LOCK_TEXT);
}

/* -- PUT -- */

static int make_from_body(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    json_t *obj = json_clone(arg);
    op_manage(op, live, obj, op->t->sub);
    *out_obj = obj;
    return 0;
}

static int update_from_body(struct op *op, struct reg_body *body)
{
    int rc = 0;
    if (sub_update(op, body, &rc))
        return rc;
    _auto_json_ json_t *obj = NULL;
    if (op_decode(op, body, &obj) < 0 || meta_check_namespace(op, obj) < 0 || meta_check_name(op, obj) < 0)
        return -1;
    const char *uid = jstr(obj, "metadata.uid");
    struct change c = {
        .make = make_from_body,
        .arg = obj,
        .uid = uid && *uid ? uid : NULL,
        .may_create = op->res->create_on_update && !*op->t->sub,
    };
    return op_update(op, &c);
}

int reg_update(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, struct reg_body *body,
               struct reg_answer *ans, struct err *e)
{
    _auto_op_ struct op op;
    op_begin(&op, r, ctx, t, ans, e);
    int rc = update_from_body(&op, body);
    json_decref(TAKE(body->tree));
    return rc;
}
