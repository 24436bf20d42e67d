/* queue.c - see queue_int.h.
 *
 *     (new) --offer--> ACTIVE --pop--> TRIED --unschedulable, waits--> WAITING
 *                        ^  ^            |                               | wake, five minutes
 *                        |  |            +--failed--> BACKOFF <----------+ its back-off is not over
 *                        |  +---------back-off over------+               |
 *                        +---------------------------------------------- +
 *     GATED: has scheduling gates; an edit that removes the last makes it ACTIVE.
 *
 * The active ones are a heap by priority, then by turn; those that back off a heap by time; those that wait for an
 * event a list, the longest waiting first. A back-off lasts 1 s after the first failure and doubles up to 10 s. Source:
 * backend/queue/scheduling_queue.go. THREADS: the loop thread's. */
#include "scheduler/queue_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sm.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS  10000
#define FLUSH_MS         300000

enum queue_state { STATE_NEW, STATE_ACTIVE, STATE_TRIED, STATE_BACKOFF, STATE_WAITING, STATE_GATED };
static const struct sm_state states[] = {
    [STATE_NEW] = {"new", SM(STATE_ACTIVE) | SM(STATE_GATED)},
    [STATE_ACTIVE] = {"active", SM(STATE_TRIED)},
    [STATE_TRIED] = {"tried", SM(STATE_BACKOFF) | SM(STATE_WAITING)},
    [STATE_BACKOFF] = {"backing off", SM(STATE_ACTIVE)},
    [STATE_WAITING] = {"waiting", SM(STATE_ACTIVE) | SM(STATE_BACKOFF)},
    [STATE_GATED] = {"gated", SM(STATE_ACTIVE)},
};
static const struct sm_def queue_sm = {"queued pod", states, ARRAY_LEN(states)};

struct heap {
    struct queued **items; /* owned array */
    size_t len, cap;
    bool (*before)(const struct queued *a, const struct queued *b);
};
struct queue {
    struct queued **table; /* owned; entries too */
    size_t size, known;
    uint64_t turns;
    struct heap active, backoff;
    struct queued *first, *last; /* that wait */
    size_t waiting_by[32];       /* how many of them each filter refused */
};

static bool first_in_line(const struct queued *a, const struct queued *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->turn < b->turn;
}

static bool ready_sooner(const struct queued *a, const struct queued *b)
{
    return a->ready_ms < b->ready_ms;
}

struct queue *queue_new(void)
{
    struct queue *q = xcalloc(1, sizeof *q);
    q->active.before = first_in_line;
    q->backoff.before = ready_sooner;
    q->size = 64;
    q->table = xcalloc(q->size, sizeof(struct queued *));
    return q;
}

static void queued_free(struct queued *p)
{
    sobj_unref(p->o);
    free(p->assumed);
    free(p);
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->size; i++) {
        for (struct queued *p = q->table[i], *next; p; p = next) {
            next = p->hash_next;
            queued_free(p);
        }
    }
    free(q->table);
    free(q->active.items);
    free(q->backoff.items);
    free(q);
}

/* -- heaps -- */

static void heap_set(struct heap *h, size_t at, struct queued *p)
{
    h->items[at] = p;
    p->heap_at = at;
}

