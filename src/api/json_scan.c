/* json_scan.c - see json_scan.h.
 *
 * DESIGN: Go's decoder checks the whole text before it decodes anything, and users see its words; so do we, in one pass
 * with a stack of brackets. Go takes 10,000 levels; the store reads back 2048. What follows can then trust the text.
 * THREADS: pure. */
#include "api/json_scan.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 2000 };

struct scan {
    const char *p, *end;
    struct err *e;
    size_t depth;
    uint8_t stack[MAX_DEPTH]; /* '{' or '[' */
};

/* -- refusals -- */

static int refuse(struct scan *s, const char *where)
{
    if (s->p >= s->end)
        return err_set(s->e, ERR_BAD_REQUEST, "unexpected end of JSON input");
    unsigned char c = (unsigned char)*s->p;
    char shown[16];
    static const char escapes[] = "\a\b\f\n\r\t\v";
    const char *escape = c ? memchr(escapes, c, sizeof escapes - 1) : NULL;
    if (c == '\'' || c == '\\')
        snprintf(shown, sizeof shown, "\\%c", c);
    else if (escape)
        snprintf(shown, sizeof shown, "\\%c", "abfnrtv"[escape - escapes]);
    else if (c < 0x20 || c == 0x7f)
        snprintf(shown, sizeof shown, "\\x%02x", c);
    else if (c >= 0x80 && c < 0xa1) /* Latin-1 controls, which Go prints as escapes */
        snprintf(shown, sizeof shown, "\\u%04x", c);
    else if (c == 0xad)
        snprintf(shown, sizeof shown, "\\u00ad");
    else if (c >= 0x80) /* Go shows the byte as the Latin-1 character */
        snprintf(shown, sizeof shown, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    else
        snprintf(shown, sizeof shown, "%c", c);
    return err_set(s->e, ERR_BAD_REQUEST, "invalid character '%s' %s", shown, where);
}

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
        s->p++;
}

/* -- scalars -- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int escape_scan(struct scan *s)
{
    if (s->p >= s->end || !strchr("bfnrt\\/\"u", *s->p) || !*s->p)
        return refuse(s, "in string escape code");
    if (*s->p++ != 'u')
        return 0;
    for (int i = 0; i < 4; i++, s->p++)
        if (s->p >= s->end || !is_hex(*s->p))
            return refuse(s, "in \\u hexadecimal character escape");
    return 0;
}

static int string_scan(struct scan *s)
{
    for (s->p++;;) {
        while (s->p < s->end && (unsigned char)*s->p >= 0x20 && *s->p != '"' && *s->p != '\\')
            s->p++;
        if (s->p >= s->end || (unsigned char)*s->p < 0x20)
            return refuse(s, "in string literal");
        if (*s->p++ == '"')
            return 0;
        if (escape_scan(s) < 0)
            return -1;
    }
}

static bool digits(struct scan *s)
{
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from;
}

static int number_scan(struct scan *s)
{
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!digits(s))
        return refuse(s, "in numeric literal");
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!digits(s))
            return refuse(s, "after decimal point in numeric literal");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!digits(s))
            return refuse(s, "in exponent of numeric literal");
    }
    return 0;
}

static int word_scan(struct scan *s, const char *word)
{
    for (size_t i = 0; word[i]; i++, s->p++) {
        if (s->p < s->end && *s->p == word[i])
            continue;
        char where[48];
        snprintf(where, sizeof where, "in literal %s (expecting '%c')", word, word[i]);
        return refuse(s, where);
    }
    return 0;
}

static int scalar_scan(struct scan *s)
{
    char c = s->p < s->end ? *s->p : '\0';
    if (c == '"')
        return string_scan(s);
    if (c == '-' || (c >= '0' && c <= '9'))
        return number_scan(s);
    if (c == 't')
        return word_scan(s, "true");
    if (c == 'f')
        return word_scan(s, "false");
    if (c == 'n')
        return word_scan(s, "null");
    return refuse(s, "looking for beginning of value");
}

/* -- objects and lists -- */

