/* client_int.h - private to client: what calls and streams share. */
#ifndef STOWAGE_CLIENT_CLIENT_INT_H
#define STOWAGE_CLIENT_CLIENT_INT_H

#include "client/client.h"
#include "client/http_int.h"

struct client {
    struct remote remote;
    struct conn *conn; /* kept alive, or NULL */
    char *token, *ns, *agent;
    char *identity; /* whole lines of headers, or NULL */
    int cancel;
    json_t *refusal; /* see client_take_refusal() */
};

/* The first lines of a request, without the empty one at their end; the second asks for `path` below the server's own.
 */
void client_head_bare(const struct client *c, const char *method, const char *path, struct buf *out);
void client_head(const struct client *c, const char *method, const char *path, struct buf *out);

#endif
