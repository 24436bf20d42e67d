/* tls_io_int.h - fewer system calls under TLS.
 *
 * The HTTP library hands header and body of an answer to TLS separately, and TLS reads a record's header and its body
 * separately. For small answers that doubles the cost. This stands between TLS and the socket and joins them. */
#ifndef STOWAGE_APISERVER_TLS_IO_INT_H
#define STOWAGE_APISERVER_TLS_IO_INT_H

#include "base/buf.h"

#include <stdbool.h>

struct tls_io;

/* `session` is a gnutls_session_t. Borrows all; must live as long as the session. wait(arg, events) is called, on the
 * connection's thread, whenever it can go no further before the socket has one of these (EPOLLIN, EPOLLOUT…): in the
 * handshake, or because the client does not read its answers. False: it may have them already. */
struct tls_io *tls_io_new(void *session, int fd, bool (*wait)(void *arg, unsigned events), void *arg);
void tls_io_free(struct tls_io *io);
/* What the library writes from now on is one small answer (a few KiB): it becomes one record, which leaves with
 * tls_io_send(). That must follow at once, whether or not the library could write all, or the connection ends. */
void tls_io_gather(struct tls_io *io);
void tls_io_send(struct tls_io *io);
/* The next record (a header) is held back until the one after it (its body), which is sure to come at once. */
void tls_io_join(struct tls_io *io);

/* The gnutls_session_t. */
void *tls_io_session(const struct tls_io *io);
/* From now on TLS reads an end and what it writes is dropped: somebody else has the socket, and first what was already
 * read from it (appended to `in`). False, and nothing is changed: TLS has half a record, or one of its own is still to
 * be sent. */
bool tls_io_detach(struct tls_io *io, struct buf *in, int *out_fd);

#endif
