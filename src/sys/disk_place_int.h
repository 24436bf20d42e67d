/* disk_place_int.h - a disk on its node where there are no loop devices. Private to sys.
 *
 * What stands at its device name ("/dev/xvdba") is then the disk's file. Its filesystem is served by fuse2fs; where
 * that is not to be had, it is a directory beside the file, which the node sees at disk_place_dir(). THREADS: none. */
#ifndef STOWAGE_SYS_DISK_PLACE_INT_H
#define STOWAGE_SYS_DISK_PLACE_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* "/dev/.disks/xvdba" of "/dev/xvdba". Returns new. */
char *disk_place_dir(const char *device);
/* Shows `file` on the node at `device`; and `dir`, unless it is NULL, at its disk_place_dir(). */
int disk_place(pid_t node_pid, const char *file, const char *dir, const char *device, struct err *e);
/* Takes them away again; of a node that is no more there is nothing to take. */
int disk_unplace(pid_t node_pid, const char *device, struct err *e);
/* Has the node its filesystem mounted anywhere? */
bool disk_placed_in_use(pid_t node_pid, const char *device, const char *dir);

#endif
