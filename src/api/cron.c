/* cron.c - schedules of cron jobs.
 *
 * DESIGN: a schedule is five sets of numbers, kept as bits. The next due time is found by moving the largest field that
 * does not fit to its next value and starting the smaller ones over, at most five years ahead. Local time comes from
 * the machine's time zone files, read here because the C library knows one zone a process: the transitions of the
 * 64-bit block of a TZif file; after the last one its offset holds on. THREADS: pure functions; zone files are read
 * anew. */
#include "api/cron.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, YEARS_AHEAD = 5 };

/* -- parsing -- */

struct bounds {
    unsigned min, max;
    const char *const *names; /* of min, min + 1, …; NULL-terminated */
};
static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const struct bounds bounds[] = {
    {0, 59, NULL}, {0, 23, NULL}, {1, 31, NULL}, {1, 12, month_names}, {0, 6, weekday_names}};

static int number(const char *text, const struct bounds *b, unsigned *out, struct err *e)
{
    char *end = NULL;
    for (unsigned i = 0; b->names != NULL && b->names[i] != NULL; i++) {
        if (strcasecmp(text, b->names[i]) == 0) {
            *out = b->min + i;
            return 0;
        }
    }
    long n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        return err_set(e, ERR_BAD_REQUEST, "failed to parse int from %s: strconv.Atoi: parsing \"%s\": invalid syntax",
                       text, text);
    if (n < 0)
        return err_set(e, ERR_BAD_REQUEST, "negative number (%ld) not allowed: %s", n, text);
    *out = n > 1000000 ? 1000000 : (unsigned)n;
    return 0;
}

/* "*", "3", "1-5", each with an optional "/step". */
static int range_parse(const char *expr, const struct bounds *b, uint64_t *bits, bool *star, struct err *e)
{
    _auto_strlist_ struct strlist step_parts = {0}, ends = {0};
    strlist_split(&step_parts, expr, '/');
    strlist_split(&ends, step_parts.items[0], '-');
    unsigned start = b->min, end = b->max, step = 1;
    bool any = strcmp(ends.items[0], "*") == 0 || strcmp(ends.items[0], "?") == 0;
    if (any) {
        *star = true;
    } else {
        if (number(ends.items[0], b, &start, e) < 0)
            return -1;
        end = start;
        if (ends.len > 2)
            return err_set(e, ERR_BAD_REQUEST, "too many hyphens: %s", expr);
        if (ends.len == 2 && number(ends.items[1], b, &end, e) < 0)
            return -1;
    }
    if (step_parts.len > 2)
        return err_set(e, ERR_BAD_REQUEST, "too many slashes: %s", expr);
    if (step_parts.len == 2) {
        if (number(step_parts.items[1], &(const struct bounds){0}, &step, e) < 0)
            return -1;
        if (!any && ends.len == 1)
            end = b->max;
        if (step > 1)
            *star = false;
    }
    if (start < b->min)
        return err_set(e, ERR_BAD_REQUEST, "beginning of range (%u) below minimum (%u): %s", start, b->min, expr);
    if (end > b->max)
        return err_set(e, ERR_BAD_REQUEST, "end of range (%u) above maximum (%u): %s", end, b->max, expr);
    if (start > end)
        return err_set(e, ERR_BAD_REQUEST, "beginning of range (%u) beyond end of range (%u): %s", start, end, expr);
    if (step == 0)
        return err_set(e, ERR_BAD_REQUEST, "step of range should be a positive number: %s", expr);
    for (unsigned i = start; i <= end; i += step)
        *bits |= UINT64_C(1) << i;
    return 0;
}

static int field_parse(const char *text, const struct bounds *b, uint64_t *bits, bool *star, struct err *e)
{
    _auto_strlist_ struct strlist parts = {0};
    strlist_split(&parts, text, ',');
    for (size_t i = 0; i < parts.len; i++)
        if (*parts.items[i] != '\0' && range_parse(parts.items[i], b, bits, star, e) < 0)
            return -1;
    return 0;
}

/* Go's durations, in whole seconds: "1h30m", "90s". */
static int every_parse(const char *text, const char *spec, struct cron *out, struct err *e)
{
    int64_t total = 0;
    const char *p = text;
    while (*p != '\0') {
        char *end = NULL;
        double n = strtod(p, &end);
        double unit = strncmp(end, "ms", 2) == 0 ? 0.001
                      : *end == 's'              ? 1
                      : *end == 'm'              ? MINUTE
                      : *end == 'h'              ? HOUR
                                                 : -1;
        if (end == p || unit < 0 || n < 0)
            return err_set(e, ERR_BAD_REQUEST, "failed to parse duration %s: time: invalid duration \"%s\"", spec,
                           text);
        total += (int64_t)(n * unit);
        p = end + (unit < 1 ? 2 : 1);
    }
    out->every_s = total < 1 ? 1 : total;
    return 0;
}

static int descriptor_parse(const char *text, struct cron *out, struct err *e)
{
    static const char *const known[][2] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
        {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(text, known[i][0]) == 0)
            return cron_parse(known[i][1], out, e);
    if (str_starts(text, "@every "))
        return every_parse(text + strlen("@every "), text, out, e);
    return err_set(e, ERR_BAD_REQUEST, "unrecognized descriptor: %s", text);
}

static void words_of(const char *text, struct strlist *out)
{
    while (*text != '\0') {
        size_t blank = strspn(text, " \t\n\r"), len = strcspn(text + blank, " \t\n\r");
        if (len > 0)
            strlist_take(out, xstrndup(text + blank, len));
        text += blank + len;
    }
}

