/* file_int.h - small files that matter: read whole, written whole or not at all. */
#ifndef STOWAGE_APISERVER_FILE_INT_H
#define STOWAGE_APISERVER_FILE_INT_H

#include "base/err.h"

#include <stddef.h>

/* Returns new text in *out; NULL there if the file does not exist. At most 4 MiB. */
int file_read(const char *path, char **out, struct err *e);
/* Mode 0600, on disk, then renamed into place. */
int file_write(const char *path, const void *data, size_t len, struct err *e);

#endif
