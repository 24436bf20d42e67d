/* io.c - see io.h. Sockets do not block; each wait also watches the descriptor that says that all shall end.
 * THREADS: one a connection. */
#include "ingress/io.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void io_init(struct io *io, int take_fd, int stop)
{
    io->fd = take_fd;
    io->tls = NULL;
    io->at = io->len = 0;
    io->sealed = false;
    io->stop = stop;
}

void io_release(struct io *io)
{
    if (io->tls) {
        gnutls_bye(io->tls, GNUTLS_SHUT_WR);
        gnutls_deinit(io->tls);
    }
    if (io->fd >= 0)
        close(io->fd);
    io->tls = NULL;
    io->fd = -1;
}

/* 1 = ready; -1 = not in time, or all shall end (errno). */
static int wait_for(const struct io *io, short events, int timeout_ms)
{
    struct pollfd p[] = {{io->fd, events, 0}, {io->stop, POLLIN, 0}};
    const int n = poll(p, 2, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 1 : -1;
    if (n == 0 || p[1].revents) {
        errno = n == 0 ? ETIMEDOUT : ECANCELED;
        return -1;
    }
    return 1;
}

static ssize_t read_some(struct io *io, char *to, size_t room)
{
    if (!io->tls)
        return recv(io->fd, to, room, MSG_DONTWAIT);
    const ssize_t n = gnutls_record_recv(io->tls, to, room);
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EPROTO;
    return n == GNUTLS_E_PREMATURE_TERMINATION ? 0 : -1;
}

ssize_t io_fill(struct io *io, int timeout_ms)
{
    if (io->at == io->len) {
        io->at = io->len = 0;
    } else if (io->len == sizeof io->data && io->at) {
        memmove(io->data, io->data + io->at, io->len - io->at);
        io->len -= io->at;
        io->at = 0;
    }
    if (io->len == sizeof io->data)
        return 0;
    for (;;) {
        const ssize_t n = read_some(io, io->data + io->len, sizeof io->data - io->len);
        if (n > 0)
            io->len += (size_t)n;
        if (n >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR)
            return -1;
        if (wait_for(io, POLLIN, timeout_ms) < 0)
            return -1;
    }
}

ssize_t io_send(struct io *io, const void *data, size_t len)
{
    if (!io->tls) {
        const ssize_t n = send(io->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
    }
    const ssize_t n = io->sealed ? gnutls_record_send(io->tls, NULL, 0) : gnutls_record_send(io->tls, data, len);
    io->sealed = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
    return io->sealed ? 0 : n > 0 ? n : -1;
}

int io_write(struct io *io, const void *data, size_t len)
{
    for (const char *at = data; len;) {
        const ssize_t n = io_send(io, at, len);
        if (n < 0 || (n == 0 && wait_for(io, POLLOUT, IO_SILENCE_MS) < 0))
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int io_print(struct io *io, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, fmt);
    const int n = vasprintf(&text, fmt, args);
    va_end(args);
    _auto_free_ char *owned = n < 0 ? NULL : text;
    return n < 0 ? -1 : io_write(io, owned, (size_t)n);
}

int io_await(const struct io *io, bool writing)
{
    return wait_for(io, writing ? POLLOUT : POLLIN, IO_SILENCE_MS) < 0 ? -1 : 0;
}

int io_await_connect(const struct io *io, int timeout_ms)
{
    int code = 0;
    socklen_t len = sizeof code;
    if (wait_for(io, POLLOUT, timeout_ms) < 0 || getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        return -1;
    errno = code;
    return code ? -1 : 0;
}

/* Takes what `from` has to `to`; false: `from` has ended, which `to` is told. */
static bool carry(struct io *from, struct io *to)
{
    const ssize_t n = from->at < from->len ? 1 : io_fill(from, 0);
    if (n < 0 && errno == ETIMEDOUT)
        return true;
    if (n > 0 && io_write(to, from->data + from->at, from->len - from->at) == 0) {
        from->at = from->len;
        return true;
    }
    shutdown(to->fd, SHUT_WR);
    return false;
}

void io_splice(struct io *a, struct io *b)
{
    bool open_a = carry(a, b), open_b = carry(b, a);
    while (open_a || open_b) {
        struct pollfd p[] = {{open_a ? a->fd : -1, POLLIN, 0}, {open_b ? b->fd : -1, POLLIN, 0}, {a->stop, POLLIN, 0}};
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return;
        if (p[2].revents)
            return;
        if (open_a && p[0].revents)
            open_a = carry(a, b);
        if (open_b && p[1].revents)
            open_b = carry(b, a);
    }
}
