/* own_fs_int.h - filesystems of our own, each in a file: nodefs of each node, imagefs of the cluster. Private to sys.
 */
#ifndef STOWAGE_SYS_OWN_FS_INT_H
#define STOWAGE_SYS_OWN_FS_INT_H

#include "base/err.h"

#include <stdint.h>

/* Makes (or grows) the filesystem in `file` and mounts it on the directory `target`; `device`, in a /dev of our own, is
 * made for it and is what mount tables show. */
int own_fs_mount(const char *file, int64_t bytes, const char *label, const char *device, const char *target,
                 struct err *e);
/* Gives back what is kept so that the next one of this size is made at once. */
void own_fs_forget(void);

#endif
