/* svc_clients.c - which pod a client was given by this process, where connections are carried and not led by rules
 * (svc_sessions.c is the same for those).
 *
 * DESIGN: a short list a port, walked: who calls the user's loopback is mostly 127.0.0.1. What has expired makes room
 * first, then whoever has not called for longest.
 *
 * THREADS: none; the service process' loop. */
#include "sys/svc_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

#define CLIENTS_MAX 4096
#define MS          1000

struct svc_client {
    struct in_addr client;
    struct sockaddr_in pod;
    int64_t last; /* when he called, ms of the machine's clock */
};

void svc_clients_release(struct svc_clients *a)
{
    free(a->list);
    *a = (struct svc_clients){0};
}

static bool same_pod(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
}

/* A place for one more: of those that are not taken, or the one that was used longest ago. */
static struct svc_client *new_place(struct svc_clients *a)
{
    struct svc_client *oldest = a->list;
    if (a->count < CLIENTS_MAX) {
        if (a->count == a->room) {
            a->room = a->room ? a->room * 2 : 4;
            a->list = xrealloc(a->list, a->room * sizeof *a->list);
        }
        return &a->list[a->count++];
    }
    for (size_t i = 1; i < a->count; i++)
        if (a->list[i].last < oldest->last)
            oldest = &a->list[i];
    return oldest;
}

/* Drops what was used last before `since`. */
static void forget(struct svc_clients *a, int64_t since)
{
    for (size_t i = 0; i < a->count;)
        if (a->list[i].last <= since)
            a->list[i] = a->list[--a->count];
        else
            i++;
}

const struct sockaddr_in *svc_clients_choose(struct svc_clients *a, struct in_addr client, int64_t seconds,
                                             const struct sockaddr_in *next)
{
    const int64_t now = clock_mono_ms(clock_real());
    forget(a, now - seconds * MS);
    for (size_t i = 0; i < a->count; i++) {
        if (a->list[i].client.s_addr == client.s_addr) {
            a->list[i].last = now;
            return &a->list[i].pod;
        }
    }
    struct svc_client *mine = new_place(a);
    *mine = (struct svc_client){.client = client, .pod = *next, .last = now};
    return &mine->pod;
}

void svc_clients_keep(struct svc_clients *a, const struct sockaddr_in *targets, size_t count)
{
    for (size_t i = 0; i < a->count;) {
        size_t j = 0;
        while (j < count && !same_pod(&a->list[i].pod, &targets[j]))
            j++;
        if (j < count)
            i++;
        else
            a->list[i] = a->list[--a->count];
    }
}

void svc_clients_age(struct svc_clients *a, int64_t ms)
{
    for (size_t i = 0; i < a->count; i++)
        a->list[i].last -= ms;
}
