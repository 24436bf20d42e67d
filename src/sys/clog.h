/* clog.h - a container's log file in the CRI format, with rotation.
 *
 *      2024-01-02T03:04:05.123456789Z stdout F line
 *
 * 'P' marks a piece of a line longer than 16 KiB (or one the container has not ended yet when it exits). At 10 MiB the
 * file is renamed with a time stamp and a new one begins; five files are kept in all. */
#ifndef STOWAGE_SYS_CLOG_H
#define STOWAGE_SYS_CLOG_H

#include "base/buf.h"

#include <stdint.h>

struct clog {
    char *path; /* owned; NULL = nothing is kept */
    int fd;
    int64_t size;
};
struct clog_stream {
    const char *name;   /* "stdout" */
    struct buf partial; /* an unfinished line */
};
void clog_open(struct clog *l, const char *path);
void clog_release(struct clog *l);
/* now_ns: wall time the bytes came. */
void clog_write(struct clog *l, struct clog_stream *s, const char *data, size_t len, int64_t now_ns);
/* The stream ended: what is left of a line is written. */
void clog_finish(struct clog *l, struct clog_stream *s, int64_t now_ns);

#define CLOG_LINE_MAX  (16 * 1024)
#define CLOG_FILE_MAX  (10 * 1024 * 1024)
#define CLOG_FILES_MAX 5

#endif
