/* clockwork.h - the cluster's clock, moved forward while everything keeps step; kept in the data directory. */
#ifndef STOWAGE_CONTROL_CLOCKWORK_H
#define STOWAGE_CONTROL_CLOCKWORK_H

#include "base/clock.h"
#include "base/err.h"
#include "control/control.h"

#define CLOCKWORK_MAX_NS (INT64_C(24) * 3600 * 1000000000) /* at once */

/* Where the clock of this data directory stands: as far ahead as it was moved in earlier lives. */
void clockwork_load(const char *data_dir, struct clock_ahead *out);
struct clockwork; /* keeps it fast */

/* Moves it, in steps that no lease or heartbeat misses, and writes down how far. */
int clockwork_forward(const char *data_dir, struct clock_ahead *clock, struct control *control, int64_t ns,
                      struct err *e);

#define CLOCKWORK_MAX_SPEED 1000

/* Borrows its arguments until clockwork_close(). */
struct clockwork *clockwork_open(const char *data_dir, struct clock_ahead *clock, struct control *control);
/* From now on so many times as fast as this machine's clock; 1: as fast. Until the cluster stops. */
int clockwork_speed(struct clockwork *w, int64_t times, struct err *e);
int64_t clockwork_speed_now(struct clockwork *w);
void clockwork_close(struct clockwork *w); /* before control_free(); NULL is fine */

#endif
