/* viewer.h - what somebody may who only looks (apiserver.h): roles and bindings like any others, made when the first
 * link for one is asked for. */
#ifndef STOWAGE_APP_VIEWER_H
#define STOWAGE_APP_VIEWER_H

#include "registry/registry.h"

/* What is there already stays as it is. */
int viewer_ensure(struct registry *r, struct err *e);

#endif
