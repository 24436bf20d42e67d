/* commit.c - writing: group commit with one thread that applies.
 *
 * A writer freezes its object (the expensive part, in parallel), hangs its change on the gathering batch and waits. The
 * first one who finds nobody leading leads: it takes the whole batch and brings every change in it through these
 * states:
 *
 *     QUEUED ---> APPLIED ---> JOURNALLED ---> PUBLISHED          (then its writer is told)
 *        \           \-----------------------> DROPPED            (the journal could not be written: error for the
 * whole batch)
 *         \----------------------------------> REFUSED            (expectation not met: error for this change only)
 *
 *  applied    [change_apply]   without a lock, by the leader alone: the expectation is checked, the revision handed
 * out, the object stamped, and a private edition of the published snapshot edited. journalled [batch_write]    without
 * a lock: one transaction for the batch. published  [batch_publish]  under store.mu: root, history and watch queues, in
 * revision order. dropped                     the edition is released. Nobody has seen it; its revisions are not used
 * again.
 *
 * A writer with other things to do does not wait: it begins its write, hears when the outcome is near, and takes it
 * later. Such a write brings no leader. It waits in the gathering batch until its thread, which has gathered what it
 * could, asks for the batch with store_flush(), or until somebody who waits joins the same batch.
 *
 * So readers and watchers only ever see what is in the journal, a full disk leaves the state as it was, and whoever is
 * refused finds, when it reads again, the change it lost against: refusals are told after publication, too.
 *
 * INVARIANTS
 *  1. published is what the journal holds, but for a batch being published.
 *  2. One leader at a time. While there is a gathering batch that is due (somebody waits for it, or asked for it),
 * there is a leader or a writer woken to be one.
 *  3. Only the leader replaces `published`, hands out revisions and rows, and uses the journal; becoming leader is an
 * acquire of queue_mu or of a batch's state, so these need no lock of their own. */
#include "store/store_int.h"

#include "base/mem.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Groups a writer writes for others before it passes the lead on. */
#define LEAD_GROUPS 8
/* Between two groups: then the journal may take its time. */
#define QUIET_NS INT64_C(20000000)

/* One put (with its frozen object) or delete, on its writer's stack. */
struct change {
    const char *bucket, *ns, *name;
    uint64_t expect_rv;
    struct sobj *obj; /* owned. put: the new version. delete: NULL, the tombstone once applied */
    bool put;
    enum err_code refused;
    struct watch_event trash; /* owned: an old event for the writer to release, so that the leader need not */
    struct change *next;
    struct store_write *write;           /* borrowed: of a writer who does not wait, or NULL */
    const struct store_restore *restore; /* borrowed: no put or delete, but all that leads back there; or NULL */
    struct store_restored *restored;     /* borrowed */
};

struct store_write {
    struct change change;
    struct store *store; /* borrowed */
    struct batch *batch; /* shared: a use of it */
    void (*told)(void *arg);
    void *arg;
};

enum batch_state {
    BATCH_WAIT, /* for the journal */
    BATCH_LEAD, /* one of its writers has to lead */
    BATCH_DONE,
};

struct batch {
    struct change *head, **tail; /* borrowed from the writers, who wait */
    size_t len, waiters;         /* changes; those whose writers wait from the start */
    bool asked;                  /* store_flush() came */
    atomic_uint users;           /* writers that still have to read the outcome, and the leader */
    atomic_uint sleepers;        /* in futex() */
    atomic_int state;            /* enum batch_state; a futex, so that waking up needs no lock */
    bool failed;                 /* with err: written before state becomes BATCH_DONE, read after */
    struct err err;
};

/* -- batches -- */

static void batch_signal(struct batch *b, enum batch_state state, int wake)
{
    atomic_store(&b->state, state);
    if (atomic_load(&b->sleepers))
        syscall(SYS_futex, &b->state, FUTEX_WAKE_PRIVATE, wake, NULL, NULL, 0);
}

static void batch_sleep(struct batch *b)
{
    atomic_fetch_add(&b->sleepers, 1);
    syscall(SYS_futex, &b->state, FUTEX_WAIT_PRIVATE, BATCH_WAIT, NULL, NULL, 0);
    atomic_fetch_sub(&b->sleepers, 1);
}

