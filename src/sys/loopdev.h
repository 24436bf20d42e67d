/* loopdev.h - loop devices: a file as a block device.
 *
 * A device lives as long as someone has it open or mounted (LO_FLAGS_AUTOCLEAR): nothing is left when the process dies.
 * The file's open description carries an exclusive flock and is held by the kernel while the device exists, so no two
 * devices (of whatever process, even one that is just being torn down) ever serve the same file. */
#ifndef STOWAGE_SYS_LOOPDEV_H
#define STOWAGE_SYS_LOOPDEV_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct loopdev {
    int fd;     /* owned; -1 = none */
    int number; /* /dev/loop<number> of the host */
    dev_t rdev;
};
enum loopdev_how {
    LOOPDEV_READ_ONLY = 1,
    LOOPDEV_DIRECT = 2, /* past the page cache, if the file's filesystem can: who writes a lot then waits for the disk
                         * only, and nothing is kept in memory twice */
};
/* /dev must be the process's own: missing device nodes are made there. ERR_BUSY: the file is still in use by another
 * device. how: enum loopdev_how. */
int loopdev_attach(const char *file, unsigned how, struct loopdev *out, struct err *e);
/* The numbers of /dev/loop<number>. */
dev_t loopdev_rdev(int number);
/* The file has grown. */
int loopdev_resize(const struct loopdev *l, struct err *e);
/* Partition n of the device, as its table says now; false if there is none. */
struct loopdev_part {
    dev_t rdev;
    off_t start, size; /* bytes */
};
bool loopdev_partition(const struct loopdev *l, unsigned n, struct loopdev_part *out);
/* What was written to the device itself is in the file now; -1 with errno. */
int loopdev_settle(int fd);
/* Is it mounted or otherwise claimed? */
bool loopdev_in_use(const struct loopdev *l);
void loopdev_release(struct loopdev *l);

#endif
