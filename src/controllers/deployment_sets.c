/* deployment_sets.c - the ReplicaSets of a Deployment: which one is current, their names, revisions and sizes.
 *
 * DESIGN: the current set is the oldest whose template equals the Deployment's (its hash label aside). The hash in the
 * name is ours (FNV over the template's JSON, in the server's safe alphabet): nothing but equality may be read into it.
 * A revision is a number in an annotation; bringing an old template back gives its set the next number, which is what a
 * rollback is. Source: pkg/controller/deployment/sync.go and util/deployment_util.go. */
#include "controllers/deployment_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t rs_size(const json_t *rs)
{
    return jint(rs, "spec.replicas", 1);
}

int64_t sets_size(const struct rollout *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->sets.len; i++)
        n += rs_size(r->sets.trees[i]);
    return n;
}

const json_t *new_set(const struct rollout *r)
{
    return r->new_at < 0 ? NULL : r->sets.trees[r->new_at];
}

bool is_new(const struct rollout *r, size_t i)
{
    return r->new_at >= 0 && (size_t)r->new_at == i;
}

static void replace_set(struct rollout *r, size_t i, struct sobj *take)
{
    sobj_unref(r->sets.items[i]);
    r->sets.items[i] = take;
    r->sets.trees[i] = take->tree;
}

/* -- the template -- */

static json_t *plain_template(const json_t *owner)
{
    json_t *t = json_deep_copy(jat(owner, "spec.template"));
    json_t *labels = jat(t, "metadata.labels");
    if (labels)
        json_object_del(labels, HASH_LABEL);
    return t;
}

static bool same_template(const json_t *a, const json_t *b)
{
    _auto_json_ json_t *ta = plain_template(a);
    _auto_json_ json_t *tb = plain_template(b);
    return json_equal(ta, tb);
}

/* -- revisions and annotations -- */

static int64_t revision_of(const json_t *obj)
{
    const char *text = jmap(obj, "metadata.annotations", ANN_REVISION);
    return text ? atoll(text) : 0;
}

static int64_t next_revision(const struct rollout *r)
{
    int64_t most = 0;
    for (size_t i = 0; i < r->sets.len; i++) {
        int64_t n = is_new(r, i) ? 0 : revision_of(r->sets.trees[i]);
        most = n > most ? n : most;
    }
    return most + 1;
}

static bool put_annotation(json_t *obj, const char *key, const char *value)
{
    if (str_eq(jmap(obj, "metadata.annotations", key), value))
        return false;
    jset_map(obj, "metadata.annotations", key, value);
    return true;
}

/* What a Deployment's annotations pass on to its sets: all but the tools' own. */
static bool copy_annotations(const json_t *d, json_t *rs)
{
    static const char *const skip[] = {"kubectl.kubernetes.io/last-applied-configuration",
                                       ANN_REVISION,
                                       ANN_HISTORY,
                                       ANN_DESIRED,
                                       ANN_MAX,
                                       "deprecated.deployment.rollback.to",
                                       "deprecated.daemonset.template.generation"};
    bool changed = false;
    const char *key;
    json_t *value;
    json_object_foreach(jat(d, "metadata.annotations"), key, value)
    {
        bool skipped = false;
        for (size_t i = 0; i < ARRAY_LEN(skip); i++)
            skipped |= str_eq(key, skip[i]);
        if (!skipped)
            changed |= put_annotation(rs, key, json_string_value(value));
    }
    return changed;
}

static bool put_revision(json_t *rs, int64_t revision)
{
    const char *old = jmap(rs, "metadata.annotations", ANN_REVISION);
    if (old && atoll(old) >= revision)
        return false;
    if (old) {
        const char *history = jmap(rs, "metadata.annotations", ANN_HISTORY);
        _auto_free_ char *next = history ? xasprintf("%s,%s", history, old) : xstrdup(old);
        jset_map(rs, "metadata.annotations", ANN_HISTORY, next);
    }
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)revision);
    return put_annotation(rs, ANN_REVISION, text);
}

static bool put_sizes(const struct rollout *r, json_t *rs)
{
    char desired[24], most[24];
    snprintf(desired, sizeof desired, "%lld", (long long)r->replicas);
    snprintf(most, sizeof most, "%lld", (long long)(r->replicas + r->surge));
    bool changed = put_annotation(rs, ANN_DESIRED, desired);
    return put_annotation(rs, ANN_MAX, most) || changed;
}

