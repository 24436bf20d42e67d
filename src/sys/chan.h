/* chan.h - messages with file descriptors over a SOCK_SEQPACKET socket.
 *
 * A message has an id (a reply carries the id of its request), a kind and a body. Packets are whole or not at all, so
 * many processes may answer on one socket: a forked child replies for itself. A body too large for a packet travels in
 * a memory file. */
#ifndef STOWAGE_SYS_CHAN_H
#define STOWAGE_SYS_CHAN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CHAN_FDS_MAX 4

struct msg {
    uint32_t id, kind;
    struct buf body;       /* owned */
    int fds[CHAN_FDS_MAX]; /* owned; -1 beyond fd_count */
    unsigned fd_count;
    bool fds_lost; /* some came, but this process may open no more; if the body was among them, it is empty */
};
#define MSG_INIT                                                                                                       \
    (struct msg)                                                                                                       \
    {                                                                                                                  \
        .fds = { -1, -1, -1, -1 }                                                                                      \
    }
#define _auto_msg_ __attribute__((cleanup(msg_release)))
void msg_release(struct msg *m);
/* Takes descriptor `i` out of the message (-1 if there is none). */
int msg_take_fd(struct msg *m, unsigned i);

int chan_pair(int out_fds[2], struct err *e); /* both close-on-exec */
/* Borrows the descriptors. ERR_UNAVAILABLE when the other end is gone; ERR_TOO_LARGE: nothing was sent, as the other
 * end would take such a body (more than 64 MiB) for a broken channel. */
int chan_send(int sock, uint32_t id, uint32_t kind, const struct buf *body, const int *fds, unsigned fd_count,
              struct err *e);
/* 1 = a message, 0 = the other end is gone, -1 = nothing there (non-blocking) or broken (errno). */
int chan_recv(int sock, struct msg *out);

#endif