/* Whoever leaves last frees the batch. */
static void batch_leave(struct batch *b)
{
    if (atomic_fetch_sub(&b->users, 1) == 1)
        free(b);
}

/* Hangs the change on the gathering batch. */
static struct batch *batch_join_locked(struct store *s, struct change *c)
{
    struct batch *b = s->gathering;
    if (!b) {
        b = s->gathering = xcalloc(1, sizeof *b);
        b->tail = &b->head;
    }
    *b->tail = c;
    b->tail = &c->next;
    b->len++;
    atomic_fetch_add(&b->users, 1);
    return b;
}

/* Returns true when the caller has to lead. */
static bool batch_join(struct store *s, struct change *c, struct batch **out_batch)
{
    pthread_mutex_lock(&s->queue_mu);
    *out_batch = batch_join_locked(s, c);
    (*out_batch)->waiters++;
    bool lead = !s->leading;
    s->leading = true;
    pthread_mutex_unlock(&s->queue_mu);
    return lead;
}

static bool batch_due_locked(const struct store *s)
{
    return s->gathering && (s->gathering->waiters || s->gathering->asked);
}

/* The gathering batch, with a use of it for the leader; NULL, and the lead is given up, if none is due. */
static struct batch *batch_take(struct store *s)
{
    struct batch *b = NULL;
    pthread_mutex_lock(&s->queue_mu);
    if (batch_due_locked(s))
        b = TAKE(s->gathering);
    if (b)
        atomic_fetch_add(&b->users, 1);
    else
        s->leading = false;
    pthread_mutex_unlock(&s->queue_mu);
    return b;
}

/* -- applied -- */

struct watch_event *edition_op(struct edition *ed)
{
    if (ed->len == ed->cap) {
        ed->cap = ed->cap ? 2 * ed->cap : 16;
        ed->ops = xrealloc(ed->ops, ed->cap * sizeof *ed->ops);
    }
    ed->ops[ed->len] = (struct watch_event){0};
    return &ed->ops[ed->len++];
}

/* OK, or why the change cannot be. */
static enum err_code change_check(const struct change *c, const struct sobj *now)
{
    if (c->put && c->expect_rv == RV_ABSENT)
        return now ? ERR_ALREADY_EXISTS : ERR_OK;
    if (!now)
        return c->put && c->expect_rv == RV_ANY ? ERR_OK : ERR_NOT_FOUND;
    return c->expect_rv == RV_ANY || c->expect_rv == now->rv ? ERR_OK : ERR_CONFLICT;
}

static const char *bucket_intern(struct store *s, const char *name)
{
    pthread_mutex_lock(&s->mu);
    const char *interned = bucket_intern_locked(s, name)->name;
    pthread_mutex_unlock(&s->mu);
    return interned;
}

static void change_apply(struct store *s, struct change *c, struct edition *ed)
{
    if (c->restore) {
        restore_apply(s, c->restore, ed, c->restored);
        return;
    }
    struct sobj *now = snapshot_find(ed->snap, c->bucket, c->ns, c->name);
    c->refused = change_check(c, now);
    if (c->refused != ERR_OK)
        return;
    struct watch_event *op = edition_op(ed);
    uint64_t rv = ++s->last_rv;
    op->prev = sobj_ref(now);
    if (c->put) {
        op->type = now ? WATCH_MODIFIED : WATCH_ADDED;
        const char *bucket = now ? now->bucket : bucket_intern(s, c->bucket);
        sobj_stamp(c->obj, bucket, rv, now ? sobj_row(now) : ++s->last_row);
        ed->snap = snapshot_put(ed->snap, c->obj);
    } else {
        op->type = WATCH_DELETED;
        c->obj = sobj_again(now, rv, sobj_row(now));
        ed->snap = snapshot_remove(ed->snap, now);
    }
    op->obj = sobj_ref(c->obj);
    snapshot_set_rv(ed->snap, rv);
}

static void batch_apply(struct store *s, struct batch *b, struct edition *ed)
{
    ed->snap = snapshot_edit(snapshot_ref(s->published));
    ed->cap = b->len;
    ed->ops = xcalloc(b->len, sizeof *ed->ops);
    for (struct change *c = b->head; c; c = c->next)
        change_apply(s, c, ed);
}

