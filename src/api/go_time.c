/* go_time.c - see go_time.h.
 *
 * DESIGN: the layout is a table of elements, read from left to right as time.Parse does; the first that does not fit is
 * named in the message. Seconds since 1970 are kept in 64 bits, so any year of four digits works. THREADS: pure. */
#include "api/go_time.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum part { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, PART_MAX };

static const struct element {
    const char *layout; /* as the message names it */
    enum part part;     /* PART_MAX: a literal */
    int digits;
    bool short_allowed; /* one digit will do */
    int min, max;
    const char *range; /* "month" of "month out of range" */
} elements[] = {
    {"2006", YEAR, 4, false, 0, 9999, "year"}, {"-", PART_MAX},
    {"01", MONTH, 2, false, 1, 12, "month"},   {"-", PART_MAX},
    {"02", DAY, 2, false, 1, 31, "day"},       {"T", PART_MAX},
    {"15", HOUR, 2, true, 0, 23, "hour"},      {":", PART_MAX},
    {"04", MINUTE, 2, false, 0, 59, "minute"}, {":", PART_MAX},
    {"05", SECOND, 2, false, 0, 59, "second"},
};

struct parse {
    const char *whole;
    const char *p;
    bool micro;
    int parts[PART_MAX];
    int32_t nanos;
    int offset; /* seconds east of UTC */
    struct err *e;
};

static const char *layout_text(const struct parse *t)
{
    return t->micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
}

static int cannot(struct parse *t, const char *at, const char *layout)
{
    _auto_buf_ struct buf value = BUF_INIT;
    _auto_buf_ struct buf rest = BUF_INIT;
    buf_add_quoted(&value, t->whole, strlen(t->whole));
    buf_add_quoted(&rest, at, strlen(at));
    return err_set(t->e, ERR_BAD_REQUEST, "parsing time %s as \"%s\": cannot parse %s as \"%s\"", value.data,
                   layout_text(t), rest.data, layout);
}

static int says(struct parse *t, const char *what)
{
    _auto_buf_ struct buf value = BUF_INIT;
    buf_add_quoted(&value, t->whole, strlen(t->whole));
    return err_set(t->e, ERR_BAD_REQUEST, "parsing time %s: %s", value.data, what);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int element_read(struct parse *t, const struct element *el)
{
    if (el->part == PART_MAX) {
        if (*t->p != el->layout[0])
            return cannot(t, t->p, el->layout);
        t->p++;
        return 0;
    }
    int n = 0, v = 0;
    while (n < el->digits && is_digit(t->p[n]))
        v = v * 10 + (t->p[n++] - '0');
    if (n < el->digits && !(el->short_allowed && n == 1))
        return cannot(t, t->p, el->layout);
    if (v < el->min || v > el->max) {
        char what[32];
        snprintf(what, sizeof what, "%s out of range", el->range);
        return says(t, what);
    }
    t->parts[el->part] = v;
    t->p += n;
    return 0;
}

/* ".123456": exactly six with micro, any number of them else. */
static int fraction_read(struct parse *t)
{
    size_t n = 0;
    if (t->p[0] == '.' || (t->p[0] == ',' && !t->micro))
        while (is_digit(t->p[n + 1]))
            n++;
    if (t->micro && n < 6)
        return cannot(t, t->p, ".000000");
    if (t->micro)
        n = 6;
    int32_t unit = 100000000;
    for (size_t i = 1; i <= n && unit > 0; i++, unit /= 10)
        t->nanos += (t->p[i] - '0') * unit;
    t->p += n ? n + 1 : 0;
    return 0;
}

static int zone_read(struct parse *t)
{
    const char *p = t->p;
    if (*p == 'Z') {
        t->p++;
        return 0;
    }
    if ((*p != '+' && *p != '-') || !is_digit(p[1]) || !is_digit(p[2]) || p[3] != ':' || !is_digit(p[4]) ||
        !is_digit(p[5]))
        return cannot(t, p, "Z07:00");
    int hours = (p[1] - '0') * 10 + p[2] - '0', minutes = (p[4] - '0') * 10 + p[5] - '0';
    if (hours > 24)
        return says(t, "time zone offset hour out of range");
    if (minutes > 60)
        return says(t, "time zone offset minute out of range");
    t->offset = (hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
    t->p += 6;
    return 0;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static int parse_all(struct parse *t)
{
    for (size_t i = 0; i < ARRAY_LEN(elements); i++)
        if (element_read(t, &elements[i]) < 0)
            return -1;
    if (fraction_read(t) < 0 || zone_read(t) < 0)
        return -1;
    if (*t->p) {
        _auto_buf_ struct buf extra = BUF_INIT;
        buf_adds(&extra, "extra text: ");
        buf_add_quoted(&extra, t->p, strlen(t->p));
        return says(t, extra.data);
    }
    return t->parts[DAY] > days_in(t->parts[YEAR], t->parts[MONTH]) ? says(t, "day out of range") : 0;
}

void go_time_text(int64_t seconds, int32_t nanos, bool micro, char out[GO_TIME_TEXT_LEN])
{
    const int64_t first = -62135596800, last = 253402300799; /* years 1 and 9999 */
    time_t at = (time_t)(seconds < first ? first : seconds > last ? last : seconds);
    struct tm tm = {0};
    gmtime_r(&at, &tm);
    size_t n = (size_t)snprintf(out, GO_TIME_TEXT_LEN, "%04d-%02d-%02dT%02d:%02d:%02d", (tm.tm_year + 1900) % 10000,
                                tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (micro)
        n += (size_t)snprintf(out + n, GO_TIME_TEXT_LEN - n, ".%06d", (int)(nanos / 1000 % 1000000));
    snprintf(out + n, GO_TIME_TEXT_LEN - n, "Z");
}

int go_time_parse(const char *s, bool micro, char out[GO_TIME_TEXT_LEN], struct err *e)
{
    struct parse t = {.whole = s, .p = s, .micro = micro, .e = e};
    if (parse_all(&t) < 0)
        return -1;
    struct tm tm = {.tm_year = t.parts[YEAR] - 1900,
                    .tm_mon = t.parts[MONTH] - 1,
                    .tm_mday = t.parts[DAY],
                    .tm_hour = t.parts[HOUR],
                    .tm_min = t.parts[MINUTE],
                    .tm_sec = t.parts[SECOND]};
    go_time_text((int64_t)timegm(&tm) - t.offset, t.nanos, micro, out);
    return 0;
}
