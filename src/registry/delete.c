/* delete.c - DELETE: preconditions, finalizers, propagation, grace, and the two-step end of a namespace.
 *
 * An object goes at once, unless something holds it: finalizers (its own, or `orphan` / `foregroundDeletion` that the
 * asked propagation adds), or grace (pods). Held, it is marked instead (deletionTimestamp, deletionGracePeriodSeconds)
 * and stays until the last finalizer is taken (update.c) or until it is deleted again with grace 0 (the kubelet's
 * part).
 *
 *     alive --DELETE--> marked --last finalizer / grace 0--> gone
 *       \------------------nothing holds it-------------------^
 *
 * Source: apiserver registry/generic/registry/store.go Delete, registry/rest/delete.go BeforeDelete;
 * pkg/registry/core/namespace. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#define RACE_TRIES           16
#define FINALIZER_ORPHAN     "orphan"
#define FINALIZER_FOREGROUND "foregroundDeletion"

static const char *target_ns(const struct op *op)
{
    return op->res->namespaced ? op->t->ns : "";
}

/* -- preconditions -- */

/* The conflict names the Kind where others name the resource. */
static int precondition_failed(struct op *op, const char *what, const char *asked, const char *have, const char *hint)
{
    const char *group = op_kind_group(op);
    _auto_free_ char *kind = *group ? xasprintf("%s.%s", op->res->kind, group) : xstrdup(op->res->kind);
    _auto_free_ char *text = xasprintf(
        "Operation cannot be fulfilled on %s \"%s\": the %s in the precondition (%s) does not match the %s in "
        "record (%s). The object might have been %s",
        kind, op->t->name, what, asked, what, have, hint);
    json_t *details = json_pack("{ss}", "name", op->t->name);
    if (*group)
        json_object_set_new(details, "group", json_string(group));
    json_object_set_new(details, "kind", json_string(op->res->kind));
    return op_fail(op, status_failure(ERR_CONFLICT, text, details));
}

static int check_preconditions(struct op *op, const struct sobj *cur, const struct reg_delete_opts *o)
{
    const char *uid = jstr_or(cur->tree, "metadata.uid", "");
    const char *rv = jstr_or(cur->tree, "metadata.resourceVersion", "");
    bool ns = strcmp(op->res->bucket, "namespaces") == 0;
    if (o->uid && strcmp(o->uid, uid) != 0)
        return ns ? op_conflict(op, "Precondition failed: UID in precondition: %s, UID in object meta: %s", o->uid, uid)
                  : precondition_failed(op, "UID", o->uid, uid, "deleted and then recreated");
    if (o->resource_version && strcmp(o->resource_version, rv) != 0)
        return ns ? op_conflict(
                        op,
                        "Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s",
                        o->resource_version, rv)
                  : precondition_failed(op, "ResourceVersion", o->resource_version, rv, "modified");
    return 0;
}

/* -- propagation -- */

static bool wants_finalizer(const json_t *obj, const struct reg_delete_opts *o, const char *policy,
                            const char *finalizer, const char *other)
{
    if (o->propagation)
        return strcmp(o->propagation, policy) == 0;
    if (jarr_has(obj, "metadata.finalizers", other) && !jarr_has(obj, "metadata.finalizers", finalizer))
        return false;
    return jarr_has(obj, "metadata.finalizers", finalizer);
}

#define ORPHANS_TEXT                                                                                                   \
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "   \
    "set propagationPolicy=Orphan to suppress this warning"

void op_warn_orphans(const struct op *op, const struct reg_delete_opts *o)
{
    if (strcmp(op->res->kind, "Job") == 0 && !o->propagation && op->ctx->warnings &&
        !strlist_has(op->ctx->warnings, ORPHANS_TEXT))
        strlist_add(op->ctx->warnings, ORPHANS_TEXT);
}

/* Gives the object the finalizers of the asked policy. */
static void set_propagation(const struct op *op, json_t *obj, const struct reg_delete_opts *o)
{
    if (op->st->no_garbage)
        return;
    bool orphan = wants_finalizer(obj, o, "Orphan", FINALIZER_ORPHAN, FINALIZER_FOREGROUND);
    bool foreground = wants_finalizer(obj, o, "Foreground", FINALIZER_FOREGROUND, FINALIZER_ORPHAN);
    orphan = orphan || (op->st->orphans && !o->propagation && !foreground);
    if (orphan != jarr_has(obj, "metadata.finalizers", FINALIZER_ORPHAN))
        (orphan ? meta_finalizer_add : meta_finalizer_remove)(obj, FINALIZER_ORPHAN);
    if (foreground != jarr_has(obj, "metadata.finalizers", FINALIZER_FOREGROUND))
        (foreground ? meta_finalizer_add : meta_finalizer_remove)(obj, FINALIZER_FOREGROUND);
}

