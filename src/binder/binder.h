/* binder.h - everything that moves a claim: binding, provisioning, reclaim, protection, attach and detach, expansion.
 * One loop, one file or two; the loops meet in the store, as the real controllers and CSI sidecars do. */
#ifndef STOWAGE_BINDER_BINDER_H
#define STOWAGE_BINDER_BINDER_H

#include "control/control.h"
#include "sys/machine.h"

#include <stddef.h>

struct binder_env {
    struct machine *machine; /* borrows */
};

/* Every loop of this folder; pass a struct binder_env to control_add(). */
const struct loop_def *const *binder_loops(size_t *n);

#endif
