/* websocket.c - see websocket_int.h.
 *
 * DESIGN: upgraded by hand, framed by wslay. Nothing here waits but websocket_turn(): what is queued leaves while the
 * server's bytes are taken, so two sides that both write never wait for each other. INVARIANT: `failed` is set with
 * *w->e, the error of the turn under way. */
#include "client/websocket_int.h"

#include "api/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct websocket {
    struct websocket_conf conf; /* path and protocols are the caller's, and only good during websocket_open() */
    struct conn *conn;
    wslay_event_context_ptr ctx;
    char *protocol;
    struct buf out; /* frames on their way to the socket */
    int cancel;
    bool ended, failed;
    struct err *e; /* of the call under way */
};

/* ---- the handshake ---- */

static bool offered(const char *list, const char *name)
{
    _auto_strlist_ struct strlist names = {0};
    strlist_split(&names, list, ',');
    for (size_t i = 0; name && i < names.len; i++)
        if (str_eq(names.items[i] + strspn(names.items[i], " "), name))
            return true;
    return false;
}

static int check_accepted(struct websocket *w, const struct head *h, const char *key, struct err *e)
{
    uint8_t digest[20];
    _auto_free_ char *text = xasprintf("%s" ACCEPT_GUID, key);
    _auto_buf_ struct buf want = BUF_INIT;
    gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest);
    base64_encode(digest, sizeof digest, &want);
    if (!str_eq(h->accept_key, buf_str(&want)))
        return err_set(e, ERR_CORRUPT, "the server's upgrade is not for this request");
    if (!offered(w->conf.protocols, h->protocol))
        return err_set(e, ERR_UNSUPPORTED, "the server speaks none of our stream protocols");
    w->protocol = xstrdup(h->protocol);
    return 0;
}

static int gather(void *arg, const void *data, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, data, n);
    return 0;
}

static int refused(struct client *c, struct websocket *w, const struct head *h, struct err *e)
{
    _auto_client_answer_ struct client_answer a = {.status = h->status};
    if (body_read(w->conn, h, w->conf.deadline, gather, &a.body, e) < 0)
        return -1;
    json_decref(c->refusal);
    c->refusal = a.body.len ? json_loadb(a.body.data, a.body.len, 0, NULL) : NULL;
    if (!str_eq(jstr(c->refusal, "kind"), "Status"))
        json_decref(TAKE(c->refusal));
    return client_failure(&a, e);
}

static int upgrade(struct client *c, struct websocket *w, struct err *e)
{
    uint8_t raw[16];
    _auto_buf_ struct buf key = BUF_INIT, request = BUF_INIT;
    _auto_head_ struct head h = {0};
    const int64_t deadline = w->conf.deadline;
    gnutls_rnd(GNUTLS_RND_NONCE, raw, sizeof raw);
    base64_encode(raw, sizeof raw, &key);
    client_head(c, "GET", w->conf.path, &request);
    buf_addf(&request,
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
             "Sec-WebSocket-Protocol: %s\r\n\r\n",
             buf_str(&key), w->conf.protocols);
    if (conn_open(&c->remote, c->cancel, deadline, &w->conn, e) < 0 ||
        conn_send(w->conn, request.data, request.len, deadline, e) < 0 ||
        answer_head_read(w->conn, deadline, &h, e) < 0)
        return -1;
    return h.status == 101 ? check_accepted(w, &h, buf_str(&key), e) : refused(c, w, &h, e);
}

/* ---- frames ---- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *out, size_t len, int flags, void *user)
{
    struct websocket *w = user;
    bool again;
    (void)flags;
    const ssize_t n = conn_poll(w->conn, &again, w->e);
    if (n <= 0) {
        w->ended |= n == 0 && !again;
        w->failed |= n < 0;
        wslay_event_set_error(ctx, again ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    const size_t take = len < (size_t)n ? len : (size_t)n;
    memcpy(out, w->conn->in + w->conn->at, take);
    w->conn->at += take;
    return (ssize_t)take;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *user)
{
    struct websocket *w = user;
    (void)ctx;
    (void)flags;
    buf_add(&w->out, data, len);
    return (ssize_t)len;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *out, size_t len, void *user)
{
    (void)ctx;
    (void)user;
    return gnutls_rnd(GNUTLS_RND_NONCE, out, len) < 0 ? -1 : 0;
}

static void on_msg(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *user)
{
    struct websocket *w = user;
    (void)ctx;
    if (m->opcode == WSLAY_CONNECTION_CLOSE)
        w->ended = true;
    else if (m->opcode == WSLAY_BINARY_FRAME && !w->failed && !w->ended)
        w->failed = w->conf.message(w->conf.arg, m->msg, m->msg_length, w->e) < 0;
}

/* ---- for its user ---- */

