/* http.c - see http_int.h.
 *
 * DESIGN: heads are read line by line from the connection's buffer, and only the fields that mean something here are
 * kept, by a table. Bounds: a line 16 KiB, a head 256 lines. THREADS: one at a time. */
#include "client/http_int.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES (16 * 1024)
#define LINES_MAX      256

void head_release(struct head *h)
{
    free(h->type);
    free(h->accept_key);
    free(h->protocol);
    strlist_release(&h->warnings);
}

/* A line without its end. */
static int read_line(struct conn *c, int64_t deadline, struct buf *out, struct err *e)
{
    buf_clear(out);
    for (;;) {
        const ssize_t n = conn_fill(c, deadline, e);
        if (n <= 0)
            return n < 0 ? -1 : err_set(e, ERR_UNAVAILABLE, "EOF");
        const char *from = c->in + c->at;
        const char *end = memchr(from, '\n', (size_t)n);
        const size_t used = end ? (size_t)(end - from) + 1 : (size_t)n;
        buf_add(out, from, used);
        c->at += used;
        if (out->len > LINE_MAX_BYTES)
            return err_set(e, ERR_CORRUPT, "malformed HTTP response: a line is too long");
        if (end)
            break;
    }
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->data[--out->len] = '\0';
    return 0;
}

/* ---- fields that matter ---- */

static void keep(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
}

static bool on_length(struct head *h, const char *v)
{
    return str_to_i64(v, &h->length);
}

static bool on_encoding(struct head *h, const char *v)
{
    h->chunked = strcasecmp(v, "chunked") == 0;
    return h->chunked || strcasecmp(v, "identity") == 0;
}

static bool on_connection(struct head *h, const char *v)
{
    h->close = strcasecmp(v, "close") == 0;
    return true;
}

static bool on_type(struct head *h, const char *v)
{
    keep(&h->type, v);
    return true;
}

static bool on_accept_key(struct head *h, const char *v)
{
    keep(&h->accept_key, v);
    return true;
}

static bool on_protocol(struct head *h, const char *v)
{
    keep(&h->protocol, v);
    return true;
}

/* 299 - "text": the text, its escapes undone. */
static bool on_warning(struct head *h, const char *v)
{
    const char *from = strchr(v, '"');
    _auto_buf_ struct buf text = BUF_INIT;
    for (from = from ? from + 1 : v; *from && *from != '"'; from++) {
        if (*from == '\\' && from[1])
            from++;
        buf_addc(&text, *from);
    }
    strlist_add(&h->warnings, buf_str(&text));
    return true;
}

static const struct {
    const char *name;
    bool (*take)(struct head *h, const char *value);
} fields[] = {
    {"Content-Length", on_length}, {"Transfer-Encoding", on_encoding},      {"Connection", on_connection},
    {"Content-Type", on_type},     {"Sec-WebSocket-Accept", on_accept_key}, {"Sec-WebSocket-Protocol", on_protocol},
    {"Warning", on_warning},
};

static bool take_field(struct head *h, char *line)
{
    char *value = strchr(line, ':');
    if (!value)
        return false;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcasecmp(line, fields[i].name) == 0)
            return fields[i].take(h, value);
    return true;
}

int answer_head_read(struct conn *c, int64_t deadline, struct head *out, struct err *e)
{
    _auto_head_ struct head h = {.length = -1};
    _auto_buf_ struct buf line = BUF_INIT;
    do { /* what comes before the answer proper: 100 Continue */
        if (read_line(c, deadline, &line, e) < 0)
            return -1;
        if (sscanf(buf_str(&line), "HTTP/1.%*d %d", &h.status) != 1)
            return err_set(e, ERR_CORRUPT, "malformed HTTP response \"%.80s\"", buf_str(&line));
        for (int i = 0;; i++) {
            if (read_line(c, deadline, &line, e) < 0)
                return -1;
            if (line.len == 0)
                break;
            if (i == LINES_MAX || !take_field(&h, line.data))
                return err_set(e, ERR_CORRUPT, "malformed HTTP response: \"%.80s\"", buf_str(&line));
        }
    } while (h.status == 100);
    *out = h;
    h = (struct head){0};
    return 0;
}

/* ---- bodies ---- */

typedef int take_fn(void *arg, const void *data, size_t n, struct err *e);

/* `left` bytes; -1: until the end. */
static int read_plain(struct conn *c, int64_t left, int64_t deadline, take_fn *take, void *arg, struct err *e)
{
    while (left != 0) {
        ssize_t n = conn_fill(c, deadline, e);
        if (n <= 0)
            return n < 0 ? -1 : left < 0 ? 0 : err_set(e, ERR_UNAVAILABLE, "unexpected EOF");
        if (left > 0 && n > left)
            n = (ssize_t)left;
        const char *from = c->in + c->at;
        c->at += (size_t)n;
        left -= left > 0 ? n : 0;
        const int rc = take(arg, from, (size_t)n, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_chunks(struct conn *c, int64_t deadline, take_fn *take, void *arg, struct err *e)
{
    _auto_buf_ struct buf line = BUF_INIT;
    for (;;) {
        if (read_line(c, deadline, &line, e) < 0)
            return -1;
        char *end;
        const unsigned long long n = strtoull(buf_str(&line), &end, 16);
        if (end == line.data || n > INT64_MAX)
            return err_set(e, ERR_CORRUPT, "malformed chunked encoding");
        if (n == 0)
            break;
        const int rc = read_plain(c, (int64_t)n, deadline, take, arg, e);
        if (rc != 0)
            return rc;
        if (read_line(c, deadline, &line, e) < 0)
            return -1;
    }
    do { /* trailers */
        if (read_line(c, deadline, &line, e) < 0)
            return -1;
    } while (line.len > 0);
    return 0;
}

int body_read(struct conn *c, const struct head *h, int64_t deadline, take_fn *take, void *arg, struct err *e)
{
    if (h->status == 204 || h->status == 304)
        return 0;
    if (h->chunked)
        return read_chunks(c, deadline, take, arg, e);
    return read_plain(c, h->length, deadline, take, arg, e);
}
