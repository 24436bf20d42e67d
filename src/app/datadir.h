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

/* Makes and locks it. BUSY names the process that has it. MUST be called while the process has one thread when
 * `ephemeral`: a janitor process is forked, which removes the directory even after kill -9. `path` is then a fresh
 * directory beside it. */
int datadir_open(const char *path, bool ephemeral, struct datadir *out, struct err *e);
void datadir_close(struct datadir *d);

#endif
