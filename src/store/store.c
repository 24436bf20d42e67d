/* store.c - opening, closing, reading and figures; see store.h for what the store promises and commit.c for how it
 * writes.
 *
 * DESIGN. `published` is the state everybody reads. Taking it is a lock held for two instructions (root_mu, never held
 * while anything else happens) and a reference; from there on a reader has an immutable tree to itself.
 *
 * LIFE. store_close() ends the store for its callers; watches may still be closed afterwards by their owners, so the
 * structure itself goes with the last of them. */
#include "store/store_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct store *store_ref(struct store *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void store_unref(struct store *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (s->buckets) {
        struct bucket *b = s->buckets;
        s->buckets = b->next;
        free(b);
    }
    pthread_mutex_destroy(&s->mu);
    pthread_mutex_destroy(&s->root_mu);
    pthread_mutex_destroy(&s->queue_mu);
    free(s);
}

struct bucket *bucket_intern_locked(struct store *s, const char *name)
{
    for (struct bucket *b = s->buckets; b; b = b->next)
        if (strcmp(b->name, name) == 0)
            return b;
    size_t size = strlen(name) + 1;
    struct bucket *b = xcalloc(1, sizeof *b + size);
    memcpy(b->name, name, size);
    b->next = s->buckets;
    s->buckets = b;
    return b;
}

/* -- opening -- */

static int replay_row(const struct journal_row *r, void *arg, struct err *e)
{
    struct store *s = arg;
    json_error_t je;
    json_t *tree = json_loadb(r->bytes, r->len, JSON_ALLOW_NUL, &je);
    if (!json_is_object(tree)) {
        json_decref(tree);
        return err_set(e, ERR_CORRUPT, "%s %s/%s is damaged: %s", r->bucket, r->ns, r->name, je.text);
    }
    _auto_sobj_ struct sobj *o = sobj_freeze(r->ns, r->name, tree);
    sobj_stamp(o, bucket_intern_locked(s, r->bucket)->name, r->rv, r->id);
    s->published = snapshot_put(s->published, o);
    if (r->id > s->last_row)
        s->last_row = r->id;
    return 0;
}

static int store_replay(struct store *s, const char *path, struct err *e)
{
    s->last_rv = 1; /* 0 means "any" to clients */
    if (!path)
        return 0;
    if (journal_open(path, &s->journal, e) < 0)
        return -1;
    return journal_load(s->journal, replay_row, s, &s->last_rv, e);
}

int store_open(const struct store_conf *conf, struct store **out_store, struct err *e)
{
    struct store *s = xcalloc(1, sizeof *s);
    atomic_init(&s->refs, 1);
    s->clock = conf->clock;
    pthread_mutex_init(&s->mu, NULL);
    pthread_mutex_init(&s->queue_mu, NULL);
    pthread_mutex_init(&s->root_mu, NULL);
    s->published = snapshot_new(0);
    int rc = store_replay(s, conf->path, e);
    snapshot_set_rv(s->published, s->last_rv);
    s->published_rv = s->last_rv;
    history_setup(&s->history, conf, s->last_rv);
    if (rc < 0) {
        store_close(s);
        return -1;
    }
    *out_store = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    struct notices notices = {0};
    pthread_mutex_lock(&s->mu);
    s->closing = true;
    watches_close_locked(s, &notices);
    pthread_mutex_unlock(&s->mu);
    notices_send(&notices);
    journal_close(s->journal);
    s->journal = NULL;
    history_release(&s->history);
    pins_release(s);
    snapshot_unref(s->published);
    store_unref(s);
}

/* -- reading -- */

bool store_writable(const struct store *s)
{
    return !atomic_load(&s->unwritable);
}

uint64_t store_rv(const struct store *s)
{
    return s->published_rv;
}

struct snapshot *store_snapshot(struct store *s)
{
    pthread_mutex_lock(&s->root_mu);
    struct snapshot *snap = snapshot_ref(s->published);
    pthread_mutex_unlock(&s->root_mu);
    return snap;
}

struct sobj *store_get(struct store *s, const char *bucket, const char *ns, const char *name)
{
    struct snapshot *snap = store_snapshot(s);
    struct sobj *o = snapshot_get(snap, bucket, ns, name);
    snapshot_unref(snap);
    return o;
}

const char *store_cluster_id(const struct store *s)
{
    return s->journal ? journal_cluster_id(s->journal) : "";
}

void store_stats(struct store *s, struct store_stats *out)
{
    pthread_mutex_lock(&s->mu);
    *out = (struct store_stats){
        .objects = snapshot_objects(s->published),
        .bytes = snapshot_bytes(s->published),
        .watchers = s->watchers,
        .log_events = s->history.len,
        .journal_bytes = s->journal ? journal_bytes(s->journal) : 0,
        .commits = s->commits,
        .groups = s->groups,
    };
    pthread_mutex_unlock(&s->mu);
}