/* -- the current set -- */

static int find_new_set(const struct rollout *r)
{
    for (size_t i = 0; i < r->sets.len; i++)
        if (same_template(r->d, r->sets.trees[i]))
            return (int)i;
    return -1;
}

/* Writes the Deployment's revision annotation together with a Progressing condition (taken, may be NULL). */
static int note_new_set(struct rollout *r, const char *revision, json_t *take_cond, struct err *e)
{
    json_t *next = json_deep_copy(r->d);
    bool changed = put_annotation(next, ANN_REVISION, revision);
    if (take_cond) {
        condition_put(next, take_cond);
        changed = true;
    }
    if (changed)
        return put_deployment_status(r, next, e);
    json_decref(next);
    return 0;
}

static int keep_new_set(struct rollout *r, struct err *e)
{
    size_t at = (size_t)r->new_at;
    json_t *next = json_deep_copy(r->sets.trees[at]);
    bool changed = copy_annotations(r->d, next);
    changed |= put_revision(next, next_revision(r));
    if (jint(next, "spec.minReadySeconds", 0) != jint(r->d, "spec.minReadySeconds", 0)) {
        jset_int(next, "spec.minReadySeconds", jint(r->d, "spec.minReadySeconds", 0));
        changed = true;
    }
    if (changed) {
        struct sobj *written = NULL;
        if (reg_write(loop_registry(r->l), WHO, RES.replicasets, "", next, &written, e) < 0)
            return -1;
        replace_set(r, at, written);
    } else {
        json_decref(next);
    }
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(r->l), now);
    const json_t *rs = new_set(r);
    bool deadline = jat(r->d, "spec.progressDeadlineSeconds") != NULL;
    json_t *cond = deadline && !condition_get(r->d, "Progressing")
                       ? condition_new("Progressing", true, "FoundNewReplicaSet", now, "Found new replica set \"%s\"",
                                       obj_name(rs))
                       : NULL;
    return note_new_set(r, jmap(rs, "metadata.annotations", ANN_REVISION), cond, e);
}

static json_t *build_set(struct rollout *r, const char *name, const char *hash)
{
    json_t *tmpl = plain_template(r->d);
    jset_map(tmpl, "metadata.labels", HASH_LABEL, hash);
    json_t *rs = json_pack("{s:s, s:s, s:{s:s, s:s, s:O, s:[o]}, s:{s:i, s:O?, s:O, s:o}}", "kind", "ReplicaSet",
                           "apiVersion", "apps/v1", "metadata", "name", name, "namespace", obj_ns(r->d), "labels",
                           jat(tmpl, "metadata.labels"), "ownerReferences", controller_ref(r->d), "spec", "replicas", 0,
                           "minReadySeconds", jat(r->d, "spec.minReadySeconds"), "selector", jat(r->d, "spec.selector"),
                           "template", tmpl);
    json_t *copy = json_deep_copy(rs); /* the parts above are shared with frozen trees */
    json_decref(rs);
    jset_map(copy, "spec.selector.matchLabels", HASH_LABEL, hash);
    copy_annotations(r->d, copy);
    return copy;
}

/* A name that is taken by something else: count it in status.collisionCount, so that the next round hashes to another
 * name. */
static int note_collision(struct rollout *r, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(r->l), RES.replicasets, obj_ns(r->d), name);
    if (have && controlled_by(have->tree, r->d) && same_template(r->d, have->tree))
        return -1; /* made a moment ago; the next round finds it */
    struct err why = *e;
    json_t *next = json_deep_copy(r->d);
    jset_int(next, "status.collisionCount", jint(r->d, "status.collisionCount", 0) + 1);
    if (put_deployment_status(r, next, e) < 0)
        return -1;
    *e = why;
    return -1;
}

