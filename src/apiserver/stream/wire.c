/* wire.c - see wire_int.h.
 *
 * DESIGN: each call says MSG_DONTWAIT, whatever the descriptor's mode. Under TLS bytes are sealed shortly before they
 * are sent: `out` is what sessions look at when they decide whether there is room. THREADS: the session's. */
#include "apiserver/stream/wire_int.h"

#include "apiserver/tls_records_int.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* More than any session queues by itself: who makes us answer (pings) and does not read is not listened to. */
enum { CHUNK = 32768, OUT_MAX = 4 << 20, LOOK_AGAIN_MS = 250 };

void wire_init(struct wire *w, const struct upgraded *up)
{
    *w = (struct wire){.fd = up->fd, .tls = up->tls};
    buf_add(&w->in, up->early, up->early_len);
    if (w->tls && !tls_records_open(w->tls, &w->in))
        w->ended = true;
}

/* Bytes still to be sent are not waited for, but the goodbye of TLS is tried. */
void wire_release(struct wire *w)
{
    if (w->tls && !w->ended && w->sealed.len == 0) {
        tls_records_close(w->tls, &w->sealed);
        send(w->fd, w->sealed.data, w->sealed.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    buf_release(&w->in);
    buf_release(&w->out);
    buf_release(&w->sealed);
}

bool wire_flushed(const struct wire *w)
{
    return w->out.len == 0 && w->sealed.len == 0;
}

short wire_events(const struct wire *w, bool read_more)
{
    const bool reads = read_more && !w->ended && w->out.len < OUT_MAX;
    return (short)((reads ? POLLIN : 0) | (!wire_flushed(w) && !w->ended ? POLLOUT : 0));
}

static void receive(struct wire *w)
{
    struct buf *in = w->tls ? tls_records_in(w->tls) : &w->in;
    ssize_t n = recv(w->fd, buf_reserve(in, CHUNK), CHUNK, MSG_DONTWAIT);
    if (n > 0)
        in->len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        w->ended = true;
    if (n > 0 && w->tls && !tls_records_open(w->tls, &w->in))
        w->ended = true;
}

static void seal_next(struct wire *w)
{
    size_t n = w->out.len < CHUNK ? w->out.len : CHUNK;
    tls_records_seal(w->tls, w->out.data, n, &w->sealed);
    buf_consume(&w->out, n);
}

static void transmit(struct wire *w)
{
    struct buf *out = w->tls ? &w->sealed : &w->out;
    if (w->tls && w->sealed.len == 0)
        seal_next(w);
    ssize_t n = send(w->fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        buf_consume(out, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        w->ended = true;
}

void wire_move(struct wire *w, short revents)
{
    if (revents & (POLLIN | POLLHUP | POLLERR))
        receive(w);
    if (!wire_flushed(w) && !w->ended)
        transmit(w);
}

/* What the other side has not taken yet, the kernel's part included. */
static size_t unsent(const struct wire *w)
{
    int queued = 0;
    if (ioctl(w->fd, SIOCOUTQ, &queued) < 0)
        queued = 0;
    return w->out.len + w->sealed.len + (size_t)queued;
}

void wire_linger(struct wire *w, int ms, void (*on_input)(void *arg), void *arg)
{
    int64_t until = clock_mono_ms(clock_real()) + ms;
    while (!w->ended && clock_mono_ms(clock_real()) < until) {
        size_t before = unsent(w);
        struct pollfd p = {w->fd, wire_events(w, true), 0};
        if (poll(&p, 1, LOOK_AGAIN_MS) < 0 && errno != EINTR)
            return;
        if (p.revents) {
            wire_move(w, p.revents);
            on_input(arg);
        }
        if (unsent(w) < before) /* slow, but it moves */
            until = clock_mono_ms(clock_real()) + ms;
    }
}
