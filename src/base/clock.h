/* clock.h - the one source of time and randomness.
 *
 * Everything that asks for the time asks a `struct clock`, so that a test (or a student who wants to see a back-off)
 * can move it. Two readings: wall (seconds and nanoseconds since 1970, what objects carry) and mono (nanoseconds,
 * what timers use). A fake clock moves only when told. THREADS: safe from any thread. */
#ifndef STOWAGE_BASE_CLOCK_H
#define STOWAGE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct clock_ops {
    int64_t (*wall_ns)(void *self);
    int64_t (*mono_ns)(void *self);
};
struct clock {
    const struct clock_ops *ops;
    void *self;
};

const struct clock *clock_real(void);

struct clock_fake {
    struct clock clock; /* pass &fake.clock on */
    int64_t wall;
    int64_t mono;
};
void clock_fake_init(struct clock_fake *f, int64_t wall_ns);
void clock_fake_advance(struct clock_fake *f, int64_t ns);

/* The real clock, ahead by as much as it was moved: a cluster's own, which `stowage clock forward` moves. */
struct clock_ahead {
    struct clock clock; /* pass &ahead.clock on */
    int64_t by;
};
void clock_ahead_init(struct clock_ahead *a, int64_t by_ns);
void clock_ahead_move(struct clock_ahead *a, int64_t ns);
int64_t clock_ahead_by(const struct clock_ahead *a);

int64_t clock_wall_ns(const struct clock *c);
int64_t clock_mono_ns(const struct clock *c);
int64_t clock_mono_ms(const struct clock *c);

/* "2024-01-02T03:04:05Z" (metav1.Time) into out. */
#define TIME_TEXT_LEN 21
void time_format(int64_t wall_ns, char out[TIME_TEXT_LEN]);
/* "2024-01-02T03:04:05.123456Z" (metav1.MicroTime). */
#define MICROTIME_TEXT_LEN 28
void microtime_format(int64_t wall_ns, char out[MICROTIME_TEXT_LEN]);
/* RFC 3339 with any fraction and offset; -1 if it is not. Times before 1843 (Go's zero, the year 1) and after 2223 are
 * these. */
int time_parse(const char *s, int64_t *out_wall_ns);

/* `count` times `unit` after (before, if negative) a time, both in one unit: what users may say is held in the range.
 */
int64_t time_after(int64_t at, int64_t count, int64_t unit);

/* Random bytes from the kernel. */
void random_bytes(void *out, size_t n);
/* UUID version 4 as text, NUL included. */
void random_uuid(char out[37]);
/* `n` characters of Kubernetes' safe alphabet ("bcdfghjklmnpqrstvwxz2456789") and a NUL. */
void random_suffix(char *out, size_t n);

#endif
