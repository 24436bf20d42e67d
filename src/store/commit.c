/* commit.c - writing: group commit.
 *
 * A change goes through four states:
 *
 *     ACCEPTED ---> JOURNALLED ---> PUBLISHED        (then the caller is told)
 *         \-------------> ROLLED BACK                (the journal could not be written)
 *
 *  accepted    [commit_accept]    under store.mu: the expectation is checked against `pending`, the revision handed
 * out, the object stamped, `pending` edited, the change appended to the gathering batch. journalled  [batch_write]
 * without any lock, by one thread: the leader. The first writer who finds nobody leading leads; it takes the whole
 * gathering batch, in order, as one transaction. Others wait. published   [batch_publish]    under store.mu again:
 * root, history and watch queues, in revision order. rolled back [batch_fail]       `pending` goes back to `published`.
 * Changes accepted meanwhile were checked against a state that will never be, so they fail with the same error. Their
 * revisions are not used again.
 *
 * So readers and watchers only ever see what is in the journal, and a full disk leaves the state as it was.
 *
 * INVARIANTS
 *  1. published is what the journal holds, but for a batch being published.
 *  2. pending == published (the same pointer) exactly when no change is between accepted and published.
 *  3. One leader at a time; while there is a gathering batch, there is a leader or a writer woken to be one.
 *
 * An expectation that fails because of a change still unpublished waits until that change is decided before it says so:
 * its caller will read again, and must then see what it lost against. */
#include "store/store_int.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct batch {
    struct watch_event *ops; /* owned, until published */
    size_t len, cap;
    struct snapshot *root; /* owned: pending as the last op left it; set by the leader */
    unsigned writers;      /* who still has to read the outcome */
    pthread_cond_t turn;   /* done, or somebody has to lead */
    bool done, failed;
    struct err err;
};

/* One put (tree frozen into `fresh`) or delete (`fresh` NULL). */
struct change {
    const char *bucket, *ns, *name;
    uint64_t expect_rv;
    struct sobj *fresh; /* owned until accepted */
};

/* -- accepted -- */

static struct batch *batch_gathering(struct store *s)
{
    if (!s->gathering) {
        s->gathering = xcalloc(1, sizeof *s->gathering);
        pthread_cond_init(&s->gathering->turn, NULL);
    }
    return s->gathering;
}

static void batch_add(struct batch *b, const struct watch_event *op)
{
    if (b->len == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 8;
        b->ops = xrealloc(b->ops, b->cap * sizeof *b->ops);
    }
    b->ops[b->len++] = *op;
}

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->len; i++)
        watch_event_release(&b->ops[i]);
    snapshot_unref(b->root);
    pthread_cond_destroy(&b->turn);
    free(b->ops);
    free(b);
}

/* OK, or why the change cannot be. */
static enum err_code expectation(const struct change *c, const struct sobj *now)
{
    bool put = c->fresh != NULL;
    if (c->expect_rv == RV_ABSENT && put)
        return now ? ERR_ALREADY_EXISTS : ERR_OK;
    if (!now)
        return c->expect_rv == RV_ANY && put ? ERR_OK : ERR_NOT_FOUND;
    return c->expect_rv == RV_ANY || c->expect_rv == now->rv ? ERR_OK : ERR_CONFLICT;
}

static int expectation_err(const struct change *c, enum err_code code, struct err *e)
{
    const char *slash = *c->ns ? "/" : "";
    switch (code) {
    case ERR_ALREADY_EXISTS:
        return err_set(e, code, "%s \"%s%s%s\" already exists", c->bucket, c->ns, slash, c->name);
    case ERR_NOT_FOUND:
        return err_set(e, code, "%s \"%s%s%s\" not found", c->bucket, c->ns, slash, c->name);
    default:
        return err_set(e, code, "%s \"%s%s%s\": the object has been modified", c->bucket, c->ns, slash, c->name);
    }
}

/* Waits until what is accepted now is published (true) or rolled back (false). */
static bool settle(struct store *s)
{
    uint64_t target = s->last_rv, rollbacks = s->rollbacks;
    s->settle_waiters++;
    while (s->pending != s->published && s->published_rv < target && s->rollbacks == rollbacks)
        pthread_cond_wait(&s->settled, &s->mu);
    s->settle_waiters--;
    return s->rollbacks == rollbacks;
}

/* Applies an allowed change to `pending` and the gathering batch. Returns what the caller gets (borrowed). */
static struct sobj *commit_accept(struct store *s, struct change *c, struct sobj *now)
{
    uint64_t rv = ++s->last_rv;
    struct watch_event op = {.prev = sobj_ref(now)};
    s->pending = snapshot_edit(s->pending);
    if (c->fresh) {
        op.type = now ? WATCH_MODIFIED : WATCH_ADDED;
        op.obj = TAKE(c->fresh);
        sobj_stamp(op.obj, bucket_intern_locked(s, c->bucket)->name, rv, now ? sobj_row(now) : ++s->last_row);
        s->pending = snapshot_put(s->pending, op.obj);
    } else {
        op.type = WATCH_DELETED;
        op.obj = sobj_tombstone(now, rv);
        s->pending = snapshot_remove(s->pending, now);
    }
    snapshot_set_rv(s->pending, rv);
    batch_add(batch_gathering(s), &op);
    return op.obj;
}

