/* pack.h - a file or a folder of this machine as a tar archive, in pieces, for kubectl cp.
 *
 * THREADS: one at a time. */
#ifndef STOWAGE_KUBECTL_VERBS_PACK_H
#define STOWAGE_KUBECTL_VERBS_PACK_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct pack;
/* What is at `path`, under `name` in the archive; folders whole, links as links. */
int pack_open(const char *path, const char *name, struct pack **out, struct err *e);
void pack_free(struct pack *p); /* NULL is fine */
void pack_cleanup(struct pack **p);
#define _auto_pack_ __attribute__((cleanup(pack_cleanup)))
/* The next bytes, 0 at the end. A file that became shorter meanwhile fails. */
ssize_t pack_read(struct pack *p, void *buf, size_t n, struct err *e);

#endif
