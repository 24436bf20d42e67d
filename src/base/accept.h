/* accept.h - taking a connection in a loop that must not turn idly when none can be taken. */
#ifndef STOWAGE_BASE_ACCEPT_H
#define STOWAGE_BASE_ACCEPT_H

#include <sys/socket.h>

#define ACCEPT_REST_MS 50

/* accept4() without its address. While this process can open no more descriptors (or the machine has no memory) the
 * connection waits in the listener, which stays readable: then this rests for ACCEPT_REST_MS, or until `wake` (a
 * descriptor; -1: none) is readable, before it returns -1. */
int accept_or_rest(int listener, int flags, int wake);
/* The same, and who it is. */
int accept_from_or_rest(int listener, struct sockaddr *peer, socklen_t *len, int flags, int wake);

#endif