static int make_new_set(struct rollout *r, struct err *e)
{
    char hash[HASH_LEN], now[TIME_TEXT_LEN];
    _auto_json_ json_t *plain = plain_template(r->d);
    tree_hash(plain, jint(r->d, "status.collisionCount", 0), hash);
    now_text(loop_clock(r->l), now);
    _auto_free_ char *name = xasprintf("%s-%s", obj_name(r->d), hash);
    json_t *rs = build_set(r, name, hash);
    int64_t size = new_set_size(r, 0);
    jset_int(rs, "spec.replicas", size);
    put_revision(rs, next_revision(r));
    put_sizes(r, rs);
    _auto_free_ char *revision = xstrdup(jmap(rs, "metadata.annotations", ANN_REVISION));
    _auto_sobj_ struct sobj *made = NULL;
    if (reg_make(loop_registry(r->l), WHO, RES.replicasets, obj_ns(r->d), rs, &made, e) < 0) {
        if (e->code == ERR_ALREADY_EXISTS)
            return note_collision(r, name, e);
        struct err why = *e;
        note_new_set(r, jmap(r->d, "metadata.annotations", ANN_REVISION),
                     condition_new("Progressing", false, "ReplicaSetCreateError", now,
                                   "Failed to create new replica set \"%s\": %s", name, why.msg),
                     e);
        *e = why;
        return -1;
    }
    objlist_add(&r->sets, made);
    r->new_at = (int)r->sets.len - 1;
    if (size > 0)
        loop_event(r->l, r->d, EVENT_NORMAL, "ScalingReplicaSet", "Scaled up replica set %s from 0 to %lld", name,
                   (long long)size);
    json_t *cond =
        jat(r->d, "spec.progressDeadlineSeconds")
            ? condition_new("Progressing", true, "NewReplicaSetCreated", now, "Created new replica set \"%s\"", name)
            : NULL;
    return note_new_set(r, revision, cond, e);
}

int sync_new_set(struct rollout *r, bool create, struct err *e)
{
    r->new_at = find_new_set(r);
    if (r->new_at >= 0)
        return keep_new_set(r, e);
    return create ? make_new_set(r, e) : 0;
}

/* -- sizes -- */

int64_t new_set_size(const struct rollout *r, int64_t now)
{
    if (!r->rolling)
        return r->replicas;
    int64_t room = r->replicas + r->surge - sets_size(r);
    if (room <= 0)
        return now;
    int64_t wanted = r->replicas - now;
    return now + (room < wanted ? room : wanted);
}

int scale_set(struct rollout *r, size_t i, int64_t size, struct err *e)
{
    const json_t *rs = r->sets.trees[i];
    int64_t before = rs_size(rs);
    json_t *next = json_deep_copy(rs);
    bool changed = put_sizes(r, next) || size != before;
    if (!changed) {
        json_decref(next);
        return 0;
    }
    jset_int(next, "spec.replicas", size);
    struct sobj *written = NULL;
    if (reg_write(loop_registry(r->l), WHO, RES.replicasets, "", next, &written, e) < 0)
        return -1;
    replace_set(r, i, written);
    if (size == before)
        return 0;
    loop_event(r->l, r->d, EVENT_NORMAL, "ScalingReplicaSet", "Scaled %s replica set %s from %lld to %lld",
               size > before ? "up" : "down", written->name, (long long)before, (long long)size);
    return 1;
}

static bool may_drop(const json_t *rs)
{
    return !jstr(rs, "metadata.deletionTimestamp") && rs_size(rs) == 0 && jint(rs, "status.replicas", 0) == 0 &&
           jint(rs, "status.observedGeneration", 0) >= jint(rs, "metadata.generation", 0);
}

int drop_old_sets(struct rollout *r, struct err *e)
{
    const json_t *limit = jat(r->d, "spec.revisionHistoryLimit");
    if (!limit)
        return 0;
    int64_t surplus = (int64_t)r->sets.len - (r->new_at >= 0) - json_integer_value(limit);
    while (surplus-- > 0) {
        const json_t *oldest = NULL;
        for (size_t i = 0; i < r->sets.len; i++)
            if (!is_new(r, i) && may_drop(r->sets.trees[i]) &&
                (!oldest || revision_of(r->sets.trees[i]) < revision_of(oldest)))
                oldest = r->sets.trees[i];
        if (!oldest)
            return 0;
        struct reg_delete_opts opts = REG_DELETE_DEFAULT;
        if (reg_remove(loop_registry(r->l), WHO, RES.replicasets, obj_ns(oldest), obj_name(oldest), &opts, e) < 0 &&
            e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        return 0; /* its deletion brings the next round */
    }
    return 0;
}
