/* fd_stream.c - see fd_stream_int.h.
 *
 * DESIGN: the body is read by the HTTP library's reader callback from the descriptor, which does not block; when it is
 * empty the connection is parked until the descriptor or the client's end of the connection stirs.
 * THREADS: on the HTTP thread of the request; the wakes fire on the waker's. */
#include "apiserver/fd_stream_int.h"

#include "apiserver/server_int.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct fd_stream {
    struct apiserver *srv;
    struct sleeper sleeper;
    struct wake pipe, client;
    int fd; /* owned */
    const struct fd_source *source;
    void *arg;
};

static int64_t on_pipe(struct wake *wk, unsigned why)
{
    (void)why;
    struct fd_stream *s = (struct fd_stream *)((char *)wk - offsetof(struct fd_stream, pipe));
    sleeper_wake(&s->sleeper, WOKE_DATA);
    return WAKE_NEVER;
}

static int64_t on_client(struct wake *wk, unsigned why)
{
    (void)why;
    struct fd_stream *s = (struct fd_stream *)((char *)wk - offsetof(struct fd_stream, client));
    sleeper_wake(&s->sleeper, WOKE_HANGUP);
    return WAKE_NEVER;
}

static ssize_t at_end(const struct fd_stream *s)
{
    const bool whole = !s->source || !s->source->whole || s->source->whole(s->arg);
    return whole ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    struct fd_stream *s = cls;
    for (;;) {
        unsigned why = sleeper_reasons(&s->sleeper);
        if (why & WOKE_HANGUP)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (why & WOKE_STOP)
            return MHD_CONTENT_READER_END_OF_STREAM;
        ssize_t n = read(s->fd, buf, max);
        if (n > 0)
            return n;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return at_end(s);
        waker_arm(s->srv->waker, &s->pipe, s->fd, EPOLLIN, WAKE_NEVER);
        if (sleeper_park(&s->sleeper))
            return 0;
    }
}

static void stream_free(void *cls)
{
    struct fd_stream *s = cls;
    waker_disarm(s->srv->waker, &s->pipe);
    waker_disarm(s->srv->waker, &s->client);
    sleeper_release(&s->sleeper);
    close_cleanup(&s->fd);
    if (s->source && s->source->done)
        s->source->done(s->arg);
    free(s);
}

void fd_stream_reply(struct request *rq, const struct reply *r, int take_fd, const struct fd_source *source, void *arg)
{
    int flags = fcntl(take_fd, F_GETFL);
    if (flags >= 0)
        fcntl(take_fd, F_SETFL, flags | O_NONBLOCK);
    struct fd_stream *s = xcalloc(1, sizeof *s);
    *s = (struct fd_stream){.srv = rq->srv, .fd = take_fd, .source = source, .arg = arg};
    s->pipe = (struct wake){.fire = on_pipe, .fd = -1};
    s->client = (struct wake){.fire = on_client, .fd = -1};
    sleeper_init(&s->sleeper, &rq->srv->sleepers, rq->mhd);
    waker_arm(rq->srv->waker, &s->client, rq->conn->fd, EPOLLRDHUP, WAKE_NEVER);
    reply_stream(rq, r, stream_read, s, stream_free);
}
