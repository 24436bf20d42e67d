/* exec_spdy.c - remote command over SPDY/3.1: one stream each for error, stdin, stdout, stderr, resize.
 *
 * DESIGN: the client opens its streams one by one, each by its `streamtype`; the process starts when all have come. The
 * end: the Status on the error stream, FIN on all, GOAWAY. Source: client-go tools/remotecommand v1..v4, kubelet
 * httpstream.go. */
#include "apiserver/stream/exec_int.h"

#include "apiserver/reply_int.h"
#include "base/mem.h"
#include "base/spdy.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum kind { KIND_ERROR, KIND_STDIN, KIND_STDOUT, KIND_STDERR, KIND_RESIZE, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"error", "stdin", "stdout", "stderr", "resize"};

struct state {
    struct spdy spdy;
    uint32_t ids[KIND_COUNT]; /* 0: not open */
    struct buf size;          /* pieces of resize objects */
    bool goaway;
};

static const struct {
    const char *name;
    int version;
} protocols[] = {
    {"v4.channel.k8s.io", 4},
    {"v3.channel.k8s.io", 3},
    {"v2.channel.k8s.io", 2},
    {"channel.k8s.io", 1},
};

static struct state *state_of(const struct exec_run *x)
{
    return x->state;
}

static bool expects(const struct exec_run *x, enum kind kind)
{
    switch (kind) {
    case KIND_STDIN:
        return x->want_stdin;
    case KIND_STDOUT:
        return x->want_stdout;
    case KIND_STDERR:
        return x->want_stderr;
    case KIND_RESIZE:
        return x->tty && x->version >= 3;
    default:
        return true;
    }
}

static bool on_open(void *arg, uint32_t id, const struct spdy_headers *headers)
{
    struct exec_run *x = arg;
    const char *type = spdy_header(headers, "streamtype");
    for (int k = 0; type && k < KIND_COUNT; k++) {
        if (!str_eq(kind_names[k], type) || !expects(x, (enum kind)k) || state_of(x)->ids[k])
            continue;
        state_of(x)->ids[k] = id;
        return true;
    }
    return false;
}

/* The resize stream is objects one after the other; a frame may hold a part of one or several. */
static void take_sizes(struct exec_run *x, const void *data, size_t len)
{
    struct buf *b = &state_of(x)->size;
    buf_add(b, data, len);
    for (char *end; b->len && (end = memchr(b->data, '}', b->len));) {
        size_t n = (size_t)(end - b->data) + 1;
        exec_resize(x, b->data, n);
        buf_consume(b, n);
    }
    if (b->len > 4096)
        buf_clear(b);
}

static void on_data(void *arg, uint32_t id, const void *data, size_t len, bool fin)
{
    struct exec_run *x = arg;
    const struct state *st = state_of(x);
    if (id == st->ids[KIND_STDIN]) {
        exec_stdin(x, data, len);
        if (fin)
            exec_stdin_end(x);
    } else if (id == st->ids[KIND_RESIZE]) {
        take_sizes(x, data, len);
    }
}

static void on_reset(void *arg, uint32_t id)
{
    struct exec_run *x = arg;
    if (id == state_of(x)->ids[KIND_STDIN])
        exec_stdin_end(x);
}

static void on_goaway(void *arg)
{
    struct exec_run *x = arg;
    state_of(x)->goaway = true;
}

static const struct spdy_events events = {.open = on_open, .data = on_data, .reset = on_reset, .goaway = on_goaway};

static void to_wire(void *arg, const void *data, size_t len)
{
    struct exec_run *x = arg;
    buf_add(&x->wire.out, data, len);
}

static void begin(struct exec_run *x)
{
    struct state *st = xcalloc(1, sizeof *st);
    x->state = st;
    spdy_init(&st->spdy, &events, to_wire, x);
}

static void input(struct exec_run *x)
{
    struct state *st = state_of(x);
    if (x->wire.in.len) {
        spdy_input(&st->spdy, x->wire.in.data, x->wire.in.len);
        buf_clear(&x->wire.in);
    }
    if (st->spdy.failed)
        x->wire.ended = true;
}

static bool ready(const struct exec_run *x)
{
    for (int k = 0; k < KIND_COUNT; k++)
        if (expects(x, (enum kind)k) && !state_of(x)->ids[k])
            return false;
    return true;
}

static void output(struct exec_run *x, enum exec_channel ch, const void *data, size_t len)
{
    struct state *st = state_of(x);
    spdy_data(&st->spdy, st->ids[ch == CHANNEL_STDOUT ? KIND_STDOUT : KIND_STDERR], data, len, false);
}

static void end(struct exec_run *x, const char *status, const char *plain)
{
    struct state *st = state_of(x);
    const char *text = x->version >= 4 ? status : plain;
    if (*text)
        spdy_data(&st->spdy, st->ids[KIND_ERROR], text, strlen(text), false);
    for (int k = 0; k < KIND_COUNT; k++)
        if (st->ids[k])
            spdy_data(&st->spdy, st->ids[k], "", 0, true);
    spdy_goaway(&st->spdy);
}

static bool closed(const struct exec_run *x)
{
    return state_of(x)->goaway;
}

static void release(struct exec_run *x)
{
    struct state *st = state_of(x);
    spdy_release(&st->spdy);
    buf_release(&st->size);
    free(st);
}

static const struct exec_proto exec_spdy = {begin, input, ready, output, end, closed, release};

void exec_spdy_open(struct request *rq, struct exec_run *x)
{
    const char *const *offered = stream_header_list(rq, "X-Stream-Protocol-Version");
    x->proto = &exec_spdy;
    for (; offered && *offered; offered++) {
        for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
            if (!str_eq(protocols[i].name, *offered))
                continue;
            x->version = protocols[i].version;
            struct upgrade_header headers[] = {
                {"Upgrade", "SPDY/3.1"}, {"X-Stream-Protocol-Version", protocols[i].name}, {NULL, NULL}};
            upgrade_accept(rq, headers, exec_main, x, exec_free);
            return;
        }
    }
    exec_free(x);
    stream_refuse(rq, ERR_FORBIDDEN, "unable to upgrade: the server supports none of the offered stream protocols");
}
