/* io_int.h - one end of a connection: buffered reading, whole writing, with TLS or without, never longer than a limit
 * of silence. */
#ifndef STOWAGE_INGRESS_IO_H
#define STOWAGE_INGRESS_IO_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IO_SILENCE_MS 60000 /* as ingress-nginx: proxy-read-timeout, proxy-send-timeout */
#define IO_BUFFER     16384

struct io {
    int fd;
    gnutls_session_t tls; /* owned; NULL = plain */
    char data[IO_BUFFER];
    size_t at, len; /* what was read and not yet taken */
    bool sealed;    /* TLS has a record that is not wholly sent */
    int stop;       /* borrowed descriptor that becomes readable when all shall end */
};
void io_init(struct io *io, int take_fd, int stop);
void io_release(struct io *io);
/* More bytes after those that are there: how many; 0 = the end, or no room; -1 = broken, silent too long (errno
 * ETIMEDOUT), or told to end. */
ssize_t io_fill(struct io *io, int timeout_ms);
/* What can be sent without waiting: how much of it, 0 = nothing now; -1 = broken. What was not sent must be offered
 * again, more behind it is fine. */
ssize_t io_send(struct io *io, const void *data, size_t len);
/* 0, or -1. */
int io_write(struct io *io, const void *data, size_t len);
int io_print(struct io *io, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Until it can be read (writing: written). 0, or -1. */
int io_await(const struct io *io, bool writing);
/* Waits for a connecting socket; 0, or -1 (errno). */
int io_await_connect(const struct io *io, int timeout_ms);
/* Carries bytes both ways until both have ended. */
void io_splice(struct io *a, struct io *b);

#endif
