/* relay.c - TCP connections carried between a client and a pod, both ways, half-closes included.
 *
 *      client --half[0]--> pod
 *      client <--half[1]-- pod
 *
 * A half has one buffer: it reads when that is empty and writes when it is not, so a slow reader slows its own writer
 * and nobody else. THREADS: none; the service process' loop. */
#include "sys/svc_int.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE (16 * 1024)
#define FDS         2 /* entries a relay takes */

struct half {
    int from, to;
    char *data; /* owned */
    size_t at, len;
    bool ended, shut; /* `from` gave EOF; `to` was told */
};
struct relay {
    struct relay *next;
    int client, pod;
    bool connecting, broken;
    struct half half[2];
};

static void relay_free(struct relay *r)
{
    close(r->client);
    close(r->pod);
    free(r->half[0].data);
    free(r->half[1].data);
    free(r);
}

void relay_add(struct relay **list, int take_client, const struct sockaddr_in *to)
{
    const int pod = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (pod < 0 || (connect(pod, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS)) {
        if (pod >= 0)
            close(pod);
        close(take_client);
        return;
    }
    struct relay *r = xcalloc(1, sizeof *r);
    *r = (struct relay){.next = *list, .client = take_client, .pod = pod, .connecting = true};
    r->half[0] = (struct half){.from = take_client, .to = pod, .data = xmalloc(BUFFER_SIZE)};
    r->half[1] = (struct half){.from = pod, .to = take_client, .data = xmalloc(BUFFER_SIZE)};
    *list = r;
}

/* What descriptor `fd` of the relay waits for. */
static short events_of(const struct relay *r, int fd)
{
    short events = 0;
    if (r->connecting)
        return fd == r->pod ? POLLOUT : 0;
    for (int i = 0; i < 2; i++) {
        const struct half *h = &r->half[i];
        if (h->from == fd && !h->len && !h->ended)
            events |= POLLIN;
        if (h->to == fd && h->len)
            events |= POLLOUT;
    }
    return events;
}

size_t relay_poll(struct relay *list, struct pollfd *p, size_t max)
{
    size_t n = 0;
    for (const struct relay *r = list; r && n + FDS <= max; r = r->next) {
        /* One that waits for nothing is not polled: its hang-up would be told again and again. */
        const short client = events_of(r, r->client), pod = events_of(r, r->pod);
        p[n++] = (struct pollfd){client ? r->client : -1, client, 0};
        p[n++] = (struct pollfd){pod ? r->pod : -1, pod, 0};
    }
    return n;
}

static bool again(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void half_work(struct relay *r, struct half *h)
{
    if (!h->len && !h->ended) {
        const ssize_t n = recv(h->from, h->data, BUFFER_SIZE, MSG_DONTWAIT);
        if (n > 0) {
            h->at = 0;
            h->len = (size_t)n;
        } else if (n == 0) {
            h->ended = true;
        } else if (!again()) {
            r->broken = true;
        }
    }
    while (h->len) {
        const ssize_t n = send(h->to, h->data + h->at, h->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            r->broken |= !again();
            return;
        }
        h->at += (size_t)n;
        h->len -= (size_t)n;
    }
    if (h->ended && !h->shut) {
        shutdown(h->to, SHUT_WR);
        h->shut = true;
    }
}

static void finish_connect(struct relay *r)
{
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(r->pod, SOL_SOCKET, SO_ERROR, &code, &len) < 0 || code) {
        /* The client should see a reset, as it would from a node that cannot reach the pod. */
        const struct linger now = {1, 0};
        setsockopt(r->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        r->broken = true;
    }
    r->connecting = false;
}

void relay_work(struct relay **list, const struct pollfd *p, size_t count)
{
    struct relay **at = list;
    for (size_t i = 0; *at && i + 1 < count; i += FDS) {
        struct relay *r = *at;
        const short events = (short)(p[i].revents | p[i + 1].revents);
        if (events && r->connecting && p[i + 1].revents)
            finish_connect(r);
        for (int k = 0; k < 2 && events && !r->connecting && !r->broken; k++)
            half_work(r, &r->half[k]);
        if (r->broken || (r->half[0].shut && r->half[1].shut)) {
            *at = r->next;
            relay_free(r);
        } else {
            at = &r->next;
        }
    }
}
