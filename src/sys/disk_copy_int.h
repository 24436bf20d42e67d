/* disk_copy_int.h - a point-in-time copy of a disk's file, made in a child of the helper. Private to sys. */
#ifndef STOWAGE_SYS_DISK_COPY_INT_H
#define STOWAGE_SYS_DISK_COPY_INT_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct disk_copy {
    int from, to;             /* owned; the source's file, the unfinished copy */
    int64_t bytes;            /* size of the copy */
    char *part, *end;         /* owned; its path while it is made, and afterwards */
    int loop;                 /* borrowed: the source's loop device, -1 = not attached */
    int loop_number;          /* of a node's own filesystem, too; -1 = none */
    pid_t server;             /* of its filesystem, where there are no loop devices; 0: none */
    char *from_dir, *end_dir; /* owned; the directory that stands for its filesystem, if there is one */
    char node[64];            /* where it is attached, or "" */
    char device[64];          /* "/dev/xvdba" there */
};
#define DISK_COPY_INIT                                                                                                 \
    (struct disk_copy)                                                                                                 \
    {                                                                                                                  \
        .from = -1, .to = -1, .loop = -1, .loop_number = -1                                                            \
    }
void disk_copy_release(struct disk_copy *c); /* closes; leaves the files as they are */
/* Copies and gives the copy its name; the unfinished file is removed if that fails. node_pid: the node's first process,
 * 0 = none. Runs in a child of the helper: it may take long. */
int disk_copy_run(struct disk_copy *c, pid_t node_pid, struct err *e);
/* In the helper, when the child was killed: lets what it had frozen go, removes the unfinished file. */
void disk_copy_undo(const struct disk_copy *c, pid_t node_pid);
/* At the helper's start: a filesystem that a killed helper left frozen is thawed, so that the kernel lets its loop
 * device go. dir: of the disks. */
void disk_copy_heal(const char *dir);

#endif
