/* history.c - the recent past: the watch log and snapshots of earlier revisions.
 *
 * DESIGN. Every published change stays in a ring until it is too old or the ring is full. Each entry has the state
 * before and after, so the ring answers two questions: what happened since revision N (watches that resume), and how
 * did everything look at revision N (exact lists, continue tokens): from the present state, undo the changes after N,
 * newest first. Undoing edits a persistent tree, so it costs O(changes * log n) and shares all that did not change.
 *
 * store_pin() keeps a snapshot itself: for paging through a list while the ring turns over quickly.
 *
 * INVARIANT. Every change with revision > floor is in the ring, in order. At start the floor is the revision replayed
 * from the journal: what happened before this process is not known, watchers from then get EXPIRED and list again.
 *
 * THREADS. Under store.mu; the undoing itself is done without it. */
#include "store/store_int.h"

#include "base/mem.h"

#include <stdlib.h>

#define NS_PER_S       INT64_C(1000000000)
#define PIN_SECONDS    300
#define PINS_MAX       256
#define WINDOW_EVENTS  100000
#define WINDOW_SECONDS 300

void watch_event_release(struct watch_event *ev)
{
    sobj_unref(ev->obj);
    sobj_unref(ev->prev);
    *ev = (struct watch_event){0};
}

void watch_event_ref(struct watch_event *out, const struct watch_event *ev)
{
    *out = (struct watch_event){.type = ev->type, .obj = sobj_ref(ev->obj), .prev = sobj_ref(ev->prev)};
}

void history_setup(struct history *h, const struct store_conf *conf, uint64_t floor)
{
    *h = (struct history){
        .max_len = conf->window_events ? conf->window_events : WINDOW_EVENTS,
        .max_age_ns = (conf->window_seconds ? conf->window_seconds : WINDOW_SECONDS) * NS_PER_S,
        .floor = floor,
    };
}

static struct past *past_at(const struct history *h, size_t i)
{
    return &h->ring[(h->head + i) % h->cap];
}

const struct watch_event *history_at(const struct history *h, size_t i)
{
    return &past_at(h, i)->ev;
}

void trash_empty(struct trash *t)
{
    for (size_t i = 0; i < t->len; i++)
        watch_event_release(&t->items[i]);
    free(t->items);
    *t = (struct trash){0};
}

static void drop_oldest(struct history *h, struct trash *out)
{
    if (out->len == out->cap) {
        out->cap = out->cap ? 2 * out->cap : 16;
        out->items = xrealloc(out->items, out->cap * sizeof *out->items);
    }
    struct past *p = past_at(h, 0);
    h->floor = p->ev.obj->rv;
    out->items[out->len++] = p->ev;
    h->head = (h->head + 1) % h->cap;
    h->len--;
}

void history_release(struct history *h)
{
    struct trash trash = {0};
    while (h->len)
        drop_oldest(h, &trash);
    trash_empty(&trash);
    free(h->ring);
    *h = (struct history){0};
}

void history_trim(struct history *h, int64_t now_ns, struct trash *out)
{
    while (h->len && now_ns - past_at(h, 0)->mono_ns > h->max_age_ns)
        drop_oldest(h, out);
}

static void history_grow(struct history *h)
{
    size_t cap = h->cap ? 2 * h->cap : 64;
    struct past *ring = xmalloc(cap * sizeof *ring);
    for (size_t i = 0; i < h->len; i++)
        ring[i] = *past_at(h, i);
    free(h->ring);
    h->ring = ring;
    h->head = 0;
    h->cap = cap;
}

void history_append(struct history *h, const struct watch_event *ev, int64_t now_ns, struct trash *out)
{
    history_trim(h, now_ns, out);
    if (h->len == h->max_len)
        drop_oldest(h, out);
    if (h->len == h->cap)
        history_grow(h);
    h->len++;
    *past_at(h, h->len - 1) = (struct past){.ev = *ev, .mono_ns = now_ns};
}

