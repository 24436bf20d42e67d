/* stream.c - see stream.h.
 *
 * DESIGN: one poll() over the WebSocket, stdin, the resize descriptor and the one that cancels. Stdin is only read
 * while little is queued, so that a slow server is felt by whoever writes. The exit code comes in the Status on the
 * error channel. */
#include "client/stream.h"

#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/websocket_int.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE     (32 * 1024)
#define QUEUE_MAX (256 * 1024)

enum channel { CH_STDIN, CH_STDOUT, CH_STDERR, CH_ERROR, CH_RESIZE, CH_CLOSE = 255 };

struct run {
    const struct client_stream *s;
    struct websocket *ws;
    bool in_open;
    int code; /* -1: not told yet */
};

/* ---- what the server says ---- */

/* {"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}} */
static int on_status(struct run *r, const char *text, size_t len, struct err *e)
{
    _auto_json_ json_t *status = json_loadb(text, len, 0, NULL);
    size_t i;
    const json_t *cause;
    int64_t code;
    if (str_eq(jstr(status, "status"), "Success")) {
        r->code = 0;
        return 0;
    }
    json_array_foreach(jat(status, "details.causes"), i, cause) if (str_eq(jstr(cause, "reason"), "ExitCode") &&
                                                                    str_to_i64(jstr_or(cause, "message", ""), &code))
        r->code = (int)code;
    if (r->code >= 0)
        return 0;
    return status && status_to_err(status, e) < 0 ? -1 : err_set(e, ERR_INTERNAL, "%.*s", (int)len, text);
}

static int on_message(void *arg, const uint8_t *data, size_t n, struct err *e)
{
    struct run *r = arg;
    if (n == 0)
        return 0;
    if (data[0] == CH_ERROR)
        return on_status(r, (const char *)data + 1, n - 1, e);
    if ((data[0] == CH_STDOUT || data[0] == CH_STDERR) && n > 1)
        return r->s->output(r->s->arg, data[0], data + 1, n - 1, e);
    return 0;
}

/* ---- what it is told ---- */

static void queue(struct run *r, uint8_t channel, const void *data, size_t n)
{
    websocket_send(r->ws, &channel, 1, data, n);
}

static void send_stdin(struct run *r, const void *piece, size_t n)
{
    if (n > 0) {
        queue(r, CH_STDIN, piece, n);
        return;
    }
    r->in_open = false;
    if (str_eq(websocket_protocol(r->ws), "v5.channel.k8s.io"))
        queue(r, CH_CLOSE, "\0", 1);
}

static int read_stdin(struct run *r, struct err *e)
{
    char piece[PIECE];
    const ssize_t n =
        r->s->supply ? r->s->supply(r->s->arg, piece, sizeof piece, e) : read(r->s->in, piece, sizeof piece);
    if (n < 0 && r->s->supply)
        return -1;
    if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        send_stdin(r, piece, n > 0 ? (size_t)n : 0);
    return 0;
}

static void tell_size(struct run *r)
{
    int width = 0, height = 0;
    r->s->size(r->s->arg, &width, &height);
    _auto_free_ char *text = xasprintf("{\"Width\":%d,\"Height\":%d}\n", width, height);
    if (width > 0 && height > 0)
        queue(r, CH_RESIZE, text, strlen(text));
}

/* ---- the pump ---- */

static int turn(struct run *r, int64_t deadline, struct err *e)
{
    const int64_t left = deadline < 0 ? -1 : deadline - conn_now_ms();
    const bool more = r->in_open && websocket_queued(r->ws) < QUEUE_MAX, at_once = more && r->s->supply;
    struct pollfd p[] = {{more && !at_once ? r->s->in : -1, POLLIN, 0}, {r->s->resize, POLLIN, 0}};
    if (deadline >= 0 && left <= 0)
        return err_set(e, ERR_TIMEOUT, "the command did not end in time");
    const int patience = at_once ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
    if (websocket_turn(r->ws, true, p, ARRAY_LEN(p), patience, e) < 0)
        return -1;
    if (p[1].revents)
        tell_size(r);
    return at_once || p[0].revents ? read_stdin(r, e) : 0;
}

static int pump(struct run *r, int64_t deadline, struct err *e)
{
    if (r->s->size)
        tell_size(r);
    while (!websocket_ended(r->ws))
        if (turn(r, deadline, e) < 0)
            return -1;
    return r->code >= 0 ? 0 : err_set(e, ERR_UNAVAILABLE, "the stream ended before the command did");
}

int client_run(struct client *c, const struct client_stream *s, int *out_code, struct err *e)
{
    const int64_t deadline = s->timeout_ms > 0 ? conn_now_ms() + s->timeout_ms : -1;
    struct run r = {.s = s, .in_open = s->in >= 0 || s->supply, .code = -1};
    const struct websocket_conf conf = {.path = s->path,
                                        .protocols = "v5.channel.k8s.io, v4.channel.k8s.io",
                                        .message = on_message,
                                        .arg = &r,
                                        .deadline = deadline < 0 ? conn_now_ms() + CLIENT_TIMEOUT_MS : deadline};
    if (websocket_open(c, &conf, &r.ws, e) < 0)
        return -1;
    const int rc = pump(&r, deadline, e);
    websocket_free(r.ws);
    if (rc == 0)
        *out_code = r.code;
    return rc;
}