/* -- marks -- */

static void bump_generation(json_t *meta)
{
    int64_t g = jint(meta, "generation", 0);
    if (g > 0)
        json_object_set_new(meta, "generation", json_integer(g + 1));
}

static void mark(json_t *obj, const char *when, int64_t grace)
{
    json_t *meta = meta_of(obj);
    json_object_set_new(meta, "deletionTimestamp", json_string(when));
    json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(grace));
}

enum grace { GRACE_NONE, GRACE_MARKED, GRACE_PENDING };

/* Graceful kinds: marks the object, or finds that the running grace stands. *out_grace is what it has now. */
static enum grace apply_grace(const struct op *op, json_t *obj, const struct reg_delete_opts *o, int64_t *out_grace)
{
    if (!op->st->grace)
        return GRACE_NONE;
    char when[TIME_TEXT_LEN];
    if (meta_deleting(obj)) {
        int64_t running = jint(obj, "metadata.deletionGracePeriodSeconds", 0);
        if (running == 0)
            return GRACE_NONE;
        if (o->grace_seconds < 0 || o->grace_seconds >= running)
            return GRACE_PENDING;
        int64_t end = op->now_ns;
        time_parse(jstr_or(obj, "metadata.deletionTimestamp", ""), &end);
        seconds_after(end, o->grace_seconds - running, when);
        mark(obj, when, o->grace_seconds);
        *out_grace = o->grace_seconds;
        return GRACE_MARKED;
    }
    *out_grace = op->st->grace(obj, o->grace_seconds);
    seconds_after(op->now_ns, *out_grace, when);
    mark(obj, when, *out_grace);
    bump_generation(meta_of(obj));
    return GRACE_MARKED;
}

static void mark_held(const struct op *op, json_t *obj)
{
    int64_t at = 0;
    bool was = meta_deleting(obj);
    if (!was)
        bump_generation(meta_of(obj));
    bool later = was && time_parse(jstr_or(obj, "metadata.deletionTimestamp", ""), &at) == 0 && at > op->now_ns;
    _auto_free_ char *kept = xstrdup(was && !later ? jstr_or(obj, "metadata.deletionTimestamp", "") : op->now);
    mark(obj, kept, 0);
}

/* -- the steps -- */

enum outcome { DONE = 0, FAILED = -1, RACED = 1 };

static enum outcome lost_race(struct op *op)
{
    if (op->e->code == ERR_CONFLICT || op->e->code == ERR_NOT_FOUND)
        return RACED;
    return (enum outcome)op_fail_err(op);
}

/* Writes the marked object; the answer is that object. */
static enum outcome write_mark(struct op *op, struct sobj **cur, json_t *take_obj)
{
    if (json_equal(take_obj, (*cur)->tree)) {
        json_decref(take_obj);
        return (enum outcome)op_answer_obj(op, 200, sobj_ref(*cur));
    }
    meta_seal(resource_by_bucket(op->res->bucket), take_obj);
    if (op->ctx->dry_run)
        return (enum outcome)op_answer_tree(op, 200, take_obj);
    struct sobj *now = NULL;
    if (store_put(op->r->store, (*cur)->bucket, (*cur)->ns, (*cur)->name, (*cur)->rv, take_obj, &now, op->e) < 0)
        return lost_race(op);
    sobj_unref(*cur);
    *cur = sobj_ref(now);
    return (enum outcome)op_answer_obj(op, 200, now);
}

static enum outcome remove_now(struct op *op, struct sobj *cur)
{
    reg_answer_release(op->ans);
    struct sobj *last = NULL;
    if (op->ctx->dry_run)
        last = sobj_ref(cur);
    else if (store_delete(op->r->store, cur->bucket, cur->ns, cur->name, cur->rv, &last, op->e) < 0)
        return lost_race(op);
    if (op->st->returns_object)
        return (enum outcome)op_answer_obj(op, 200, last);
    json_t *status = status_deleted(op->res, cur->name, jstr_or(cur->tree, "metadata.uid", ""));
    sobj_unref(last);
    return (enum outcome)op_answer_tree(op, 200, status);
}

