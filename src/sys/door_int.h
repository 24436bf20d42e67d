/* door_int.h - sockets of the user's own network, for the service process, which is in the cluster's. Private to sys.
 *
 * Root steps into that network and back. Root of a user namespace may not: then a small process that stayed there
 * makes the sockets and hands them out. */
#ifndef STOWAGE_SYS_DOOR_INT_H
#define STOWAGE_SYS_DOOR_INT_H

#include "base/err.h"

#include <sys/types.h>

/* *out_door: a descriptor for door_socket(), for whoever inherits it. *out_pid: the process that must be waited for, or
 * 0. It ends when nobody has the descriptor. */
int door_open(int *out_door, pid_t *out_pid, struct err *e);
/* A new socket of that network, not bound, close-on-exec and not blocking; or -errno. `own_net`: to come back to. */
int door_socket(int door, int own_net, int type);

#endif
