/* waker.c - see waker_int.h.
 *
 * DESIGN: an epoll set, a heap of deadlines, and an eventfd to interrupt the wait when the earliest deadline moves.
 * Descriptors are one-shot. What epoll gives back is not a pointer but a slot number and its generation: a wake that
 * was disarmed (and freed) between epoll_wait() and the lock is recognised by its generation and left alone.
 *
 * INVARIANTS
 *  1. slots[i].wake is armed exactly while slots[i].wake != NULL, and then slots[i].wake->slot == i + 1.
 *  2. heap[k]->heap_at == k + 1; a wake is in the heap exactly if its deadline is not WAKE_NEVER.
 *
 * THREADS: one mutex guards everything; `fire` runs under it, which is what makes waker_disarm() final. Lock order:
 * waker.mu, then whatever `fire` takes (sleeper.mu). */
#include "apiserver/waker_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct slot {
    struct wake *wake; /* borrowed; NULL = free */
    uint32_t generation;
    uint32_t next_free; /* + 1 */
};

struct waker {
    pthread_t thread;
    int epoll_fd, event_fd;
    pthread_mutex_t mu;
    bool stop;
    struct slot *slots;
    uint32_t slot_count, slot_cap, free_slot;
    struct wake **heap;
    size_t heap_len, heap_cap;
};

static const uint64_t POKE = UINT64_MAX;

int64_t waker_now_ms(void)
{
    return clock_mono_ms(clock_real());
}

/* -- the heap of deadlines -- */

static void heap_put(struct waker *w, size_t at, struct wake *wk)
{
    w->heap[at] = wk;
    wk->heap_at = at + 1;
}

