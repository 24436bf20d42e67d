/* userns_int.h - are we root of a user namespace only, and what can root not do there? Private to sys.
 *
 * THREADS: any, but userns_enter(): single-threaded processes only. */
#ifndef STOWAGE_SYS_USERNS_INT_H
#define STOWAGE_SYS_USERNS_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Keeps what is known of the namespace, for this process and its children: whoever takes away a node's /proc takes away
 * no more. For processes with one thread, that stay in it. */
void userns_remember(void);
/* Is this process in a user namespace other than the machine's? */
bool userns_inside(void);
/* How many user ids there are in it. 1: only our own, seen as 0. */
uint64_t userns_ids(void);
/* The options of overlay mounts that such a namespace needs, from ",…", or "". */
const char *userns_overlay_options(void);
/* The extended attribute by which overlay knows a directory that hides what lies below. */
const char *userns_opaque_mark(void);

/* As fchownat(2) with AT_EMPTY_PATH; an owner that the namespace does not have is left out: the file stays ours. */
int userns_chown(int dir, const char *path, uid_t uid, gid_t gid, int flags);
/* The flags that a read-only remount must keep: who may not take them away may not leave them out. */
unsigned long userns_kept_flags(const char *path);

/* Where this namespace has one id: a namespace below it, in which our id is called `uid` and our group `gid`. So a
 * container that shall be user 1000 sees that it is. */
int userns_become(uint32_t uid, uint32_t gid, struct err *e);

#endif
