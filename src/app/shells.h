/* shells.h - shells on nodes that end when the cluster is sealed (seal.h). THREADS: any. */
#ifndef STOWAGE_APP_SHELLS_H
#define STOWAGE_APP_SHELLS_H

#include "base/err.h"

struct shells;
struct shells *shells_new(void);    /* NULL: no descriptors are left, told by shells_guard() */
void shells_free(struct shells *s); /* those that are open stay; NULL is fine */

/* From now on the shell with this exit descriptor (sys/machine.h) ends with shells_end(). Takes it and gives another,
 * which tells the same. On failure it is the caller's as before. */
int shells_guard(struct shells *s, int *exit_fd, struct err *e);
/* All that are guarded, and who is guarded from now on. */
void shells_end(struct shells *s);

#endif
