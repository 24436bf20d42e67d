/* kernel_fs_int.h - /proc and /sys as nodes and containers get them. Private to sys. */
#ifndef STOWAGE_SYS_KERNEL_FS_INT_H
#define STOWAGE_SYS_KERNEL_FS_INT_H

#include "sys/cgroup_int.h"

#include "base/err.h"

#include <stdbool.h>

struct kernel_fs_how {
    bool skip_proc, skip_sys;
    unsigned long proc_flags, sys_flags; /* of mount(2) */
    const char *proc_options;            /* or NULL */
    const struct cgroups *groups;        /* shown below /sys/fs/cgroup; NULL: none */
    bool groups_read_only;
    bool default_covers;     /* also what a runtime covers for containers that are not privileged */
    bool settings_read_only; /* /proc/sys but for the network's: nothing else keeps them as they are */
    bool locked;             /* for processes that may mount and unmount: they cannot undo a cover */
};
/* Descriptors of mounts that are nowhere yet; -1 = skipped. */
struct kernel_fs {
    int proc, sys;
};
/* Builds them. The process is in a mount namespace of its own, with private mounts, and in the process and network
 * namespaces they are to show; `stage` is a directory of which nothing is needed meanwhile. */
int kernel_fs_make(const char *stage, const struct kernel_fs_how *how, struct kernel_fs *out, struct err *e);
/* Puts one of them at a directory (a descriptor, or AT_FDCWD and a path). Takes `tree`. */
int kernel_fs_place(int tree, int dir, const char *path, struct err *e);

#endif
