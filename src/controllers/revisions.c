/* revisions.c - the history of templates, as ControllerRevisions.
 *
 * DESIGN: a revision holds the template as a patch that replaces it; rolling back is applying that patch, which gives
 * an equal template, whose old revision then gets the highest number again. The hash in the name is ours, and says
 * nothing but that the templates differ. Source: pkg/controller/history/controller_history.go. */
#include "controllers/revisions_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void revisions_release(struct revisions *r)
{
    objlist_release(&r->list);
}

static int by_number(const void *pa, const void *pb)
{
    const json_t *a = (*(struct sobj *const *)pa)->tree, *b = (*(struct sobj *const *)pb)->tree;
    int64_t na = jint(a, "revision", 0), nb = jint(b, "revision", 0);
    return na != nb ? (na > nb) - (na < nb) : strcmp(obj_name(a), obj_name(b));
}

int revisions_load(struct loop *l, const json_t *owner, struct revisions *out, struct err *e)
{
    out->collisions = jint(owner, "status.collisionCount", 0);
    objlist_load(&out->list, loop_registry(l), RES.controllerrevisions->bucket, obj_ns(owner));
    if (claim_objects(l, owner, RES.controllerrevisions, &out->list, e) < 0)
        return -1;
    if (out->list.len)
        qsort(out->list.items, out->list.len, sizeof *out->list.items, by_number);
    for (size_t i = 0; i < out->list.len; i++)
        out->list.trees[i] = out->list.items[i]->tree;
    return 0;
}

const json_t *revision_named(const struct revisions *r, const char *name)
{
    for (size_t i = 0; i < r->list.len; i++)
        if (str_eq(obj_name(r->list.trees[i]), name))
            return r->list.trees[i];
    return NULL;
}

json_t *revision_template(const json_t *revision)
{
    json_t *t = json_deep_copy(jat(revision, "data.spec.template"));
    if (t)
        json_object_del(t, "$patch");
    return t;
}

/* The template as a strategic merge patch, members in alphabetical order as a Go map prints them. Returns new. */
static json_t *template_patch(const json_t *owner)
{
    _auto_json_ json_t *template_ = json_deep_copy(jat(owner, "spec.template"));
    json_object_set_new(template_, "$patch", json_string("replace"));
    _auto_free_ char *text = json_dumps(template_, JSON_COMPACT | JSON_SORT_KEYS);
    return json_pack("{s{so}}", "spec", "template", json_loads(text, 0, NULL));
}

static json_t *build(const json_t *owner, const json_t *patch, const char *hash_label, const char *hash, int64_t number)
{
    json_t *labels = json_deep_copy(jat(owner, "spec.template.metadata.labels"));
    json_t *annotations = json_deep_copy(jat(owner, "metadata.annotations"));
    if (!labels)
        labels = json_object();
    json_object_set_new(labels, hash_label, json_string(hash));
    _auto_free_ char *name = xasprintf("%s-%s", obj_name(owner), hash);
    return json_pack("{ss ss s{ss ss so so* s[o]} sO sI}", "kind", "ControllerRevision", "apiVersion", "apps/v1",
                     "metadata", "name", name, "namespace", obj_ns(owner), "labels", labels, "annotations", annotations,
                     "ownerReferences", controller_ref(owner), "data", patch, "revision", (json_int_t)number);
}

/* A name that somebody else has: the next hash is another one. */
static const json_t *make(struct loop *l, const json_t *owner, const json_t *patch, const char *hash_label,
                          struct revisions *r, struct err *e)
{
    int64_t newest = r->list.len ? jint(r->list.trees[r->list.len - 1], "revision", 0) : 0;
    enum { TRIES = 16 };
    for (int i = 0; i < TRIES; i++) {
        char hash[HASH_LEN];
        _auto_sobj_ struct sobj *made = NULL;
        tree_hash(patch, r->collisions, hash);
        if (reg_make(loop_registry(l), WHO, RES.controllerrevisions, obj_ns(owner),
                     build(owner, patch, hash_label, hash, newest + 1), &made, e) == 0) {
            objlist_add(&r->list, made);
            return r->list.trees[r->list.len - 1];
        }
        if (e->code != ERR_ALREADY_EXISTS)
            return NULL;
        err_clear(e);
        r->collisions++;
    }
    err_set(e, ERR_CONFLICT, "no free name for a revision of %s", obj_name(owner));
    return NULL;
}

static int edit_number(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    jset_int(obj, "revision", *(int64_t *)arg);
    return 1;
}

/* An old state is wanted again: it becomes the newest. */
static const json_t *renew(struct loop *l, struct revisions *r, size_t at, struct err *e)
{
    size_t last = r->list.len - 1;
    int64_t number = jint(r->list.trees[last], "revision", 0) + 1;
    if (at == last)
        return r->list.trees[at];
    if (reg_modify(loop_registry(l), WHO, RES.controllerrevisions, r->list.items[at]->ns, r->list.items[at]->name, "",
                   edit_number, &number, e) < 0)
        return NULL;
    return r->list.trees[at];
}

const json_t *revision_sync(struct loop *l, const json_t *owner, const char *hash_label, struct revisions *r,
                            struct err *e)
{
    _auto_json_ json_t *patch = template_patch(owner);
    for (size_t i = r->list.len; i-- > 0;)
        if (json_equal(jat(r->list.trees[i], "data"), patch))
            return renew(l, r, i, e);
    return make(l, owner, patch, hash_label, r, e);
}

int revisions_truncate(struct loop *l, const json_t *owner, const struct revisions *r,
                       bool (*used)(const json_t *revision, void *arg), void *arg, struct err *e)
{
    int64_t surplus = -jint(owner, "spec.revisionHistoryLimit", 10);
    for (size_t i = 0; i < r->list.len; i++)
        surplus += !used(r->list.trees[i], arg);
    for (size_t i = 0; i < r->list.len && surplus > 0; i++) {
        const json_t *old = r->list.trees[i];
        struct reg_delete_opts opts = REG_DELETE_DEFAULT;
        if (used(old, arg))
            continue;
        if (reg_remove(loop_registry(l), WHO, RES.controllerrevisions, obj_ns(old), obj_name(old), &opts, e) < 0 &&
            e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        surplus--;
    }
    return 0;
}
