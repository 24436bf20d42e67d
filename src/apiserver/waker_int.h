/* waker_int.h - one thread that waits for many: deadlines and descriptors.
 *
 * A suspended connection is out of the HTTP library's sight. Whatever should bring it back later (its time-out, the
 * next bookmark, its client hanging up, a pipe with new log lines) is armed here. Costs nothing while nothing happens.
 */
#ifndef STOWAGE_APISERVER_WAKER_INT_H
#define STOWAGE_APISERVER_WAKER_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waker;

#define WAKE_NEVER INT64_MAX
enum { WAKE_DEADLINE = 1, WAKE_FD = 2 };

struct wake {
    /* Called on the waker's thread, with its lock held: it must not block nor arm or disarm anything. `why` is
     * WAKE_DEADLINE or WAKE_FD. The wake is then no longer armed, unless the function returns a next deadline (and not
     * WAKE_NEVER). */
    int64_t (*fire)(struct wake *wk, unsigned why);
    /* private */
    int fd;
    uint32_t slot; /* of the waker's table, + 1; 0 = not armed */
    int64_t deadline_ms;
    size_t heap_at; /* + 1; 0 = not in the heap */
};

int waker_start(struct waker **out, struct err *e);
/* Nothing may be armed any more. NULL is fine. */
void waker_stop(struct waker *w);
int64_t waker_now_ms(void);

/* Fires when `fd` has any of `events` (EPOLLIN, EPOLLRDHUP…; fd -1: none) or at deadline_ms (WAKE_NEVER: never),
 * whichever is first. Arming again replaces. */
void waker_arm(struct waker *w, struct wake *wk, int fd, uint32_t events, int64_t deadline_ms);
/* After this `fire` neither runs nor will. */
void waker_disarm(struct waker *w, struct wake *wk);

#endif
