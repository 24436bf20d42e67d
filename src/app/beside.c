/* beside.c - see beside.h. THREADS: begin and end are called by one. */
#include "app/beside.h"

static void *run(void *arg)
{
    struct beside *b = arg;
    b->rc = b->fn(b->arg, &b->e);
    return NULL;
}

void beside_begin(struct beside *b, int (*fn)(void *arg, struct err *e), void *arg)
{
    *b = (struct beside){.fn = fn, .arg = arg};
    b->running = pthread_create(&b->thread, NULL, run, b) == 0;
    if (!b->running)
        run(b);
}

int beside_end(struct beside *b, struct err *e)
{
    if (b->running)
        pthread_join(b->thread, NULL);
    b->running = false;
    if (b->rc < 0)
        *e = b->e;
    return b->rc;
}
