/* exec_ws.c - remote command over WebSocket: one channel byte, then bytes.
 *
 *   0 stdin, 1 stdout, 2 stderr, 3 error (a Status), 4 resize, 255 close-signal (v5: the next byte is the channel that
 * ends)
 *
 * DESIGN: the end is Status on 3, then CLOSE 1000: any other close makes kubectl lose the exit code. kubectl registers
 * its channels a moment after it starts to read, and drops what comes for others. So a ping goes ahead: whoever answers
 * it reads, and takes output a moment later: the longer the answer took, the busier the machine, and the longer that
 * moment. Clients of kubectl's kind always answer and are waited for; who else answers none (many a small client does
 * not) waits a few milliseconds. Source: apimachinery util/remotecommand, client-go tools/remotecommand. */
#include "apiserver/stream/exec_int.h"
#include "apiserver/stream/ws_int.h"

#include "api/base64.h"
#include "apiserver/reply_int.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum {
    CH_STDIN = 0,
    CH_ERROR = 3,
    CH_RESIZE = 4,
    CH_CLOSE = 255,
    FIRST_OUTPUT_MS = 8,
    PATIENCE_MS = 1000, /* with those that will answer */
    AFTER_PONG_MS = 2,
    AFTER_PONG_MAX_MS = 20,
    NORMAL_CLOSE = 1000
};

static const struct {
    const char *name;
    int version;
    bool base64;
} protocols[] = {
    {"v5.channel.k8s.io", 5, false},    {"v4.channel.k8s.io", 4, false}, {"v4.base64.channel.k8s.io", 4, true},
    {"base64.channel.k8s.io", 1, true}, {"channel.k8s.io", 1, false},
};

static void on_channel(struct exec_run *x, unsigned channel, const char *data, size_t len)
{
    if (channel == CH_STDIN)
        exec_stdin(x, data, len);
    else if (channel == CH_RESIZE)
        exec_resize(x, data, len);
    else if (channel == CH_CLOSE && x->version >= 5 && len == 1 && data[0] == CH_STDIN)
        exec_stdin_end(x);
}

static void on_message(void *arg, bool text, const uint8_t *data, size_t len)
{
    struct exec_run *x = arg;
    (void)text;
    if (len == 0)
        return;
    if (!x->base64) {
        on_channel(x, data[0], (const char *)data + 1, len - 1);
        return;
    }
    _auto_buf_ struct buf plain = BUF_INIT;
    size_t at;
    if (base64_decode((const char *)data + 1, len - 1, &plain, &at) == 0)
        on_channel(x, data[0] - (unsigned)'0', buf_str(&plain), plain.len);
}

static void send_channel(struct exec_run *x, unsigned char channel, const void *data, size_t len)
{
    if (!x->base64) {
        ws_send(x->state, false, &channel, 1, data, len);
        return;
    }
    _auto_buf_ struct buf coded = BUF_INIT;
    unsigned char digit = (unsigned char)('0' + channel);
    base64_encode(data, len, &coded);
    ws_send(x->state, true, &digit, 1, buf_str(&coded), coded.len);
}

static void begin(struct exec_run *x)
{
    x->state = ws_new(&x->wire, on_message, x);
    x->pinged = clock_mono_ms(clock_real());
    exec_hold_output(x, x->pinged + (x->answers_pings ? PATIENCE_MS : FIRST_OUTPUT_MS));
    ws_ping(x->state);
}

/* How long who took so long to answer needs until he takes output. */
static int64_t moment_after(int64_t took)
{
    return took < AFTER_PONG_MS ? AFTER_PONG_MS : took > AFTER_PONG_MAX_MS ? AFTER_PONG_MAX_MS : took;
}

static void input(struct exec_run *x)
{
    bool knew = ws_was_ponged(x->state);
    ws_input(x->state);
    if (!knew && ws_was_ponged(x->state))
        exec_hold_output(x, exec_heard(x) + moment_after(exec_heard(x) - x->pinged));
}

static bool ready(const struct exec_run *x)
{
    (void)x;
    return true;
}

static void output(struct exec_run *x, enum exec_channel ch, const void *data, size_t len)
{
    send_channel(x, (unsigned char)ch, data, len);
}

static void end(struct exec_run *x, const char *status, const char *plain)
{
    if (x->version >= 4)
        send_channel(x, CH_ERROR, status, strlen(status));
    else if (*plain)
        send_channel(x, CH_ERROR, plain, strlen(plain));
    ws_close(x->state, NORMAL_CLOSE);
}

static bool closed(const struct exec_run *x)
{
    return ws_closed(x->state);
}

static void release(struct exec_run *x)
{
    ws_free(x->state);
}

static const struct exec_proto exec_ws = {begin, input, ready, output, end, closed, release};

void exec_ws_open(struct request *rq, struct exec_run *x)
{
    const char *const *offered = stream_header_list(rq, "Sec-WebSocket-Protocol");
    const char *agent = request_header(rq, "User-Agent");
    x->proto = &exec_ws;
    x->answers_pings = agent && strstr(agent, " kubernetes/"); /* so client-go names itself */
    if (!offered || !offered[0]) {                             /* none: the first version, unnamed */
        x->version = 1;
        ws_accept(rq, "", exec_main, x, exec_free);
        return;
    }
    for (; *offered; offered++) {
        for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
            if (!str_eq(protocols[i].name, *offered))
                continue;
            x->version = protocols[i].version;
            x->base64 = protocols[i].base64;
            ws_accept(rq, protocols[i].name, exec_main, x, exec_free);
            return;
        }
    }
    exec_free(x);
    stream_refuse(rq, ERR_FORBIDDEN, "unable to upgrade: the server supports none of the offered subprotocols");
}
