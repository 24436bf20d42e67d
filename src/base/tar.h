/* tar.h - tar archives, read and written: ustar, pax extended headers, GNU long names. Bytes only: what an entry means,
 * and whether it may be, is for the caller to say.
 *
 * Source: POSIX pax(1) "ustar" and "pax" interchange formats; GNU tar manual (long names, base-256 numbers).
 * THREADS: one at a time. */
#ifndef STOWAGE_BASE_TAR_H
#define STOWAGE_BASE_TAR_H

#include "base/buf.h"
#include "base/err.h"
#include "base/stream.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tar_type {
    TAR_FILE = '0',
    TAR_HARD_LINK = '1',
    TAR_SYMLINK = '2',
    TAR_CHAR = '3',
    TAR_BLOCK = '4',
    TAR_DIR = '5',
    TAR_FIFO = '6'
};
struct tar_xattr {
    char *name; /* owned */
    char *data; /* owned */
    size_t len;
};
struct tar_entry {
    char *path, *link; /* owned; as they stand there, never NULL */
    int type;          /* enum tar_type */
    mode_t mode;       /* 07777 */
    uint32_t uid, gid;
    int64_t size; /* of a file's data */
    int64_t mtime, mtime_ns;
    unsigned major, minor;
    struct tar_xattr *xattrs;
    size_t xattr_count;
};
void tar_entry_release(struct tar_entry *entry);

/* -- reading -- */
struct tar;
struct tar *tar_new(struct stream *s); /* borrows */
void tar_free(struct tar *t);
#define _auto_tar_ __attribute__((cleanup(tar_cleanup)))
void tar_cleanup(struct tar **t);
/* The next entry (what is left of the last one's data is skipped): 1, 0 at the end, -1. *out belongs to `t` and is good
 * until the next call. CORRUPT for what is no archive; UNSUPPORTED for sparse files. */
int tar_next(struct tar *t, const struct tar_entry **out, struct err *e);
/* Of the entry's data: bytes, 0 at its end, -1. */
ssize_t tar_data(struct tar *t, void *buf, size_t n, struct err *e);

/* -- writing, into a buffer -- */
/* The headers of an entry; its data and tar_pad() follow. */
void tar_put_header(struct buf *out, const struct tar_entry *entry);
void tar_put_pad(struct buf *out, int64_t size);
void tar_put_end(struct buf *out);

#endif
