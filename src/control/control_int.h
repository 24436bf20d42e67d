/* control_int.h - the runtime's own structure, shared by the files of this folder. */
#ifndef STOWAGE_CONTROL_CONTROL_INT_H
#define STOWAGE_CONTROL_CONTROL_INT_H

#include "control/control.h"
#include "control/recorder_int.h"
#include "control/workqueue_int.h"

#include <pthread.h>

struct loop {
    const struct loop_def *def;
    struct control *control;
    void *env;               /* borrowed */
    void *state;             /* owned */
    bool started;            /* def->start succeeded. Starting and stopping thread only */
    bool goes_on;            /* loop_goes_on() was called. Loop thread only */
    int64_t resync_due_ms;   /* -1: never. Loop thread only */
    struct workqueue *queue; /* owned; under control.mu */
    struct resting {         /* keys whose work took long: not to be worked on for a while */
        const struct work *work;
        int64_t until_ms;
        int64_t until_cpu_ns; /* of the loop thread: while it is busy, others have that much of it */
    } * resting;              /* owned; under control.mu */
    size_t resting_len;
    struct loop *next;
};

/* One store watch a bucket, shared by the loops that want it. Loop thread only, but for `ready`. */
struct source {
    struct control *control;
    const char *bucket; /* borrowed from a loop_def */
    struct subscription {
        struct loop *loop;
        loop_map_fn map; /* NULL: the object's own key */
    } * subs;            /* owned */
    size_t subs_len;
    struct watch *watch; /* owned */
    uint64_t seen_rv;    /* everything up to here has been handed to the loops */
    bool ready;          /* under control.mu: there is something to take */
    struct source *next;
};

/* Work done by the pool, on its way back. */
struct job {
    struct loop *loop;
    void (*work)(void *arg);
    void (*done)(struct loop *l, void *arg);
    void *arg;
    struct job *next;
};

/* LOCK: mu; never held while a loop's function, the registry or the store is called. */
struct control {
    struct control_conf conf;
    struct loop *loops;        /* owned; fixed after control_start() */
    struct source *sources;    /* owned; fixed after control_start() */
    struct pool *scribe;       /* owned: one thread, which writes events */
    struct recorder *recorder; /* owned; the scribe's */
    bool started, stopped;
    bool idle;              /* the last round found nothing: the loop thread's own, as what follows */
    int64_t cpu_read_ns;    /* what it had used of a processor ... */
    int64_t cpu_read_at_ns; /* ... when this was read, at the beginning of the round or later; mono */
    bool busy;              /* woken soon after it had slept: the loop thread's own */
    pthread_t thread;

    pthread_mutex_t mu;
    pthread_cond_t wake;   /* something to do for the loop thread */
    pthread_cond_t quiet;  /* jobs_running became 0 */
    pthread_cond_t passed; /* answered grew, or resting began */
    /* under mu */
    bool woken, stopping, running;
    bool asleep;              /* the loop thread found nothing to do */
    uint64_t asked, answered; /* control_alive(): the loop thread passed by */
    bool paused, resting;     /* control_pause(): asked for; the loop thread rests */
    unsigned jobs_running;
    struct job *jobs_done, **jobs_tail;       /* owned */
    struct occurrence *events, **events_tail; /* owned: recorded, not yet written */
    size_t events_len;
    bool events_asked;     /* the scribe will look at them */
    int64_t series_due_ms; /* when it is to look again, or -1 */
};

int64_t control_now_ms(const struct control *c);
void control_wake_locked(struct control *c);

/* -- sources.c: loop thread -- */
void source_subscribe(struct control *c, struct loop *l, const struct loop_watch *w);
/* Lists the bucket, hands everything to the loops, and watches from there. */
int source_start(struct source *src, struct err *e);
/* Takes what has come. Returns whether there was anything. */
bool source_drain(struct source *src);
void source_free(struct source *src);
/* Hands every object of the loop's first watch to it again. */
void loop_resync(struct loop *l);

#endif
