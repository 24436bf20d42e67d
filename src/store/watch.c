/* watch.c - watchers.
 *
 * DESIGN. A watch has a bounded queue of its own. Publishing a change puts it in the queues of those who want it (lists
 * by bucket, so a change of a pod never looks at the watchers of secrets) under store.mu; a queue is guarded by its own
 * watch.mu, so taking events out never waits for writers. A watcher whose queue is full is dropped: it lists again.
 * Nobody waits for it.
 *
 * What happened between after_rv and now comes from the history and is in the queue when store_watch() returns; a long
 * backlog raises the bound of that queue by its length, so that a watcher is not dropped for what it could not yet have
 * taken.
 *
 *     LIVE --queue full, or store closes--> DEAD --watch_close--> (freed)
 *       \-------------------watch_close-----------------------------^
 *
 * notify() runs with no lock held, after a count under watch.mu; watch_close() waits for the count to return to zero.
 *
 * When you add a way to end a watch: unlink under store.mu, then mark dead under watch.mu, then notify without either.
 */
#include "store/store_int.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 10000

struct watch {
    atomic_uint refs;
    struct store *store; /* owned reference */
    char *ns;            /* owned; NULL: every one */
    size_t queue_max;
    void (*notify)(void *arg);
    void *arg;
    /* under store.mu */
    struct watch_list *list; /* NULL: unlinked */
    struct watch *next, **prev_next;

    pthread_mutex_t mu;
    /* under mu */
    pthread_cond_t quiet;     /* notifying is 0 */
    struct watch_event *ring; /* owned */
    size_t head, len, cap;
    unsigned notifying;
    bool dead, closed;
};

static void watch_unref(struct watch *w)
{
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    store_unref(w->store);
    pthread_mutex_destroy(&w->mu);
    pthread_cond_destroy(&w->quiet);
    free(w->ns);
    free(w);
}

/* -- the queue, under watch.mu -- */

static void queue_push(struct watch *w, const struct watch_event *ev)
{
    if (w->len == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 8;
        struct watch_event *ring = xmalloc(cap * sizeof *ring);
        for (size_t i = 0; i < w->len; i++)
            ring[i] = w->ring[(w->head + i) % w->cap];
        free(w->ring);
        w->ring = ring;
        w->head = 0;
        w->cap = cap;
    }
    watch_event_ref(&w->ring[(w->head + w->len++) % w->cap], ev);
}

static struct watch_event queue_pop(struct watch *w)
{
    struct watch_event ev = w->ring[w->head];
    w->head = (w->head + 1) % w->cap;
    w->len--;
    if (w->len == 0 && w->cap > 64) { /* give the memory of a burst back */
        free(w->ring);
        w->ring = NULL;
        w->cap = w->head = 0;
    }
    return ev;
}

static void queue_clear(struct watch *w)
{
    while (w->len) {
        struct watch_event ev = queue_pop(w);
        watch_event_release(&ev);
    }
    free(w->ring);
    w->ring = NULL;
    w->cap = w->head = 0;
}

/* -- the lists, under store.mu -- */

static void list_add(struct watch_list *list, struct watch *w)
{
    w->list = list;
    w->next = list->head;
    w->prev_next = &list->head;
    if (w->next)
        w->next->prev_next = &w->next;
    list->head = w;
    w->store->watchers++;
}

static void list_remove(struct watch *w)
{
    if (!w->list)
        return;
    *w->prev_next = w->next;
    if (w->next)
        w->next->prev_next = w->prev_next;
    w->list = NULL;
    w->store->watchers--;
}

static void notices_add(struct notices *n, struct watch *w)
{
    if (n->len == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 16;
        n->items = xrealloc(n->items, n->cap * sizeof(struct watch *));
    }
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    n->items[n->len++] = w;
}

static void notify_one(struct watch *w)
{
    pthread_mutex_lock(&w->mu);
    bool tell = !w->closed && w->notify;
    w->notifying += tell;
    pthread_mutex_unlock(&w->mu);
    if (!tell)
        return;
    w->notify(w->arg);
    pthread_mutex_lock(&w->mu);
    if (--w->notifying == 0)
        pthread_cond_broadcast(&w->quiet);
    pthread_mutex_unlock(&w->mu);
}

void notices_send(struct notices *n)
{
    for (size_t i = 0; i < n->len; i++) {
        notify_one(n->items[i]);
        watch_unref(n->items[i]);
    }
    free(n->items);
    *n = (struct notices){0};
}

