/* clockwork.h - the cluster's clock, moved forward while everything keeps step; kept in the data directory. */
#ifndef STOWAGE_APP_CLOCKWORK_H
#define STOWAGE_APP_CLOCKWORK_H

#include "base/clock.h"
#include "base/err.h"
#include "control/control.h"

#define CLOCKWORK_MAX_NS (INT64_C(24) * 3600 * 1000000000) /* at once */

/* Where the clock of this data directory stands: as far ahead as it was moved in earlier lives. */
void clockwork_load(const char *data_dir, struct clock_ahead *out);
/* Moves it, in steps that no lease or heartbeat misses, and writes down how far. */
int clockwork_forward(const char *data_dir, struct clock_ahead *clock, struct control *control, int64_t ns,
                      struct err *e);

#endif
