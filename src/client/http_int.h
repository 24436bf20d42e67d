/* http_int.h - HTTP/1.1 messages over a connection. Private to client. */
#ifndef STOWAGE_CLIENT_HTTP_INT_H
#define STOWAGE_CLIENT_HTTP_INT_H

#include "base/buf.h"
#include "base/str.h"
#include "client/conn_int.h"

/* The head of an answer. */
struct head {
    int status;
    char *type, *accept_key, *protocol; /* owned or NULL: Content-Type, Sec-WebSocket-Accept, Sec-WebSocket-Protocol */
    struct strlist warnings;
    int64_t length; /* -1: not told */
    bool chunked, close;
};
void head_release(struct head *h);
#define _auto_head_ __attribute__((cleanup(head_release)))
int answer_head_read(struct conn *c, int64_t deadline, struct head *out, struct err *e);

/* The body, piece by piece; `take` as in client.h. Returns 0 at its end, 1 when `take` wanted no more, -1 with `e`. */
int body_read(struct conn *c, const struct head *h, int64_t deadline,
              int (*take)(void *arg, const void *data, size_t n, struct err *e), void *arg, struct err *e);

#endif
