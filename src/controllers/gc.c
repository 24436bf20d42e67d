/* gc.c - the garbage collector: objects follow their owners.
 *
 * DESIGN: an object whose owners are all gone is deleted. A deleted owner may ask for more: finalizer
 * "foregroundDeletion" keeps it until the dependents that block it are gone, finalizer "orphan" lets them live without
 * it. The loop watches every stored kind; keys are "bucket|namespace" and name, so that one queue serves all. A set of
 * owners' uids, filled from what passes by, tells a deletion that matters from one that does not: only then are
 * dependents looked for, by a walk over the snapshot. What a walk found is gone through in portions, so that the end of
 * an owner of very many leaves the thread to others in between.
 *
 * INVARIANTS: an owner counts as gone only when the registry has no object of that name with that uid; deletes carry
 * the uid they were decided for. Source: pkg/controller/garbagecollector. THREADS: the loop thread; dependents are
 * looked at by workers, too. */
#include "controllers/controllers_int.h"

#include "api/resource.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define FIN_FOREGROUND "foregroundDeletion"
#define FIN_ORPHAN     "orphan"
#define UID_KEY        "!" /* namespace part of a key that names a deleted owner by uid */
#define PORTION        500

/* -- the set of uids that own something: open addressing over 64-bit hashes; stale entries do no harm -- */

struct uidset {
    uint64_t *slots; /* owned; 0 = empty */
    size_t cap, len;
};

static uint64_t uid_hash(const char *uid)
{
    uint64_t h = str_hash64(uid, strlen(uid));
    return h ? h : 1;
}

static size_t uidset_slot(const struct uidset *s, uint64_t h)
{
    size_t i = h & (s->cap - 1);
    while (s->slots[i] && s->slots[i] != h)
        i = (i + 1) & (s->cap - 1);
    return i;
}

static bool uidset_has(const struct uidset *s, const char *uid)
{
    return s->cap && s->slots[uidset_slot(s, uid_hash(uid))];
}

static void uidset_add(struct uidset *s, const char *uid)
{
    if (4 * (s->len + 1) > 3 * s->cap) {
        struct uidset old = *s;
        s->cap = old.cap ? 2 * old.cap : 256;
        s->slots = xcalloc(s->cap, sizeof *s->slots);
        for (size_t i = 0; i < old.cap; i++)
            if (old.slots[i])
                s->slots[uidset_slot(s, old.slots[i])] = old.slots[i];
        free(old.slots);
    }
    uint64_t h = uid_hash(uid);
    size_t i = uidset_slot(s, h);
    s->len += !s->slots[i];
    s->slots[i] = h;
}

/* -- keys -- */

static void enqueue(struct loop *l, const struct resource *res, const char *ns, const char *name)
{
    _auto_free_ char *where = xasprintf("%s|%s", res->bucket, ns);
    loop_enqueue(l, where, name);
}

static void enqueue_owner(struct loop *l, const json_t *ref, const char *ns)
{
    const struct resource *res = resource_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", ""));
    if (res)
        enqueue(l, res, res->namespaced ? ns : "", jstr_or(ref, "name", ""));
}

/* -- what the loop remembers -- */

/* Dependents that were found and not yet all looked at. */
struct found {
    char *uid; /* owned: of their owner */
    struct objlist all;
    size_t at;
    struct found *next;
};
struct state {
    struct uidset owners;
    struct found *found; /* owned */
};

static void found_free(struct found *f)
{
    objlist_release(&f->all);
    free(f->uid);
    free(f);
}

static void map(struct loop *l, const struct watch_event *ev)
{
    struct state *s = loop_state(l);
    struct uidset *owners = &s->owners;
    const json_t *obj = ev->obj->tree;
    const json_t *refs = jat(obj, "metadata.ownerReferences");
    size_t i;
    json_t *ref;
    json_array_foreach(refs, i, ref)
    {
        uidset_add(owners, jstr_or(ref, "uid", ""));
        if (ev->type == WATCH_DELETED) /* an owner may wait for this one */
            enqueue_owner(l, ref, ev->obj->ns);
    }
    if (ev->type == WATCH_DELETED) {
        if (uidset_has(owners, obj_uid(obj)))
            loop_enqueue(l, UID_KEY, obj_uid(obj));
        return;
    }
    bool fresh =
        ev->type == WATCH_ADDED || !ev->prev || !json_equal(refs, jat(ev->prev->tree, "metadata.ownerReferences"));
    bool waits = jstr(obj, "metadata.deletionTimestamp") &&
                 (finalizer_has(obj, FIN_FOREGROUND) || finalizer_has(obj, FIN_ORPHAN));
    if ((refs && fresh) || waits)
        enqueue(l, resource_by_bucket(ev->obj->bucket), ev->obj->ns, ev->obj->name);
}

/* -- dependents -- */

struct hunt {
    const char *uid;
    struct objlist *found;
    struct snapshot *snap;
};