static int key_scan(struct scan *s)
{
    blanks(s);
    if (s->p >= s->end || *s->p != '"')
        return refuse(s, "looking for beginning of object key string");
    if (string_scan(s) < 0)
        return -1;
    blanks(s);
    if (s->p >= s->end || *s->p != ':')
        return refuse(s, "after object key");
    s->p++;
    return 0;
}

/* At the start of a value. 1: a bracket was opened and its first value follows; 0: a value was passed; -1. */
static int value_start(struct scan *s)
{
    blanks(s);
    char c = s->p < s->end ? *s->p : '\0';
    if (c != '{' && c != '[')
        return scalar_scan(s);
    if (s->depth == MAX_DEPTH)
        return refuse(s, "exceeded max depth");
    s->p++;
    blanks(s);
    if (s->p < s->end && *s->p == (c == '{' ? '}' : ']')) {
        s->p++;
        return 0;
    }
    s->stack[s->depth++] = (uint8_t)c;
    return c == '{' && key_scan(s) < 0 ? -1 : 1;
}

/* Behind a value. 1: another one follows; 0: the text is over; -1. */
static int value_end(struct scan *s)
{
    for (; s->depth > 0; s->depth--) {
        bool object = s->stack[s->depth - 1] == '{';
        blanks(s);
        if (s->p < s->end && *s->p == ',') {
            s->p++;
            return object && key_scan(s) < 0 ? -1 : 1;
        }
        if (s->p >= s->end || *s->p != (object ? '}' : ']'))
            return refuse(s, object ? "after object key:value pair" : "after array element");
        s->p++;
    }
    blanks(s);
    return s->p < s->end ? refuse(s, "after top-level value") : 0;
}

int json_scan(const char *text, size_t n, struct err *e)
{
    struct scan s;
    s.p = text;
    s.end = text + n;
    s.e = e;
    s.depth = 0;
    for (;;) {
        int rc = value_start(&s);
        if (rc == 0)
            rc = value_end(&s);
        if (rc <= 0)
            return rc;
    }
}

/* -- the cursor -- */

static void cursor_blanks(struct json_cursor *c)
{
    while (c->p < c->end && (unsigned char)*c->p <= ' ')
        c->p++;
}

char json_cursor_peek(struct json_cursor *c)
{
    cursor_blanks(c);
    return c->p < c->end ? *c->p : '\0';
}

bool json_cursor_take(struct json_cursor *c, char want)
{
    if (json_cursor_peek(c) != want)
        return false;
    c->p++;
    return true;
}

static void string_skip(struct json_cursor *c)
{
    for (c->p++; c->p < c->end && *c->p != '"'; c->p++)
        if (*c->p == '\\')
            c->p++;
    c->p++;
}

void json_cursor_skip(struct json_cursor *c)
{
    size_t depth = 0;
    do {
        char first = json_cursor_peek(c);
        if (first == '"') {
            string_skip(c);
        } else if (first == '{' || first == '[') {
            depth++;
            c->p++;
        } else if (first == '}' || first == ']') {
            depth--;
            c->p++;
        } else if (first == ',' || first == ':') {
            c->p++;
        } else {
            while (c->p < c->end && !strchr(" \t\r\n,]}:", *c->p))
                c->p++;
        }
    } while (depth > 0 && c->p < c->end);
}

static uint32_t hex4(const char *p)
{
    char digits_only[5] = {p[0], p[1], p[2], p[3], 0};
    return (uint32_t)strtoul(digits_only, NULL, 16);
}

