/* clock.c - see clock.h. THREADS: the real clock has no state; the others are moved with atomics. */
#include "base/clock.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define NS_PER_SEC INT64_C(1000000000)

/* Seconds since 1970 of the moments beyond which nobody counts: nanoseconds of them, and what is added to or taken from
 * these, have room in 64 bits. */
#define TIME_FIRST INT64_C(-4000000000) /* 1843 */
#define TIME_LAST  INT64_C(8000000000)  /* 2223 */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static int64_t real_wall(void *self _unused_)
{
    return read_clock(CLOCK_REALTIME);
}

static int64_t real_mono(void *self _unused_)
{
    return read_clock(CLOCK_MONOTONIC);
}

static const struct clock_ops real_ops = {real_wall, real_mono};
static const struct clock real_clock = {&real_ops, NULL};

const struct clock *clock_real(void)
{
    return &real_clock;
}

static int64_t fake_wall(void *self)
{
    struct clock_fake *f = self;
    return __atomic_load_n(&f->wall, __ATOMIC_RELAXED);
}

static int64_t fake_mono(void *self)
{
    struct clock_fake *f = self;
    return __atomic_load_n(&f->mono, __ATOMIC_RELAXED);
}

static const struct clock_ops fake_ops = {fake_wall, fake_mono};

void clock_fake_init(struct clock_fake *f, int64_t wall_ns)
{
    *f = (struct clock_fake){.clock = {&fake_ops, f}, .wall = wall_ns, .mono = NS_PER_SEC};
}

void clock_fake_advance(struct clock_fake *f, int64_t ns)
{
    __atomic_add_fetch(&f->wall, ns, __ATOMIC_RELAXED);
    __atomic_add_fetch(&f->mono, ns, __ATOMIC_RELAXED);
}

int64_t clock_ahead_by(const struct clock_ahead *a)
{
    return __atomic_load_n(&a->by, __ATOMIC_RELAXED);
}

static int64_t ahead_wall(void *self)
{
    return read_clock(CLOCK_REALTIME) + clock_ahead_by(self);
}

static int64_t ahead_mono(void *self)
{
    return read_clock(CLOCK_MONOTONIC) + clock_ahead_by(self);
}

static const struct clock_ops ahead_ops = {ahead_wall, ahead_mono};

void clock_ahead_init(struct clock_ahead *a, int64_t by_ns)
{
    *a = (struct clock_ahead){.clock = {&ahead_ops, a}, .by = by_ns};
}

void clock_ahead_move(struct clock_ahead *a, int64_t ns)
{
    __atomic_add_fetch(&a->by, ns, __ATOMIC_RELAXED);
}

int64_t clock_wall_ns(const struct clock *c)
{
    return c->ops->wall_ns(c->self);
}

int64_t clock_mono_ns(const struct clock *c)
{
    return c->ops->mono_ns(c->self);
}

int64_t clock_mono_ms(const struct clock *c)
{
    return clock_mono_ns(c) / 1000000;
}

static void two(char *p, int v)
{
    p[0] = (char)('0' + v / 10 % 10);
    p[1] = (char)('0' + v % 10);
}

/* Writes "2024-01-02T03:04:05" (19 characters, no NUL). */
static void format_seconds(int64_t wall_ns, char *out)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    two(out, (tm.tm_year + 1900) / 100);
    two(out + 2, tm.tm_year + 1900);
    out[4] = '-';
    two(out + 5, tm.tm_mon + 1);
    out[7] = '-';
    two(out + 8, tm.tm_mday);
    out[10] = 'T';
    two(out + 11, tm.tm_hour);
    out[13] = ':';
    two(out + 14, tm.tm_min);
    out[16] = ':';
    two(out + 17, tm.tm_sec);
}

