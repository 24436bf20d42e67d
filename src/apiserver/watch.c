/* watch.c - watches as chunked answers.
 *
 *     START --initial state--> LIVE --time-out, store closes, server stops--> END (clean end of the chunked body)
 *       \--- too old: one ERROR event --------------------------------------^
 *
 * DESIGN: the HTTP library asks stream_read() for bytes. It takes lines from the source (watch_source_int.h); if there
 * are none, the connection is parked (sleeper) and costs nothing until the store's notify, the waker (bookmark,
 * time-out, the client hung up) or the end of the server wakes it.
 *
 * THREADS: stream_read() and the start run on the connection's HTTP thread; wake-ups come from anywhere, through the
 * sleeper. */
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream/watch_ws_int.h"
#include "apiserver/stream/ws_int.h"
#include "apiserver/watch_source_int.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { KEEP = 16 * 1024 /* of the buffer, while parked */ };

struct stream {
    struct watch_source source;
    struct sleeper sleeper;
    struct wake wake;
    bool armed;
    int fd;      /* borrowed: the client's */
    size_t sent; /* of source.out */
};

/* -- waking -- */

static void on_notify(void *arg)
{
    sleeper_wake(&((struct stream *)arg)->sleeper, WOKE_DATA);
}

static int64_t on_wake(struct wake *wk, unsigned why)
{
    struct stream *s = (struct stream *)((char *)wk - offsetof(struct stream, wake));
    sleeper_wake(&s->sleeper, why & WAKE_FD ? WOKE_HANGUP : WOKE_TIMER);
    return WAKE_NEVER;
}

static void arm(struct stream *s)
{
    if (s->armed)
        return;
    s->armed = true;
    waker_arm(s->source.srv->waker, &s->wake, s->fd, EPOLLRDHUP, watch_source_deadline(&s->source));
}

/* -- the HTTP library's side -- */

static ssize_t take_out(struct stream *s, char *buf, size_t max)
{
    size_t n = s->source.out.len - s->sent;
    n = n < max ? n : max;
    memcpy(buf, s->source.out.data + s->sent, n);
    s->sent += n;
    if (s->sent == s->source.out.len) {
        buf_clear(&s->source.out);
        s->sent = 0;
    }
    return (ssize_t)n;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    struct stream *s = cls;
    for (;;) {
        if (s->source.out.len)
            return take_out(s, buf, max);
        unsigned why = sleeper_reasons(&s->sleeper);
        if (why & WOKE_HANGUP)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (s->source.ended || (why & WOKE_STOP))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (why & WOKE_TIMER)
            s->armed = false;
        watch_source_fill(&s->source);
        if (s->source.out.len || s->source.ended)
            continue;
        if (s->source.out.cap > KEEP)
            buf_release(&s->source.out);
        arm(s);
        if (sleeper_park(&s->sleeper))
            return 0;
    }
}

static void stream_free(void *cls)
{
    struct stream *s = cls;
    struct apiserver *srv = s->source.srv;
    watch_source_release(&s->source); /* from now on nobody notifies */
    waker_disarm(srv->waker, &s->wake);
    sleeper_release(&s->sleeper);
    free(s);
}

/* -- starting -- */

void watch_serve(struct request *rq)
{
    if (ws_requested(rq)) {
        watch_ws_open(rq);
        return;
    }
    struct stream *s = xcalloc(1, sizeof *s);
    if (watch_source_init(&s->source, rq) < 0) {
        free(s);
        return;
    }
    s->fd = rq->conn->fd;
    s->wake.fire = on_wake;
    s->wake.fd = -1;
    sleeper_init(&s->sleeper, &rq->srv->sleepers, rq->mhd);
    watch_source_begin(&s->source, on_notify, s);
    reply_stream(rq, &(struct reply){.http = 200, .type = TYPE_JSON}, stream_read, s, stream_free);
}
