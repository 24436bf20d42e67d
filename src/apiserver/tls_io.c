/* tls_io.c - see tls_io_int.h.
 *
 * DESIGN: replaces the transport functions of the TLS session. Reading goes through a buffer, so that a record costs
 * one recv() instead of two. An answer goes out in one of three ways:
 *
 *     tls_io_gather() .. tls_io_send()   header and body are corked in the session and become one record (small
 * answers) tls_io_join()                      the header's record is kept back and leaves with the body's first (large
 * ones) neither                            each write of the library is sent as it comes (streams)
 *
 * A gathered answer is written behind the library's back, after it took the answer for sent, and so the library does
 * not wait when the socket is full. What does not fit is kept here, and the next read first sends it and else waits
 * until the socket takes it: a client that does not read its answers is given no further ones.
 *
 * The library (0.9.75) corks the socket for a small answer and then only pushes, once an answer, and so before a
 * gathered one is written. It corks just once, since it remembers; we uncork behind it (open_cork()).
 *
 * The handshake needs three more things. The server's answer to the client's hello is six records, each of which would
 * wake the client: they are kept until TLS listens again, and leave together; an alert leaves at once. The library
 * looks again and again at a connection whose handshake waits for its client, without pause, so that a client which
 * stops in the middle would cost a whole processor: wait() lets the owner suspend it instead. And a client that delays
 * small segments waits for our acknowledgement while the kernel delays that one, 40 ms: the first reads of a connection
 * ask for it at once.
 *
 * INVARIANTS
 *  1. What pull() has buffered is handed out before the socket is read again, and "try again" is said only when the
 * socket said it just now, or the connection waits: the HTTP library waits for edges, and a stale "try again" would
 * lose one.
 *  2. What is kept is sent before anything after it; if the socket is full, the next write fails with "try again" and
 * keeps it, and the next read waits.
 *  3. What TLS has read is whole records, or `unread` says how much of one is missing: only between two records can
 * somebody else go on (tls_io_detach()).
 *
 * THREADS: the connection's own HTTP thread. */
#include "apiserver/tls_io_int.h"

#include "base/mem.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { READ_BUFFER = 16 * 1024, JOIN_MAX = 8 * 1024, QUICK_READS = 4, RECORD_HEADER = 5, ALERT = 21 };

struct tls_io {
    gnutls_session_t session; /* borrowed */
    int fd;                   /* borrowed */
    bool (*wait)(void *arg, unsigned events);
    void *arg;
    bool handshake;  /* not yet through */
    int quick;       /* reads still to be acknowledged at once */
    bool hello;      /* what answers the client's hello is kept */
    bool join;       /* the next record is kept */
    bool gathering;  /* the session is corked */
    bool sending;    /* what was gathered: all that the socket does not take is kept */
    size_t smallest; /* answer since which we uncorked the socket */
    bool detached;
    unsigned char head[RECORD_HEADER]; /* of the record TLS reads */
    size_t head_len, unread;           /* of its header; of what follows */
    struct buf kept;                   /* sealed, not yet sent */
    size_t in_at, in_len;
    char in[READ_BUFFER];
};

static ssize_t fail(struct tls_io *io, int err)
{
    gnutls_transport_set_errno(io->session, err);
    errno = err;
    return -1;
}

