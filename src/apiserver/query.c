/* query.c - see query_int.h.
 *
 * DESIGN: everything decoded lands in the request's arena. The rules are Go's, since clients are written against them:
 * a pair with a broken escape or a semicolon is dropped, the rest of the query still counts; booleans and numbers are
 * read as apimachinery's runtime.Convert_Slice_string_To_* do.
 * Source: net/url ParseQuery, apimachinery runtime/conversion.go, time.ParseDuration.
 * THREADS: pure. */
#include "apiserver/query_int.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(struct arena *a, const char *s, size_t len, bool form)
{
    if (!memchr(s, '%', len) && !(form && memchr(s, '+', len)))
        return arena_strndup(a, s, len);
    char *out = arena_alloc(a, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '%') {
            if (len - i < 3)
                return NULL;
            int hi = hex_value(s[i + 1]), lo = hex_value(s[i + 2]);
            if (hi < 0 || lo < 0)
                return NULL;
            c = (char)(hi << 4 | lo);
            if (!c)
                return NULL;
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

void query_parse(struct arena *a, const char *text, struct query *out)
{
    *out = (struct query){0};
    if (str_empty(text))
        return;
    size_t max = 1;
    for (const char *p = text; *p; p++)
        max += *p == '&';
    out->args = arena_alloc(a, max * sizeof *out->args);
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "&");
        const char *eq = memchr(p, '=', len);
        size_t key_len = eq ? (size_t)(eq - p) : len;
        if (len > 0 && !memchr(p, ';', len)) {
            const char *key = url_decode(a, p, key_len, true);
            const char *value = eq ? url_decode(a, eq + 1, len - key_len - 1, true) : "";
            if (key && value)
                out->args[out->len++] = (struct query_arg){key, value};
        }
        p += len + (p[len] == '&');
    }
}

const char *query_nth(const struct query *q, const char *key, size_t i)
{
    for (size_t k = 0; k < q->len; k++)
        if (strcmp(q->args[k].key, key) == 0 && i-- == 0)
            return q->args[k].value;
    return NULL;
}

const char *query_get(const struct query *q, const char *key)
{
    return query_nth(q, key, 0);
}

bool query_bool(const struct query *q, const char *key)
{
    const char *v = query_get(q, key);
    return v && strcmp(v, "0") != 0 && strcasecmp(v, "false") != 0;
}

int query_int(const struct query *q, const char *key, int64_t *out, struct err *e)
{
    const char *v = query_get(q, key);
    if (!v)
        return 0;
    const char *digits = v + (*v == '-' || *v == '+');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return err_set(e, ERR_BAD_REQUEST, "strconv.ParseInt: parsing \"%s\": invalid syntax", v);
    errno = 0;
    long long n = strtoll(v, NULL, 10);
    if (errno == ERANGE)
        return err_set(e, ERR_BAD_REQUEST, "strconv.ParseInt: parsing \"%s\": value out of range", v);
    *out = n;
    return 1;
}

static bool duration_unit(const char **s)
{
    static const char *const units[] = {"ns", "us", "\302\265s", "\316\274s", "ms", "s", "m", "h"};
    size_t n = strcspn(*s, "0123456789.");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i]) == n && strncmp(*s, units[i], n) == 0) {
            *s += n;
            return true;
        }
    return false;
}

bool duration_ok(const char *s)
{
    s += *s == '-' || *s == '+';
    if (strcmp(s, "0") == 0)
        return true;
    if (!*s)
        return false;
    while (*s) {
        size_t whole = strspn(s, "0123456789");
        s += whole;
        size_t frac = 0;
        if (*s == '.') {
            frac = strspn(s + 1, "0123456789");
            s += 1 + frac;
        }
        if (whole + frac == 0 || !duration_unit(&s))
            return false;
    }
    return true;
}
