/* listener_int.h - a listening socket, and the small thread that takes connections from it. */
#ifndef STOWAGE_APISERVER_LISTENER_INT_H
#define STOWAGE_APISERVER_LISTENER_INT_H

#include "base/err.h"

struct apiserver;
struct listener;
/* Takes the socket, on error too. */
int listener_start(struct apiserver *s, int take_fd, struct listener **out, struct err *e);
void listener_stop(struct listener *l); /* NULL is fine */

#endif