int websocket_open(struct client *c, const struct websocket_conf *conf, struct websocket **out, struct err *e)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                           .send_callback = on_send,
                                                           .genmask_callback = on_mask,
                                                           .on_msg_recv_callback = on_msg};
    struct websocket *w = xcalloc(1, sizeof *w);
    w->conf = *conf;
    w->cancel = c->cancel;
    if (upgrade(c, w, e) < 0) {
        websocket_free(w);
        return -1;
    }
    if (wslay_event_context_client_init(&w->ctx, &callbacks, w) != 0)
        BUG("out of memory");
    *out = w;
    return 0;
}

void websocket_free(struct websocket *w)
{
    if (!w)
        return;
    if (w->ctx)
        wslay_event_context_free(w->ctx);
    conn_close(w->conn);
    buf_release(&w->out);
    free(w->protocol);
    free(w);
}

void websocket_cleanup(struct websocket **w)
{
    websocket_free(*w);
}

const char *websocket_protocol(const struct websocket *w)
{
    return w->protocol;
}

void websocket_send(struct websocket *w, const void *prefix, size_t prefix_len, const void *data, size_t n)
{
    _auto_buf_ struct buf msg = BUF_INIT;
    buf_add(&msg, prefix, prefix_len);
    buf_add(&msg, data, n);
    const struct wslay_event_msg m = {WSLAY_BINARY_FRAME, (const uint8_t *)buf_str(&msg), msg.len};
    wslay_event_queue_msg(w->ctx, &m);
}

size_t websocket_queued(const struct websocket *w)
{
    return w->out.len + wslay_event_get_queued_msg_length(w->ctx);
}

bool websocket_ended(const struct websocket *w)
{
    return w->ended;
}

/* What is queued becomes frames, and as many of them leave as the socket takes. */
static int flush(struct websocket *w, struct err *e)
{
    if (wslay_event_want_write(w->ctx) && wslay_event_send(w->ctx) != 0)
        return err_set(e, ERR_INTERNAL, "the stream broke");
    while (w->out.len) {
        const ssize_t n = conn_try_send(w->conn, w->out.data, w->out.len, e);
        if (n <= 0)
            return n < 0 ? -1 : 0;
        buf_consume(&w->out, (size_t)n);
    }
    return 0;
}

/* -1 when the stream has failed or the server broke the protocol. */
static int take(struct websocket *w, struct err *e)
{
    w->e = e;
    const bool broke = wslay_event_want_read(w->ctx) && wslay_event_recv(w->ctx) != 0;
    w->e = NULL;
    if (w->failed)
        return -1;
    return broke && !w->ended ? err_set(e, ERR_CORRUPT, "the stream broke") : 0;
}

int websocket_turn(struct websocket *w, bool listen, struct pollfd *others, size_t count, int timeout_ms, struct err *e)
{
    if (flush(w, e) < 0)
        return -1;
    _auto_free_ struct pollfd *p = xcalloc(count + 2, sizeof *p);
    p[0] = (struct pollfd){w->conn->fd, (short)((listen ? POLLIN : 0) | (w->out.len ? POLLOUT : 0)), 0};
    p[1] = (struct pollfd){w->cancel, POLLIN, 0};
    if (count)
        memcpy(p + 2, others, count * sizeof *p);
    if (listen && w->conn->at < w->conn->have) /* what came with the answer's head */
        timeout_ms = 0;
    if (poll(p, (nfds_t)count + 2, timeout_ms) < 0 && errno != EINTR)
        return err_sys(e, errno, "poll");
    if (p[1].revents)
        return err_set(e, ERR_TIMEOUT, "interrupted");
    if (count)
        memcpy(others, p + 2, count * sizeof *p);
    return listen ? take(w, e) : 0;
}
