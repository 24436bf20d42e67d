/* own_root.c - the first step in a mount namespace of our own.
 *
 * The mounts become slaves: nothing we mount is seen outside, and what the machine unmounts goes here too; else our
 * copy of it would keep its disk busy. (Where the machine shares its mounts with nobody they are private anyway.) And
 * what this process sees as "/" becomes the root of the namespace. On most machines it is. In a chroot the namespace
 * still has the root of the whole machine; every process that joins the namespace later (exec, the node shell) would
 * find itself there, outside of the chroot. So the tree we see is made a mount, whether it is one or not, and takes the
 * place of the namespace's root, which goes.
 *
 * A process that sets its namespace to the one it has is put into the namespace's root: that is how we get to see it.
 * THREADS: single-threaded processes only (the kernel refuses others). */
#include "sys/proc_int.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* C libraries before 2.36 know neither the calls nor their flags. */
enum { TREE_CLONE = 1, TREE_RECURSIVE = 0x8000, FROM_EMPTY_PATH = 4, TO_EMPTY_PATH = 0x40 };

static int place_on_itself(int dir)
{
    _auto_close_ int tree =
        (int)syscall(SYS_open_tree, dir, "", TREE_CLONE | TREE_RECURSIVE | AT_EMPTY_PATH | O_CLOEXEC);
    if (tree < 0 || syscall(SYS_move_mount, tree, "", dir, "", FROM_EMPTY_PATH | TO_EMPTY_PATH) < 0)
        return -1;
    return fchdir(tree);
}

static bool is_root(int dir)
{
    struct stat a, b;
    return fstat(dir, &a) == 0 && stat("/", &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int own_root(struct err *e)
{
    _auto_close_ int seen = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _auto_close_ int space = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    const bool at_root = seen >= 0 && space >= 0 && setns(space, CLONE_NEWNS) == 0; /* else we stay where we are */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_sys(e, errno, "let mounts only follow the machine's");
    if (!at_root || is_root(seen))
        return 0;
    if (place_on_itself(seen) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return err_sys(e, errno, "make the root directory the root of a mount namespace");
    return 0;
}
