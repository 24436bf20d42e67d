/* relay.h - a request of somebody else carried to the cluster with this client's credentials, and the answer back as it
 * comes: for kubectl proxy. THREADS: one call, one thread. */
#ifndef STOWAGE_CLIENT_RELAY_H
#define STOWAGE_CLIENT_RELAY_H

#include "client/client.h"

struct relay_request {
    const char *method, *path;
    const char *headers; /* "Name: value\r\n" each; none of Host, User-Agent, Authorization, Connection */
    bool below;          /* `path` is below the server's own; else it is the whole */
    bool upgrade;        /* it wants another protocol: Connection and Upgrade are in `headers` */
    const void *body;    /* what of it is here already; of no use with `upgrade` */
    size_t len;
    int fd; /* what follows is read from it, the answer written to it; not closed */
};
/* Until the server has closed. -1: nothing was written to fd yet when it failed. */
int client_relay(struct client *c, const struct relay_request *rq, struct err *e);

#endif
