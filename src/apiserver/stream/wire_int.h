/* wire_int.h - the socket of an upgraded connection as two byte queues, so that a session never blocks on either
 * direction. */
#ifndef STOWAGE_APISERVER_STREAM_WIRE_INT_H
#define STOWAGE_APISERVER_STREAM_WIRE_INT_H

#include "apiserver/stream_int.h"
#include "base/buf.h"

#include <stdbool.h>

struct wire {
    int fd;         /* borrowed */
    struct buf in;  /* came, not yet understood */
    struct buf out; /* to be sent */
    bool ended;     /* the client is gone, or broke the protocol */
    /* under TLS */
    struct tls_records *tls; /* borrowed; NULL: none */
    struct buf sealed;       /* records of bytes that were in `out` */
};

void wire_init(struct wire *w, const struct upgraded *up); /* takes the early bytes in */
void wire_release(struct wire *w);
/* What poll() should wait for. `read_more` false leaves the client's bytes in its socket for now; so does a client that
 * does not take what is to be sent. */
short wire_events(const struct wire *w, bool read_more);
/* After poll(): reads what is there, sends what can be sent. */
void wire_move(struct wire *w, short revents);
/* Everything is on its way. */
bool wire_flushed(const struct wire *w);
/* Sends the rest and waits for the client to close; gives up when for `ms` nothing moved. */
void wire_linger(struct wire *w, int ms, void (*on_input)(void *arg), void *arg);

#endif