static int hunt_object(struct sobj *o, void *arg)
{
    struct hunt *h = arg;
    if (owned_by_uid(o->tree, h->uid))
        objlist_add(h->found, o);
    return 0;
}

static int hunt_bucket(const char *bucket, void *arg)
{
    struct hunt *h = arg;
    snapshot_scan(h->snap, bucket, NULL, NULL, NULL, hunt_object, h);
    return 0;
}

static void load_dependents(struct loop *l, const char *uid, struct objlist *out)
{
    struct hunt h = {.uid = uid, .found = out, .snap = reg_snapshot(loop_registry(l))};
    snapshot_buckets(h.snap, hunt_bucket, &h);
    snapshot_unref(h.snap);
}

/* -- one object -- */

enum owner_state { OWNER_SOLID, OWNER_GONE, OWNER_WAITING };

static enum owner_state look_at_owner(struct loop *l, const json_t *ref, const char *ns)
{
    const struct resource *res = resource_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", ""));
    if (!res || (res->namespaced && !*ns))
        return OWNER_SOLID; /* a kind nobody knows: never a reason to delete */
    _auto_sobj_ struct sobj *owner =
        reg_read(loop_registry(l), res, res->namespaced ? ns : "", jstr_or(ref, "name", ""));
    if (!owner || !str_eq(obj_uid(owner->tree), jstr(ref, "uid")))
        return OWNER_GONE;
    bool waits = jstr(owner->tree, "metadata.deletionTimestamp") && finalizer_has(owner->tree, FIN_FOREGROUND);
    return waits ? OWNER_WAITING : OWNER_SOLID;
}

static int ignore_gone(int rc, struct err *e)
{
    if (rc < 0 && (e->code == ERR_NOT_FOUND || e->code == ERR_CONFLICT)) {
        err_clear(e);
        return 0;
    }
    return rc;
}

static int delete_object(struct loop *l, const struct resource *res, const json_t *obj, const char *propagation,
                         struct err *e)
{
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.propagation = propagation;
    opts.uid = obj_uid(obj);
    return ignore_gone(reg_remove(loop_registry(l), WHO, res, obj_ns(obj), obj_name(obj), &opts, e), e);
}

static int edit_drop_owner(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    return owner_remove(obj, arg) ? 1 : 0;
}

static int drop_owner(struct loop *l, const struct resource *res, const json_t *obj, const char *uid, struct err *e)
{
    return ignore_gone(
        reg_modify(loop_registry(l), WHO, res, obj_ns(obj), obj_name(obj), "", edit_drop_owner, (void *)uid, e), e);
}

static int edit_drop_finalizer(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    return finalizer_remove(obj, arg) ? 1 : 0;
}

static int drop_finalizer(struct loop *l, const struct resource *res, const json_t *obj, const char *finalizer,
                          struct err *e)
{
    return ignore_gone(reg_modify(loop_registry(l), WHO, res, obj_ns(obj), obj_name(obj), "", edit_drop_finalizer,
                                  (void *)finalizer, e),
                       e);
}

/* An object that lives: does it still have an owner? */
static int check_owners(struct loop *l, const struct resource *res, const json_t *obj, struct err *e)
{
    const json_t *refs = jat(obj, "metadata.ownerReferences");
    unsigned solid = 0, waiting = 0;
    const char *stale[16]; /* uids of references to drop if another owner holds */
    size_t stale_count = 0, i;
    json_t *ref;
    json_array_foreach(refs, i, ref)
    {
        enum owner_state state = look_at_owner(l, ref, obj_ns(obj));
        solid += state == OWNER_SOLID;
        waiting += state == OWNER_WAITING;
        if (state != OWNER_SOLID && stale_count < ARRAY_LEN(stale))
            stale[stale_count++] = jstr_or(ref, "uid", "");
    }
    if (!json_array_size(refs) || (solid && !stale_count))
        return 0;
    if (!solid) {
        _auto_objlist_ struct objlist own = {0};
        if (waiting)
            load_dependents(l, obj_uid(obj), &own);
        return delete_object(l, res, obj, own.len ? "Foreground" : "Background", e);
    }
    for (size_t s = 0; s < stale_count; s++)
        if (drop_owner(l, res, obj, stale[s], e) < 0)
            return -1;
    return 0;
}

static bool blocks(const json_t *dependent, const char *owner_uid)
{
    size_t i;
    json_t *ref;
    json_array_foreach(jat(dependent, "metadata.ownerReferences"), i, ref)
    {
        if (str_eq(jstr(ref, "uid"), owner_uid) && jbool(ref, "blockOwnerDeletion", false))
            return true;
    }
    return false;
}

/* -- all dependents of an owner, a portion at a time -- */

struct portion {
    struct loop *l;
    const char *owner; /* uid */
    struct sobj **items;
};

