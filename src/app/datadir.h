/* datadir.h - the directory a cluster owns: made, locked, and for an ephemeral cluster removed however it ends. */
#ifndef STOWAGE_APP_DATADIR_H
#define STOWAGE_APP_DATADIR_H

#include "base/err.h"

#include <stdbool.h>

struct datadir {
    char *path;  /* owned, absolute */
    int lock;    /* held while we live */
    int janitor; /* ephemeral: the pipe whose end makes the janitor remove `path`; else -1 */
};

/* The directory that datadir_open() will use: `path`, or for an ephemeral cluster a fresh one in it, named after this
 * process. Returns new. */
char *datadir_name(const char *path, bool ephemeral);
/* Makes a directory and those above it. */
int datadir_make(const char *path, struct err *e);

/* Makes and locks it. BUSY names the process that has it. MUST be called while the process has one thread when
 * `ephemeral`: a janitor process is forked, which removes the directory even after kill -9. What ephemeral clusters
 * left whose janitor was killed as well goes now. */
int datadir_open(const char *path, bool ephemeral, struct datadir *out, struct err *e);
void datadir_close(struct datadir *d);

#endif
