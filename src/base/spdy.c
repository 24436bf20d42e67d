/* spdy.c - see spdy.h.
 *
 * DESIGN: a frame is handled when it is whole. Every header block runs through the connection's one inflater, even that
 * of a stream that will be refused, else all later ones would be garbage. What we write is deflated with a sync flush:
 * Go's inflater hands data out only there; the blocks of our replies are always empty. INVARIANTS: client stream ids
 * are odd and rise; nothing here is sent but in answer to a peer's frame or by the session. */
#include "base/spdy.h"

#include "base/mem.h"

#include <string.h>
#include <strings.h>

enum frame_type {
    SYN_STREAM = 1,
    SYN_REPLY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    HEADERS = 8,
    WINDOW = 9
};
enum { FLAG_FIN = 1, HEAD = 8, VERSION = 3 };

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

void spdy_init(struct spdy *s, const struct spdy_events *ev, void (*send)(void *arg, const void *data, size_t len),
               void *arg)
{
    *s = (struct spdy){.ev = ev, .send = send, .arg = arg};
    if (inflateInit(&s->inflate) != Z_OK || deflateInit(&s->deflate, 9) != Z_OK ||
        deflateSetDictionary(&s->deflate, spdy_dictionary, SPDY_DICTIONARY_LEN) != Z_OK)
        BUG("zlib");
}

void spdy_release(struct spdy *s)
{
    inflateEnd(&s->inflate);
    deflateEnd(&s->deflate);
    buf_release(&s->in);
}

/* -- header blocks -- */

const char *spdy_header(const struct spdy_headers *h, const char *name)
{
    for (size_t i = 0; i < h->len; i++)
        if (strcasecmp(h->items[i].name, name) == 0)
            return h->items[i].value;
    return NULL;
}

/* Inflates one block into `out`. False if it is broken or larger than a header block may be. */
static bool inflate_block(struct spdy *s, const unsigned char *block, size_t len, struct buf *out)
{
    z_stream *z = &s->inflate;
    z->next_in = (unsigned char *)(uintptr_t)block;
    z->avail_in = (unsigned)len;
    for (;;) {
        z->next_out = (unsigned char *)buf_reserve(out, 1024);
        z->avail_out = 1024;
        int rc = inflate(z, Z_SYNC_FLUSH);
        out->len += 1024 - z->avail_out;
        if (rc == Z_NEED_DICT && inflateSetDictionary(z, spdy_dictionary, SPDY_DICTIONARY_LEN) == Z_OK)
            continue;
        if (rc == Z_BUF_ERROR && z->avail_in == 0)
            return true;
        if (rc != Z_OK || out->len > SPDY_BLOCK_MAX)
            return false;
        if (z->avail_in == 0 && z->avail_out > 0)
            return true;
    }
}

/* A length-prefixed text at *at; moves past it. NULL if it does not fit. NUL-terminates it in place by moving it 4
 * back. */
static char *take_text(struct buf *b, size_t *at)
{
    if (b->len - *at < 4)
        return NULL;
    size_t n = get32((unsigned char *)b->data + *at);
    if (n > b->len - *at - 4)
        return NULL;
    char *text = b->data + *at;
    memmove(text, text + 4, n);
    text[n] = '\0';
    *at += 4 + n;
    return text;
}

static bool parse_block(struct spdy *s, const unsigned char *block, size_t len, struct spdy_headers *out)
{
    struct buf *b = &out->text;
    if (!inflate_block(s, block, len, b) || b->len < 4)
        return false;
    uint32_t count = get32((unsigned char *)b->data);
    size_t at = 4;
    for (uint32_t i = 0; i < count; i++) {
        char *name = take_text(b, &at);
        char *value = name ? take_text(b, &at) : NULL;
        if (!value)
            return false;
        if (out->len < SPDY_HEADERS_MAX)
            out->items[out->len++] = (struct spdy_header){name, value};
    }
    return true;
}

/* -- sending -- */

static void send_control(struct spdy *s, enum frame_type type, const void *payload, size_t len)
{
    unsigned char head[HEAD] = {0x80, VERSION, 0, (unsigned char)type};
    put32(head + 4, (uint32_t)len);
    _auto_buf_ struct buf frame = BUF_INIT;
    buf_add(&frame, head, HEAD);
    buf_add(&frame, payload, len);
    s->send(s->arg, frame.data, frame.len);
}

static void deflate_block(struct spdy *s, const struct buf *block, struct buf *out)
{
    z_stream *z = &s->deflate;
    z->next_in = (unsigned char *)block->data;
    z->avail_in = (unsigned)block->len;
    do {
        z->next_out = (unsigned char *)buf_reserve(out, 256);
        z->avail_out = 256;
        deflate(z, Z_SYNC_FLUSH);
        out->len += 256 - z->avail_out;
    } while (z->avail_out == 0);
}

static void add32(struct buf *b, uint32_t v)
{
    unsigned char bytes[4];
    put32(bytes, v);
    buf_add(b, bytes, sizeof bytes);
}

static void add_text(struct buf *b, const char *text)
{
    add32(b, (uint32_t)strlen(text));
    buf_adds(b, text);
}