/* Queues the event, or kills the watch; a notice either way when its owner has to look. */
static void watch_push(struct watch *w, const struct watch_event *ev, struct notices *out)
{
    pthread_mutex_lock(&w->mu);
    bool was_empty = w->len == 0;
    bool full = w->len >= w->queue_max;
    if (full) {
        w->dead = true;
        queue_clear(w);
    } else {
        queue_push(w, ev);
    }
    pthread_mutex_unlock(&w->mu);
    if (full)
        list_remove(w);
    if (full || was_empty)
        notices_add(out, w);
}

static bool watch_wants(const struct watch *w, const struct watch_event *ev)
{
    return !w->ns || strcmp(w->ns, ev->obj->ns) == 0;
}

static void list_push(struct watch_list *list, const struct watch_event *ev, struct notices *out)
{
    for (struct watch *w = list->head, *next; w; w = next) {
        next = w->next;
        if (watch_wants(w, ev))
            watch_push(w, ev, out);
    }
}

void watches_push_locked(struct store *s, const struct watch_event *ev, struct notices *out)
{
    /* An interned bucket name is the tail of its struct. */
    struct bucket *b = (struct bucket *)(uintptr_t)(ev->obj->bucket - offsetof(struct bucket, name));
    list_push(&b->watches, ev, out);
    list_push(&s->all, ev, out);
}

static void list_kill(struct watch_list *list, struct notices *out)
{
    while (list->head) {
        struct watch *w = list->head;
        list_remove(w);
        pthread_mutex_lock(&w->mu);
        w->dead = true;
        pthread_mutex_unlock(&w->mu);
        notices_add(out, w);
    }
}

void watches_close_locked(struct store *s, struct notices *out)
{
    list_kill(&s->all, out);
    for (struct bucket *b = s->buckets; b; b = b->next)
        list_kill(&b->watches, out);
}

/* -- the public side -- */

static struct watch *watch_new(struct store *s, const struct watch_conf *conf)
{
    struct watch *w = xcalloc(1, sizeof *w);
    atomic_init(&w->refs, 1);
    w->store = store_ref(s);
    w->ns = conf->ns ? xstrdup(conf->ns) : NULL;
    w->queue_max = conf->queue_max ? conf->queue_max : QUEUE_MAX;
    w->notify = conf->notify;
    w->arg = conf->arg;
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->quiet, NULL);
    return w;
}

/* Queues what the history has after the revision. */
static void watch_catch_up(struct watch *w, const struct history *h, const struct watch_conf *conf)
{
    for (size_t i = history_after(h, conf->after_rv); i < h->len; i++) {
        const struct watch_event *ev = history_at(h, i);
        if ((!conf->bucket || strcmp(conf->bucket, ev->obj->bucket) == 0) && watch_wants(w, ev))
            queue_push(w, ev);
    }
    w->queue_max += w->len;
}

int store_watch(struct store *s, const struct watch_conf *conf, struct watch **out_watch, struct err *e)
{
    int64_t now = clock_mono_ns(s->clock);
    struct trash trash = {0};
    pthread_mutex_lock(&s->mu);
    history_trim(&s->history, now, &trash);
    uint64_t floor = s->history.floor;
    if (s->closing || conf->after_rv < floor) {
        bool closing = s->closing;
        pthread_mutex_unlock(&s->mu);
        trash_empty(&trash);
        if (closing)
            return err_set(e, ERR_UNAVAILABLE, "the store is closing");
        return err_set(e, ERR_EXPIRED, "too old resource version: %" PRIu64 " (%" PRIu64 ")", conf->after_rv, floor);
    }
    struct watch *w = watch_new(s, conf);
    pthread_mutex_lock(&w->mu);
    watch_catch_up(w, &s->history, conf);
    bool some = w->len > 0;
    pthread_mutex_unlock(&w->mu);
    list_add(conf->bucket ? &bucket_intern_locked(s, conf->bucket)->watches : &s->all, w);
    *out_watch = w;
    struct notices notices = {0};
    if (some)
        notices_add(&notices, w);
    pthread_mutex_unlock(&s->mu);
    trash_empty(&trash);
    notices_send(&notices);
    return 0;
}

int watch_next(struct watch *w, struct watch_event *out_ev)
{
    int rc = 0;
    pthread_mutex_lock(&w->mu);
    if (w->len > 0) {
        *out_ev = queue_pop(w);
        rc = 1;
    } else if (w->dead) {
        rc = -1;
    }
    pthread_mutex_unlock(&w->mu);
    return rc;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->store->mu);
    list_remove(w);
    pthread_mutex_unlock(&w->store->mu);
    pthread_mutex_lock(&w->mu);
    w->closed = true;
    while (w->notifying)
        pthread_cond_wait(&w->quiet, &w->mu);
    queue_clear(w);
    pthread_mutex_unlock(&w->mu);
    watch_unref(w);
}
