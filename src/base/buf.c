/* buf.c - see buf.h. Capacity doubles; a NUL always follows the data. THREADS: a buffer belongs to one thread. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_release(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->cap - b->len <= n) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap - b->len <= n)
            cap *= 2;
        b->data = xrealloc(b->data, cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
    char *at = buf_reserve(b, n);
    if (n)
        memcpy(at, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *at = buf_reserve(b, 128);
    int n = vsnprintf(at, b->cap - b->len, fmt, ap);
    if (n < 0)
        BUG("bad format %s", fmt);
    if ((size_t)n >= b->cap - b->len) {
        at = buf_reserve(b, (size_t)n);
        vsnprintf(at, b->cap - b->len, fmt, again);
    }
    va_end(again);
    b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(b, fmt, ap);
    va_end(ap);
}

/* The letter after the backslash for characters that have one in both Go and JSON, else 0. */
static char short_escape(unsigned char c)
{
    static const char letters[] = {
        ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['\b'] = 'b', ['\f'] = 'f'};
    return c < sizeof letters ? letters[c] : 0;
}

/* Characters Go calls not printable (strconv.IsPrint) although they are valid: controls, spaces other than ' ', format
 * marks, private use. The ones a manifest copied from a web page carries. */
static const struct {
    uint32_t first, last;
} invisible[] = {
    {0x80, 0xa0},     {0xad, 0xad},       {0x61c, 0x61c},     {0x6dd, 0x6dd},      {0x180e, 0x180e}, {0x2000, 0x200f},
    {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000},   {0xe000, 0xf8ff},    {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
    {0xfffe, 0xffff}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}, {0xf0000, 0x10ffff},
};

static bool is_invisible(uint32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(invisible); i++)
        if (c >= invisible[i].first && c <= invisible[i].last)
            return true;
    return false;
}

/* Reads the character of several bytes that starts at s. The number of bytes, or 0: not UTF-8. */
static size_t utf8_read(const unsigned char *s, size_t left, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
        return 0;
    uint32_t c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return n;
}

size_t utf8_next(const char *s, size_t left, uint32_t *out_char, bool *out_printable)
{
    unsigned char c = (unsigned char)*s;
    uint32_t wide = 0xfffd;
    size_t n = c < 0x80 ? 1 : utf8_read((const unsigned char *)s, left, &wide);
    *out_char = c < 0x80 ? c : wide;
    *out_printable = c < 0x80 ? c >= ' ' && c != 0x7f : n == 0 || !is_invisible(wide);
    return n ? n : 1;
}

/* One character beyond ASCII, as it is if it can be seen. The number of bytes it took. */
static size_t add_quoted_wide(struct buf *b, const char *s, size_t left)
{
    uint32_t c = 0;
    size_t n = utf8_read((const unsigned char *)s, left, &c);
    if (n == 0)
        buf_addf(b, "\\x%02x", (unsigned char)*s);
    else if (is_invisible(c))
        buf_addf(b, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
    else
        buf_add(b, s, n);
    return n ? n : 1;
}

void buf_add_shell_word(struct buf *b, const char *word)
{
    buf_addc(b, '\'');
    for (; *word; word++)
        buf_adds(b, *word == '\'' ? "'\\''" : (const char[]){*word, '\0'});
    buf_addc(b, '\'');
}

void buf_add_quoted(struct buf *b, const char *s, size_t n)
{
    buf_addc(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (short_escape(c))
            buf_addf(b, "\\%c", short_escape(c));
        else if (c == '\a' || c == '\v')
            buf_adds(b, c == '\a' ? "\\a" : "\\v");
        else if (c < 0x20 || c == 0x7f)
            buf_addf(b, "\\x%02x", c);
        else if (c >= 0x80)
            i += add_quoted_wide(b, s + i, n - i) - 1;
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

void buf_add_visible(struct buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t c;
        bool printable;
        const size_t len = utf8_next(s + i, n - i, &c, &printable);
        if (printable && (c != 0xfffd || len > 1))
            buf_add(b, s + i, len);
        else
            buf_adds(b, s[i] == '\n' ? "\n" : s[i] == '\t' ? "\t" : "\xef\xbf\xbd");
        i += len;
    }
}

/* Bytes that JSON text must escape, as Go does: controls, quote, backslash, and <, >, &. */
static const unsigned char json_special[256] = {
    1,         1,          1,         1,         1,         1,          1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1,         1,          1,         1,         1,         1,          1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x00 - 0x1f */
    ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1, [0xe2] = 1,
};

static void json_escape(struct buf *b, unsigned char c)
{
    if (short_escape(c))
        buf_addf(b, "\\%c", short_escape(c));
    else
        buf_addf(b, "\\u%04x", c);
}

/* U+2028 and U+2029 are escaped by Go, the rest of UTF-8 is passed through. */
static size_t line_separator(struct buf *b, const char *s, size_t left)
{
    if (left >= 3 && (unsigned char)s[1] == 0x80 && ((unsigned char)s[2] & 0xfe) == 0xa8) {
        buf_addf(b, "\\u%04x", (unsigned char)s[2] == 0xa8 ? 0x2028 : 0x2029);
        return 3;
    }
    buf_addc(b, s[0]);
    return 1;
}

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* The top bit of every byte that is zero (and perhaps of others above it). */
static uint64_t zeros_of(uint64_t word)
{
    return (word - EVERY_BYTE(1)) & ~word;
}

/* Eight characters that all stand for themselves. */
static bool word_is_plain(uint64_t word)
{
    uint64_t below_blank = word - EVERY_BYTE(0x20);
    uint64_t found = zeros_of(word ^ EVERY_BYTE('"')) | zeros_of(word ^ EVERY_BYTE('\\')) |
                     zeros_of(word ^ EVERY_BYTE('<')) | zeros_of(word ^ EVERY_BYTE('>')) |
                     zeros_of(word ^ EVERY_BYTE('&')) | below_blank | word;
    return !(found & EVERY_BYTE(0x80));
}

/* Most strings need no escape: they are copied first and looked at then, a word at a time, with blanks behind them. */
static bool add_plain_string(struct buf *b, const char *s, size_t n)
{
    char *at = buf_reserve(b, n + 2 + sizeof(uint64_t));
    *at++ = '"';
    if (n)
        memcpy(at, s, n);
    memset(at + n, ' ', sizeof(uint64_t));
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at + i, sizeof word);
        if (!word_is_plain(word))
            return false;
    }
    at[n] = '"';
    at[n + 1] = '\0';
    b->len += n + 2;
    return true;
}

void buf_add_json_string(struct buf *b, const char *s, size_t n)
{
    if (add_plain_string(b, s, n))
        return;
    buf_addc(b, '"');
    size_t start = 0, i = 0;
    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        if (!json_special[c]) {
            i++;
            continue;
        }
        buf_add(b, s + start, i - start);
        if (c == 0xe2) {
            i += line_separator(b, s + i, n - i);
        } else {
            json_escape(b, c);
            i++;
        }
        start = i;
    }
    buf_add(b, s + start, n - start);
    buf_addc(b, '"');
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        buf_clear(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_steal(struct buf *b, size_t *out_len)
{
    if (out_len)
        *out_len = b->len;
    char *data = b->data ? b->data : xstrdup("");
    *b = BUF_INIT;
    return data;
}
