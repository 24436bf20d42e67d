/* websocket_int.h - a WebSocket to an API server: the upgrade, messages, one poll() for it and what its user waits for
 * beside it. Private to client. Source: RFC 6455. THREADS: one at a time. */
#ifndef STOWAGE_CLIENT_WEBSOCKET_INT_H
#define STOWAGE_CLIENT_WEBSOCKET_INT_H

#include "client/client_int.h"

#include <poll.h>

struct websocket_conf {
    const char *path;
    const char *protocols; /* offered, best first: "a, b" */
    /* Each binary message. -1 breaks the stream with `e`. */
    int (*message)(void *arg, const uint8_t *data, size_t n, struct err *e);
    void *arg;
    int64_t deadline; /* of the upgrade */
};

struct websocket;
/* A connection of its own. A refusal is what the server says; UNSUPPORTED: none of the protocols. */
int websocket_open(struct client *c, const struct websocket_conf *conf, struct websocket **out, struct err *e);
void websocket_free(struct websocket *w); /* NULL is fine */
void websocket_cleanup(struct websocket **w);
#define _auto_websocket_ __attribute__((cleanup(websocket_cleanup)))
const char *websocket_protocol(const struct websocket *w); /* the one agreed on */

/* Queued, never sent at once. `prefix` comes first in the message. */
void websocket_send(struct websocket *w, const void *prefix, size_t prefix_len, const void *data, size_t n);
size_t websocket_queued(const struct websocket *w); /* bytes on their way */
bool websocket_ended(const struct websocket *w);    /* the server has said goodbye or is gone */

/* Sends what it can, waits until anything happens, takes what came. `others` get their revents; `listen` false leaves
 * the server's messages where they are. TIMEOUT: interrupted (client.h). -1 too when the connection broke. */
int websocket_turn(struct websocket *w, bool listen, struct pollfd *others, size_t count, int timeout_ms,
                   struct err *e);

#endif
