/* control.h - the controller runtime: one event loop, keyed work queues with back-off, timers, jobs on workers.
 *
 * A loop is level-triggered: it is given a key ("ns/name" or "name"), reads the registry, decides with pure functions,
 * writes through the registry. Running twice does no harm. All loops run on one thread and must not block: work that
 * blocks goes to control_offload() and its end comes back as the same key. In step mode (tests) there is no thread:
 * control_step() runs whatever is due under a fake clock.
 *
 * Source of the queue's behaviour: client-go util/workqueue (dedup while queued; re-add while running; exponential
 * back-off per key).
 *
 * How to add a loop: a file in its folder with a `const struct loop_def`, and a row in that folder's table of loops. */
#ifndef STOWAGE_CONTROL_CONTROL_H
#define STOWAGE_CONTROL_CONTROL_H

#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "registry/registry.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct loop;

/* Maps a change of a watched object to keys: call loop_enqueue() for each. prev/obj as in struct watch_event. NULL map
 * = enqueue the object's own key. */
typedef void (*loop_map_fn)(struct loop *l, const struct watch_event *ev);

struct loop_watch {
    const char *bucket; /* "pods", "deployments.apps"; NULL ends the list */
    loop_map_fn map;
};

struct loop_def {
    const char *name;      /* "pv-binder"; also the user and event component unless `component` is set */
    const char *component; /* source.component of its events: "persistentvolume-controller" */
    const struct loop_watch *watches;
    size_t state_size;                           /* of loop_state(): zeroed, as long as the loop; 0 = none */
    int (*start)(struct loop *l, struct err *e); /* may be NULL; fills the state with what zeros do not say */
    /* Releases what the state holds, not itself. May be NULL; not called when `start` was not, or failed. */
    void (*stop)(struct loop *l);
    /* 0 done; -1: retried with exponential back-off (5 ms … max_backoff). */
    int (*reconcile)(struct loop *l, const char *ns, const char *name, struct err *e);
    int64_t min_backoff_ms; /* 0 = 5 */
    int64_t max_backoff_ms; /* 0 = 1,000,000 ms / 1000 s as client-go; most want 30,000 */
    int batch;              /* keys in a row before the other loops have their turn; 0 = 1 */
    /* After the last of them: what reconcile() left to be done for several keys at once. May be NULL. */
    void (*batch_end)(struct loop *l);
    bool restless;     /* long work makes no key rest: it stands for a queue of the loop's own */
    int64_t resync_ms; /* 0 = never: every object of the first watch is enqueued again that often */
};

struct control_conf {
    struct registry *registry; /* borrows */
    const struct clock *clock; /* borrows */
    struct pool *pool;         /* borrows; NULL in step mode: jobs run inline */
    bool step_mode;
};
struct control *control_new(const struct control_conf *conf);
/* Before control_start(). `env` is handed to loop_env(). */
struct loop *control_add(struct control *c, const struct loop_def *def, void *env);
int control_start(struct control *c, struct err *e); /* first list of each watched bucket is enqueued */
void control_stop(struct control *c);                /* waits for running jobs */
/* Do the loops run? Asks their thread, and waits so long for it at most. In step mode they do once started. */
bool control_alive(struct control *c, int wait_ms);
/* Is there nothing to do but to wait for a time to come? No key queued or worked on, no job, no event to be written. */
bool control_quiet(struct control *c);
void control_free(struct control *c);
/* The loops rest, and what they gave to workers has ended: nothing of theirs is under way until control_go_on(). Waits
 * so long for work in hand at most; false: some of it goes on. Watches gather meanwhile. */
bool control_pause(struct control *c, int wait_ms);
void control_go_on(struct control *c);
/* Step mode: runs everything due now; returns how many reconciles ran. */
unsigned control_step(struct control *c);
/* To be called after moving the clock, so that timers are looked at again. */
void control_wake(struct control *c);
/* Mono ms of the next timer, or -1. */
int64_t control_next_timer(struct control *c);

/* -- inside a loop -- */
struct registry *loop_registry(struct loop *l);
const struct clock *loop_clock(struct loop *l);
const char *loop_name(struct loop *l);
void *loop_env(struct loop *l);
void *loop_state(struct loop *l);
/* Safe from any thread. */
void loop_enqueue(struct loop *l, const char *ns, const char *name);
void loop_enqueue_after(struct loop *l, const char *ns, const char *name, int64_t delay_ms);
/* What reconcile() did now was worth its time: the key shall not rest although it took long. */
void loop_goes_on(struct loop *l);
/* Forgets the key's back-off. */
void loop_forget(struct loop *l, const char *ns, const char *name);
typedef int (*loop_item_fn)(void *arg, size_t i, struct err *e);
/* Runs `work(arg)` on a worker, then `done(l, arg)` on the loop thread. */
void loop_offload(struct loop *l, void (*work)(void *arg), void (*done)(struct loop *l, void *arg), void *arg);
/* Runs `work(arg, i, e)` for each i below n and returns when all have ended: on this thread, and on workers that have
 * time (so `work` must be safe from any thread). In step mode one after the other. -1 when any failed: `e` is the error
 * of the first of them. */
int loop_each(struct loop *l, size_t n, loop_item_fn work, void *arg, struct err *e);

/* -- events, as client-go tools/record: aggregated by (object, type, reason, message): count goes up -- */
enum event_type { EVENT_NORMAL, EVENT_WARNING };
void loop_event(struct loop *l, const json_t *object /* borrows; any stored kind */, enum event_type type,
                const char *reason, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* From outside a loop, or with another source (kubelet on a node). */
struct event_source {
    const char *component;
    const char *host; /* "" or node name */
    /* For components that write the newer form, like the scheduler: "default-scheduler-<host name>" and what was tried
     * ("Binding"). NULL instance: the older form with source, count and timestamps. */
    const char *instance, *action;
    const json_t *related;     /* the newer form: for whose sake; or NULL */
    const json_t *annotations; /* of the Event itself; or NULL */
};
void control_event(struct control *c, const struct event_source *src, const json_t *object,
                   const char *field_path /* "" */, enum event_type type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));
struct control *loop_control(struct loop *l);

/* Removes events an hour after their last change, as the API server's lease on them does. */
extern const struct loop_def event_ttl_loop;

#endif
