/* tls_records_int.h - the records of a TLS 1.3 connection, sealed and opened by ourselves.
 *
 * A connection that became a stream is moved by the HTTP library through a pair of sockets, four bytes at a time
 * (0.9.75 leaves no memory for more), each with a record of its own: a file copied into a pod took seconds a megabyte.
 * So the session's thread takes the connection over, keys and all, and the library sees nothing of it any more. */
#ifndef STOWAGE_APISERVER_TLS_RECORDS_INT_H
#define STOWAGE_APISERVER_TLS_RECORDS_INT_H

#include "apiserver/tls_io_int.h"
#include "base/buf.h"

#include <stdbool.h>

struct tls_records;

/* Takes over the connection behind `io`, between two of its reads and writes, on its HTTP thread: from now on neither
 * reaches the socket. Returns new, to be used on any one thread; NULL if that cannot be done (TLS 1.2, half a record
 * read), and nothing is changed. */
struct tls_records *tls_records_take(struct tls_io *io);
void tls_records_free(struct tls_records *t);

/* The socket; not to be closed. */
int tls_records_fd(const struct tls_records *t);
/* Where bytes from the socket are to be appended. */
struct buf *tls_records_in(struct tls_records *t);
/* Moves what whole records say to `out`. False: the client said goodbye, or the connection is broken. */
bool tls_records_open(struct tls_records *t, struct buf *out);
/* Appends records with these bytes to `out`. */
void tls_records_seal(struct tls_records *t, const void *data, size_t len, struct buf *out);
/* Appends our goodbye. */
void tls_records_close(struct tls_records *t, struct buf *out);

#endif
