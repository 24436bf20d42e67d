/* handin.h - what a student handed in, as it was handed in: files in memory, from a folder, an archive or one file.
 *
 * It is a stranger's: nothing of it is written anywhere, no link is followed, no name leads out of it, and all sizes
 * are bounded before memory is taken. What is left out is told. THREADS: one struct, one thread. */
#ifndef STOWAGE_LAB_HANDIN_H
#define STOWAGE_LAB_HANDIN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"

#include <stddef.h>

#define HANDIN_FILE_MAX  (4 * 1024 * 1024)  /* bytes of one file */
#define HANDIN_BYTES_MAX (16 * 1024 * 1024) /* of all, unpacked */
#define HANDIN_FILES_MAX 1000

struct handin_file {
    char *path; /* relative, no "..", "/" between */
    struct buf data;
};
struct handin {
    struct handin_file *files; /* owned; sorted by path */
    size_t len, cap;
    size_t bytes;
    struct strlist left_out; /* what was not taken, and why; a line each */
};
void handin_release(struct handin *h); /* zeroed is fine */
#define _auto_handin_ __attribute__((cleanup(handin_release)))

/* A folder; an archive (tar, also with gzip or zstd; zip), which is known by its first bytes; or a file as it is.
 * TOO_LARGE, CORRUPT, BAD_REQUEST: it can not be taken, and why. */
int handin_read(const char *path, struct handin *out, struct err *e);
/* The same of bytes that are here already: an archive, or a file of that name. */
int handin_take(const char *name, const void *data, size_t len, struct handin *out, struct err *e);
/* Of names and bytes: the same for the same content, packed or not. */
void handin_digest(const struct handin *h, char out[SHA256_TEXT_LEN]);
const struct handin_file *handin_find(const struct handin *h, const char *path); /* NULL: none */

#endif
