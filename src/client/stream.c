/* stream.c - see stream.h.
 *
 * DESIGN: a connection of its own, upgraded by hand, framed by wslay; one poll() over the socket, stdin, the resize
 * descriptor and the one that cancels. Stdin is only read while little is queued, so that a slow server is felt by
 * whoever writes. The exit code comes in the Status on the error channel. */
#include "client/stream.h"

#include "api/base64.h"
#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "client/client_int.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wslay/wslay.h>

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define PIECE       (32 * 1024)
#define QUEUE_MAX   (256 * 1024)

enum channel { CH_STDIN, CH_STDOUT, CH_STDERR, CH_ERROR, CH_RESIZE, CH_CLOSE = 255 };

struct run {
    const struct client_stream *s;
    struct conn *conn;
    wslay_event_context_ptr ctx;
    struct buf out; /* frames on their way to the socket */
    bool v5, in_open, ended, failed;
    int code; /* -1: not told yet */
    struct err *e;
};

/* ---- the handshake ---- */

static int check_accepted(const struct head *h, const char *key, struct run *r, struct err *e)
{
    uint8_t digest[20];
    _auto_free_ char *text = xasprintf("%s" ACCEPT_GUID, key);
    _auto_buf_ struct buf want = BUF_INIT;
    gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest);
    base64_encode(digest, sizeof digest, &want);
    if (!str_eq(h->accept_key, buf_str(&want)))
        return err_set(e, ERR_CORRUPT, "the server's upgrade is not for this request");
    r->v5 = str_eq(h->protocol, "v5.channel.k8s.io");
    if (!r->v5 && !str_eq(h->protocol, "v4.channel.k8s.io"))
        return err_set(e, ERR_UNSUPPORTED, "the server speaks none of our stream protocols");
    return 0;
}

static int gather(void *arg, const void *data, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, data, n);
    return 0;
}

static int refused(struct run *r, const struct head *h, int64_t deadline, struct err *e)
{
    _auto_client_answer_ struct client_answer a = {.status = h->status};
    if (body_read(r->conn, h, deadline, gather, &a.body, e) < 0)
        return -1;
    return client_failure(&a, e);
}

static int upgrade(struct client *c, struct run *r, int64_t deadline, struct err *e)
{
    uint8_t raw[16];
    _auto_buf_ struct buf key = BUF_INIT, request = BUF_INIT;
    _auto_head_ struct head h = {0};
    gnutls_rnd(GNUTLS_RND_NONCE, raw, sizeof raw);
    base64_encode(raw, sizeof raw, &key);
    client_head(c, "GET", r->s->path, &request);
    buf_addf(&request,
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
             "Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io\r\n\r\n",
             buf_str(&key));
    if (conn_open(&c->remote, c->cancel, deadline, &r->conn, e) < 0 ||
        conn_send(r->conn, request.data, request.len, deadline, e) < 0 ||
        answer_head_read(r->conn, deadline, &h, e) < 0)
        return -1;
    return h.status == 101 ? check_accepted(&h, buf_str(&key), r, e) : refused(r, &h, deadline, e);
}

/* ---- frames ---- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *out, size_t len, int flags, void *user)
{
    struct run *r = user;
    bool again;
    (void)flags;
    const ssize_t n = conn_poll(r->conn, &again, r->e);
    if (n <= 0) {
        r->ended |= n == 0 && !again;
        r->failed |= n < 0;
        wslay_event_set_error(ctx, again ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    const size_t take = len < (size_t)n ? len : (size_t)n;
    memcpy(out, r->conn->in + r->conn->at, take);
    r->conn->at += take;
    return (ssize_t)take;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *user)
{
    struct run *r = user;
    (void)ctx;
    (void)flags;
    buf_add(&r->out, data, len);
    return (ssize_t)len;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *out, size_t len, void *user)
{
    (void)ctx;
    (void)user;
    return gnutls_rnd(GNUTLS_RND_NONCE, out, len) < 0 ? -1 : 0;
}

/* {"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}} */
static void on_status(struct run *r, const char *text, size_t len)
{
    _auto_json_ json_t *status = json_loadb(text, len, 0, NULL);
    size_t i;
    const json_t *cause;
    int64_t code;
    if (str_eq(jstr(status, "status"), "Success")) {
        r->code = 0;
        return;
    }
    json_array_foreach(jat(status, "details.causes"), i, cause) if (str_eq(jstr(cause, "reason"), "ExitCode") &&
                                                                    str_to_i64(jstr_or(cause, "message", ""), &code))
        r->code = (int)code;
    if (r->code < 0) {
        r->failed = true;
        if (!status || status_to_err(status, r->e) == 0)
            err_set(r->e, ERR_INTERNAL, "%.*s", (int)len, text);
    }
}