/* -- journalled and published -- */

static int batch_write(struct store *s, struct batch *b, const struct edition *ed)
{
    if (!s->journal || (ed->len == 0 && !ed->mark))
        return 0;
    b->failed = journal_write(s->journal, ed->ops, ed->len, ed->mark, &b->err) < 0;
    atomic_store(&s->unwritable, b->failed);
    return b->failed ? -1 : 0;
}

/* Takes the snapshot and the events out of the edition, and leaves there the snapshot that was replaced. */
static void batch_publish(struct store *s, struct edition *ed, struct notices *notices, struct trash *trash)
{
    int64_t now = clock_mono_ns(s->clock);
    pthread_mutex_lock(&s->mu);
    struct snapshot *old = s->published;
    pthread_mutex_lock(&s->root_mu);
    s->published = ed->snap;
    pthread_mutex_unlock(&s->root_mu);
    s->published_rv = snapshot_rv(s->published);
    for (size_t i = 0; i < ed->len; i++) {
        watches_push_locked(s, &ed->ops[i], notices);
        history_append(&s->history, &ed->ops[i], now, trash); /* takes the references */
    }
    pins_trim_locked(s, now);
    s->commits += ed->len;
    s->groups++;
    pthread_mutex_unlock(&s->mu);
    ed->snap = old;
    ed->len = 0;
}

static void edition_release(struct edition *ed)
{
    for (size_t i = 0; i < ed->len; i++)
        watch_event_release(&ed->ops[i]);
    free(ed->ops);
    snapshot_unref(ed->snap);
}

/* Releasing trees nobody looked at for long is slow: each writer gets one of what left the history. */
static void trash_share(struct trash *trash, struct batch *b)
{
    for (struct change *c = b->head; c && trash->len; c = c->next)
        c->trash = trash->items[--trash->len];
}

/* Tells those who do not wait. They still find all there is: nobody takes an outcome before the batch is done. */
static void batch_tell(const struct batch *b)
{
    for (const struct change *c = b->head; c; c = c->next)
        if (c->write && c->write->told)
            c->write->told(c->write->arg);
}

/* The whole way of one batch. */
static void batch_commit(struct store *s, struct batch *b)
{
    struct edition ed = {0};
    struct notices notices = {0};
    struct trash trash = {0};
    batch_apply(s, b, &ed);
    if (batch_write(s, b, &ed) == 0 && ed.len > 0)
        batch_publish(s, &ed, &notices, &trash);
    trash_share(&trash, b);
    batch_tell(b);
    batch_signal(b, BATCH_DONE, INT_MAX); /* its changes are gone with their writers from here on */
    batch_leave(b);
    notices_send(&notices);
    edition_release(&ed);
    trash_empty(&trash);
    int64_t now = clock_mono_ns(s->clock);
    bool quiet = now - s->last_group_ns > QUIET_NS;
    s->last_group_ns = now;
    if (s->journal && journal_checkpoint_due(s->journal, quiet))
        journal_checkpoint(s->journal);
}

/* Passes the lead to a writer who waits for the gathering batch, or gives it up if no batch is due. Neither is possible
 * when a batch was asked for and nobody waits: false. */
static bool lead_pass_on(struct store *s)
{
    pthread_mutex_lock(&s->queue_mu);
    bool due = batch_due_locked(s), waited = due && s->gathering->waiters;
    if (waited)
        batch_signal(s->gathering, BATCH_LEAD, 1);
    else if (!due)
        s->leading = false;
    pthread_mutex_unlock(&s->queue_mu);
    return waited || !due;
}

/* Leads for a few groups, so that the journal does not rest while another thread wakes up. */
static void lead(struct store *s)
{
    do {
        for (int i = 0; i < LEAD_GROUPS; i++) {
            struct batch *b = batch_take(s);
            if (!b)
                return;
            batch_commit(s, b);
        }
    } while (!lead_pass_on(s));
}

