/* watch.c - watches as streams.
 *
 *     START --initial state--> LIVE --time-out, store closes, server stops--> END (clean end of the chunked body)
 *       \--- too old: one ERROR event --------------------------------------^
 *
 * DESIGN: the HTTP library asks stream_read() for bytes. It takes changes from the store's watch and turns them into
 * lines; if there are none, the connection is parked (sleeper) and costs nothing until the store's notify, the waker
 * (bookmark, time-out, the client hung up) or the end of the server wakes it. The initial state is written from a
 * snapshot, in pieces, so a large one never stands in memory as a whole; the store's watch begins at that snapshot's
 * revision and nothing is missed or told twice.
 *
 * Nobody waits for a slow client: the store drops a watch whose queue overflows, the stream then ends, and the client
 * comes back with the last revision it saw.
 *
 * A bookmark's revision must not be ahead of what was sent. So: read the store's revision, pass its lock once (a
 * commit that is being published holds it), take everything that is queued, then write.
 *
 * THREADS: stream_read() and the start run on the connection's HTTP thread; wake-ups come from anywhere, through the
 * sleeper. */
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/watch_int.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    BATCH = 64 * 1024,
    KEEP = 16 * 1024, /* of the buffer, while parked */
    BOOKMARK_MS = 60 * 1000,
    BEFORE_END_MS = 2 * 1000,
    MIN_TIMEOUT_S = 1800,
};

