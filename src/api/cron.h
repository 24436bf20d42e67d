/* cron.h - schedules: "minute hour day month weekday", "@hourly", "@every 5m"; when they are due next.
 *
 * Source of the grammar and of the messages: the cron library Kubernetes uses (its standard parser). THREADS: pure. */
#ifndef STOWAGE_API_CRON_H
#define STOWAGE_API_CRON_H

#include "base/err.h"

#include <stdint.h>

struct cron {
    uint64_t minute, hour, day, month, weekday; /* bit n: the value n is due */
    bool any_day, any_weekday;                  /* written as a star: the other one decides alone */
    int64_t every_s;                            /* "@every": seconds between, else 0 */
};
/* Error BAD_REQUEST with the real text. */
int cron_parse(const char *text, struct cron *out, struct err *e);
/* The first moment after `after` (seconds since 1970) at which it is due; -1 if there is none within five years.
 * `zone` is NULL or "" for UTC. */
int64_t cron_next(const struct cron *c, const char *zone, int64_t after);
/* Is there such a time zone? */
bool cron_zone_known(const char *zone);

#endif
