/* workqueue_int.h - a queue of keys: what is queued once is not queued twice. Private to control.
 *
 * A key is (namespace, name). THREADS: none of its own; its user holds a lock. */
#ifndef STOWAGE_CONTROL_WORKQUEUE_INT_H
#define STOWAGE_CONTROL_WORKQUEUE_INT_H

#include <stddef.h>
#include <stdint.h>

struct workqueue;

struct work {
    const char *ns, *name;
};

struct workqueue *wq_new(int64_t min_backoff_ms, int64_t max_backoff_ms);
void wq_free(struct workqueue *q);
void wq_add(struct workqueue *q, const char *ns, const char *name);
/* At `due_ms`, or earlier if it was to come earlier already. */
void wq_add_at(struct workqueue *q, const char *ns, const char *name, int64_t due_ms);
/* The next key to work on, or NULL. Borrows until wq_done(). */
const struct work *wq_take(struct workqueue *q);
/* Work on a taken key ended: queued again if it was added meanwhile. */
void wq_done(struct workqueue *q, const struct work *w);
/* As wq_done() after a failure: comes again after its back-off. Returns the delay. */
int64_t wq_failed(struct workqueue *q, const struct work *w, int64_t now_ms);
/* Forgets the failures of a key. */
void wq_forget(struct workqueue *q, const char *ns, const char *name);
/* Queues every key whose time has come. */
void wq_expire(struct workqueue *q, int64_t now_ms);
int64_t wq_next_due(const struct workqueue *q); /* -1: none */
size_t wq_len(const struct workqueue *q);       /* queued */
size_t wq_known(const struct workqueue *q);     /* keys that take memory */

#endif
