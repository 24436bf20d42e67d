/* stream_int.h - the door to exec, attach, port-forward and proxy: requests whose connection becomes a stream.
 *
 *     router -> stream_serve() -> the row's open(rq): checks what can fail, chooses a protocol
 *                                   |-- refuses:  reply_err(), reply_status()     (Status JSON, the same for GET and
 * POST)
 *                                   `-- accepts:  upgrade_accept(rq, …): 101, and then run() on a thread of its own
 * with the socket
 *
 * Before the 101 everything that can be refused must be refused: afterwards only the protocol's own error channel is
 * left. Under TLS the stream has the connection's keys (tls_records_int.h); only where these cannot be had (TLS 1.2)
 * the socket is one end of a pair, and the HTTP library moves the bytes.
 *
 * How to add a protocol: a function open() in src/apiserver/stream/, and its row in stream_routes.c. */
#ifndef STOWAGE_APISERVER_STREAM_INT_H
#define STOWAGE_APISERVER_STREAM_INT_H

#include "apiserver/request_int.h"
#include "registry/node_ops.h"

struct stream_route {
    const char *sub; /* "exec", "attach", "portforward", "proxy" */
    /* Ends with a reply_*() or upgrade_accept(). rq->res is pods (or nodes, services: proxy only); rq->target has ns,
     * name, sub and rest; rq->query the arguments (query_nth() for those that repeat); request_header() the headers. */
    void (*open)(struct request *rq);
};
extern const struct stream_route stream_routes[]; /* ends with sub NULL */

/* -- what a stream asks before it begins -- */

/* The pod's object, or NULL after the 404 was sent. Returns new. */
struct sobj *stream_pod(struct request *rq);
/* The container to use: the one named by ?container=, or the only one. NULL after the refusal was sent. In the arena.
 */
const char *stream_container(struct request *rq, const json_t *pod);
/* Has the pod a node, is there such a node, and does it answer? false after the refusal was sent, which begins with
 * `asking` where the node does not. */
#define STREAM_DIALING "error dialing backend"
bool stream_node(struct request *rq, const json_t *pod, const char *asking);
/* All values of a header that may come in several lines and as comma lists, in order. In the arena; NULL-terminated. */
const char *const *stream_header_list(struct request *rq, const char *name);
/* Does the header hold this word (any case) in its comma list? */
bool stream_header_has(struct request *rq, const char *name, const char *word);
/* A Status with this code and text. */
void stream_refuse(struct request *rq, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* -- the upgrade -- */

/* A running session, on its own thread. */
struct upgraded {
    int fd;                  /* read and write here, as wire_int.h does. Not to be closed: that is done after run() */
    struct tls_records *tls; /* NULL: the bytes are plain */
    const void *early;       /* bytes the client sent right behind its request; borrowed during run() */
    size_t early_len;
};
struct upgrade_header {
    const char *name, *value;
};
/* Answers 101 with these headers (Connection: Upgrade is added; Upgrade must be among them; ends with name NULL) and
 * calls run(up, arg) on a thread of its own; done(arg) frees arg, whether or not run() was ever called. Where this
 * process has no more threads or descriptors the answer is a 503 instead. When the server
 * stops, the socket is shut down: read() gives 0, write() EPIPE, and run() must then return soon. */
void upgrade_accept(struct request *rq, const struct upgrade_header *headers,
                    void (*run)(struct upgraded *up, void *arg), void *arg, void (*done)(void *arg));

#endif