/* -- journalled, published, rolled back -- */

static struct batch *batch_take(struct store *s)
{
    struct batch *b = TAKE(s->gathering);
    b->root = snapshot_ref(s->pending);
    s->leading = true;
    return b;
}

static int batch_write(struct store *s, struct batch *b)
{
    return s->journal ? journal_write(s->journal, b->ops, b->len, &b->err) : 0;
}

/* Returns the root that was replaced, to be released without the lock. */
static struct snapshot *batch_publish(struct store *s, struct batch *b, struct notices *notices)
{
    int64_t now = clock_mono_ns(s->clock);
    struct snapshot *old = s->published;
    pthread_mutex_lock(&s->root_mu);
    s->published = TAKE(b->root);
    pthread_mutex_unlock(&s->root_mu);
    s->published_rv = snapshot_rv(s->published);
    for (size_t i = 0; i < b->len; i++) {
        watches_push_locked(s, &b->ops[i], notices);
        history_append(&s->history, &b->ops[i], now); /* takes the references */
    }
    pins_trim_locked(s, now);
    s->commits += b->len;
    s->groups++;
    b->len = 0;
    return old;
}

static void batch_end(struct batch *b)
{
    b->done = true;
    pthread_cond_broadcast(&b->turn);
}

static void batch_fail(struct store *s, struct batch *b)
{
    b->failed = true;
    snapshot_unref(s->pending);
    s->pending = snapshot_ref(s->published);
    s->rollbacks++;
    struct batch *after = TAKE(s->gathering);
    if (after) {
        after->failed = true;
        after->err = b->err;
        batch_end(after);
    }
}

/* Writes the gathering batch, of which the caller is a writer. mu is held at the start and at the end. */
static void lead(struct store *s)
{
    struct notices notices = {0};
    struct snapshot *old = NULL;
    struct batch *b = batch_take(s);
    pthread_mutex_unlock(&s->mu);
    int rc = batch_write(s, b);
    pthread_mutex_lock(&s->mu);
    if (rc < 0)
        batch_fail(s, b);
    else
        old = batch_publish(s, b, &notices);
    batch_end(b);
    if (s->settle_waiters)
        pthread_cond_broadcast(&s->settled);
    if (s->journal && journal_checkpoint_due(s->journal)) {
        /* Still leading, so the journal is ours; those who wait for this batch go on already. */
        pthread_mutex_unlock(&s->mu);
        journal_checkpoint(s->journal);
        pthread_mutex_lock(&s->mu);
    }
    s->leading = false;
    if (s->gathering)
        pthread_cond_signal(&s->gathering->turn);
    pthread_mutex_unlock(&s->mu);
    notices_send(&notices);
    snapshot_unref(old);
    pthread_mutex_lock(&s->mu);
}

/* Waits for the outcome of the batch the caller wrote into. mu is held. */
static int batch_wait(struct store *s, struct batch *b, struct err *e)
{
    b->writers++;
    while (!b->done) {
        if (b == s->gathering && !s->leading)
            lead(s);
        else
            pthread_cond_wait(&b->turn, &s->mu);
    }
    int rc = b->failed ? -1 : 0;
    if (b->failed)
        *e = b->err;
    if (--b->writers == 0)
        batch_free(b);
    return rc;
}

static int commit_locked(struct store *s, struct change *c, struct sobj **out_obj, struct err *e)
{
    for (;;) {
        if (s->closing)
            return err_set(e, ERR_UNAVAILABLE, "the store is closing");
        struct sobj *now = snapshot_find(s->pending, c->bucket, c->ns, c->name);
        enum err_code code = expectation(c, now);
        if (code == ERR_OK) {
            _auto_sobj_ struct sobj *result = sobj_ref(commit_accept(s, c, now));
            if (batch_wait(s, s->gathering, e) < 0)
                return -1;
            if (out_obj)
                *out_obj = TAKE(result);
            return 0;
        }
        if (s->pending == s->published || settle(s))
            return expectation_err(c, code, e);
    }
}

static int commit(struct store *s, struct change *c, struct sobj **out_obj, struct err *e)
{
    pthread_mutex_lock(&s->mu);
    int rc = commit_locked(s, c, out_obj, e);
    pthread_mutex_unlock(&s->mu);
    sobj_unref(c->fresh);
    return rc;
}

int store_put(struct store *s, const char *bucket, const char *ns, const char *name, uint64_t expect_rv,
              json_t *take_tree, struct sobj **out_new, struct err *e)
{
    struct change c = {bucket, ns, name, expect_rv, sobj_freeze(ns, name, take_tree)};
    return commit(s, &c, out_new, e);
}

int store_delete(struct store *s, const char *bucket, const char *ns, const char *name, uint64_t expect_rv,
                 struct sobj **out_last, struct err *e)
{
    struct change c = {bucket, ns, name, expect_rv, NULL};
    return commit(s, &c, out_last, e);
}
