/* workqueue.c - keyed work queue with delays and back-off.
 *
 * DESIGN. One entry a key, found by hash, in at most one of the places it can be:
 *
 *     (absent) --add--> QUEUED --take--> WORKING --done--> (absent)
 *                          ^               | add
 *                          |               v
 *                          +----done---- AGAIN
 *
 * Independent of that an entry may have a time at which it is added (a place in a binary heap), and a count of failures
 * in a row. It is freed when it has none of the three. The states and the rule that an earlier time wins over a later
 * one are those of client-go's util/workqueue; delays double from the smallest to the largest.
 *
 * THREADS. None; the user locks. */
#include "control/workqueue_int.h"

#include "base/mem.h"
#include "base/sm.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum entry_state { ENTRY_IDLE, ENTRY_QUEUED, ENTRY_WORKING, ENTRY_AGAIN };
static const struct sm_state entry_states[] = {
    [ENTRY_IDLE] = {"idle", SM(ENTRY_QUEUED)},
    [ENTRY_QUEUED] = {"queued", SM(ENTRY_WORKING)},
    [ENTRY_WORKING] = {"working", SM(ENTRY_AGAIN) | SM(ENTRY_IDLE)},
    [ENTRY_AGAIN] = {"again", SM(ENTRY_QUEUED) | SM(ENTRY_IDLE)},
};
static const struct sm_def entry_sm = {"work queue entry", entry_states, ARRAY_LEN(entry_states)};

struct entry {
    struct work work; /* first; its texts are in `mem` */
    struct entry *hash_next;
    struct entry *queue_next;
    uint64_t hash;
    int64_t due_ms;
    size_t heap_at; /* index + 1; 0: not in the heap */
    unsigned failures;
    int state; /* enum entry_state */
    char mem[];
};

struct workqueue {
    int64_t min_backoff_ms, max_backoff_ms;
    struct entry **table; /* owned */
    size_t table_size, known;
    struct entry *head, **tail;
    size_t queued;
    struct entry **heap; /* owned; earliest first */
    size_t heap_len, heap_cap;
};

struct workqueue *wq_new(int64_t min_backoff_ms, int64_t max_backoff_ms)
{
    struct workqueue *q = xcalloc(1, sizeof *q);
    q->min_backoff_ms = min_backoff_ms;
    q->max_backoff_ms = max_backoff_ms;
    q->tail = &q->head;
    q->table_size = 16;
    q->table = xcalloc(q->table_size, sizeof *q->table);
    return q;
}

void wq_free(struct workqueue *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->table_size; i++) {
        for (struct entry *en = q->table[i], *next; en; en = next) {
            next = en->hash_next;
            free(en);
        }
    }
    free(q->table);
    free(q->heap);
    free(q);
}

/* -- the table -- */

static uint64_t key_hash(const char *ns, const char *name)
{
    return str_hash64(ns, strlen(ns)) * 31 + str_hash64(name, strlen(name));
}

static struct entry **find_link(const struct workqueue *q, const char *ns, const char *name)
{
    struct entry **link = &q->table[key_hash(ns, name) & (q->table_size - 1)];
    while (*link && (strcmp((*link)->work.name, name) != 0 || strcmp((*link)->work.ns, ns) != 0))
        link = &(*link)->hash_next;
    return link;
}

static void table_grow(struct workqueue *q)
{
    size_t size = q->table_size * 2;
    struct entry **table = xcalloc(size, sizeof(struct entry *));
    for (size_t i = 0; i < q->table_size; i++) {
        for (struct entry *en = q->table[i], *next; en; en = next) {
            next = en->hash_next;
            en->hash_next = table[en->hash & (size - 1)];
            table[en->hash & (size - 1)] = en;
        }
    }
    free(q->table);
    q->table = table;
    q->table_size = size;
}

static struct entry *entry_get(struct workqueue *q, const char *ns, const char *name)
{
    struct entry **link = find_link(q, ns, name);
    if (*link)
        return *link;
    size_t ns_size = strlen(ns) + 1, name_size = strlen(name) + 1;
    struct entry *en = xcalloc(1, sizeof *en + ns_size + name_size);
    en->work.ns = memcpy(en->mem, ns, ns_size);
    en->work.name = memcpy(en->mem + ns_size, name, name_size);
    en->hash = key_hash(ns, name);
    *link = en;
    if (++q->known > q->table_size)
        table_grow(q);
    return en;
}

static void entry_drop_if_idle(struct workqueue *q, struct entry *en)
{
    if (en->state != ENTRY_IDLE || en->heap_at || en->failures)
        return;
    struct entry **link = find_link(q, en->work.ns, en->work.name);
    *link = en->hash_next;
    q->known--;
    free(en);
}

/* -- the heap of delayed keys -- */

