/* pool.c - see pool.h.
 *
 * DESIGN: one FIFO under one mutex. A thread is started when a job comes, nobody is idle, and the limit is not reached;
 * a thread that was idle for five seconds ends, so an idle cluster keeps no stacks. LOCKS: pool.mu only; `run` is
 * called without it. */
#include "base/pool.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_SECONDS 5
#define STACK_BYTES  (256 * 1024)

struct job {
    void (*run)(void *arg);
    void *arg;
    struct job *next;
};

struct pool {
    const char *name;
    unsigned max;
    pthread_mutex_t mu;
    pthread_cond_t work;  /* a job came, or the pool closes */
    pthread_cond_t ended; /* a thread ended */
    /* under mu */
    struct job *head, **tail;
    unsigned threads, idle;
    bool closing;
};

struct pool *pool_new(const char *name, unsigned max_threads)
{
    struct pool *p = xcalloc(1, sizeof *p);
    p->name = name;
    p->max = max_threads;
    p->tail = &p->head;
    pthread_mutex_init(&p->mu, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->work, &attr);
    pthread_cond_init(&p->ended, &attr);
    pthread_condattr_destroy(&attr);
    return p;
}

static struct job *pop_locked(struct pool *p)
{
    struct job *j = p->head;
    if (j) {
        p->head = j->next;
        if (!p->head)
            p->tail = &p->head;
    }
    return j;
}

/* Waits for a job; NULL when the thread should end. */
static struct job *wait_locked(struct pool *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    struct job *j;
    while (!(j = pop_locked(p)) && !p->closing) {
        p->idle++;
        int rc = pthread_cond_timedwait(&p->work, &p->mu, &until);
        p->idle--;
        if (rc == ETIMEDOUT)
            return pop_locked(p);
    }
    return j;
}

static void *worker(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->mu);
    for (struct job *j; (j = wait_locked(p));) {
        pthread_mutex_unlock(&p->mu);
        j->run(j->arg);
        free(j);
        pthread_mutex_lock(&p->mu);
    }
    p->threads--;
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->mu);
    return NULL;
}

static bool start_locked(struct pool *p)
{
    pthread_t t;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool ok = pthread_create(&t, &attr, worker, p) == 0;
    pthread_attr_destroy(&attr);
    if (ok) {
        p->threads++;
        pthread_setname_np(t, p->name);
    }
    return ok;
}

void pool_submit(struct pool *p, void (*run)(void *arg), void *arg)
{
    if (p->max == 0) {
        run(arg);
        return;
    }
    struct job *j = xcalloc(1, sizeof *j);
    j->run = run;
    j->arg = arg;
    pthread_mutex_lock(&p->mu);
    *p->tail = j;
    p->tail = &j->next;
    unsigned queued = 0;
    for (struct job *q = p->head; q && queued <= p->idle; q = q->next)
        queued++;
    if (queued > p->idle && p->threads < p->max && !start_locked(p) && p->threads == 0)
        BUG("no thread for pool %s", p->name);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->mu);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mu);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    while (p->threads > 0)
        pthread_cond_wait(&p->ended, &p->mu);
    pthread_mutex_unlock(&p->mu);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->mu);
    free(p);
}