int cron_parse(const char *text, struct cron *out, struct err *e)
{
    struct cron c = {0};
    _auto_strlist_ struct strlist words = {0};
    if (*text == '\0')
        return err_set(e, ERR_BAD_REQUEST, "empty spec string");
    if (*text == '@')
        return descriptor_parse(text, out, e);
    words_of(text, &words);
    if (words.len != ARRAY_LEN(bounds)) {
        _auto_free_ char *list = strlist_join(&words, " ");
        return err_set(e, ERR_BAD_REQUEST, "expected exactly 5 fields, found %zu: [%s]", words.len, list);
    }
    uint64_t *const sets[] = {&c.minute, &c.hour, &c.day, &c.month, &c.weekday};
    bool star[ARRAY_LEN(bounds)] = {false};
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        if (field_parse(words.items[i], &bounds[i], sets[i], &star[i], e) < 0)
            return -1;
    c.any_day = star[2];
    c.any_weekday = star[4];
    *out = c;
    return 0;
}

/* -- time zones -- */

enum { ZONE_FILE_MAX = 1 << 20, TZIF_HEADER = 44 };

struct zone {
    unsigned char *data; /* owned */
    const unsigned char *times, *types, *infos;
    size_t count;
};

static int64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static size_t block_size(const unsigned char *h, size_t time_size)
{
    size_t isut = (size_t)big_endian(h + 20, 4), isstd = (size_t)big_endian(h + 24, 4);
    size_t leap = (size_t)big_endian(h + 28, 4), times = (size_t)big_endian(h + 32, 4);
    size_t types = (size_t)big_endian(h + 36, 4), chars = (size_t)big_endian(h + 40, 4);
    if ((isut | isstd | leap | times | types | chars) > ZONE_FILE_MAX)
        return ZONE_FILE_MAX;
    return times * (time_size + 1) + types * 6 + chars + leap * (time_size + 4) + isstd + isut;
}

static unsigned char *zone_file(const char *name, size_t *out_len)
{
    if (*name == '/' || strstr(name, "..") != NULL || *name == '\0')
        return NULL;
    _auto_free_ char *path = xasprintf("/usr/share/zoneinfo/%s", name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return NULL;
    _auto_free_ unsigned char *data = xmalloc(ZONE_FILE_MAX);
    *out_len = fread(data, 1, ZONE_FILE_MAX, f);
    fclose(f);
    if (*out_len < TZIF_HEADER || memcmp(data, "TZif", 4) != 0)
        return NULL;
    return TAKE(data);
}

/* The 64-bit block stands behind the old 32-bit one. */
static bool zone_read(const char *name, struct zone *out)
{
    size_t len = 0;
    _auto_free_ unsigned char *data = zone_file(name, &len);
    if (data == NULL)
        return false;
    size_t second = TZIF_HEADER + block_size(data, 4);
    if (data[4] < '2' || second + TZIF_HEADER > len)
        return false;
    const unsigned char *h = data + second;
    if (second + TZIF_HEADER + block_size(h, 8) > len || big_endian(h + 36, 4) < 1)
        return false;
    out->count = (size_t)big_endian(h + 32, 4);
    out->times = h + TZIF_HEADER;
    out->types = out->times + out->count * 8;
    out->infos = out->types + out->count;
    out->data = TAKE(data);
    return true;
}

static int64_t zone_offset(const struct zone *z, int64_t at)
{
    if (z->data == NULL)
        return 0;
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (big_endian(z->times + middle * 8, 8) <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return big_endian(z->infos + (low > 0 ? z->types[low - 1] : 0) * 6, 4);
}

bool cron_zone_known(const char *zone)
{
    struct zone z = {0};
    bool known = str_empty(zone) || strcmp(zone, "UTC") == 0 || zone_read(zone, &z);
    free(z.data);
    return known;
}

/* -- the next time -- */

static bool day_fits(const struct cron *c, const struct tm *t)
{
    bool day = (c->day >> t->tm_mday & 1) != 0, weekday = (c->weekday >> t->tm_wday & 1) != 0;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

/* The first local minute not before `at` that fits; local times are counted as if they were UTC. */
static int64_t local_next(const struct cron *c, int64_t at)
{
    int64_t limit = at + (int64_t)YEARS_AHEAD * 366 * DAY;
    while (at < limit) {
        struct tm t;
        time_t seconds = (time_t)at;
        gmtime_r(&seconds, &t);
        if ((c->month >> (t.tm_mon + 1) & 1) == 0 || !day_fits(c, &t))
            at += DAY - at % DAY;
        else if ((c->hour >> t.tm_hour & 1) == 0)
            at += HOUR - at % HOUR;
        else if ((c->minute >> t.tm_min & 1) == 0)
            at += MINUTE;
        else
            return at;
    }
    return -1;
}

int64_t cron_next(const struct cron *c, const char *zone, int64_t after)
{
    struct zone z = {0};
    if (c->every_s > 0)
        return after + c->every_s;
    if (!str_empty(zone) && strcmp(zone, "UTC") != 0)
        (void)zone_read(zone, &z);
    int64_t local = after + zone_offset(&z, after), found = -1;
    local += MINUTE - ((local % MINUTE) + MINUTE) % MINUTE;
    while (found < 0 && (local = local_next(c, local)) >= 0) {
        int64_t utc = local - zone_offset(&z, local - zone_offset(&z, after));
        if (utc > after && utc + zone_offset(&z, utc) == local)
            found = utc;
        local += MINUTE; /* a minute that the clock skips, or repeats */
    }
    free(z.data);
    return found;
}
