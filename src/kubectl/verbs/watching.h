/* watching.h - `get -w`: what is there, then what changes, until the server or the user ends it. */
#ifndef STOWAGE_KUBECTL_VERBS_WATCHING_H
#define STOWAGE_KUBECTL_VERBS_WATCHING_H

#include "kubectl/output/print.h"
#include "kubectl/targets.h"

/* Returns the exit code. */
int watch_targets(struct call *c, const struct targets *all, struct printer *p);

#endif
