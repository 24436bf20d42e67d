/* base64.c - see base64.h.
 *
 * DESIGN: four characters at a time, like Go's decoder, because the offset in its message ("illegal base64 data at
 * input byte 8") depends on how it reads. THREADS: pure. */
#include "api/base64.h"

#include <stdbool.h>
#include <stdint.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t line_ends_skip(const char *s, size_t n, size_t at)
{
    while (at < n && (s[at] == '\n' || s[at] == '\r'))
        at++;
    return at;
}

/* After `have` letters came a '='. Checks the rest; 0 or -1 with *at the offset. */
static int padding_check(const char *s, size_t n, size_t have, size_t *at)
{
    size_t i = *at; /* behind the first '=' */
    if (have < 2) {
        *at = i - 1;
        return -1;
    }
    if (have == 2) {
        i = line_ends_skip(s, n, i);
        if (i == n || s[i] != '=') {
            *at = i == n ? n : i - 1;
            return -1;
        }
        i++;
    }
    i = line_ends_skip(s, n, i);
    *at = i;
    return i < n ? -1 : 0;
}

/* Reads up to four letters from *at. Returns how many, -1 on error with *at the offset. */
static int quantum_read(const char *s, size_t n, size_t *at, uint8_t out[4])
{
    size_t have = 0;
    size_t i = *at;
    while (have < 4) {
        i = line_ends_skip(s, n, i);
        if (i == n) {
            *at = have ? i - have : i;
            return have ? -1 : 0;
        }
        char c = s[i++];
        int v = letter_value(c);
        if (v >= 0) {
            out[have++] = (uint8_t)v;
            continue;
        }
        *at = c == '=' ? i : i - 1;
        if (c != '=' || padding_check(s, n, have, at) < 0)
            return -1;
        return (int)have;
    }
    *at = i;
    return 4;
}

int base64_decode(const char *s, size_t n, struct buf *out, size_t *out_at)
{
    size_t at = 0;
    while (at < n) {
        uint8_t q[4] = {0};
        int have = quantum_read(s, n, &at, q);
        if (have < 0) {
            *out_at = at;
            return -1;
        }
        uint8_t bytes[3] = {(uint8_t)(q[0] << 2 | q[1] >> 4), (uint8_t)(q[1] << 4 | q[2] >> 2),
                            (uint8_t)(q[2] << 6 | q[3])};
        if (have > 1)
            buf_add(out, bytes, (size_t)have - 1);
    }
    return 0;
}

void base64_encode(const void *data, size_t n, struct buf *out)
{
    const uint8_t *p = data;
    char *to = buf_reserve(out, (n + 2) / 3 * 4);
    size_t len = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        to[len++] = letters[v >> 18];
        to[len++] = letters[v >> 12 & 63];
        to[len++] = i + 1 < n ? letters[v >> 6 & 63] : '=';
        to[len++] = i + 2 < n ? letters[v & 63] : '=';
    }
    out->len += len;
    if (out->data)
        out->data[out->len] = '\0';
}
