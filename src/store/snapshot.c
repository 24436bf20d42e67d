/* snapshot.c - the whole state at one revision.
 *
 * DESIGN. A small array of (bucket name, tree), sorted by name. Some dozens of kinds exist, so copying the array once a
 * batch is a memcpy of a kilobyte, and counting a bucket is reading its root. A bucket that lost its last object keeps
 * its slot.
 *
 * THREADS. Immutable while more than one reference exists; reference counts are atomic. */
#include "store/snapshot_int.h"

#include "base/mem.h"
#include "store/tree_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    const char *bucket; /* interned */
    struct tnode *tree; /* owned */
};

struct snapshot {
    atomic_uint refs;
    unsigned len, cap;
    uint64_t rv;
    size_t objects, bytes;
    struct slot slots[];
};

static struct snapshot *snapshot_alloc(unsigned cap)
{
    struct snapshot *snap = xmalloc(sizeof *snap + cap * sizeof snap->slots[0]);
    *snap = (struct snapshot){.cap = cap};
    atomic_init(&snap->refs, 1);
    return snap;
}

struct snapshot *snapshot_new(uint64_t rv)
{
    struct snapshot *snap = snapshot_alloc(16);
    snap->rv = rv;
    return snap;
}

struct snapshot *snapshot_ref(struct snapshot *snap)
{
    if (snap)
        atomic_fetch_add_explicit(&snap->refs, 1, memory_order_relaxed);
    return snap;
}

void snapshot_unref(struct snapshot *snap)
{
    if (!snap || atomic_fetch_sub_explicit(&snap->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < snap->len; i++)
        tree_unref(snap->slots[i].tree);
    free(snap);
}

uint64_t snapshot_rv(const struct snapshot *snap)
{
    return snap->rv;
}

void snapshot_set_rv(struct snapshot *snap, uint64_t rv)
{
    snap->rv = rv;
}

size_t snapshot_objects(const struct snapshot *snap)
{
    return snap->objects;
}

size_t snapshot_bytes(const struct snapshot *snap)
{
    return snap->bytes;
}

/* The slot of the bucket, or where it would go. */
static unsigned slot_at(const struct snapshot *snap, const char *bucket, bool *out_found)
{
    unsigned lo = 0, hi = snap->len;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        int c = strcmp(bucket, snap->slots[mid].bucket);
        if (c == 0) {
            *out_found = true;
            return mid;
        }
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    *out_found = false;
    return lo;
}

static struct tnode *tree_of(const struct snapshot *snap, const char *bucket)
{
    bool found;
    unsigned at = slot_at(snap, bucket, &found);
    return found ? snap->slots[at].tree : NULL;
}

struct sobj *snapshot_find(const struct snapshot *snap, const char *bucket, const char *ns, const char *name)
{
    return tree_find(tree_of(snap, bucket), ns, name);
}

struct sobj *snapshot_get(const struct snapshot *snap, const char *bucket, const char *ns, const char *name)
{
    return sobj_ref(snapshot_find(snap, bucket, ns, name));
}

int snapshot_scan(const struct snapshot *snap, const char *bucket, const char *ns, const char *after_ns,
                  const char *after_name, int (*visit)(struct sobj *obj, void *arg), void *arg)
{
    return tree_scan(tree_of(snap, bucket), ns, after_ns, after_name, visit, arg);
}

size_t snapshot_count(const struct snapshot *snap, const char *bucket)
{
    return tree_size(tree_of(snap, bucket));
}

int snapshot_buckets(const struct snapshot *snap, int (*visit)(const char *bucket, void *arg), void *arg)
{
    for (unsigned i = 0; i < snap->len; i++) {
        int rc = snap->slots[i].tree ? visit(snap->slots[i].bucket, arg) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

struct snapshot *snapshot_edit(struct snapshot *take_snap)
{
    if (atomic_load_explicit(&take_snap->refs, memory_order_acquire) == 1)
        return take_snap;
    struct snapshot *copy = snapshot_alloc(take_snap->cap);
    copy->len = take_snap->len;
    copy->rv = take_snap->rv;
    copy->objects = take_snap->objects;
    copy->bytes = take_snap->bytes;
    for (unsigned i = 0; i < copy->len; i++)
        copy->slots[i] = (struct slot){take_snap->slots[i].bucket, tree_ref(take_snap->slots[i].tree)};
    snapshot_unref(take_snap);
    return copy;
}

static struct snapshot *slot_insert(struct snapshot *snap, unsigned at, const char *bucket)
{
    if (snap->len == snap->cap) {
        snap->cap *= 2;
        snap = xrealloc(snap, sizeof *snap + snap->cap * sizeof snap->slots[0]);
    }
    memmove(&snap->slots[at + 1], &snap->slots[at], (snap->len - at) * sizeof snap->slots[0]);
    snap->slots[at] = (struct slot){.bucket = bucket};
    snap->len++;
    return snap;
}

struct snapshot *snapshot_put(struct snapshot *take_snap, struct sobj *obj)
{
    struct snapshot *snap = take_snap;
    bool found;
    unsigned at = slot_at(snap, obj->bucket, &found);
    if (!found)
        snap = slot_insert(snap, at, obj->bucket);
    const struct sobj *old = tree_find(snap->slots[at].tree, obj->ns, obj->name);
    snap->objects += !old;
    snap->bytes += obj->len - (old ? old->len : 0);
    snap->slots[at].tree = tree_put(snap->slots[at].tree, obj);
    return snap;
}

struct snapshot *snapshot_remove(struct snapshot *take_snap, const struct sobj *obj)
{
    struct snapshot *snap = take_snap;
    bool found;
    unsigned at = slot_at(snap, obj->bucket, &found);
    const struct sobj *old = found ? tree_find(snap->slots[at].tree, obj->ns, obj->name) : NULL;
    if (!old)
        BUG("snapshot_remove: %s %s/%s is not there", obj->bucket, obj->ns, obj->name);
    snap->objects--;
    snap->bytes -= old->len;
    snap->slots[at].tree = tree_remove(snap->slots[at].tree, obj->ns, obj->name);
    return snap;
}
