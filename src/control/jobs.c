/* jobs.c - work of loops on the worker pool.
 *
 * DESIGN. loop_offload() is for work that blocks: the loop goes on, and hears of the end in a later round. loop_each()
 * is for many small writes that the loop wants behind it before it goes on: it takes part itself, item by item, so that
 * it never waits for a worker that has not begun; workers only make it end sooner. A worker that comes when nothing is
 * left finds that out from the shared counter alone and touches nothing else.
 *
 * In step mode (no pool) both run at once, in order.
 *
 * THREADS. The loop thread begins both; control.mu guards the list of jobs that ended. */
#include "control/control_int.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Workers asked to help: enough that their writes share a transaction of the journal. */
#define HELPERS_MAX 4

/* -- one that blocks -- */

static void job_run(void *arg)
{
    struct job *job = arg;
    struct control *c = job->loop->control;
    job->work(job->arg);
    pthread_mutex_lock(&c->mu);
    *c->jobs_tail = job;
    c->jobs_tail = &job->next;
    control_wake_locked(c);
    if (--c->jobs_running == 0)
        pthread_cond_broadcast(&c->quiet);
    pthread_mutex_unlock(&c->mu);
}

void loop_offload(struct loop *l, void (*work)(void *arg), void (*done)(struct loop *l, void *arg), void *arg)
{
    struct control *c = l->control;
    struct job *job = xcalloc(1, sizeof *job);
    *job = (struct job){.loop = l, .work = work, .done = done, .arg = arg};
    pthread_mutex_lock(&c->mu);
    c->jobs_running++;
    pthread_mutex_unlock(&c->mu);
    if (c->conf.pool)
        pool_submit(c->conf.pool, job_run, job);
    else
        job_run(job);
}

/* -- many that do not -- */

struct each {
    loop_item_fn work;
    void *arg; /* borrowed; not touched once every item was taken */
    size_t n;
    atomic_size_t next; /* item */
    pthread_mutex_t mu;
    pthread_cond_t all; /* ended became n */
    /* under mu */
    size_t ended, failed_at; /* n: none failed */
    struct err why;          /* of failed_at */
    unsigned refs;
};

static void each_unref(struct each *s)
{
    pthread_mutex_lock(&s->mu);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->mu);
    if (!last)
        return;
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->all);
    free(s);
}

static void each_one(struct each *s, size_t i)
{
    struct err e = ERR_INIT;
    int rc = s->work(s->arg, i, &e);
    pthread_mutex_lock(&s->mu);
    if (rc < 0 && i < s->failed_at) {
        s->failed_at = i;
        s->why = e;
    }
    if (++s->ended == s->n)
        pthread_cond_signal(&s->all);
    pthread_mutex_unlock(&s->mu);
}

static void each_take_part(struct each *s)
{
    for (size_t i; (i = atomic_fetch_add(&s->next, 1)) < s->n;)
        each_one(s, i);
}

static void each_help(void *arg)
{
    each_take_part(arg);
    each_unref(arg);
}

static struct each *each_new(size_t n, loop_item_fn work, void *arg)
{
    struct each *s = xcalloc(1, sizeof *s);
    s->work = work;
    s->arg = arg;
    s->n = s->failed_at = n;
    s->refs = 1;
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->all, NULL);
    return s;
}

/* Waits for those that workers still have. */
static int each_end(struct each *s, struct err *e)
{
    pthread_mutex_lock(&s->mu);
    while (s->ended < s->n)
        pthread_cond_wait(&s->all, &s->mu);
    bool failed = s->failed_at < s->n;
    if (failed)
        *e = s->why;
    pthread_mutex_unlock(&s->mu);
    each_unref(s);
    return failed ? -1 : 0;
}

int loop_each(struct loop *l, size_t n, loop_item_fn work, void *arg, struct err *e)
{
    struct pool *pool = l->control->conf.pool;
    struct each *s = each_new(n, work, arg);
    const unsigned helpers = !pool || n < 2 ? 0 : n - 1 < HELPERS_MAX ? (unsigned)(n - 1) : HELPERS_MAX;
    s->refs += helpers;
    for (unsigned i = 0; i < helpers; i++)
        pool_submit(pool, each_help, s);
    each_take_part(s);
    return each_end(s, e);
}
