/* watch_source.c - what a watch tells, whoever carries it: see watch_source_int.h.
 *
 * DESIGN: the initial state is written from a snapshot, in pieces, so a large one never stands in memory as a whole;
 * the store's watch begins at that snapshot's revision and nothing is missed or told twice.
 *
 * Nobody waits for a slow client: the store drops a watch whose queue overflows, the watch then ends, and the client
 * comes back with the last revision it saw.
 *
 * A bookmark's revision must not be ahead of what was sent. So: read the store's revision, pass its lock once (a
 * commit that is being published holds it), take everything that is queued, then write. */
#include "apiserver/watch_source_int.h"

#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
    BATCH = 64 * 1024,
    BOOKMARK_MS = 60 * 1000,
    BEFORE_END_MS = 2 * 1000,
    MIN_TIMEOUT_S = 1800,
};

static int64_t next_bookmark(const struct watch_source *s, int64_t now)
{
    int64_t next = now + BOOKMARK_MS, last = s->ends_ms - BEFORE_END_MS;
    return last > now && next > last ? last : next;
}

int64_t watch_source_deadline(const struct watch_source *s)
{
    return s->opts.bookmarks && s->bookmark_ms < s->ends_ms ? s->bookmark_ms : s->ends_ms;
}

/* -- filling -- */

static int write_one_initial(struct sobj *obj, void *arg)
{
    struct watch_source *s = arg;
    watch_write_initial(&s->writer, obj);
    sobj_unref(s->last);
    s->last = sobj_ref(obj);
    return s->out.len >= BATCH;
}

static void fill_initial(struct watch_source *s)
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

static void drain(struct watch_source *s, size_t max)
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

static void write_bookmark(struct watch_source *s)
{
    struct store *store = registry_store(s->srv->registry);
    struct store_stats pass;
    uint64_t rv = store_rv(store);
    store_stats(store, &pass); /* passes the store's lock: see above */
    drain(s, SIZE_MAX);
    watch_write_bookmark(&s->writer, rv, false);
}

static void look_at_clock(struct watch_source *s)
{
    int64_t now = waker_now_ms();
    if (now >= s->ends_ms) {
        s->ended = true;
    } else if (s->opts.bookmarks && now >= s->bookmark_ms) {
        write_bookmark(s);
        s->bookmark_ms = next_bookmark(s, now);
    }
}

void watch_source_fill(struct watch_source *s)
{
    if (s->initial)
        fill_initial(s);
    if (!s->initial)
        drain(s, BATCH);
    if (!s->out.len)
        look_at_clock(s);
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

static void set_times(struct watch_source *s)
{
    uint32_t spread;
    random_bytes(&spread, sizeof spread);
    int64_t now = waker_now_ms();
    int64_t seconds = s->opts.timeout_s ? s->opts.timeout_s : MIN_TIMEOUT_S + spread % MIN_TIMEOUT_S;
    s->ends_ms = now + (seconds < 1000000 ? seconds : 1000000) * 1000;
    s->bookmark_ms = next_bookmark(s, now);
}

int watch_source_init(struct watch_source *s, struct request *rq)
{
    struct wanted w;
    struct err e = ERR_INIT;
    _auto_list_opts_ struct list_opts o = {0};
    /* Streamed lists have no table form: such a clause is passed over. */
    bool streamed_list = query_bool(&rq->query, "sendInitialEvents");
    if (!reply_negotiate(rq, OFFER_NO_YAML | OFFER_PARTIAL | (streamed_list ? 0 : OFFER_TABLE), &w) ||
        list_opts_read(rq, true, &o) < 0)
        return -1;
    enum include_object include;
    if (table_include(query_get(&rq->query, "includeObject"), &include, &e) < 0) {
        reply_err(rq, &e);
        return -1;
    }
    *s = (struct watch_source){.srv = rq->srv};
    if (start_point(rq, &o, &s->after_rv, &s->from_state) < 0)
        return -1;
    s->opts = o;
    o = (struct list_opts){0};
    s->writer = (struct watch_writer){
        .res = rq->res, .opts = &s->opts, .wanted = w, .include = include, .clock = rq->srv->clock, .out = &s->out};
    if (rq->res->namespaced && rq->target.in_ns && rq->target.ns[0])
        s->ns = xstrdup(rq->target.ns);
    set_times(s);
    atomic_fetch_add(&rq->srv->watches, 1);
    return 0;
}

void watch_source_begin(struct watch_source *s, void (*notify)(void *arg), void *arg)
{
    struct store *store = registry_store(s->srv->registry);
    struct err e = ERR_INIT;
    if (s->opts.timeout_s < 0) {
        err_set(&e, ERR_INTERNAL, "context deadline exceeded");
    } else {
        if (s->from_state) {
            s->initial = reg_snapshot(s->srv->registry);
            s->after_rv = snapshot_rv(s->initial);
        }
        struct watch_conf conf = {
            .bucket = s->writer.res->bucket, .ns = s->ns, .after_rv = s->after_rv, .notify = notify, .arg = arg};
        store_watch(store, &conf, &s->watch, &e);
    }
    if (e.code != ERR_OK) {
        watch_write_error(&s->writer, &e);
        s->ended = true;
    }
}

void watch_source_release(struct watch_source *s)
{
    watch_close(s->watch);
    snapshot_unref(s->initial);
    sobj_unref(s->last);
    list_opts_release(&s->opts);
    buf_release(&s->out);
    free((char *)(uintptr_t)s->ns);
    atomic_fetch_sub(&s->srv->watches, 1);
}
