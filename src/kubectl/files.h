/* files.h - whole files, and what is wrong with them in Go's words. THREADS: any. */
#ifndef STOWAGE_KUBECTL_FILES_H
#define STOWAGE_KUBECTL_FILES_H

#include "base/buf.h"

/* Appended. -1 with errno; EFBIG when it is longer than 64 MiB. */
int file_text(const char *path, struct buf *out);
int fd_text(int fd, struct buf *out);
/* "no such file or directory": errno as Go's os tells it. */
const char *file_why(int error);

#endif