/* Every operation writes its time, thousands of them the same second. */
void time_format(int64_t wall_ns, char out[TIME_TEXT_LEN])
{
    static _Thread_local int64_t last;
    static _Thread_local char text[TIME_TEXT_LEN];
    if (!*text || wall_ns / NS_PER_SEC != last) {
        last = wall_ns / NS_PER_SEC;
        format_seconds(wall_ns, text);
        text[19] = 'Z';
    }
    memcpy(out, text, sizeof text);
}

void microtime_format(int64_t wall_ns, char out[MICROTIME_TEXT_LEN])
{
    format_seconds(wall_ns, out);
    snprintf(out + 19, MICROTIME_TEXT_LEN - 19, ".%06dZ", (int)(wall_ns % NS_PER_SEC / 1000));
}

/* ".123456789" -> nanoseconds; moves *s past it. */
static int64_t parse_fraction(const char **s)
{
    int64_t ns = 0, unit = NS_PER_SEC / 10;
    if (**s != '.' && **s != ',')
        return 0;
    for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
        ns += (**s - '0') * unit;
    return ns;
}

/* "Z" or "+02:00" -> seconds east; false if neither. */
static bool parse_offset(const char *s, int *out)
{
    if (strcmp(s, "Z") == 0) {
        *out = 0;
        return true;
    }
    int h, m, n = 0;
    if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2d:%2d%n", &h, &m, &n) != 2 || n != 5 || s[6])
        return false;
    *out = (h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
    return h < 24 && m < 60;
}

/* Reads `*s` as the next part of a pattern: digits where it has a 0, itself elsewhere. */
static bool parse_number(const char **s, const char *pattern, int *out)
{
    *out = 0;
    for (; *pattern; pattern++, (*s)++) {
        bool digit = **s >= '0' && **s <= '9';
        if (*pattern == '0' ? !digit : **s != *pattern)
            return false;
        if (digit)
            *out = *out * 10 + (**s - '0');
    }
    return true;
}

int time_parse(const char *s, int64_t *out_wall_ns)
{
    struct tm tm = {0};
    int offset;
    const char *rest = s;
    if (!s || !parse_number(&rest, "0000-", &tm.tm_year) || !parse_number(&rest, "00-", &tm.tm_mon) ||
        !parse_number(&rest, "00T", &tm.tm_mday) || !parse_number(&rest, "00:", &tm.tm_hour) ||
        !parse_number(&rest, "00:", &tm.tm_min) || !parse_number(&rest, "00", &tm.tm_sec))
        return -1;
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t fraction = parse_fraction(&rest);
    if (!parse_offset(rest, &offset))
        return -1;
    const int64_t seconds = (int64_t)timegm(&tm) - offset;
    *out_wall_ns = (seconds < TIME_FIRST  ? TIME_FIRST
                    : seconds > TIME_LAST ? TIME_LAST
                                          : seconds) *
                       NS_PER_SEC +
                   fraction;
    return 0;
}

int64_t time_after(int64_t at, int64_t count, int64_t unit)
{
    int64_t span, sum;
    if (__builtin_mul_overflow(count, unit, &span) || __builtin_add_overflow(at, span, &sum))
        return count < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

void random_bytes(void *out, size_t n)
{
    char *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n < 256 ? n : 256, 0);
        if (got < 0)
            continue; /* EINTR; the pool is ready on any running system */
        p += got;
        n -= (size_t)got;
    }
}

/* A small per-thread pool: a uuid costs a system call only every sixteenth time. */
static void pooled_bytes(unsigned char *out, size_t n)
{
    static _Thread_local unsigned char pool[256];
    static _Thread_local size_t left;
    if (left < n) {
        random_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    memcpy(out, pool + sizeof pool - left, n);
    left -= n;
}

void random_uuid(char out[37])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    pooled_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[b[i] >> 4];
        *p++ = hex[b[i] & 15];
    }
    *p = '\0';
}

void random_suffix(char *out, size_t n)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    for (size_t i = 0; i < n; i++) {
        unsigned char b;
        do
            pooled_bytes(&b, 1);
        while (b >= 243); /* 9 * 27: no bias */
        out[i] = alphabet[b % 27];
    }
    out[n] = '\0';
}