static void heap_place(struct workqueue *q, size_t at, struct entry *en)
{
    q->heap[at] = en;
    en->heap_at = at + 1;
}

static void heap_up(struct workqueue *q, size_t at)
{
    struct entry *en = q->heap[at];
    while (at > 0 && q->heap[(at - 1) / 2]->due_ms > en->due_ms) {
        heap_place(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_place(q, at, en);
}

static void heap_down(struct workqueue *q, size_t at)
{
    struct entry *en = q->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < q->heap_len && q->heap[child + 1]->due_ms < q->heap[child]->due_ms)
            child++;
        if (child >= q->heap_len || q->heap[child]->due_ms >= en->due_ms)
            break;
        heap_place(q, at, q->heap[child]);
        at = child;
    }
    heap_place(q, at, en);
}

static void heap_push(struct workqueue *q, struct entry *en)
{
    if (q->heap_len == q->heap_cap) {
        q->heap_cap = q->heap_cap ? 2 * q->heap_cap : 16;
        q->heap = xrealloc(q->heap, q->heap_cap * sizeof(struct entry *));
    }
    q->heap[q->heap_len++] = en;
    heap_up(q, q->heap_len - 1);
}

static struct entry *heap_pop(struct workqueue *q)
{
    struct entry *top = q->heap[0];
    struct entry *last = q->heap[--q->heap_len];
    top->heap_at = 0;
    if (q->heap_len) {
        q->heap[0] = last;
        heap_down(q, 0);
    }
    return top;
}

/* -- the queue -- */

static void entry_queue(struct workqueue *q, struct entry *en)
{
    sm_move(&entry_sm, &en->state, ENTRY_QUEUED);
    en->queue_next = NULL;
    *q->tail = en;
    q->tail = &en->queue_next;
    q->queued++;
}

static void entry_add(struct workqueue *q, struct entry *en)
{
    if (en->state == ENTRY_IDLE)
        entry_queue(q, en);
    else if (en->state == ENTRY_WORKING)
        sm_move(&entry_sm, &en->state, ENTRY_AGAIN);
}

void wq_add(struct workqueue *q, const char *ns, const char *name)
{
    entry_add(q, entry_get(q, ns, name));
}

void wq_add_at(struct workqueue *q, const char *ns, const char *name, int64_t due_ms)
{
    struct entry *en = entry_get(q, ns, name);
    if (!en->heap_at) {
        en->due_ms = due_ms;
        heap_push(q, en);
    } else if (due_ms < en->due_ms) {
        en->due_ms = due_ms;
        heap_up(q, en->heap_at - 1);
    }
}

const struct work *wq_take(struct workqueue *q)
{
    struct entry *en = q->head;
    if (!en)
        return NULL;
    q->head = en->queue_next;
    if (!q->head)
        q->tail = &q->head;
    q->queued--;
    sm_move(&entry_sm, &en->state, ENTRY_WORKING);
    return &en->work;
}

static struct entry *entry_of(const struct work *w)
{
    return (struct entry *)(uintptr_t)w;
}

static void entry_end(struct workqueue *q, struct entry *en)
{
    bool again = en->state == ENTRY_AGAIN;
    sm_move(&entry_sm, &en->state, ENTRY_IDLE);
    if (again)
        entry_queue(q, en);
    entry_drop_if_idle(q, en);
}

void wq_done(struct workqueue *q, const struct work *w)
{
    entry_end(q, entry_of(w));
}

static int64_t backoff(const struct workqueue *q, unsigned failures)
{
    int64_t delay = q->min_backoff_ms;
    while (failures-- > 0 && delay < q->max_backoff_ms)
        delay *= 2;
    return delay < q->max_backoff_ms ? delay : q->max_backoff_ms;
}

int64_t wq_failed(struct workqueue *q, const struct work *w, int64_t now_ms)
{
    struct entry *en = entry_of(w);
    int64_t delay = backoff(q, en->failures++);
    wq_add_at(q, w->ns, w->name, now_ms + delay);
    entry_end(q, en);
    return delay;
}

void wq_forget(struct workqueue *q, const char *ns, const char *name)
{
    struct entry *en = *find_link(q, ns, name);
    if (!en)
        return;
    en->failures = 0;
    entry_drop_if_idle(q, en);
}

void wq_expire(struct workqueue *q, int64_t now_ms)
{
    while (q->heap_len && q->heap[0]->due_ms <= now_ms)
        entry_add(q, heap_pop(q));
}

int64_t wq_next_due(const struct workqueue *q)
{
    return q->heap_len ? q->heap[0]->due_ms : -1;
}

size_t wq_len(const struct workqueue *q)
{
    return q->queued;
}

size_t wq_known(const struct workqueue *q)
{
    return q->known;
}
