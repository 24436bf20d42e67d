/* stream.h - exec and attach: descriptors of this process joined to a process in a pod.
 *
 * WebSocket, v5.channel.k8s.io (v4 is offered, too, for servers before 1.30; such a one is told nothing of the end of
 * stdin). Source: facts of k8s.io/apimachinery util/remotecommand. THREADS: one call, one thread. */
#ifndef STOWAGE_CLIENT_STREAM_H
#define STOWAGE_CLIENT_STREAM_H

#include "client/client.h"

#include <sys/types.h>

struct client_stream {
    const char *path; /* ".../exec?command=…" with its query */
    int in;           /* read to its end and sent; -1: no stdin. Not closed */
    /* In the place of `in`: up to n bytes for stdin, 0 at its end, -1 ends the call with `e`. NULL: none. */
    ssize_t (*supply)(void *arg, void *buf, size_t n, struct err *e);
    int resize; /* readable: the terminal has another size, see size(); -1: none */
    /* What the process writes: 1 stdout, 2 stderr. -1 ends the call with `e`. */
    int (*output)(void *arg, int which, const void *data, size_t n, struct err *e);
    /* Empties `resize` and tells the size. */
    void (*size)(void *arg, int *out_width, int *out_height);
    void *arg;
    int64_t timeout_ms; /* 0: none */
};

/* Runs until the process has ended: 0, and its exit code in *out_code. A refusal is what the server says (NOT_FOUND,
 * BAD_REQUEST, …); TIMEOUT closes the stream. */
int client_run(struct client *c, const struct client_stream *s, int *out_code, struct err *e);

#endif