static void heap_up(struct waker *w, size_t at, struct wake *wk)
{
    while (at > 0 && w->heap[(at - 1) / 2]->deadline_ms > wk->deadline_ms) {
        heap_put(w, at, w->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(w, at, wk);
}

static void heap_down(struct waker *w, size_t at, struct wake *wk)
{
    for (size_t child; (child = 2 * at + 1) < w->heap_len; at = child) {
        if (child + 1 < w->heap_len && w->heap[child + 1]->deadline_ms < w->heap[child]->deadline_ms)
            child++;
        if (w->heap[child]->deadline_ms >= wk->deadline_ms)
            break;
        heap_put(w, at, w->heap[child]);
    }
    heap_put(w, at, wk);
}

static void heap_add(struct waker *w, struct wake *wk)
{
    if (w->heap_len == w->heap_cap) {
        w->heap_cap = w->heap_cap ? 2 * w->heap_cap : 64;
        w->heap = xrealloc(w->heap, w->heap_cap * sizeof *w->heap);
    }
    heap_up(w, w->heap_len++, wk);
}

static void heap_remove(struct waker *w, struct wake *wk)
{
    size_t at = wk->heap_at - 1;
    struct wake *last = w->heap[--w->heap_len];
    wk->heap_at = 0;
    if (last == wk)
        return;
    if (at > 0 && w->heap[(at - 1) / 2]->deadline_ms > last->deadline_ms)
        heap_up(w, at, last);
    else
        heap_down(w, at, last);
}

/* -- slots -- */

static uint32_t slot_take(struct waker *w, struct wake *wk)
{
    uint32_t at = w->free_slot;
    if (at) {
        w->free_slot = w->slots[at - 1].next_free;
    } else {
        if (w->slot_count == w->slot_cap) {
            w->slot_cap = w->slot_cap ? 2 * w->slot_cap : 64;
            w->slots = xrealloc(w->slots, w->slot_cap * sizeof *w->slots);
        }
        at = ++w->slot_count;
        w->slots[at - 1] = (struct slot){0};
    }
    w->slots[at - 1].wake = wk;
    return at;
}

static void disarm_locked(struct waker *w, struct wake *wk)
{
    if (!wk->slot)
        return;
    struct slot *s = &w->slots[wk->slot - 1];
    s->wake = NULL;
    s->generation++;
    s->next_free = w->free_slot;
    w->free_slot = wk->slot;
    wk->slot = 0;
    if (wk->heap_at)
        heap_remove(w, wk);
    if (wk->fd >= 0)
        epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, wk->fd, NULL);
    wk->fd = -1;
}

static void poke(struct waker *w)
{
    uint64_t one = 1;
    if (write(w->event_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        BUG("the waker's eventfd: %s", strerror(errno));
}

static void arm_locked(struct waker *w, struct wake *wk, int fd, uint32_t events, int64_t deadline_ms)
{
    disarm_locked(w, wk);
    wk->slot = slot_take(w, wk);
    wk->fd = fd;
    wk->deadline_ms = deadline_ms;
    if (deadline_ms != WAKE_NEVER)
        heap_add(w, wk);
    if (fd < 0)
        return;
    struct epoll_event ev = {.events = events | EPOLLONESHOT};
    ev.data.u64 = (uint64_t)w->slots[wk->slot - 1].generation << 32 | wk->slot;
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        wk->fd = -1; /* a descriptor that cannot be waited for: the deadline remains */
}

void waker_arm(struct waker *w, struct wake *wk, int fd, uint32_t events, int64_t deadline_ms)
{
    pthread_mutex_lock(&w->mu);
    arm_locked(w, wk, fd, events, deadline_ms);
    bool earliest = wk->heap_at == 1;
    pthread_mutex_unlock(&w->mu);
    if (earliest)
        poke(w);
}

void waker_disarm(struct waker *w, struct wake *wk)
{
    pthread_mutex_lock(&w->mu);
    disarm_locked(w, wk);
    pthread_mutex_unlock(&w->mu);
}

/* -- the thread -- */

static void fire_locked(struct waker *w, struct wake *wk, unsigned why)
{
    disarm_locked(w, wk);
    int64_t next = wk->fire(wk, why);
    if (next != WAKE_NEVER)
        arm_locked(w, wk, -1, 0, next);
}

static void fire_due_locked(struct waker *w)
{
    int64_t now = waker_now_ms();
    while (w->heap_len > 0 && w->heap[0]->deadline_ms <= now)
        fire_locked(w, w->heap[0], WAKE_DEADLINE);
}

static void take_event_locked(struct waker *w, uint64_t data)
{
    if (data == POKE) {
        uint64_t count;
        if (read(w->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            BUG("the waker's eventfd: %s", strerror(errno));
        return;
    }
    uint32_t at = (uint32_t)data;
    struct slot *s = &w->slots[at - 1];
    if (s->wake && s->generation == (uint32_t)(data >> 32))
        fire_locked(w, s->wake, WAKE_FD);
}

static int next_wait_locked(struct waker *w)
{
    if (w->heap_len == 0)
        return -1;
    int64_t left = w->heap[0]->deadline_ms - waker_now_ms();
    return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

static void *waker_run(void *arg)
{
    struct waker *w = arg;
    struct epoll_event events[64];
    pthread_mutex_lock(&w->mu);
    while (!w->stop) {
        int wait = next_wait_locked(w);
        pthread_mutex_unlock(&w->mu);
        int n = epoll_wait(w->epoll_fd, events, ARRAY_LEN(events), wait);
        pthread_mutex_lock(&w->mu);
        for (int i = 0; i < n; i++)
            take_event_locked(w, events[i].data.u64);
        fire_due_locked(w);
    }
    pthread_mutex_unlock(&w->mu);
    return NULL;
}

static void waker_free(struct waker *w)
{
    close_cleanup(&w->epoll_fd);
    close_cleanup(&w->event_fd);
    pthread_mutex_destroy(&w->mu);
    free(w->slots);
    free(w->heap);
    free(w);
}

int waker_start(struct waker **out, struct err *e)
{
    struct waker *w = xcalloc(1, sizeof *w);
    pthread_mutex_init(&w->mu, NULL);
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = POKE};
    if (w->epoll_fd < 0 || w->event_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->event_fd, &ev) < 0) {
        err_sys(e, errno, "cannot wait for descriptors");
        waker_free(w);
        return -1;
    }
    int rc = pthread_create(&w->thread, NULL, waker_run, w);
    if (rc != 0) {
        waker_free(w);
        return err_sys(e, rc, "cannot start a thread");
    }
    *out = w;
    return 0;
}

void waker_stop(struct waker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mu);
    w->stop = true;
    pthread_mutex_unlock(&w->mu);
    poke(w);
    pthread_join(w->thread, NULL);
    waker_free(w);
}
