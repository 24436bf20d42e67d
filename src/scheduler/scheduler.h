/* scheduler.h - finds a node for each pod that has none: filter, score, volumes, bind. */
#ifndef STOWAGE_SCHEDULER_SCHEDULER_H
#define STOWAGE_SCHEDULER_SCHEDULER_H

#include "control/control.h"

#include <stddef.h>

/* The loops of this folder; they need no environment (pass NULL to control_add()). */
const struct loop_def *const *scheduler_loops(size_t *n);

#endif