struct stream {
    struct apiserver *srv;
    struct sleeper sleeper;
    struct wake wake;
    bool armed;
    int fd; /* borrowed: the client's */
    struct list_opts opts;
    struct watch_writer writer;
    struct buf out;
    size_t sent;              /* of out */
    struct watch *watch;      /* owned; NULL if it could not begin */
    struct snapshot *initial; /* owned; NULL once written */
    struct sobj *last;        /* owned: the last one of initial that was written */
    const char *ns;           /* NULL: all; owned copy */
    bool ended;
    int64_t ends_ms, bookmark_ms;
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

static int64_t next_bookmark(const struct stream *s, int64_t now)
{
    int64_t next = now + BOOKMARK_MS, last = s->ends_ms - BEFORE_END_MS;
    return last > now && next > last ? last : next;
}

static void arm(struct stream *s)
{
    if (s->armed)
        return;
    s->armed = true;
    int64_t at = s->opts.bookmarks && s->bookmark_ms < s->ends_ms ? s->bookmark_ms : s->ends_ms;
    waker_arm(s->srv->waker, &s->wake, s->fd, EPOLLRDHUP, at);
}

/* -- filling -- */

static int write_one_initial(struct sobj *obj, void *arg)
{
    struct stream *s = arg;
    watch_write_initial(&s->writer, obj);
    sobj_unref(s->last);
    s->last = sobj_ref(obj);
    return s->out.len >= BATCH;
}

static void fill_initial(struct stream *s)
{
    struct sobj *after = s->last;
    int more = snapshot_scan(s->initial, s->writer.res->bucket, s->ns, after ? after->ns : NULL,
                             after ? after->name : NULL, write_one_initial, s);
    if (more)
        return;
    if (s->opts.initial && s->opts.bookmarks)
        watch_write_bookmark(&s->writer, snapshot_rv(s->initial), true);
    snapshot_unref(TAKE(s->initial));
    sobj_unref(TAKE(s->last));
}

static void drain(struct stream *s, size_t max)
{
    struct watch_event ev;
    while (!s->ended && s->out.len < max) {
        int rc = watch_next(s->watch, &ev);
        if (rc == 0)
            return;
        if (rc < 0) {
            s->ended = true;
            return;
        }
        watch_write_change(&s->writer, &ev);
        watch_event_release(&ev);
    }
}

static void write_bookmark(struct stream *s)
{
    struct store *store = registry_store(s->srv->registry);
    struct store_stats pass;
    uint64_t rv = store_rv(store);
    store_stats(store, &pass); /* passes the store's lock: see above */
    drain(s, SIZE_MAX);
    watch_write_bookmark(&s->writer, rv, false);
}

static void look_at_clock(struct stream *s)
{
    int64_t now = waker_now_ms();
    if (now >= s->ends_ms) {
        s->ended = true;
    } else if (s->opts.bookmarks && now >= s->bookmark_ms) {
        write_bookmark(s);
        s->bookmark_ms = next_bookmark(s, now);
    }
}

static void fill(struct stream *s)
{
    if (s->initial)
        fill_initial(s);
    if (!s->initial)
        drain(s, BATCH);
    if (!s->out.len)
        look_at_clock(s);
}

/* -- the HTTP library's side -- */

static ssize_t take_out(struct stream *s, char *buf, size_t max)
{
    size_t n = s->out.len - s->sent;
    n = n < max ? n : max;
    memcpy(buf, s->out.data + s->sent, n);
    s->sent += n;
    if (s->sent == s->out.len) {
        buf_clear(&s->out);
        s->sent = 0;
    }
    return (ssize_t)n;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    struct stream *s = cls;
    for (;;) {
        if (s->out.len)
            return take_out(s, buf, max);
        unsigned why = sleeper_reasons(&s->sleeper);
        if (why & WOKE_HANGUP)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (s->ended || (why & WOKE_STOP))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (why & WOKE_TIMER)
            s->armed = false;
        fill(s);
        if (s->out.len || s->ended)
            continue;
        if (s->out.cap > KEEP)
            buf_release(&s->out);
        arm(s);
        if (sleeper_park(&s->sleeper))
            return 0;
    }
}

static void stream_free(void *cls)
{
    struct stream *s = cls;
    watch_close(s->watch);
    waker_disarm(s->srv->waker, &s->wake);
    sleeper_release(&s->sleeper);
    snapshot_unref(s->initial);
    sobj_unref(s->last);
    list_opts_release(&s->opts);
    buf_release(&s->out);
    free((char *)(uintptr_t)s->ns);
    atomic_fetch_sub(&s->srv->watches, 1);
    free(s);
}

/* -- starting -- */

/* Where the watch begins: *out_rv, and whether the state of then comes first. */
static int start_point(struct request *rq, const struct list_opts *o, uint64_t *out_rv, bool *out_initial)
{
    struct err e = ERR_INIT;
    uint64_t rv = 0;
    if (*o->rv && rv_parse(o->rv, &rv, &e) < 0) {
        reply_plain_error(rq, e.msg);
        return -1;
    }
    *out_initial = o->has_initial ? o->initial : rv == 0;
    *out_rv = rv ? rv : store_rv(registry_store(rq->srv->registry));
    return 0;
}

static struct stream *stream_new(struct request *rq, struct list_opts *take_opts, const struct wanted *w)
{
    struct stream *s = xcalloc(1, sizeof *s);
    s->srv = rq->srv;
    s->fd = rq->conn->fd;
    s->opts = *take_opts;
    *take_opts = (struct list_opts){0};
    s->writer =
        (struct watch_writer){.res = rq->res, .opts = &s->opts, .wanted = *w, .clock = rq->srv->clock, .out = &s->out};
    if (rq->res->namespaced && rq->target.in_ns && rq->target.ns[0])
        s->ns = xstrdup(rq->target.ns);
    s->wake.fire = on_wake;
    s->wake.fd = -1;
    sleeper_init(&s->sleeper, &rq->srv->sleepers, rq->mhd);
    uint32_t spread;
    random_bytes(&spread, sizeof spread);
    int64_t now = waker_now_ms();
    int64_t seconds = s->opts.timeout_s ? s->opts.timeout_s : MIN_TIMEOUT_S + spread % MIN_TIMEOUT_S;
    s->ends_ms = now + (seconds < 1000000 ? seconds : 1000000) * 1000;
    s->bookmark_ms = next_bookmark(s, now);
    atomic_fetch_add(&rq->srv->watches, 1);
    return s;
}

static void stream_begin(struct stream *s, uint64_t rv, bool initial)
{
    struct store *store = registry_store(s->srv->registry);
    struct err e = ERR_INIT;
    if (s->opts.timeout_s < 0) {
        err_set(&e, ERR_INTERNAL, "context deadline exceeded");
    } else {
        if (initial) {
            s->initial = reg_snapshot(s->srv->registry);
            rv = snapshot_rv(s->initial);
        }
        struct watch_conf conf = {
            .bucket = s->writer.res->bucket, .ns = s->ns, .after_rv = rv, .notify = on_notify, .arg = s};
        store_watch(store, &conf, &s->watch, &e);
    }
    if (e.code != ERR_OK) {
        watch_write_error(&s->writer, &e);
        s->ended = true;
    }
}

void watch_serve(struct request *rq)
{
    struct wanted w;
    struct err e = ERR_INIT;
    _auto_list_opts_ struct list_opts o = {0};
    /* Streamed lists have no table form: such a clause is passed over. */
    bool streamed_list = query_bool(&rq->query, "sendInitialEvents");
    if (!reply_negotiate(rq, OFFER_NO_YAML | OFFER_PARTIAL | (streamed_list ? 0 : OFFER_TABLE), &w) ||
        list_opts_read(rq, true, &o) < 0)
        return;
    enum include_object include;
    uint64_t rv;
    bool initial;
    if (table_include(query_get(&rq->query, "includeObject"), &include, &e) < 0) {
        reply_err(rq, &e);
        return;
    }
    if (start_point(rq, &o, &rv, &initial) < 0)
        return;
    struct stream *s = stream_new(rq, &o, &w);
    s->writer.include = include;
    stream_begin(s, rv, initial);
    reply_stream(rq, &(struct reply){.http = 200, .type = TYPE_JSON}, stream_read, s, stream_free);
}
