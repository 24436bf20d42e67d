/* sleeper.c - see sleeper_int.h.
 *
 * DESIGN: `why` is the whole protocol: whoever has news sets a bit and, if the connection is parked, resumes it; the
 * connection parks only while `why` is 0. Both under `mu`, so a wake-up can be neither lost nor given twice.
 * INVARIANT: the connection is suspended exactly while `parked`.
 * THREADS: sleeper_park() and sleeper_reasons() on the connection's thread, the rest from anywhere. */
#include "apiserver/sleeper_int.h"

#include <microhttpd.h>

void sleeper_list_init(struct sleeper_list *l)
{
    pthread_mutex_init(&l->mu, NULL);
    l->head = NULL;
    l->stopping = false;
}

void sleeper_list_release(struct sleeper_list *l)
{
    pthread_mutex_destroy(&l->mu);
}

void sleeper_list_stop(struct sleeper_list *l)
{
    pthread_mutex_lock(&l->mu);
    l->stopping = true;
    for (struct sleeper *s = l->head; s; s = s->next)
        sleeper_wake(s, WOKE_STOP);
    pthread_mutex_unlock(&l->mu);
}

void sleeper_init(struct sleeper *s, struct sleeper_list *l, struct MHD_Connection *conn)
{
    *s = (struct sleeper){.list = l, .conn = conn};
    pthread_mutex_init(&s->mu, NULL);
    pthread_mutex_lock(&l->mu);
    s->next = l->head;
    if (l->head)
        l->head->prev = s;
    l->head = s;
    s->why = l->stopping ? WOKE_STOP : 0;
    pthread_mutex_unlock(&l->mu);
}

void sleeper_release(struct sleeper *s)
{
    struct sleeper_list *l = s->list;
    pthread_mutex_lock(&l->mu);
    if (s->prev)
        s->prev->next = s->next;
    else
        l->head = s->next;
    if (s->next)
        s->next->prev = s->prev;
    pthread_mutex_unlock(&l->mu);
    pthread_mutex_destroy(&s->mu);
}

unsigned sleeper_reasons(struct sleeper *s)
{
    pthread_mutex_lock(&s->mu);
    unsigned why = s->why;
    s->why &= WOKE_STOP | WOKE_HANGUP;
    pthread_mutex_unlock(&s->mu);
    return why;
}

bool sleeper_park(struct sleeper *s)
{
    pthread_mutex_lock(&s->mu);
    bool park = s->why == 0;
    if (park) {
        s->parked = true;
        MHD_suspend_connection(s->conn);
    }
    pthread_mutex_unlock(&s->mu);
    return park;
}

void sleeper_wake(struct sleeper *s, unsigned why)
{
    pthread_mutex_lock(&s->mu);
    s->why |= why;
    if (s->parked) {
        s->parked = false;
        MHD_resume_connection(s->conn);
    }
    pthread_mutex_unlock(&s->mu);
}