static void heap_settle(struct heap *h, size_t at)
{
    struct queued *p = h->items[at];
    while (at > 0 && h->before(p, h->items[(at - 1) / 2])) {
        heap_set(h, at, h->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < h->len; at = child) {
        if (child + 1 < h->len && h->before(h->items[child + 1], h->items[child]))
            child++;
        if (!h->before(h->items[child], p))
            break;
        heap_set(h, at, h->items[child]);
    }
    heap_set(h, at, p);
}

static void heap_push(struct heap *h, struct queued *p)
{
    if (h->len == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->items = xrealloc(h->items, h->cap * sizeof(struct queued *));
    }
    h->items[h->len++] = p;
    heap_settle(h, h->len - 1);
}

static void heap_remove(struct heap *h, const struct queued *p)
{
    size_t at = p->heap_at;
    struct queued *last = h->items[--h->len];
    if (at == h->len)
        return;
    heap_set(h, at, last);
    heap_settle(h, at);
}

/* -- places -- */

static void count_waiting(struct queue *q, const struct queued *p, int by)
{
    for (size_t i = 0; i < ARRAY_LEN(q->waiting_by); i++)
        if (p->refused & 1u << i)
            q->waiting_by[i] = (size_t)((int64_t)q->waiting_by[i] + by);
}

/* Takes it out of whatever holds it. */
static void leave(struct queue *q, struct queued *p)
{
    if (p->state == STATE_ACTIVE)
        heap_remove(&q->active, p);
    if (p->state == STATE_BACKOFF)
        heap_remove(&q->backoff, p);
    if (p->state != STATE_WAITING)
        return;
    *(p->prev ? &p->prev->next : &q->first) = p->next;
    *(p->next ? &p->next->prev : &q->last) = p->prev;
    p->prev = p->next = NULL;
    count_waiting(q, p, -1);
}

static void enter(struct queue *q, struct queued *p, int state, int64_t now_ms)
{
    leave(q, p);
    sm_move(&queue_sm, &p->state, state);
    p->since_ms = now_ms;
    if (state == STATE_ACTIVE) {
        p->turn = ++q->turns;
        heap_push(&q->active, p);
    } else if (state == STATE_BACKOFF) {
        heap_push(&q->backoff, p);
    } else if (state == STATE_WAITING) {
        p->prev = q->last;
        *(q->last ? &q->last->next : &q->first) = p;
        q->last = p;
        count_waiting(q, p, 1);
    }
}

/* -- the table -- */

static size_t slot(const struct queue *q, const char *ns, const char *name)
{
    return (str_hash64(ns, strlen(ns)) * 31 + str_hash64(name, strlen(name))) & (q->size - 1);
}

struct queued *queue_find(const struct queue *q, const char *ns, const char *name)
{
    struct queued *p = q->table[slot(q, ns, name)];
    while (p && (!str_eq(p->o->name, name) || !str_eq(p->o->ns, ns)))
        p = p->hash_next;
    return p;
}

static void table_grow(struct queue *q)
{
    struct queued **old = q->table;
    size_t old_size = q->size;
    q->size *= 2;
    q->table = xcalloc(q->size, sizeof(struct queued *));
    for (size_t i = 0; i < old_size; i++) {
        for (struct queued *p = old[i], *next; p; p = next) {
            struct queued **at = &q->table[slot(q, p->o->ns, p->o->name)];
            next = p->hash_next;
            p->hash_next = *at;
            *at = p;
        }
    }
    free(old);
}

static bool gated(const struct queued *p)
{
    return json_array_size(jat(p->o->tree, "spec.schedulingGates")) > 0;
}

struct queued *queue_offer(struct queue *q, struct sobj *pod, int64_t now_ms, bool *out_fresh)
{
    struct queued *p = queue_find(q, pod->ns, pod->name);
    *out_fresh = !p;
    if (p) {
        struct sobj *old = p->o;
        p->o = sobj_ref(pod);
        sobj_unref(old);
        if (p->state == STATE_GATED && !gated(p))
            enter(q, p, STATE_ACTIVE, now_ms);
        return p;
    }
    if (++q->known > q->size)
        table_grow(q);
    struct queued **at = &q->table[slot(q, pod->ns, pod->name)];
    p = xcalloc(1, sizeof *p);
    p->o = sobj_ref(pod);
    p->priority = jint(pod->tree, "spec.priority", 0);
    p->hash_next = *at;
    *at = p;
    enter(q, p, gated(p) ? STATE_GATED : STATE_ACTIVE, now_ms);
    return p;
}

void queue_drop(struct queue *q, struct queued *p)
{
    struct queued **link = &q->table[slot(q, p->o->ns, p->o->name)];
    while (*link != p)
        link = &(*link)->hash_next;
    *link = p->hash_next;
    q->known--;
    leave(q, p);
    queued_free(p);
}

/* -- moving -- */

struct queued *queue_pop(struct queue *q)
{
    struct queued *p = q->active.len ? q->active.items[0] : NULL;
    if (p)
        enter(q, p, STATE_TRIED, p->since_ms);
    return p;
}

static void begin_backoff(struct queued *p, int64_t now_ms)
{
    int64_t delay = BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < p->attempts && delay < BACKOFF_MOST_MS; i++)
        delay *= 2;
    p->attempts++;
    p->ready_ms = now_ms + (delay < BACKOFF_MOST_MS ? delay : BACKOFF_MOST_MS);
}

void queue_unschedulable(struct queue *q, struct queued *p, int64_t now_ms)
{
    begin_backoff(p, now_ms);
    enter(q, p, STATE_WAITING, now_ms);
}

void queue_failed(struct queue *q, struct queued *p, int64_t now_ms)
{
    begin_backoff(p, now_ms);
    if (p->state != STATE_ACTIVE) /* an event has brought it back already: it is tried next */
        enter(q, p, STATE_BACKOFF, now_ms);
}

void queue_waits(struct queue *q, struct queued *p, int64_t now_ms)
{
    p->attempts = 0;
    p->ready_ms = now_ms;
    enter(q, p, STATE_WAITING, now_ms);
}

void queue_wake(struct queue *q, struct queued *p, int64_t now_ms)
{
    if (p->state == STATE_WAITING)
        enter(q, p, p->ready_ms > now_ms ? STATE_BACKOFF : STATE_ACTIVE, now_ms);
}

struct queued *queue_waiting(const struct queue *q)
{
    return q->first;
}

bool queue_refused_by(const struct queue *q, uint32_t filters)
{
    for (size_t i = 0; i < ARRAY_LEN(q->waiting_by); i++)
        if (filters & 1u << i && q->waiting_by[i])
            return true;
    return false;
}

int64_t queue_tick(struct queue *q, int64_t now_ms)
{
    while (q->backoff.len && q->backoff.items[0]->ready_ms <= now_ms)
        enter(q, q->backoff.items[0], STATE_ACTIVE, now_ms);
    while (q->first && q->first->since_ms + FLUSH_MS <= now_ms)
        queue_wake(q, q->first, now_ms);
    int64_t due = q->backoff.len ? q->backoff.items[0]->ready_ms : -1;
    int64_t flush = q->first ? q->first->since_ms + FLUSH_MS : -1;
    return due < 0 || (flush >= 0 && flush < due) ? flush : due;
}

bool queue_ready(const struct queue *q)
{
    return q->active.len > 0;
}
