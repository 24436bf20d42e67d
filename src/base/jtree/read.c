/* read.c - text to trees, without a schema: RFC 8259, strictly.
 *
 * DESIGN. A cursor over the bytes and one function a kind of value. The first complaint wins; everything made so far is
 * dropped on the way out. Depth is bounded, so the C stack is. What must be said as the real server says it is read by
 * api/json_scan.h instead. THREADS: any. */
#include "base/jtree/jtree_int.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 2048 };

struct reader {
    const char *text, *p, *end;
    size_t flags;
    int depth;
    struct buf scratch; /* owned: a string with escapes */
    json_error_t *error;
};

/* -- complaints -- */

static void place(const struct reader *r, json_error_t *e)
{
    const char *line = r->text;
    e->line = 1;
    for (const char *c = r->text; c < r->p; c++)
        if (*c == '\n') {
            e->line++;
            line = c + 1;
        }
    e->column = (int)(r->p - line);
    e->position = (int)(r->p - r->text);
}

static json_t *fail(struct reader *r, const char *what)
{
    json_error_t *e = r->error;
    if (!e || e->text[0])
        return NULL;
    place(r, e);
    if (r->p == r->end)
        snprintf(e->text, sizeof e->text, "%s near end of file", what);
    else
        snprintf(e->text, sizeof e->text, "%s near '%.*s'", what, (int)strcspn(r->p, " \t\r\n,]}") % 32 + 1, r->p);
    return NULL;
}

/* -- tokens -- */

static char peek(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
    return r->p < r->end ? *r->p : '\0';
}

static bool take(struct reader *r, char c)
{
    bool is = r->p < r->end && peek(r) == c && r->p < r->end;
    r->p += is;
    return is;
}

static json_t *word(struct reader *r, const char *text, json_t *value)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return fail(r, "invalid token");
    r->p += n;
    return value;
}

static size_t digits(struct reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return (size_t)(r->p - from);
}

/* Walks over a number; says whether it is a whole one. False if it is none. */
static bool number_skip(struct reader *r, bool *out_whole)
{
    *out_whole = true;
    r->p += r->p < r->end && *r->p == '-';
    bool zero = r->p < r->end && *r->p == '0';
    size_t n = digits(r);
    if (n == 0 || (zero && n > 1))
        return false;
    if (r->p < r->end && *r->p == '.') {
        *out_whole = false;
        r->p++;
        if (digits(r) == 0)
            return false;
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        *out_whole = false;
        r->p++;
        r->p += r->p < r->end && (*r->p == '+' || *r->p == '-');
        return digits(r) > 0;
    }
    return true;
}

static json_t *number(struct reader *r)
{
    const char *from = r->p;
    bool whole = true;
    if (!number_skip(r, &whole))
        return fail(r, "invalid token");
    _auto_free_ char *text = xstrndup(from, (size_t)(r->p - from)); /* strto* want an end */
    errno = 0;
    if (whole) {
        json_int_t v = strtoll(text, NULL, 10);
        return errno == ERANGE ? fail(r, v < 0 ? "too big negative integer" : "too big integer") : json_integer(v);
    }
    double v = strtod(text, NULL);
    return isinf(v) ? fail(r, "real number overflow") : json_real(v);
}

/* -- strings -- */

static int hex4(struct reader *r)
{
    int v = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        static const char hex[] = "0123456789abcdef";
        const char *at = r->p < r->end && *r->p ? strchr(hex, *r->p | ((*r->p >= 'A') << 5)) : NULL;
        if (!at)
            return -1;
        v = v * 16 + (int)(at - hex);
    }
    return v;
}

static void add_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_addc(b, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned lead[] = {0, 0xC0, 0xE0, 0xF0};
    buf_addc(b, (char)(lead[more] | c >> (6 * more)));
    while (more-- > 0)
        buf_addc(b, (char)(0x80 | (c >> (6 * more) & 0x3F)));
}

/* After "\u". Surrogates come in pairs. */
static bool unicode_escape(struct reader *r, struct buf *out)
{
    int c = hex4(r);
    if (c >= 0xD800 && c < 0xDC00 && r->end - r->p >= 2 && r->p[0] == '\\' && r->p[1] == 'u') {
        r->p += 2;
        int low = hex4(r);
        c = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((c & 0x3FF) << 10) + (low & 0x3FF) : -1;
    }
    if (c < 0 || (c >= 0xD800 && c < 0xE000)) {
        fail(r, "invalid Unicode escape");
        return false;
    }
    if (c == 0 && !(r->flags & JSON_ALLOW_NUL)) {
        fail(r, "\\u0000 is not allowed without JSON_ALLOW_NUL");
        return false;
    }
    add_utf8(out, (unsigned)c);
    return true;
}

static bool escape(struct reader *r, struct buf *out)
{
    static const char letters[] = "bfnrt\"\\/", means[] = "\b\f\n\r\t\"\\/";
    char c = r->p < r->end ? *r->p : '\0';
    const char *at = c ? strchr(letters, c) : NULL;
    if (!at && c != 'u') {
        fail(r, "invalid escape");
        return false;
    }
    r->p++;
    if (!at)
        return unicode_escape(r, out);
    buf_addc(out, means[at - letters]);
    return true;
}