static void utf8_add(struct buf *out, uint32_t r)
{
    char b[4];
    size_t n = 0;
    if (r < 0x80) {
        b[n++] = (char)r;
    } else if (r < 0x800) {
        b[n++] = (char)(0xc0 | r >> 6);
        b[n++] = (char)(0x80 | (r & 0x3f));
    } else if (r < 0x10000) {
        b[n++] = (char)(0xe0 | r >> 12);
        b[n++] = (char)(0x80 | (r >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (r & 0x3f));
    } else {
        b[n++] = (char)(0xf0 | r >> 18);
        b[n++] = (char)(0x80 | (r >> 12 & 0x3f));
        b[n++] = (char)(0x80 | (r >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (r & 0x3f));
    }
    buf_add(out, b, n);
}

/* `p` is behind the backslash; returns where to go on. */
static const char *escape_read(const char *p, const char *end, struct buf *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (*p != 'u') {
        const char *at = strchr(from, *p);
        buf_addc(out, at ? to[at - from] : *p);
        return p + 1;
    }
    uint32_t r = hex4(p + 1);
    p += 5;
    bool high = r >= 0xd800 && r < 0xdc00;
    if (high && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            utf8_add(out, 0x10000 + ((r - 0xd800) << 10) + (low - 0xdc00));
            return p + 6;
        }
    }
    utf8_add(out, r >= 0xd800 && r < 0xe000 ? 0xfffd : r);
    return p;
}

/* The length of the valid UTF-8 sequence at p, 0 if there is none. */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
    static const struct {
        unsigned char from, to, second_from, second_to, len;
    } rows[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (*p < rows[i].from || *p > rows[i].to)
            continue;
        size_t len = rows[i].len;
        if ((size_t)(end - p) < len || (len > 1 && (p[1] < rows[i].second_from || p[1] > rows[i].second_to)))
            return 0;
        for (size_t k = 2; k < len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return len;
    }
    return 0;
}

/* One character, or its replacement. Returns where to go on. */
static const char *character_read(const char *p, const char *end, struct buf *out)
{
    size_t len = utf8_len((const unsigned char *)p, (const unsigned char *)end);
    if (len)
        buf_add(out, p, len);
    else
        utf8_add(out, 0xfffd);
    return p + (len ? len : 1);
}

static void text_read(const char *p, const char *end, struct buf *out)
{
    while (p < end)
        p = *p == '\\' ? escape_read(p + 1, end, out) : character_read(p, end, out);
}

json_t *json_string_clean(const char *s, size_t n)
{
    size_t ascii = 0;
    while (ascii < n && (unsigned char)s[ascii] < 0x80)
        ascii++;
    if (ascii == n)
        return json_stringn_nocheck(n ? s : "", n);
    _auto_buf_ struct buf out = BUF_INIT;
    for (const char *p = s; p < s + n;)
        p = character_read(p, s + n, &out);
    return json_stringn_nocheck(out.data, out.len);
}

char *json_key_clean(const char *s, size_t n, size_t *out_len)
{
    struct buf out = BUF_INIT;
    for (const char *p = s; p < s + n;) {
        if (*p) {
            p = character_read(p, s + n, &out);
        } else {
            utf8_add(&out, 0xfffd);
            p++;
        }
    }
    return buf_steal(&out, out_len);
}

const char *json_cursor_string(struct json_cursor *c, struct buf *scratch, size_t *out_len)
{
    const char *from = c->p + 1;
    const char *p = from;
    while ((unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    if (*p == '"') {
        c->p = p + 1;
        *out_len = (size_t)(p - from);
        return from;
    }
    string_skip(c);
    buf_clear(scratch);
    text_read(from, c->p - 1, scratch);
    *out_len = scratch->len;
    return buf_str(scratch);
}

const char *json_token_kind(char first)
{
    switch (first) {
    case '"':
        return "string";
    case '{':
        return "object";
    case '[':
        return "array";
    case 't':
    case 'f':
        return "bool";
    case 'n':
        return "null";
    default:
        return "number";
    }
}

json_t *json_number(const char *s, size_t n)
{
    char text[512];
    if (n >= sizeof text)
        n = sizeof text - 1;
    memcpy(text, s, n);
    text[n] = '\0';
    if (!strpbrk(text, ".eE")) {
        errno = 0;
        long long v = strtoll(text, NULL, 10);
        if (errno == 0)
            return json_integer(v);
    }
    json_t *real = json_real(strtod(text, NULL));
    return real ? real : json_null(); /* beyond a double: Go refuses it earlier, in typed fields */
}