static void send_reply(struct spdy *s, uint32_t id)
{
    _auto_buf_ struct buf payload = BUF_INIT, block = BUF_INIT;
    add32(&payload, id);
    add32(&block, 0);
    deflate_block(s, &block, &payload);
    send_control(s, SYN_REPLY, payload.data, payload.len);
}

uint32_t spdy_open(struct spdy *s, const struct spdy_header *headers, size_t count)
{
    _auto_buf_ struct buf payload = BUF_INIT, block = BUF_INIT;
    s->last_id = s->last_id ? s->last_id + 2 : 1;
    add32(&payload, s->last_id);
    add32(&payload, 0);
    buf_add(&payload, "\0\0", 2); /* priority, slot */
    add32(&block, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        add_text(&block, headers[i].name);
        add_text(&block, headers[i].value);
    }
    deflate_block(s, &block, &payload);
    send_control(s, SYN_STREAM, payload.data, payload.len);
    return s->last_id;
}

void spdy_data(struct spdy *s, uint32_t id, const void *data, size_t len, bool fin)
{
    unsigned char head[HEAD];
    put32(head, id & 0x7fffffff);
    put32(head + 4, (uint32_t)len);
    head[4] = fin ? FLAG_FIN : 0;
    _auto_buf_ struct buf frame = BUF_INIT;
    buf_add(&frame, head, HEAD);
    buf_add(&frame, data, len);
    s->send(s->arg, frame.data, frame.len);
}

void spdy_reset(struct spdy *s, uint32_t id, uint32_t status)
{
    unsigned char payload[8];
    put32(payload, id);
    put32(payload + 4, status);
    send_control(s, RST_STREAM, payload, sizeof payload);
}

void spdy_goaway(struct spdy *s)
{
    unsigned char payload[8] = {0};
    put32(payload, s->last_id);
    send_control(s, GOAWAY, payload, sizeof payload);
}

/* -- receiving -- */

static void on_syn_stream(struct spdy *s, unsigned flags, const unsigned char *p, size_t len)
{
    struct spdy_headers headers = {0};
    if (len < 10) {
        s->failed = true;
        return;
    }
    uint32_t id = get32(p) & 0x7fffffff;
    if (!parse_block(s, p + 10, len - 10, &headers) || id % 2 == 0 || id <= s->last_id) {
        s->failed = true;
    } else if (!s->ev->open) {
        spdy_reset(s, id, SPDY_RST_PROTOCOL);
    } else {
        s->last_id = id;
        if (s->ev->open(s->arg, id, &headers)) {
            send_reply(s, id);
            if (flags & FLAG_FIN)
                s->ev->data(s->arg, id, "", 0, true);
        } else {
            spdy_reset(s, id, SPDY_RST_PROTOCOL);
        }
    }
    buf_release(&headers.text);
}

/* Blocks of frames that mean nothing to us still belong to the one compression stream. */
static void skip_block(struct spdy *s, const unsigned char *p, size_t len)
{
    struct spdy_headers headers = {0};
    if (len < 4 || !parse_block(s, p + 4, len - 4, &headers))
        s->failed = true;
    buf_release(&headers.text);
}

static void on_control(struct spdy *s, unsigned type, unsigned flags, const unsigned char *p, size_t len)
{
    switch (type) {
    case SYN_STREAM:
        on_syn_stream(s, flags, p, len);
        break;
    case SYN_REPLY:
        skip_block(s, p, len);
        if (!s->failed && s->ev->reply)
            s->ev->reply(s->arg, get32(p) & 0x7fffffff);
        break;
    case HEADERS:
        skip_block(s, p, len);
        break;
    case RST_STREAM:
        if (len >= 8)
            s->ev->reset(s->arg, get32(p) & 0x7fffffff);
        break;
    case PING:
        if (len == 4 && p[3] % 2 == (s->ev->open ? 1 : 0)) /* the other ones would be answers to ours */
            send_control(s, PING, p, 4);
        break;
    case GOAWAY:
        s->ev->goaway(s->arg);
        break;
    default:
        break; /* SETTINGS, WINDOW_UPDATE: such a peer uses neither */
    }
}

/* One whole frame at the front of s->in; its length, or 0 if it has not all come. */
static size_t one_frame(struct spdy *s)
{
    const unsigned char *p = (const unsigned char *)s->in.data;
    if (s->in.len < HEAD)
        return 0;
    size_t len = get32(p + 4) & 0xffffff;
    if (len > SPDY_FRAME_MAX) {
        s->failed = true;
        return 0;
    }
    if (s->in.len < HEAD + len)
        return 0;
    if (!(p[0] & 0x80))
        s->ev->data(s->arg, get32(p) & 0x7fffffff, p + HEAD, len, p[4] & FLAG_FIN);
    else if ((get32(p) >> 16 & 0x7fff) == VERSION)
        on_control(s, get32(p) & 0xffff, p[4], p + HEAD, len);
    else
        s->failed = true;
    return HEAD + len;
}

void spdy_input(struct spdy *s, const void *data, size_t len)
{
    buf_add(&s->in, data, len);
    for (size_t n; !s->failed && (n = one_frame(s)) > 0;)
        buf_consume(&s->in, n);
}
