/* continue.c - tokens of paged lists.
 *
 * DESIGN: the same text as a real server's: unpadded base64url of {"v":"meta.k8s.io/v1","rv":N,"start":"name\u0000"},
 * where start is the key after the last item, relative to the list. Nothing in it is trusted: a token is only a place
 * in a list that the client may read anyway.
 * Source: apiserver storage/continue.go.
 * THREADS: pure. */
#include "apiserver/list_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char version[] = "meta.k8s.io/v1";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char *encode64(struct arena *a, const char *s, size_t n)
{
    char *out = arena_alloc(a, n / 3 * 4 + 5);
    size_t len = 0;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)(unsigned char)s[i] << 16;
        v |= have > 1 ? (unsigned)(unsigned char)s[i + 1] << 8 : 0;
        v |= have > 2 ? (unsigned)(unsigned char)s[i + 2] : 0;
        for (size_t k = 0; k <= have; k++)
            out[len++] = alphabet[v >> (18 - 6 * k) & 63];
    }
    out[len] = '\0';
    return out;
}

/* The bytes, their number in *out_len; NULL and the place of the first bad character in *out_len. */
static char *decode64(struct arena *a, const char *s, size_t *out_len)
{
    size_t n = strlen(s), len = 0;
    char *out = arena_alloc(a, n + 1);
    unsigned v = 0, bits = 0;
    for (size_t i = 0; i < n; i++) {
        const char *at = strchr(alphabet, s[i]);
        if (!at)
            return *out_len = i, NULL;
        v = v << 6 | (unsigned)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[len++] = (char)(v >> bits & 255);
        }
    }
    if (n % 4 == 1)
        return *out_len = n, NULL;
    out[len] = '\0';
    *out_len = len;
    return out;
}

const char *continue_encode(struct arena *a, const struct continue_at *at, bool one_ns)
{
    const char *slash = one_ns || !at->ns[0] ? "" : "/";
    const char *ns = *slash ? at->ns : "";
    const char *text = arena_printf(a, "{\"v\":\"%s\",\"rv\":%" PRId64 ",\"start\":\"%s%s%s\\u0000\"}", version, at->rv,
                                    ns, slash, at->name);
    return encode64(a, text, strlen(text));
}

static int bad(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int bad(struct err *e, const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_BAD_REQUEST, "invalid continue token: continue key is not valid: %s", why);
}

/* The first character as Go's json names it: 'g', '\u0081'. */
static int bad_json(struct err *e, const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && isspace((unsigned char)text[i]))
        i++;
    if (i == len)
        return bad(e, "unexpected end of JSON input");
    unsigned char c = (unsigned char)text[i];
    if (isprint(c))
        return bad(e, "invalid character '%c' looking for beginning of value", c);
    return bad(e,
               c < 0x20 ? "invalid character '\\x%02x' looking for beginning of value"
                        : "invalid character '\\u%04x' looking for beginning of value",
               c);
}

/* Would path.Clean() leave "/start" as it is? */
static bool is_clean(const char *start, size_t n)
{
    const char *p = start + (n > 0 && *start == '/'), *end = start + n;
    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t len = slash ? (size_t)(slash - p) : (size_t)(end - p);
        if (len == 0 || (len == 1 && *p == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len + 1;
    }
    return n > 0 && start[n - 1] != '/';
}

static void split_key(struct arena *a, const char *start, size_t n, bool namespaced, bool one_ns,
                      struct continue_at *out)
{
    if (n > 0 && *start == '/') {
        start++;
        n--;
    }
    if (n > 0 && start[n - 1] == '\0')
        n--;
    const char *slash = namespaced && !one_ns ? memchr(start, '/', n) : NULL;
    out->ns = slash ? arena_strndup(a, start, (size_t)(slash - start)) : "";
    const char *name = slash ? slash + 1 : start;
    out->name = arena_strndup(a, name, n - (size_t)(name - start));
}

int continue_decode(struct arena *a, const char *token, bool namespaced, bool one_ns, struct continue_at *out,
                    struct err *e)
{
    size_t len;
    const char *text = decode64(a, token, &len);
    if (!text)
        return bad(e, "illegal base64 data at input byte %s", arena_printf(a, "%zu", len));
    _auto_json_ json_t *j = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    if (!j)
        return bad_json(e, text, len);
    if (!str_eq(jstr(j, "v"), version))
        return bad(e, "server does not recognize this encoded version %s", jstr_or(j, "v", ""));
    if (jint(j, "rv", 0) == 0)
        return bad(e, "incorrect encoded start resourceVersion (version %s)", version);
    const json_t *start = json_object_get(j, "start");
    size_t n = json_string_length(start);
    if (n == 0)
        return bad(e, "encoded start key empty (version %s)", version);
    const char *key = json_string_value(start);
    if (!is_clean(key, n))
        return bad(e, "%s", key);
    out->rv = jint(j, "rv", 0);
    split_key(a, key, n, namespaced, one_ns, out);
    return 0;
}