static ssize_t receive(struct tls_io *io, void *out, size_t len)
{
    ssize_t n = recv(io->fd, out, len, 0);
    int err = errno;
    if (n > 0 && io->quick > 0) {
        int one = 1;
        io->quick--;
        setsockopt(io->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    }
    if (n < 0 && err == EAGAIN && io->handshake)
        io->wait(io->arg, EPOLLIN | EPOLLRDHUP);
    return n < 0 ? fail(io, err) : n;
}

/* Follows the records handed out. */
static void follow(struct tls_io *io, const unsigned char *data, size_t len)
{
    while (len > 0) {
        size_t n = io->unread ? io->unread : RECORD_HEADER - io->head_len;
        n = n < len ? n : len;
        if (io->unread) {
            io->unread -= n;
        } else {
            memcpy(io->head + io->head_len, data, n);
            io->head_len += n;
            if (io->head_len == RECORD_HEADER) {
                io->unread = (size_t)io->head[3] << 8 | io->head[4];
                io->head_len = 0;
            }
        }
        data += n;
        len -= n;
    }
}

static ssize_t pull_buffered(struct tls_io *io, void *out, size_t len)
{
    if (io->in_at == io->in_len) {
        bool direct = len >= READ_BUFFER;
        ssize_t n = receive(io, direct ? out : io->in, direct ? len : READ_BUFFER);
        if (direct || n <= 0)
            return n;
        io->in_at = 0;
        io->in_len = (size_t)n;
    }
    size_t n = io->in_len - io->in_at;
    n = n < len ? n : len;
    memcpy(out, io->in + io->in_at, n);
    io->in_at += n;
    return (ssize_t)n;
}

/* Less than 0 while there is something left, as fail(). */
static ssize_t send_kept(struct tls_io *io)
{
    ssize_t n = send(io->fd, io->kept.data, io->kept.len, MSG_NOSIGNAL);
    if (n < 0)
        return fail(io, errno);
    buf_consume(&io->kept, (size_t)n);
    return io->kept.len ? fail(io, EAGAIN) : 0;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *out, size_t len)
{
    struct tls_io *io = ptr;
    if (io->detached)
        return 0; /* the end, so that the library waits for nothing more */
    io->hello = io->hello && !io->kept.len;
    while (io->kept.len && send_kept(io) < 0)
        if (errno != EAGAIN || io->wait(io->arg, EPOLLOUT))
            return -1;
    ssize_t n = pull_buffered(io, out, len);
    if (n > 0)
        follow(io, out, (size_t)n);
    return n;
}

/* What is kept and what follows it in one go. Returns how much of `data` is sent. */
static ssize_t push_both(struct tls_io *io, const void *data, size_t len)
{
    size_t left = io->kept.len;
    struct iovec iov[2] = {{io->kept.data, left}, {(void *)(uintptr_t)data, len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t n = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
    if (n < 0)
        return fail(io, errno);
    if ((size_t)n <= left) {
        buf_consume(&io->kept, (size_t)n);
        return fail(io, EAGAIN);
    }
    buf_clear(&io->kept);
    return n - (ssize_t)left;
}

static ssize_t push_now(struct tls_io *io, const void *data, size_t len)
{
    if (io->kept.len)
        return push_both(io, data, len);
    ssize_t n = send(io->fd, data, len, MSG_NOSIGNAL);
    return n < 0 ? fail(io, errno) : n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
    struct tls_io *io = ptr;
    if (io->detached)
        return (ssize_t)len;
    io->hello = io->hello && len > 0 && *(const unsigned char *)data != ALERT;
    bool keep = io->hello || (io->join && io->kept.len == 0 && len <= JOIN_MAX);
    io->join = false;
    ssize_t n = keep ? 0 : push_now(io, data, len);
    if (keep || (io->sending && (n >= 0 || errno == EAGAIN))) {
        size_t sent = n > 0 ? (size_t)n : 0;
        buf_add(&io->kept, (const char *)data + sent, len - sent);
        return (ssize_t)len;
    }
    return n;
}

/* The client's Finished is the last message a server waits for. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *msg)
{
    (void)type;
    (void)when;
    (void)msg;
    struct tls_io *io = gnutls_transport_get_ptr(session);
    if (incoming)
        io->handshake = false;
    return 0;
}

struct tls_io *tls_io_new(void *session, int fd, bool (*wait)(void *arg, unsigned events), void *arg)
{
    struct tls_io *io = xmalloc(sizeof *io); /* `in` need not be zeroed */
    io->session = session;
    io->fd = fd;
    io->wait = wait;
    io->arg = arg;
    io->handshake = io->hello = true;
    io->quick = QUICK_READS;
    io->join = io->gathering = io->sending = io->detached = false;
    io->smallest = SIZE_MAX;
    io->head_len = io->unread = 0;
    io->kept = BUF_INIT;
    io->in_at = io->in_len = 0;
    gnutls_transport_set_ptr(io->session, io);
    gnutls_transport_set_pull_function(io->session, pull);
    gnutls_transport_set_push_function(io->session, push);
    gnutls_handshake_set_hook_function(io->session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return io;
}

void tls_io_free(struct tls_io *io)
{
    if (!io)
        return;
    buf_release(&io->kept);
    free(io);
}

void tls_io_join(struct tls_io *io)
{
    io->join = true;
}

/* -- whole answers -- */

void tls_io_gather(struct tls_io *io)
{
    if (io->kept.len)
        return; /* the library has to wait for the socket */
    gnutls_record_cork(io->session);
    io->gathering = true;
}

/* The library corks the socket for answers below some size, and no second time: so only an answer smaller than all
 * before it can have been the first of that kind. */
static void open_cork(struct tls_io *io, size_t size)
{
    if (size >= io->smallest)
        return;
    int zero = 0;
    io->smallest = size;
    setsockopt(io->fd, IPPROTO_TCP, TCP_CORK, &zero, sizeof zero);
}

void tls_io_send(struct tls_io *io)
{
    if (!io->gathering)
        return;
    io->gathering = false;
    io->sending = true;
    int size = gnutls_record_uncork(io->session, 0);
    io->sending = false;
    if (size > 0)
        open_cork(io, (size_t)size);
}

void *tls_io_session(const struct tls_io *io)
{
    return io->session;
}

bool tls_io_detach(struct tls_io *io, struct buf *in, int *out_fd)
{
    if (io->handshake || io->head_len || io->unread || io->kept.len)
        return false;
    buf_add(in, io->in + io->in_at, io->in_len - io->in_at);
    io->in_at = io->in_len = 0;
    io->detached = true;
    *out_fd = io->fd;
    return true;
}