/* 1: all of them have been through `work`; 0: some are left, the key comes again; -1: one failed. */
static int each_dependent(struct loop *l, const char *uid, loop_item_fn work, struct err *e)
{
    struct state *s = loop_state(l);
    struct found **link = &s->found;
    while (*link && !str_eq((*link)->uid, uid))
        link = &(*link)->next;
    if (!*link) {
        *link = xcalloc(1, sizeof **link);
        (*link)->uid = xstrdup(uid);
        load_dependents(l, uid, &(*link)->all);
    }
    struct found *f = *link;
    size_t n = f->all.len - f->at < PORTION ? f->all.len - f->at : PORTION;
    struct portion p = {l, uid, f->all.items + f->at};
    int rc = loop_each(l, n, work, &p, e);
    f->at += n;
    if (rc == 0 && f->at < f->all.len)
        return 0;
    *link = f->next;
    found_free(f);
    return rc < 0 ? -1 : 1;
}

static int follow_owner(void *arg, size_t i, struct err *e)
{
    const struct portion *p = arg;
    const struct sobj *o = p->items[i];
    if (jstr(o->tree, "metadata.deletionTimestamp"))
        return 0;
    return check_owners(p->l, resource_by_bucket(o->bucket), o->tree, e);
}

static int lose_owner(void *arg, size_t i, struct err *e)
{
    const struct portion *p = arg;
    const struct sobj *o = p->items[i];
    return drop_owner(p->l, resource_by_bucket(o->bucket), o->tree, p->owner, e);
}

static bool is_blocked(struct loop *l, const char *uid)
{
    _auto_objlist_ struct objlist all = {0};
    load_dependents(l, uid, &all);
    for (size_t i = 0; i < all.len; i++)
        if (blocks(all.trees[i], uid))
            return true;
    return false;
}

/* An owner that waits for its dependents: sends them away, and goes when none blocks it any more. */
static int go_after_dependents(struct loop *l, const struct resource *res, const json_t *obj, struct err *e)
{
    int all = each_dependent(l, obj_uid(obj), follow_owner, e);
    if (all <= 0)
        return all;
    return is_blocked(l, obj_uid(obj)) ? 1 : drop_finalizer(l, res, obj, FIN_FOREGROUND, e) < 0 ? -1 : 1;
}

static int go_without_dependents(struct loop *l, const struct resource *res, const json_t *obj, struct err *e)
{
    int all = each_dependent(l, obj_uid(obj), lose_owner, e);
    if (all <= 0)
        return all;
    return drop_finalizer(l, res, obj, FIN_ORPHAN, e) < 0 ? -1 : 1;
}

/* -- the loop -- */

/* 1: done; 0: there is more to do; -1: failed. */
static int look_at(struct loop *l, const struct resource *res, const json_t *obj, struct err *e)
{
    if (!jstr(obj, "metadata.deletionTimestamp"))
        return check_owners(l, res, obj, e) < 0 ? -1 : 1;
    if (finalizer_has(obj, FIN_ORPHAN))
        return go_without_dependents(l, res, obj, e);
    return finalizer_has(obj, FIN_FOREGROUND) ? go_after_dependents(l, res, obj, e) : 1;
}

static int reconcile(struct loop *l, const char *where, const char *name, struct err *e)
{
    int done;
    if (str_eq(where, UID_KEY)) {
        done = each_dependent(l, name, follow_owner, e);
    } else {
        const char *bar = strchr(where, '|');
        _auto_free_ char *bucket = xstrndup(where, bar ? (size_t)(bar - where) : 0);
        const struct resource *res = resource_by_bucket(bucket);
        _auto_sobj_ struct sobj *obj = res ? reg_read(loop_registry(l), res, bar + 1, name) : NULL;
        done = obj ? look_at(l, res, obj->tree, e) : 1;
    }
    if (done != 0)
        return done < 0 ? -1 : 0;
    loop_goes_on(l);
    loop_enqueue(l, where, name);
    return 0;
}

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    for (struct found *next; s->found; s->found = next) {
        next = s->found->next;
        found_free(s->found);
    }
    free(s->owners.slots);
}

const struct loop_def *gc_loop(void)
{
    static struct loop_watch watches[128];
    static struct loop_def def = {
        .name = "garbage-collector",
        .component = "garbage-collector-controller",
        .watches = watches,
        .state_size = sizeof(struct state),
        .stop = stop,
        .reconcile = reconcile,
        .batch = 16,
        .max_backoff_ms = 30000,
    };
    if (watches[0].bucket)
        return &def;
    size_t count, used = 0;
    const struct resource *const *all = resource_all(&count);
    for (size_t i = 0; i < count; i++) {
        /* Two resources may share a bucket; events own nothing, own nobody and are many. */
        if (!all[i]->list_kind || !all[i]->bucket || resource_by_bucket(all[i]->bucket) != all[i] ||
            str_eq(all[i]->plural, "events") || used + 1 >= ARRAY_LEN(watches))
            continue;
        watches[used++] = (struct loop_watch){all[i]->bucket, map};
    }
    return &def;
}
