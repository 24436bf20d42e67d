/* simulated.h - a cluster whose machine is simulated, over several starts. */
#ifndef STOWAGE_APP_SIMULATED_H
#define STOWAGE_APP_SIMULATED_H

#include "base/err.h"
#include "registry/registry.h"
#include "sys/machine.h"

#include <stdbool.h>

/* A data directory stays what it was at its first start: volumes of a simulated cluster have no disks, and those of a
 * real one cannot be simulated; root's and an ordinary user's are different files. Says what to do if it does not fit.
 * `why`: of the simulation now. */
int simulated_check(const char *data_dir, const struct machine_info *machine, const char *why, struct err *e);

/* Tells the machine of the disks of the volumes in the store, which it forgot when the process ended. */
void simulated_restore(struct registry *r, struct machine *m);

#endif
