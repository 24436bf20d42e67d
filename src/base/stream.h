/* stream.h - bytes read once, from a descriptor or from memory, gzip and zstd undone, counted and digested on the way.
 *
 * A layer's diff id, the digest of its bytes as they are read, comes from here. What comes out is bounded, so that a
 * small archive cannot fill a disk. THREADS: one at a time. */
#ifndef STOWAGE_BASE_STREAM_H
#define STOWAGE_BASE_STREAM_H

#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

struct stream_conf {
    int fd;          /* borrowed; read from where it stands; -1 = memory */
    const void *mem; /* borrowed */
    size_t mem_len;
    int64_t max_bytes; /* more than that come out: TOO_LARGE; 0 = no bound */
    bool digest;       /* stream_digest() will be asked */
};

/* Looks at the first bytes. UNSUPPORTED for another compression (and for zstd, where Stowage was built without libzstd:
 * STOWAGE_ZSTD). Returns new in *out. */
int stream_open(const struct stream_conf *conf, struct stream **out, struct err *e);
void stream_close(struct stream *s); /* NULL is fine */
#define _auto_stream_ __attribute__((cleanup(stream_cleanup)))
void stream_cleanup(struct stream **s);

/* Up to n bytes; 0 at the end, -1 with `e`. */
ssize_t stream_read(struct stream *s, void *buf, size_t n, struct err *e);
/* All of n bytes; fewer only at the end (or in *out_short's stead an error). */
ssize_t stream_read_full(struct stream *s, void *buf, size_t n, struct err *e);
/* Reads to the end: the digest is whole then. */
int stream_drain(struct stream *s, struct err *e);
int64_t stream_bytes(const struct stream *s); /* came out so far */
/* Of what came out so far. */
void stream_digest(const struct stream *s, char out[SHA256_TEXT_LEN]);

#endif