/* Answers an object whose grace is already running: as it is, or a Status, as the kind does. */
static enum outcome answer_pending(struct op *op, struct sobj *cur)
{
    if (op->st->returns_object)
        return (enum outcome)op_answer_obj(op, 200, sobj_ref(cur));
    return (enum outcome)op_answer_tree(op, 200,
                                        status_deleted(op->res, cur->name, jstr_or(cur->tree, "metadata.uid", "")));
}

/* *marked gets the object once a deletion without grace has marked it: from then on it is gone, whoever removes it. */
static enum outcome try_plain(struct op *op, struct sobj **cur, const struct reg_delete_opts *o, struct sobj **marked)
{
    _auto_json_ json_t *obj = json_copy((*cur)->tree);
    json_object_set_new(obj, "metadata", json_deep_copy(json_object_get((*cur)->tree, "metadata")));
    int64_t grace = 0;
    enum grace g = apply_grace(op, obj, o, &grace);
    if (g == GRACE_PENDING)
        return answer_pending(op, *cur);
    set_propagation(op, obj, o);
    bool held = meta_has_finalizers(obj);
    if (g == GRACE_NONE) {
        if (!held)
            return remove_now(op, *cur);
        mark_held(op, obj);
        return write_mark(op, cur, TAKE(obj));
    }
    enum outcome written = write_mark(op, cur, TAKE(obj));
    if (written != DONE || held || grace > 0)
        return written;
    sobj_unref(*marked);
    *marked = sobj_ref(*cur);
    return remove_now(op, *cur);
}

/* A namespace is first emptied by its controller: spec.finalizers hold it, not metadata.finalizers. */
static enum outcome try_namespace(struct op *op, struct sobj **cur, const struct reg_delete_opts *o,
                                  struct sobj **marked)
{
    const json_t *live = (*cur)->tree;
    if (meta_deleting(live)) {
        if (json_array_size(jat(live, "spec.finalizers")) > 0)
            return (enum outcome)op_answer_obj(op, 200, sobj_ref(*cur));
        return try_plain(op, cur, o, marked);
    }
    json_t *obj = json_deep_copy(live);
    json_object_set_new(meta_of(obj), "deletionTimestamp", json_string(op->now));
    jset_str(obj, "status.phase", "Terminating");
    set_propagation(op, obj, o);
    return write_mark(op, cur, obj);
}

/* Has somebody else (the kubelet) removed what we marked? Its name may already be another object's. */
static bool was_removed(const struct sobj *marked, const struct sobj *cur)
{
    return marked &&
           (!cur || strcmp(jstr_or(marked->tree, "metadata.uid", ""), jstr_or(cur->tree, "metadata.uid", "")) != 0);
}

static enum outcome try_delete(struct op *op, const struct reg_delete_opts *o, struct sobj **marked)
{
    _auto_sobj_ struct sobj *cur = store_get(op->r->store, op->res->bucket, target_ns(op), op->t->name);
    if (was_removed(*marked, cur))
        return answer_pending(op, *marked);
    if (!cur)
        return (enum outcome)op_not_found(op);
    struct admit a = {.verb = ADMIT_DELETE, .sub = "", .old = cur->tree};
    if (check_preconditions(op, cur, o) < 0 || admission_mutate(op, &a) < 0 || admission_validate(op, &a) < 0)
        return FAILED;
    return strcmp(op->res->bucket, "namespaces") == 0 ? try_namespace(op, &cur, o, marked)
                                                      : try_plain(op, &cur, o, marked);
}

int op_delete(struct op *op, const struct reg_delete_opts *o)
{
    _auto_sobj_ struct sobj *marked = NULL;
    for (int i = 0; i < RACE_TRIES; i++) {
        reg_answer_release(op->ans);
        enum outcome out = try_delete(op, o, &marked);
        if (out != RACED)
            return out;
    }
    return op_conflict(op, "the object is being changed too often");
}

int reg_delete(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t,
               const struct reg_delete_opts *o, struct reg_answer *ans, struct err *e)
{
    _auto_op_ struct op op;
    op_begin(&op, r, ctx, t, ans, e);
    op_warn_orphans(&op, o);
    return op_delete(&op, o);
}
