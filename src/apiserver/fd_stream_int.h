/* fd_stream_int.h - an answer whose body comes out of a descriptor (a pipe, a socket) as it is written at the other
 * end. */
#ifndef STOWAGE_APISERVER_FD_STREAM_INT_H
#define STOWAGE_APISERVER_FD_STREAM_INT_H

#include "apiserver/reply_int.h"

/* Who writes at the other end; any member may be NULL. */
struct fd_source {
    bool (*whole)(void *arg); /* asked at the end of the descriptor: was that the end of the body? Else it broke. */
    void (*done)(void *arg);  /* the descriptor is closed: nobody reads any more */
};
/* Answers; takes the descriptor. Ends when that ends, the client leaves or the server stops. `source` is borrowed for
 * ever; NULL: a descriptor without more. */
void fd_stream_reply(struct request *rq, const struct reply *r, int take_fd, const struct fd_source *source, void *arg);

#endif
