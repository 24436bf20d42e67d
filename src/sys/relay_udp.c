/* relay_udp.c - datagrams carried between a listener's clients and pods.
 *
 * A flow is one client of one listener and the pod his datagrams go to, for which it has a connected socket: what comes
 * back on that is for him. There is no end of a flow but that of its listener, or that many newer ones came; so nothing
 * has to be timed. THREADS: none; the service process' loop. */
#include "sys/svc_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOWS_MAX     256
#define DATAGRAM_SIZE 65536

struct flow {
    struct flow *next; /* the most recently used first */
    int listener;      /* borrowed */
    int pod;
    struct sockaddr_in client;
};

static void flow_free(struct flow *f)
{
    close(f->pod);
    free(f);
}

/* Removes the flow from the list, if it is there. */
static struct flow *take_flow(struct flow **list, int listener, const struct sockaddr_in *client)
{
    for (struct flow **at = list; *at; at = &(*at)->next) {
        struct flow *f = *at;
        if (f->listener != listener || f->client.sin_addr.s_addr != client->sin_addr.s_addr ||
            f->client.sin_port != client->sin_port)
            continue;
        *at = f->next;
        return f;
    }
    return NULL;
}

static struct flow *new_flow(int listener, const struct sockaddr_in *client, const struct sockaddr_in *to)
{
    const int pod = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (pod < 0 || connect(pod, (const struct sockaddr *)to, sizeof *to) < 0) {
        if (pod >= 0)
            close(pod);
        return NULL;
    }
    struct flow *f = xcalloc(1, sizeof *f);
    *f = (struct flow){.listener = listener, .pod = pod, .client = *client};
    return f;
}

static void drop_oldest(struct flow **list)
{
    size_t n = 0;
    struct flow **at = list;
    while (*at && n++ < FLOWS_MAX)
        at = &(*at)->next;
    for (struct flow *f = *at, *next; f; f = next) {
        next = f->next;
        flow_free(f);
    }
    *at = NULL;
}

void flow_take(struct flow **list, int listener, const struct sockaddr_in *to)
{
    static char data[DATAGRAM_SIZE];
    struct sockaddr_in client;
    socklen_t len = sizeof client;
    const ssize_t n = recvfrom(listener, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&client, &len);
    if (n < 0)
        return;
    struct flow *f = take_flow(list, listener, &client);
    if (!f)
        f = new_flow(listener, &client, to);
    if (!f)
        return;
    f->next = *list;
    *list = f;
    drop_oldest(list);
    if (send(f->pod, data, (size_t)n, MSG_DONTWAIT) < 0)
        return; /* as lost as any datagram */
}

void flow_drop(struct flow **list, int listener)
{
    for (struct flow **at = list; *at;) {
        struct flow *f = *at;
        if (f->listener != listener) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        flow_free(f);
    }
}

size_t flow_poll(struct flow *list, struct pollfd *p, size_t max)
{
    size_t n = 0;
    for (const struct flow *f = list; f && n < max; f = f->next)
        p[n++] = (struct pollfd){f->pod, POLLIN, 0};
    return n;
}

void flow_work(struct flow *list, const struct pollfd *p, size_t count)
{
    static char data[DATAGRAM_SIZE];
    for (size_t i = 0; list && i < count; list = list->next, i++) {
        const ssize_t n = p[i].revents ? recv(list->pod, data, sizeof data, MSG_DONTWAIT) : -1;
        if (n >= 0 && sendto(list->listener, data, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&list->client,
                             sizeof list->client) < 0)
            continue; /* as lost as any datagram */
    }
}