size_t history_after(const struct history *h, uint64_t rv)
{
    size_t lo = 0, hi = h->len;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (history_at(h, mid)->obj->rv > rv)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* -- pins -- */

static void pin_remove(struct store *s, size_t i)
{
    snapshot_unref(s->pins[i].snap);
    s->pins[i] = s->pins[--s->pins_len];
}

void pins_trim_locked(struct store *s, int64_t now_ns)
{
    for (size_t i = s->pins_len; i-- > 0;)
        if (s->pins[i].until_ns <= now_ns)
            pin_remove(s, i);
}

void pins_release(struct store *s)
{
    while (s->pins_len)
        pin_remove(s, s->pins_len - 1);
    free(s->pins);
    s->pins = NULL;
}

static struct pin *pin_find(struct store *s, uint64_t rv)
{
    for (size_t i = 0; i < s->pins_len; i++)
        if (snapshot_rv(s->pins[i].snap) == rv)
            return &s->pins[i];
    return NULL;
}

static struct pin *pin_new(struct store *s, struct snapshot *snap)
{
    if (s->pins_len == PINS_MAX) { /* forget the one that has the least to live */
        size_t oldest = 0;
        for (size_t i = 1; i < s->pins_len; i++)
            if (s->pins[i].until_ns < s->pins[oldest].until_ns)
                oldest = i;
        pin_remove(s, oldest);
    }
    if (s->pins_len == s->pins_cap) {
        s->pins_cap = s->pins_cap ? 2 * s->pins_cap : 8;
        s->pins = xrealloc(s->pins, s->pins_cap * sizeof *s->pins);
    }
    struct pin *p = &s->pins[s->pins_len++];
    p->snap = snapshot_ref(snap);
    return p;
}

void store_pin(struct store *s, struct snapshot *snap)
{
    int64_t now = clock_mono_ns(s->clock);
    pthread_mutex_lock(&s->mu);
    pins_trim_locked(s, now);
    struct pin *p = pin_find(s, snapshot_rv(snap));
    if (!p)
        p = pin_new(s, snap);
    p->until_ns = now + PIN_SECONDS * NS_PER_S;
    pthread_mutex_unlock(&s->mu);
}

/* -- the past -- */

struct undo {
    struct watch_event *events; /* owned; newest first */
    size_t len;
};

static void undo_collect_locked(struct store *s, uint64_t rv, struct undo *out)
{
    const struct history *h = &s->history;
    size_t first = history_after(h, rv);
    out->events = xcalloc(h->len - first + 1, sizeof *out->events);
    for (size_t i = h->len; i-- > first;)
        watch_event_ref(&out->events[out->len++], history_at(h, i));
}

static struct snapshot *undo_apply(struct undo *u, struct snapshot *take_snap, uint64_t rv)
{
    struct snapshot *snap = snapshot_edit(take_snap);
    for (size_t i = 0; i < u->len; i++) {
        struct watch_event *ev = &u->events[i];
        snap = ev->prev ? snapshot_put(snap, ev->prev) : snapshot_remove(snap, ev->obj);
        watch_event_release(ev);
    }
    free(u->events);
    snapshot_set_rv(snap, rv);
    return snap;
}

struct snapshot *store_snapshot_at(struct store *s, uint64_t rv)
{
    struct undo undo = {0};
    struct trash trash = {0};
    struct snapshot *base = NULL;
    int64_t now = clock_mono_ns(s->clock);
    pthread_mutex_lock(&s->mu);
    pins_trim_locked(s, now);
    history_trim(&s->history, now, &trash);
    const struct pin *p = pin_find(s, rv);
    uint64_t current = snapshot_rv(s->published);
    bool undoing = !p && rv < current && rv >= s->history.floor;
    if (p || rv == current || undoing)
        base = snapshot_ref(p ? p->snap : s->published);
    if (undoing)
        undo_collect_locked(s, rv, &undo);
    pthread_mutex_unlock(&s->mu);
    trash_empty(&trash);
    return undoing ? undo_apply(&undo, base, rv) : base;
}