/* Bytes that stand for themselves. */
static size_t plain(const struct reader *r)
{
    const char *p = r->p;
    while (p < r->end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return (size_t)(p - r->p);
}

/* The string at the cursor, which points into the text or into r->scratch. */
static const char *string(struct reader *r, size_t *out_len)
{
    r->p++;
    const char *from = r->p;
    *out_len = plain(r);
    r->p += *out_len;
    bool as_it_is = r->p < r->end && *r->p == '"';
    buf_clear(&r->scratch);
    if (!as_it_is)
        buf_add(&r->scratch, from, *out_len);
    while (r->p < r->end && *r->p == '\\') {
        r->p++;
        if (!escape(r, &r->scratch))
            return NULL;
        size_t n = plain(r);
        buf_add(&r->scratch, r->p, n);
        r->p += n;
    }
    if (r->p == r->end || *r->p != '"') {
        fail(r, r->p == r->end ? "premature end of input" : "control character in a string");
        return NULL;
    }
    if (!as_it_is) {
        from = buf_str(&r->scratch);
        *out_len = r->scratch.len;
    }
    if (!utf8_valid(from, *out_len)) {
        fail(r, "unable to decode a byte");
        return NULL;
    }
    r->p++;
    return from;
}

static json_t *value(struct reader *r);

static json_t *string_value(struct reader *r)
{
    size_t n = 0;
    const char *s = string(r, &n);
    return s ? json_stringn_nocheck(s, n) : NULL;
}

/* -- containers -- */

static bool member(struct reader *r, json_t *into)
{
    size_t n = 0;
    if (peek(r) != '"')
        return fail(r, "string or '}' expected");
    const char *s = string(r, &n);
    if (!s)
        return false;
    if (memchr(s, '\0', n))
        return fail(r, "NUL byte in object key not supported");
    if (r->flags & JSON_REJECT_DUPLICATES && json_object_getn(into, s, n))
        return fail(r, "duplicate object key");
    struct key *key = key_of(s, n);
    json_t *v = take(r, ':') ? value(r) : fail(r, "':' expected");
    if (v)
        json_object_setn_new_nocheck(into, key->text, n, v);
    key_unref(key);
    return v != NULL;
}

static json_t *object(struct reader *r)
{
    _auto_json_ json_t *out = json_object();
    r->p++;
    if (take(r, '}'))
        return TAKE(out);
    do
        if (!member(r, out))
            return NULL;
    while (take(r, ','));
    return take(r, '}') ? TAKE(out) : fail(r, "'}' expected");
}

static json_t *array(struct reader *r)
{
    _auto_json_ json_t *out = json_array();
    r->p++;
    if (take(r, ']'))
        return TAKE(out);
    do {
        json_t *v = value(r);
        if (!v)
            return NULL;
        json_array_append_new(out, v);
    } while (take(r, ','));
    return take(r, ']') ? TAKE(out) : fail(r, "']' expected");
}

static json_t *value(struct reader *r)
{
    json_t *out = NULL;
    char c = peek(r);
    if (r->depth >= DEPTH_MAX)
        return fail(r, "maximum parsing depth reached");
    r->depth++;
    if (c == '{')
        out = object(r);
    else if (c == '[')
        out = array(r);
    else if (c == '"')
        out = string_value(r);
    else if (c == '-' || (c >= '0' && c <= '9'))
        out = number(r);
    else if (c == 't')
        out = word(r, "true", json_true());
    else if (c == 'f')
        out = word(r, "false", json_false());
    else
        out = word(r, "null", json_null());
    r->depth--;
    return out;
}

/* -- the doors -- */

static json_t *document(struct reader *r)
{
    char first = peek(r);
    if (!(r->flags & JSON_DECODE_ANY) && first != '{' && first != '[')
        return fail(r, "'[' or '{' expected");
    _auto_json_ json_t *j = value(r);
    if (j && !(r->flags & JSON_DISABLE_EOF_CHECK) && (peek(r) || r->p < r->end))
        return fail(r, "end of file expected");
    if (j && r->error)
        place(r, r->error);
    return TAKE(j);
}

json_t *json_loadb(const char *text, size_t len, size_t flags, json_error_t *out_error)
{
    struct reader r = {.text = text, .p = text, .end = text + len, .flags = flags, .error = out_error};
    if (out_error)
        *out_error = (json_error_t){.line = 1};
    if (!text)
        return fail(&r, "no text");
    json_t *j = document(&r);
    buf_release(&r.scratch);
    return j;
}

json_t *json_loads(const char *text, size_t flags, json_error_t *out_error)
{
    return json_loadb(text, text ? strlen(text) : 0, flags, out_error);
}

static json_t *system_error(json_error_t *out_error, const char *what)
{
    if (out_error) {
        *out_error = (json_error_t){0};
        snprintf(out_error->text, sizeof out_error->text, "%s: %s", what, strerrordesc_np(errno));
    }
    return NULL;
}

json_t *json_loadfd(int fd, size_t flags, json_error_t *out_error)
{
    _auto_buf_ struct buf text = BUF_INIT;
    for (ssize_t n = 1; n != 0;) {
        n = read(fd, buf_reserve(&text, 8192), 8192);
        if (n < 0 && errno != EINTR)
            return system_error(out_error, "unable to read");
        text.len += n > 0 ? (size_t)n : 0;
    }
    return json_loadb(buf_str(&text), text.len, flags, out_error);
}

json_t *json_load_file(const char *path, size_t flags, json_error_t *out_error)
{
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? system_error(out_error, "unable to open") : json_loadfd(fd, flags, out_error);
}
