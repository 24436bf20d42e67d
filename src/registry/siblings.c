/* siblings.c - what objects have in common with others of their kind is held once.
 *
 * The pods of a deployment, their events, the claims of a class: made of one template and written by the same loops,
 * they say the same in most places, and a tree costs several times its text. DESIGN: the last version of each kind that
 * was committed (of events: each kind and reason) is remembered, and the next one takes over the parts in which it is
 * equal; so chains of versions share what never changed, as updates of one object do (update.c). Two kinds may fall
 * into the same slot: then little is found equal, and nothing is wrong.
 *
 * INVARIANT: only committed versions are remembered: the store is done with their trees.
 * THREADS: any; mu is held for a pointer. */
#include "registry/registry_int.h"

#include "base/json_share.h"
#include "base/str.h"

#include <string.h>

static struct sobj **slot_of(struct siblings *s, const char *bucket, const json_t *obj)
{
    const char *reason = jstr_or(obj, "reason", "");
    uint64_t hash = str_hash64(bucket, strlen(bucket)) ^ str_hash64(reason, strlen(reason));
    return &s->last[hash % SIBLING_SLOTS];
}

/* The store writes into each version's metadata, so that is its own. */
void versions_share(json_t *obj, const json_t *other)
{
    json_share(obj, other);
    json_t *meta = json_object_get(obj, "metadata");
    if (meta == json_object_get(other, "metadata"))
        json_object_set_new(obj, "metadata", json_copy(meta));
}

void siblings_share(struct registry *r, const struct resource *res, json_t *obj)
{
    struct siblings *s = &r->siblings;
    pthread_mutex_lock(&s->mu);
    _auto_sobj_ struct sobj *last = sobj_ref(*slot_of(s, res->bucket, obj));
    pthread_mutex_unlock(&s->mu);
    if (last)
        versions_share(obj, last->tree);
}

void siblings_note(struct registry *r, const struct sobj *made)
{
    struct siblings *s = &r->siblings;
    struct sobj *now = sobj_ref(made);
    pthread_mutex_lock(&s->mu);
    struct sobj **slot = slot_of(s, made->bucket, made->tree), *was = *slot;
    *slot = now;
    pthread_mutex_unlock(&s->mu);
    sobj_unref(was);
}

void siblings_forget(struct registry *r)
{
    for (size_t i = 0; i < SIBLING_SLOTS; i++)
        sobj_unref(r->siblings.last[i]);
}
