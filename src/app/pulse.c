/* pulse.c - see pulse.h.
 *
 * DESIGN: the question is a request to the machine, which waits as long as the other end lives; a helper that hangs
 * would hold whoever asks. So a job of the pool asks, at most one at a time, and those who want to know wait for its
 * end, or not long. Who comes while one is under way waits for that one.
 * THREADS: any; `mu` guards what is below it. */
#include "app/pulse.h"

#include "base/mem.h"
#include "kubeletsim/kubelet.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct pulse {
    struct machine *machine;
    struct pool *pool;
    int nodes;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool asking, alive;
    uint64_t answers;
};

struct pulse *pulse_new(struct machine *m, struct pool *pool, int nodes)
{
    struct pulse *p = xcalloc(1, sizeof *p);
    pthread_condattr_t attr;
    *p = (struct pulse){.machine = m, .pool = pool, .nodes = nodes};
    pthread_mutex_init(&p->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ended, &attr);
    pthread_condattr_destroy(&attr);
    return p;
}

void pulse_free(struct pulse *p)
{
    if (!p)
        return;
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->mu);
    free(p);
}

/* The helper keeps the disks: that it knows none of this name is an answer. */
static bool helper_answers(struct pulse *p)
{
    struct disk_info disk;
    struct err e = ERR_INIT;
    return p->machine->ops->disk_info(p->machine, "no-such-disk", &disk, &e) == 0 || e.code == ERR_NOT_FOUND;
}

static bool all_answer(struct pulse *p)
{
    if (!helper_answers(p))
        return false;
    for (int i = 0; i < p->nodes; i++) {
        char name[64];
        struct fs_stat st;
        struct err e = ERR_INIT;
        kubelet_node_name(i, name);
        if (p->machine->ops->fs_stat(p->machine, name, "/", &st, &e) < 0)
            return false;
    }
    return true;
}

static void job(void *arg)
{
    struct pulse *p = arg;
    const bool alive = all_answer(p);
    pthread_mutex_lock(&p->mu);
    p->alive = alive;
    p->asking = false;
    p->answers++;
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->mu);
}

bool pulse_ask(struct pulse *p, int wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&p->mu);
    const uint64_t before = p->answers;
    const bool mine = !p->asking;
    p->asking = true;
    pthread_mutex_unlock(&p->mu);
    if (mine)
        pool_submit(p->pool, job, p);
    pthread_mutex_lock(&p->mu);
    int rc = 0;
    while (p->answers == before && rc == 0)
        rc = pthread_cond_timedwait(&p->ended, &p->mu, &until);
    const bool alive = p->answers != before && p->alive;
    pthread_mutex_unlock(&p->mu);
    return alive;
}
