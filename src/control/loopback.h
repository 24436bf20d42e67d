/* loopback.h - addresses of the user's loopback that are this cluster's: 127.a.b.1 to .254, where a and b follow from
 * the cluster's identity, so that they stay, and two clusters beside each other have others. The first one is the
 * ingress controller's, the rest are for load balancers. */
#ifndef STOWAGE_CONTROL_LOOPBACK_H
#define STOWAGE_CONTROL_LOOPBACK_H

#include "registry/registry.h"

enum { LOOPBACK_INGRESS = 1, LOOPBACK_FIRST = 2, LOOPBACK_LAST = 254, LOOPBACK_LEN = 16 };
void loopback_address(struct registry *r, int n, char out[LOOPBACK_LEN]);

#endif