static void on_msg(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *user)
{
    struct run *r = user;
    (void)ctx;
    if (m->opcode == WSLAY_CONNECTION_CLOSE) {
        r->ended = true;
        return;
    }
    if (m->opcode != WSLAY_BINARY_FRAME || m->msg_length == 0 || r->failed)
        return;
    const uint8_t which = m->msg[0];
    const size_t n = m->msg_length - 1;
    if (which == CH_ERROR)
        on_status(r, (const char *)m->msg + 1, n);
    else if ((which == CH_STDOUT || which == CH_STDERR) && n && r->s->output(r->s->arg, which, m->msg + 1, n, r->e) < 0)
        r->failed = true;
}

static void queue(struct run *r, uint8_t channel, const void *data, size_t n)
{
    _auto_free_ uint8_t *msg = xmalloc(n + 1);
    msg[0] = channel;
    memcpy(msg + 1, data, n);
    const struct wslay_event_msg m = {WSLAY_BINARY_FRAME, msg, n + 1};
    wslay_event_queue_msg(r->ctx, &m);
}

/* ---- the pump ---- */

static void read_stdin(struct run *r)
{
    char piece[PIECE];
    const ssize_t n = read(r->s->in, piece, sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        queue(r, CH_STDIN, piece, (size_t)n);
        return;
    }
    r->in_open = false;
    if (r->v5)
        queue(r, CH_CLOSE, "\0", 1);
}

static void tell_size(struct run *r)
{
    int width = 0, height = 0;
    r->s->size(r->s->arg, &width, &height);
    _auto_free_ char *text = xasprintf("{\"Width\":%d,\"Height\":%d}\n", width, height);
    if (width > 0 && height > 0)
        queue(r, CH_RESIZE, text, strlen(text));
}

static int flush(struct run *r, int64_t deadline)
{
    if (wslay_event_want_write(r->ctx) && wslay_event_send(r->ctx) != 0)
        return err_set(r->e, ERR_INTERNAL, "the stream broke");
    const int rc = r->out.len ? conn_send(r->conn, r->out.data, r->out.len, deadline, r->e) : 0;
    buf_clear(&r->out);
    return rc;
}

static int wait_any(struct run *r, int cancel, int64_t deadline)
{
    const int64_t left = deadline < 0 ? -1 : deadline - conn_now_ms();
    const bool more = r->in_open && wslay_event_get_queued_msg_length(r->ctx) < QUEUE_MAX;
    struct pollfd p[] = {
        {r->conn->fd, POLLIN, 0},
        {more ? r->s->in : -1, POLLIN, 0},
        {r->s->resize, POLLIN, 0},
        {cancel, POLLIN, 0},
    };
    if (deadline >= 0 && left <= 0)
        return err_set(r->e, ERR_TIMEOUT, "the command did not end in time");
    if (poll(p, ARRAY_LEN(p), left > INT32_MAX ? INT32_MAX : (int)left) < 0)
        return errno == EINTR ? 0 : err_sys(r->e, errno, "poll");
    if (p[3].revents)
        return err_set(r->e, ERR_TIMEOUT, "interrupted");
    if (p[2].revents)
        tell_size(r);
    if (p[1].revents)
        read_stdin(r);
    return 0;
}

static int pump(struct run *r, int cancel, int64_t deadline)
{
    if (r->s->size)
        tell_size(r);
    while (!r->ended && !r->failed) {
        if (flush(r, deadline) < 0)
            return -1;
        bool told = wslay_event_want_read(r->ctx) && wslay_event_recv(r->ctx) != 0;
        if (r->failed || r->ended || told)
            break;
        if (wslay_event_want_write(r->ctx))
            continue;
        if (wait_any(r, cancel, deadline) < 0)
            return -1;
    }
    if (r->failed)
        return -1;
    return r->code >= 0 ? 0 : err_set(r->e, ERR_UNAVAILABLE, "the stream ended before the command did");
}

int client_run(struct client *c, const struct client_stream *s, int *out_code, struct err *e)
{
    const int64_t deadline = s->timeout_ms > 0 ? conn_now_ms() + s->timeout_ms : -1;
    struct run r = {.s = s, .in_open = s->in >= 0, .code = -1, .e = e};
    const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                    .send_callback = on_send,
                                                    .genmask_callback = on_mask,
                                                    .on_msg_recv_callback = on_msg};
    int rc = upgrade(c, &r, deadline < 0 ? conn_now_ms() + CLIENT_TIMEOUT_MS : deadline, e);
    if (rc == 0) {
        if (wslay_event_context_client_init(&r.ctx, &callbacks, &r) != 0)
            BUG("out of memory");
        rc = pump(&r, c->cancel, deadline);
        wslay_event_context_free(r.ctx);
    }
    conn_close(r.conn);
    buf_release(&r.out);
    if (rc == 0)
        *out_code = r.code;
    return rc;
}
