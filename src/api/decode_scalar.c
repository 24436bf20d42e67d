/* decode_scalar.c - the leaves: text, numbers, and the types that decode themselves.
 *
 * Quantities, times and int-or-strings take any token and refuse it in their own words, at once; plain types note a
 * type error and go on. Each base has one reader in a table. THREADS: pure. When you add a base: a reader here, one in
 * proto_decode.c, its OpenAPI form in openapi_schema.c. */
#include "api/decode_int.h"

#include "api/base64.h"
#include "api/go_time.h"
#include "api/quantity.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The raw token that is next. */
static const char *token_take(struct decoder *d, size_t *out_len)
{
    json_cursor_peek(&d->c);
    const char *from = d->c.p;
    json_cursor_skip(&d->c);
    *out_len = (size_t)(d->c.p - from);
    return from;
}

static json_t *fail(struct decoder *d, const char *text)
{
    d->failed = true;
    err_set(d->e, ERR_BAD_REQUEST, "%s", text);
    return NULL;
}

static json_t *wrong(struct decoder *d, const struct schema_field *f, const struct frame *at, char first)
{
    if (first != 'n')
        decode_type_error(d, at, json_token_kind(first), f->go_type);
    json_cursor_skip(&d->c);
    return NULL;
}

static json_t *read_string(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (first != '"')
        return wrong(d, f, at, first);
    size_t n = 0;
    const char *s = json_cursor_string(&d->c, &d->scratch, &n);
    return json_stringn_nocheck(s, n);
}

static json_t *read_bool(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (first != 't' && first != 'f')
        return wrong(d, f, at, first);
    json_cursor_skip(&d->c);
    return json_boolean(first == 't');
}

/* A whole number within [min, max], else false. */
static bool integer_parse(const char *s, size_t n, long long min, long long max, long long *out)
{
    char text[32];
    if (n >= sizeof text)
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && *out >= min && *out <= max;
}

static json_t *integer_read(struct decoder *d, const struct frame *at, const char *go_type, bool wide, bool final)
{
    size_t n = 0;
    const char *s = token_take(d, &n);
    long long v = 0;
    if (integer_parse(s, n, wide ? INT64_MIN : INT32_MIN, wide ? INT64_MAX : INT32_MAX, &v))
        return json_integer(v);
    char what[96];
    snprintf(what, sizeof what, "number %.*s", (int)(n < 80 ? n : 80), s);
    (final ? decode_type_error_final : decode_type_error)(d, at, what, go_type);
    return NULL;
}

static bool is_number(char first)
{
    return first == '-' || (first >= '0' && first <= '9');
}

static json_t *read_integer(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (!is_number(first))
        return wrong(d, f, at, first);
    return integer_read(d, at, f->go_type, f->base == SB_INT64, false);
}

static json_t *read_double(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (!is_number(first))
        return wrong(d, f, at, first);
    size_t n = 0;
    const char *s = token_take(d, &n);
    return json_number(s, n);
}

static json_t *read_bytes(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (first != '"')
        return wrong(d, f, at, first);
    size_t n = 0, bad_at = 0;
    const char *s = json_cursor_string(&d->c, &d->scratch, &n);
    _auto_buf_ struct buf bytes = BUF_INIT;
    _auto_buf_ struct buf text = BUF_INIT;
    if (base64_decode(s, n, &bytes, &bad_at) < 0) {
        if (!d->type_error)
            snprintf(d->type_text, sizeof d->type_text, "illegal base64 data at input byte %zu", bad_at);
        d->type_error = true;
        return NULL;
    }
    base64_encode(bytes.data, bytes.len, &text);
    return json_stringn_nocheck(buf_str(&text), text.len);
}

static json_t *read_time(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (first != '"') {
        json_cursor_skip(&d->c);
        if (first != 'n')
            decode_type_error_final(d, at, json_token_kind(first), "string");
        return NULL;
    }
    size_t n = 0;
    const char *s = json_cursor_string(&d->c, &d->scratch, &n);
    _auto_free_ char *text = xstrndup(s, n);
    char canonical[GO_TIME_TEXT_LEN];
    if (go_time_parse(text, f->base == SB_MICROTIME, canonical, d->e) < 0) {
        d->failed = true;
        return NULL;
    }
    return json_string(canonical);
}

static json_t *read_quantity(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    (void)at;
    size_t n = 0;
    const char *s = token_take(d, &n);
    if (n == 4 && memcmp(s, "null", 4) == 0)
        return f->nullable_pointer ? NULL : json_string("0");
    if (n >= 2 && s[0] == '"') {
        s++;
        n -= 2;
    }
    for (; n > 0 && strchr(" \t\r\n", *s); n--)
        s++;
    while (n > 0 && strchr(" \t\r\n", s[n - 1]))
        n--;
    _auto_free_ char *text = xstrndup(s, n);
    char canonical[QUANTITY_TEXT_LEN];
    if (quantity_text(text, f->shape == SHAPE_MAP, canonical) == 0)
        return json_string(canonical);
    const char *why = quantity_refusal(text);
    return fail(d, why ? why : "unable to parse numeric part of quantity");
}

static json_t *read_int_or_string(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    char first = json_cursor_peek(&d->c);
    if (first == '"')
        return read_string(d, f, at);
    if (is_number(first))
        return integer_read(d, at, "int32", false, true);
    json_cursor_skip(&d->c);
    if (first != 'n')
        decode_type_error_final(d, at, json_token_kind(first), "int32");
    return NULL;
}

static json_t *read_any(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    (void)f;
    if (json_cursor_peek(&d->c) == 'n') {
        json_cursor_skip(&d->c);
        return NULL;
    }
    return decode_any(d, at, 0);
}

json_t *decode_scalar(struct decoder *d, const struct schema_field *f, const struct frame *at)
{
    typedef json_t *reader(struct decoder *, const struct schema_field *, const struct frame *);
    static reader *const readers[SB_BASE_MAX] = {
        [SB_STRING] = read_string,     [SB_BOOL] = read_bool,
        [SB_INT32] = read_integer,     [SB_INT64] = read_integer,
        [SB_DOUBLE] = read_double,     [SB_BYTES] = read_bytes,
        [SB_TIME] = read_time,         [SB_MICROTIME] = read_time,
        [SB_QUANTITY] = read_quantity, [SB_INT_OR_STRING] = read_int_or_string,
        [SB_ANY] = read_any,
    };
    return readers[f->base](d, f, at);
}
