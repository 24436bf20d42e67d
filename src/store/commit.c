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
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct batch {
    struct watch_event *ops; /* owned, until published */
    size_t len, cap;
    struct snapshot *root; /* owned: pending as the last op left it; set by the leader */
    atomic_uint writers;   /* who still has to read the outcome, and the leader while it works */
    atomic_uint sleepers;  /* in futex() */
    atomic_int state;      /* enum batch_state; a futex, so that who wakes up does not queue for store.mu again */
    bool failed;           /* with err: written before state becomes BATCH_DONE, read after */
    struct err err;
};
enum batch_state {
    BATCH_WAIT, /* for the journal */
    BATCH_LEAD, /* one of its writers has to lead */
    BATCH_DONE,
};

/* Groups a writer writes for others before it passes the lead on. */
#define LEAD_GROUPS 8

/* One put (tree frozen into `fresh`) or delete (`fresh` NULL). */
struct change {
    const char *bucket, *ns, *name;
    uint64_t expect_rv;
    struct sobj *fresh; /* owned until accepted */
};

/* -- accepted -- */

static struct batch *batch_gathering(struct store *s)
{
    if (!s->gathering)
        s->gathering = xcalloc(1, sizeof *s->gathering);
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
    atomic_fetch_add(&b->writers, 1);
    return b;
}

static int batch_write(struct store *s, struct batch *b)
{
    return s->journal ? journal_write(s->journal, b->ops, b->len, &b->err) : 0;
}

/* What a leader leaves to be done without the lock. */
struct aftermath {
    struct notices notices;
    struct trash trash;
    struct snapshot *old;
};

static void batch_publish(struct store *s, struct batch *b, struct aftermath *after)
{
    int64_t now = clock_mono_ns(s->clock);
    after->old = s->published;
    pthread_mutex_lock(&s->root_mu);
    s->published = TAKE(b->root);
    pthread_mutex_unlock(&s->root_mu);
    s->published_rv = snapshot_rv(s->published);
    for (size_t i = 0; i < b->len; i++) {
        watches_push_locked(s, &b->ops[i], &after->notices);
        history_append(&s->history, &b->ops[i], now, &after->trash); /* takes the references */
    }
    pins_trim_locked(s, now);
    s->commits += b->len;
    s->groups++;
    b->len = 0;
}

static void batch_signal(struct batch *b, enum batch_state state, int wake)
{
    atomic_store(&b->state, state);
    if (atomic_load(&b->sleepers))
        syscall(SYS_futex, &b->state, FUTEX_WAKE_PRIVATE, wake, NULL, NULL, 0);
}

/* Whoever leaves last frees the batch. */
static void batch_leave(struct batch *b)
{
    if (atomic_fetch_sub(&b->writers, 1) == 1)
        batch_free(b);
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
        atomic_fetch_add(&after->writers, 1);
        batch_signal(after, BATCH_DONE, INT_MAX);
        batch_leave(after);
    }
}

static void aftermath_do(struct aftermath *a)
{
    notices_send(&a->notices);
    snapshot_unref(a->old);
    trash_empty(&a->trash);
}

/* Writes the gathering batch. mu is held at the start and at the end, not between. */
static void lead_once(struct store *s)
{
    struct aftermath after = {0};
    struct batch *b = batch_take(s);
    pthread_mutex_unlock(&s->mu);
    int rc = batch_write(s, b);
    pthread_mutex_lock(&s->mu);
    if (rc < 0)
        batch_fail(s, b);
    else
        batch_publish(s, b, &after);
    batch_signal(b, BATCH_DONE, INT_MAX);
    batch_leave(b);
    if (s->settle_waiters)
        pthread_cond_broadcast(&s->settled);
    pthread_mutex_unlock(&s->mu);
    aftermath_do(&after);
    if (s->journal && journal_checkpoint_due(s->journal))
        journal_checkpoint(s->journal); /* still leading, so the journal is ours; those who waited go on already */
    pthread_mutex_lock(&s->mu);
}

/* Leads for a few groups, so that the journal does not rest while another thread wakes up, and passes the lead on. */
static void lead(struct store *s)
{
    s->leading = true;
    for (int i = 0; i < LEAD_GROUPS && s->gathering; i++)
        lead_once(s);
    if (s->gathering)
        batch_signal(s->gathering, BATCH_LEAD, 1); /* `leading` stays set: it is handed over */
    else
        s->leading = false;
}

/* Waits for the outcome of the batch the caller wrote into. mu is held at the start, not at the end. */
static int batch_wait(struct store *s, struct batch *b, struct err *e)
{
    atomic_fetch_add(&b->writers, 1);
    if (!s->leading)
        lead(s);
    pthread_mutex_unlock(&s->mu);
    int state;
    while ((state = atomic_load(&b->state)) != BATCH_DONE) {
        int lead_on = BATCH_LEAD;
        if (state == BATCH_WAIT) {
            atomic_fetch_add(&b->sleepers, 1);
            syscall(SYS_futex, &b->state, FUTEX_WAIT_PRIVATE, BATCH_WAIT, NULL, NULL, 0);
            atomic_fetch_sub(&b->sleepers, 1);
        } else if (atomic_compare_exchange_strong(&b->state, &lead_on, BATCH_WAIT)) {
            pthread_mutex_lock(&s->mu);
            lead(s);
            pthread_mutex_unlock(&s->mu);
        }
    }
    int rc = b->failed ? -1 : 0;
    if (b->failed)
        *e = b->err;
    batch_leave(b);
    return rc;
}

static int commit_locked(struct store *s, struct change *c, struct sobj **out_obj, struct batch **out_batch,
                         struct err *e)
{
    for (;;) {
        if (s->closing)
            return err_set(e, ERR_UNAVAILABLE, "the store is closing");
        struct sobj *now = snapshot_find(s->pending, c->bucket, c->ns, c->name);
        enum err_code code = expectation(c, now);
        if (code == ERR_OK) {
            *out_obj = sobj_ref(commit_accept(s, c, now));
            *out_batch = s->gathering;
            return 0;
        }
        if (s->pending == s->published || settle(s))
            return expectation_err(c, code, e);
    }
}

static int commit(struct store *s, struct change *c, struct sobj **out_obj, struct err *e)
{
    _auto_sobj_ struct sobj *result = NULL;
    struct batch *b = NULL;
    pthread_mutex_lock(&s->mu);
    int rc = commit_locked(s, c, &result, &b, e);
    if (rc == 0)
        rc = batch_wait(s, b, e); /* unlocks */
    else
        pthread_mutex_unlock(&s->mu);
    sobj_unref(c->fresh);
    if (rc == 0 && out_obj)
        *out_obj = TAKE(result);
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
