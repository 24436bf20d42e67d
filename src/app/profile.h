/* profile.h - what a fresh cluster holds beyond the bare API: the storage classes of a platform, and the drivers it
 * has. */
#ifndef STOWAGE_APP_PROFILE_H
#define STOWAGE_APP_PROFILE_H

#include "base/err.h"
#include "registry/registry.h"

/* Applied once in a cluster's life; later starts leave the user's changes alone. Unknown names are refused by the
 * command line. */
int profile_apply(struct registry *r, const char *name, struct err *e);

#endif
