/* watch_ws.c - see watch_ws_int.h.
 *
 * DESIGN: a thread a watch, as for every stream: it sleeps in poll() until the client says something, the store rings
 * the bell (an eventfd), or the watch's own time has come. What the client cannot take yet waits here, and no more is
 * fetched meanwhile; one that takes nothing for as long as the server lets connections idle is dropped. */
#include "apiserver/stream/watch_ws_int.h"

#include "apiserver/server_int.h"
#include "apiserver/stream/ws_int.h"
#include "apiserver/watch_source_int.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { QUEUE_MAX = 256 * 1024, LINGER_MS = 1000, NORMAL_CLOSE = 1000 };

struct carrier {
    struct watch_source source;
    int bell; /* owned */
    struct wire wire;
    struct ws *ws;
    int64_t moved; /* when the client last took something, or had taken all */
};

static void ring(void *arg)
{
    const struct carrier *c = arg;
    uint64_t one = 1;
    ssize_t n = write(c->bell, &one, sizeof one);
    (void)n;
}

static void hear(struct carrier *c)
{
    uint64_t times;
    ssize_t n = read(c->bell, &times, sizeof times);
    (void)n;
}

/* Clients of a watch have nothing to say. */
static void on_message(void *arg, bool text, const uint8_t *data, size_t len)
{
    (void)arg;
    (void)text;
    (void)data;
    (void)len;
}

static void send_lines(struct carrier *c)
{
    struct buf *out = &c->source.out;
    for (const char *at = out->data, *end = at + out->len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        ws_send(c->ws, true, NULL, 0, at, (size_t)(newline - at));
        at = newline + 1;
    }
    buf_clear(out);
}

static bool is_full(const struct carrier *c)
{
    return c->wire.out.len > QUEUE_MAX;
}

/* What there is, as far as the client takes it. */
static void tell(struct carrier *c)
{
    do {
        watch_source_fill(&c->source);
        if (!c->source.out.len)
            return;
        send_lines(c);
        wire_move(&c->wire, POLLOUT);
    } while (!is_full(c) && !c->wire.ended);
}

/* Until the watch has something to do by itself, or the client has had all its time. */
static int time_left(const struct carrier *c)
{
    const int64_t patience = c->moved + c->source.srv->idle_ms, deadline = watch_source_deadline(&c->source);
    const int64_t until = wire_flushed(&c->wire) || (!is_full(c) && deadline < patience) ? deadline : patience;
    const int64_t left = until - waker_now_ms();
    return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* Sends and receives what poll() said can be; ends with a client that takes nothing. Only when poll() said so has he
 * taken something: the socket takes a little more now and then while he does not read. */
static void move(struct carrier *c, short revents)
{
    const size_t before = c->wire.out.len + c->wire.sealed.len;
    const int64_t now = waker_now_ms();
    wire_move(&c->wire, revents);
    if (wire_flushed(&c->wire) || (revents & POLLOUT && c->wire.out.len + c->wire.sealed.len < before))
        c->moved = now;
    else if (now - c->moved >= c->source.srv->idle_ms)
        c->wire.ended = true;
}

static void carry(struct carrier *c)
{
    while (!c->wire.ended && !ws_closed(c->ws)) {
        if (!is_full(c))
            tell(c);
        if (c->source.ended)
            break;
        struct pollfd p[] = {{c->wire.fd, wire_events(&c->wire, true), 0}, {is_full(c) ? -1 : c->bell, POLLIN, 0}};
        poll(p, 2, time_left(c));
        if (p[1].revents)
            hear(c);
        move(c, p[0].revents);
        ws_input(c->ws);
    }
}

static void linger(void *arg)
{
    ws_input(((struct carrier *)arg)->ws);
}

static void carrier_run(struct upgraded *up, void *arg)
{
    struct carrier *c = arg;
    wire_init(&c->wire, up);
    c->ws = ws_new(&c->wire, on_message, c);
    watch_source_begin(&c->source, ring, c);
    c->moved = waker_now_ms();
    carry(c);
    ws_close(c->ws, NORMAL_CLOSE);
    wire_linger(&c->wire, LINGER_MS, linger, c);
    ws_free(c->ws);
    wire_release(&c->wire);
}

static void carrier_free(void *arg)
{
    struct carrier *c = arg;
    watch_source_release(&c->source);
    close(c->bell);
    free(c);
}

void watch_ws_open(struct request *rq)
{
    struct carrier *c = xcalloc(1, sizeof *c);
    c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->bell < 0) {
        stream_refuse(rq, ERR_UNAVAILABLE, "no more streams can be opened now: %s", strerror(errno));
        free(c);
        return;
    }
    if (watch_source_init(&c->source, rq) < 0) {
        close(c->bell);
        free(c);
        return;
    }
    ws_accept(rq, "", carrier_run, c, carrier_free);
}
