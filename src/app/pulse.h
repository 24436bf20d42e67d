/* pulse.h - are the node helper and the nodes alive? For health checks, which must not hang on them. */
#ifndef STOWAGE_APP_PULSE_H
#define STOWAGE_APP_PULSE_H

#include "base/pool.h"
#include "sys/machine.h"

#include <stdbool.h>

struct pulse;

/* Borrows machine and pool. */
struct pulse *pulse_new(struct machine *m, struct pool *pool, int nodes);
/* Asks the helper, and each node through it, something small. False also when there is no answer in time. Any thread.
 */
bool pulse_ask(struct pulse *p, int wait_ms);
/* The pool has ended its jobs. NULL is fine. */
void pulse_free(struct pulse *p);

#endif
