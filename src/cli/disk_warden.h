/* disk_warden.h - a process that ends a cluster of ours when its files have grown beyond a bound: a pod may write as
 * much as its volumes promise, and those are promises on one disk.
 *
 * THREADS: start it while the process has one thread. It ends with its starter. */
#ifndef STOWAGE_CLI_DISK_WARDEN_H
#define STOWAGE_CLI_DISK_WARDEN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct disk_warden {
    pid_t pid; /* 0: none; a zeroed struct is fine everywhere */
};
int disk_warden_start(struct disk_warden *w, const char *data_dir, int64_t bytes, struct err *e);
/* Ends it. Did it have to end the cluster? */
bool disk_warden_stop(struct disk_warden *w);

#endif
