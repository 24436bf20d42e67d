/* proxy_tunnel.c - what follows a pod's 101: bytes both ways between the client and the pod, whatever they mean.
 *
 * DESIGN: one poll loop, a queue a direction; a queue that is full stops its source and nothing else. As with Go's
 * proxy the end of one direction ends both, but first what was already read is delivered, if its reader takes it within
 * some seconds. THREADS: the session's. Source: apimachinery util/proxy/upgradeaware.go (tryUpgrade). */
#include "apiserver/proxy_int.h"

#include "apiserver/stream/wire_int.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>

enum { QUEUE_MAX = 256 * 1024, LINGER_MS = 3000 };

struct tunnel {
    struct wire wire; /* `in` waits for the pod, `out` for the client */
    struct io *pod;
};

/* All that is there, or that there is room for. False at its end. */
static bool from_pod(struct tunnel *t)
{
    struct io *pod = t->pod;
    for (;;) {
        buf_add(&t->wire.out, pod->data + pod->at, pod->len - pod->at);
        pod->at = pod->len;
        if (t->wire.out.len >= QUEUE_MAX)
            return true;
        const ssize_t n = io_fill(pod, 0);
        if (n <= 0)
            return n < 0 && errno == ETIMEDOUT;
    }
}

/* False if it takes no more. */
static bool to_pod(struct tunnel *t)
{
    struct buf *in = &t->wire.in;
    const ssize_t n = in->len ? io_send(t->pod, in->data, in->len) : 0;
    if (n > 0)
        buf_consume(in, (size_t)n);
    return n >= 0;
}

/* poll() must not hear of the end of a pod that is not to be read now. */
static struct pollfd pod_events(const struct tunnel *t)
{
    const int events = (t->wire.out.len < QUEUE_MAX ? POLLIN : 0) | (t->wire.in.len ? POLLOUT : 0);
    return (struct pollfd){events ? t->pod->fd : -1, (short)events, 0};
}

static void deliver_to_pod(struct tunnel *t)
{
    const int64_t until = clock_mono_ms(clock_real()) + LINGER_MS;
    while (to_pod(t) && t->wire.in.len) {
        const int64_t left = until - clock_mono_ms(clock_real());
        struct pollfd p = {t->pod->fd, POLLOUT, 0};
        if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return;
    }
}

static void end_when_delivered(void *arg)
{
    struct wire *w = arg;
    w->ended = w->ended || wire_flushed(w);
}

void proxy_tunnel(struct upgraded *up, struct io *pod)
{
    struct tunnel t = {.pod = pod};
    wire_init(&t.wire, up);
    while (from_pod(&t) && to_pod(&t) && !t.wire.ended) {
        struct pollfd p[] = {{t.wire.fd, wire_events(&t.wire, t.wire.in.len < QUEUE_MAX), 0}, pod_events(&t)};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        wire_move(&t.wire, p[0].revents);
    }
    deliver_to_pod(&t);
    if (!wire_flushed(&t.wire))
        wire_linger(&t.wire, LINGER_MS, end_when_delivered, &t.wire);
    wire_release(&t.wire);
}
