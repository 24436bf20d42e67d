/* wire.c - see wire_int.h. The descriptor stays blocking; each call says MSG_DONTWAIT. THREADS: the session's. */
#include "apiserver/stream/wire_int.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define CHUNK 32768

void wire_init(struct wire *w, const struct upgraded *up)
{
    *w = (struct wire){.fd = up->fd};
    buf_add(&w->in, up->early, up->early_len);
}

void wire_release(struct wire *w)
{
    buf_release(&w->in);
    buf_release(&w->out);
}

short wire_events(const struct wire *w, bool read_more)
{
    return (short)((read_more && !w->ended ? POLLIN : 0) | (w->out.len && !w->ended ? POLLOUT : 0));
}

static void receive(struct wire *w)
{
    ssize_t n = recv(w->fd, buf_reserve(&w->in, CHUNK), CHUNK, MSG_DONTWAIT);
    if (n > 0)
        w->in.len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        w->ended = true;
}

static void transmit(struct wire *w)
{
    ssize_t n = send(w->fd, w->out.data, w->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        buf_consume(&w->out, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        w->ended = true;
}

void wire_move(struct wire *w, short revents)
{
    if (revents & (POLLIN | POLLHUP | POLLERR))
        receive(w);
    if (w->out.len && !w->ended)
        transmit(w);
}

void wire_linger(struct wire *w, int ms, void (*on_input)(void *arg), void *arg)
{
    int64_t until = clock_mono_ms(clock_real()) + ms;
    while (!w->ended) {
        int64_t left = until - clock_mono_ms(clock_real());
        struct pollfd p = {w->fd, wire_events(w, true), 0};
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            return;
        wire_move(w, p.revents);
        on_input(arg);
    }
}