static void batch_wait(struct store *s, struct batch *b)
{
    int state;
    while ((state = atomic_load(&b->state)) != BATCH_DONE) {
        int lead_on = BATCH_LEAD;
        if (state == BATCH_WAIT)
            batch_sleep(b);
        else if (atomic_compare_exchange_strong(&b->state, &lead_on, BATCH_WAIT))
            lead(s);
    }
}

/* -- the writers' side -- */

static int change_err(const struct change *c, struct err *e)
{
    static const char *const why[ERR_MAX] = {
        [ERR_ALREADY_EXISTS] = "already exists",
        [ERR_NOT_FOUND] = "not found",
        [ERR_CONFLICT] = "the object has been modified",
    };
    return err_set(e, c->refused, "%s \"%s%s%s\": %s", c->bucket, c->ns, *c->ns ? "/" : "", c->name, why[c->refused]);
}

/* The outcome, and the end of the change. */
static int change_end(struct change *c, struct batch *b, struct sobj **out_obj, struct err *e)
{
    int rc = 0;
    if (c->refused != ERR_OK) {
        rc = change_err(c, e);
    } else if (b->failed) {
        *e = b->err;
        rc = -1;
    } else if (out_obj) {
        *out_obj = TAKE(c->obj);
    }
    batch_leave(b);
    sobj_unref(c->obj);
    watch_event_release(&c->trash);
    return rc;
}

static int change_commit(struct store *s, struct change *c, struct sobj **out_obj, struct err *e)
{
    struct batch *b = NULL;
    if (batch_join(s, c, &b))
        lead(s);
    batch_wait(s, b);
    return change_end(c, b, out_obj, e);
}

int store_put(struct store *s, const char *bucket, const char *ns, const char *name, uint64_t expect_rv,
              json_t *take_tree, struct sobj **out_new, struct err *e)
{
    struct change c = {.bucket = bucket, .ns = ns, .name = name, .expect_rv = expect_rv, .put = true};
    c.obj = sobj_freeze(ns, name, take_tree);
    return change_commit(s, &c, out_new, e);
}

int store_delete(struct store *s, const char *bucket, const char *ns, const char *name, uint64_t expect_rv,
                 struct sobj **out_last, struct err *e)
{
    struct change c = {.bucket = bucket, .ns = ns, .name = name, .expect_rv = expect_rv};
    return change_commit(s, &c, out_last, e);
}

int store_restore(struct store *s, const struct store_restore *r, struct store_restored *out, struct err *e)
{
    struct store_restored told = {0};
    struct change c = {.bucket = "", .ns = "", .name = "", .restore = r, .restored = &told};
    if (change_commit(s, &c, NULL, e) < 0)
        return -1;
    *out = told;
    return 0;
}

/* -- writers who do not wait -- */

struct store_write *store_put_begin(struct store *s, const char *bucket, const char *ns, const char *name,
                                    uint64_t expect_rv, json_t *take_tree, void (*told)(void *arg), void *arg)
{
    struct store_write *w = xmalloc(sizeof *w);
    struct sobj *obj = sobj_freeze(ns, name, take_tree);
    *w = (struct store_write){.store = s, .told = told, .arg = arg};
    w->change = (struct change){.bucket = bucket, .ns = obj->ns, .name = obj->name, .expect_rv = expect_rv};
    w->change.put = true;
    w->change.obj = obj;
    w->change.write = w;
    pthread_mutex_lock(&s->queue_mu);
    w->batch = batch_join_locked(s, &w->change);
    pthread_mutex_unlock(&s->queue_mu);
    return w;
}

void store_flush(struct store *s)
{
    pthread_mutex_lock(&s->queue_mu);
    bool mine = s->gathering && !s->leading;
    if (s->gathering)
        s->gathering->asked = true;
    s->leading |= mine;
    pthread_mutex_unlock(&s->queue_mu);
    if (mine)
        lead(s);
}

int store_write_end(struct store_write *take_w, struct sobj **out_new, struct err *e)
{
    _auto_free_ struct store_write *w = take_w;
    if (atomic_load(&w->batch->state) != BATCH_DONE) {
        store_flush(w->store);
        batch_wait(w->store, w->batch);
    }
    return change_end(&w->change, w->batch, out_new, e);
}
