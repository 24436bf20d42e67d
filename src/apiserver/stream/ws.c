/* ws.c - see ws_int.h.
 *
 * DESIGN: wslay does frames, masks, pings and closes; its callbacks read from and write to the wire's queues, so it
 * never sees the socket and never blocks. A message is bounded, since a client chooses its size. */
#include "apiserver/stream/ws_int.h"

#include "api/base64.h"
#include "base/mem.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define MESSAGE_MAX (1024 * 1024)

struct ws {
    struct wire *wire; /* borrowed */
    wslay_event_context_ptr ctx;
    ws_message_fn on_message;
    void *arg;
    bool failed, ponged;
};

bool ws_requested(struct request *rq)
{
    const char *version = request_header(rq, "Sec-WebSocket-Version");
    return stream_header_has(rq, "Upgrade", "websocket") && request_header(rq, "Sec-WebSocket-Key") && version &&
           strcmp(version, "13") == 0;
}

void ws_accept(struct request *rq, const char *protocol, void (*run)(struct upgraded *up, void *arg), void *arg,
               void (*done)(void *arg))
{
    uint8_t digest[20];
    _auto_buf_ struct buf key = BUF_INIT;
    _auto_buf_ struct buf answer = BUF_INIT;
    buf_addf(&key, "%s" ACCEPT_GUID, request_header(rq, "Sec-WebSocket-Key"));
    gnutls_hash_fast(GNUTLS_DIG_SHA1, key.data, key.len, digest);
    base64_encode(digest, sizeof digest, &answer);
    struct upgrade_header headers[] = {
        {"Upgrade", "websocket"},
        {"Sec-WebSocket-Accept", buf_str(&answer)},
        {*protocol ? "Sec-WebSocket-Protocol" : NULL, protocol},
        {NULL, NULL},
    };
    upgrade_accept(rq, headers, run, arg, done);
}

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *out, size_t len, int flags, void *user)
{
    struct ws *s = user;
    struct buf *in = &s->wire->in;
    (void)flags;
    if (in->len == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = len < in->len ? len : in->len;
    memcpy(out, in->data, n);
    buf_consume(in, n);
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *user)
{
    struct ws *s = user;
    (void)ctx;
    (void)flags;
    buf_add(&s->wire->out, data, len);
    return (ssize_t)len;
}

static void on_msg(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *user)
{
    struct ws *s = user;
    (void)ctx;
    s->ponged |= m->opcode == WSLAY_PONG;
    if (m->opcode == WSLAY_BINARY_FRAME || m->opcode == WSLAY_TEXT_FRAME)
        s->on_message(s->arg, m->opcode == WSLAY_TEXT_FRAME, m->msg, m->msg_length);
}

struct ws *ws_new(struct wire *w, ws_message_fn on_message, void *arg)
{
    struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_msg};
    struct ws *s = xcalloc(1, sizeof *s);
    s->wire = w;
    s->on_message = on_message;
    s->arg = arg;
    if (wslay_event_context_server_init(&s->ctx, &callbacks, s) != 0)
        BUG("out of memory");
    wslay_event_config_set_max_recv_msg_length(s->ctx, MESSAGE_MAX);
    return s;
}

void ws_free(struct ws *s)
{
    if (!s)
        return;
    wslay_event_context_free(s->ctx);
    free(s);
}

static void push_out(struct ws *s)
{
    if (wslay_event_want_write(s->ctx) && wslay_event_send(s->ctx) != 0)
        s->failed = true;
}

void ws_input(struct ws *s)
{
    if (!s->failed && wslay_event_want_read(s->ctx) && wslay_event_recv(s->ctx) != 0)
        s->failed = true;
    push_out(s);
    if (s->failed)
        s->wire->ended = true;
}

void ws_send(struct ws *s, bool text, const void *prefix, size_t prefix_len, const void *data, size_t len)
{
    _auto_buf_ struct buf whole = BUF_INIT;
    buf_add(&whole, prefix, prefix_len);
    buf_add(&whole, data, len);
    struct wslay_event_msg m = {text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, (const uint8_t *)whole.data, whole.len};
    wslay_event_queue_msg(s->ctx, &m);
    push_out(s);
}

void ws_ping(struct ws *s)
{
    struct wslay_event_msg m = {WSLAY_PING, NULL, 0};
    wslay_event_queue_msg(s->ctx, &m);
    push_out(s);
}

bool ws_was_ponged(const struct ws *s)
{
    return s->ponged;
}

void ws_close(struct ws *s, uint16_t code)
{
    wslay_event_queue_close(s->ctx, code, NULL, 0);
    push_out(s);
}

bool ws_closed(const struct ws *s)
{
    return s->failed || (wslay_event_get_close_received(s->ctx) && wslay_event_get_close_sent(s->ctx));
}
