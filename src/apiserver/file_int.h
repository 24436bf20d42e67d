/* file_int.h - small files that matter: read whole, written whole or not at all. */
#ifndef STOWAGE_APISERVER_FILE_INT_H
#define STOWAGE_APISERVER_FILE_INT_H

#include "base/err.h"

#include <stddef.h>

/* Returns new text in *out; NULL there if the file does not exist. At most 4 MiB. */
int file_read(const char *path, char **out, struct err *e);
/* How soon it must survive a power cut; a crash of ours it survives at once. */
enum file_care {
    FILE_SYNCED, /* on disk, with its name, before we return */
    FILE_BEGUN,  /* what is in it; its name once file_sync_names() is called */
    FILE_QUICK,  /* whenever: it is written again at each start */
};
/* Mode 0600; renamed into place. */
int file_write(const char *path, const void *data, size_t len, enum file_care care, struct err *e);
/* The names in the directory of this file are on disk. */
void file_sync_names(const char *path);

#endif
