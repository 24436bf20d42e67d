/* forward.h - port-forward: local connections carried to ports of a pod.
 *
 * SPDY/3.1 inside a WebSocket, as kubectl has it since 1.31 (a server before 1.30 is not spoken to). All connections of
 * all ports share the one stream. Source: client-go tools/portforward; the API server's streamtunnel. THREADS: one
 * call, one thread. */
#ifndef STOWAGE_CLIENT_FORWARD_H
#define STOWAGE_CLIENT_FORWARD_H

#include "client/client.h"

#include <stddef.h>

struct forward_port {
    int fd; /* listens; borrowed */
    int local, remote;
};
struct forward_conf {
    const struct forward_port *ports;
    size_t count;
    /* Somebody connected to this port. */
    void (*connected)(void *arg, const struct forward_port *port);
    /* A connection failed, in the server's words; the whole forward ends with it. */
    void (*failed)(void *arg, const struct forward_port *port, const char *why);
    void *arg;
};

struct client_forward;
/* path: "/api/v1/namespaces/ns/pods/name/portforward". A refusal is what the server says. */
int client_forward_open(struct client *c, const char *path, struct client_forward **out, struct err *e);
void client_forward_free(struct client_forward *f); /* NULL is fine */
void client_forward_cleanup(struct client_forward **f);
#define _auto_client_forward_ __attribute__((cleanup(client_forward_cleanup)))
/* Until the server is lost (UNAVAILABLE) or it is interrupted (TIMEOUT, see client_set_cancel()): always -1. */
int client_forward_run(struct client_forward *f, const struct forward_conf *conf, struct err *e);

#endif
