/* queue_int.h - pods that wait for a node, and when each is tried next. Private to scheduler. */
#ifndef STOWAGE_SCHEDULER_QUEUE_INT_H
#define STOWAGE_SCHEDULER_QUEUE_INT_H

#include "store/store.h"

#include <stdbool.h>

struct queue;

/* A waiting pod. Read only outside queue.c, but for `refused` and `assumed` while it is tried. */
struct queued {
    struct sobj *o; /* owned: the newest version heard of */
    int64_t priority;
    unsigned attempts;                      /* failed, in a row */
    uint32_t refused;                       /* by which filters, the last time */
    char *assumed;                          /* owned: the node it is counted on while its volumes are bound, or NULL */
    int64_t assumed_ms;                     /* since when */
    bool binding;                           /* to that node: a job is at it */
    int state;                              /* enum queue_state */
    int64_t since_ms;                       /* in its place */
    int64_t ready_ms;                       /* when its back-off ends */
    uint64_t turn;                          /* who came first */
    size_t heap_at;                         /* index in its heap */
    struct queued *hash_next, *prev, *next; /* list of those that wait for an event */
};

struct queue *queue_new(void);
void queue_free(struct queue *q);
/* A pod that has no node, as it is now. Returns its entry; *out_fresh: it was not known. */
struct queued *queue_offer(struct queue *q, struct sobj *pod, int64_t now_ms, bool *out_fresh);
struct queued *queue_find(const struct queue *q, const char *ns, const char *name);
void queue_drop(struct queue *q, struct queued *p);
/* The next to try, or NULL: the highest priority, then who waits longest. Ends with one of the three below (or a drop).
 */
struct queued *queue_pop(struct queue *q);
/* No node would do: an event that matters (or five minutes) brings it back, not before its back-off ends. */
void queue_unschedulable(struct queue *q, struct queued *p, int64_t now_ms);
/* Something went wrong: comes back after its back-off, if nothing has brought it back yet. */
void queue_failed(struct queue *q, struct queued *p, int64_t now_ms);
/* It waits for its volumes: an event brings it back at once. */
void queue_waits(struct queue *q, struct queued *p, int64_t now_ms);
/* Brings one back: to be tried now, or when its back-off ends. Pods not waiting for an event are left alone. */
void queue_wake(struct queue *q, struct queued *p, int64_t now_ms);
/* The first that waits for an event; go on with ->next (read it before waking). */
struct queued *queue_waiting(const struct queue *q);
/* Has any of those that wait been refused by one of these filters? */
bool queue_refused_by(const struct queue *q, uint32_t filters);
/* Moves what is due; the mono ms of what is due next, or -1. */
int64_t queue_tick(struct queue *q, int64_t now_ms);
bool queue_ready(const struct queue *q);

#endif
