/* disk_place.c - see disk_place_int.h.
 *
 * DESIGN: a mount is taken from the helper's tree and put into the node's by a child that steps into the node's mount
 * namespace; the helper itself stays where it is. The child takes a millisecond, the helper waits for it.
 * THREADS: none. */
#include "sys/disk_place_int.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* C libraries before 2.36 know neither the calls nor their flags. */
enum { TREE_CLONE = 1, FROM_EMPTY_PATH = 4 };

#define HIDDEN "/dev/.disks"

char *disk_place_dir(const char *device)
{
    const char *slash = strrchr(device, '/');
    return xasprintf(HIDDEN "/%s", slash ? slash + 1 : device);
}

/* Runs `fn` in the node's mounts, in a child; its errno, or 0. */
static int in_node(pid_t node_pid, int (*fn)(void *arg), void *arg)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(proc_enter_mounts(node_pid) < 0 || fn(arg) < 0 ? errno : 0);
    if (pid < 0)
        return errno;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

struct place {
    const char *device, *dir; /* on the node */
    int file_tree, dir_tree;  /* -1: none */
};

static int put_tree(int tree, const char *path)
{
    return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, path, FROM_EMPTY_PATH);
}

static int place_there(void *arg)
{
    const struct place *p = arg;
    _auto_close_ int file = open(p->device, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
    if (file < 0 || put_tree(p->file_tree, p->device) < 0)
        return -1;
    if (p->dir_tree < 0)
        return 0;
    if ((mkdir(HIDDEN, 0700) < 0 && errno != EEXIST) || (mkdir(p->dir, 0700) < 0 && errno != EEXIST))
        return -1;
    return put_tree(p->dir_tree, p->dir);
}

static int unplace_there(void *arg)
{
    const struct place *p = arg;
    umount2(p->device, MNT_DETACH | UMOUNT_NOFOLLOW);
    umount2(p->dir, MNT_DETACH | UMOUNT_NOFOLLOW);
    rmdir(p->dir);
    return unlink(p->device);
}

static int take_tree(const char *path)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC);
}

int disk_place(pid_t node_pid, const char *file, const char *dir, const char *device, struct err *e)
{
    _auto_free_ char *hidden = disk_place_dir(device);
    _auto_close_ int file_tree = take_tree(file);
    _auto_close_ int dir_tree = dir ? take_tree(dir) : -1;
    struct place p = {device, hidden, file_tree, dir_tree};
    if (file_tree < 0 || (dir && dir_tree < 0))
        return err_sys(e, errno, "open %s", file);
    disk_unplace(node_pid, device, &(struct err){0});
    const int code = in_node(node_pid, place_there, &p);
    return code ? err_sys(e, code, "show %s on the node", device) : 0;
}

int disk_unplace(pid_t node_pid, const char *device, struct err *e)
{
    _auto_free_ char *hidden = disk_place_dir(device);
    struct place p = {device, hidden, -1, -1};
    const int code = in_node(node_pid, unplace_there, &p);
    return code && code != ENOENT && code != ESRCH ? err_sys(e, code, "remove %s", device) : 0;
}

/* "36 35 8:1 /home/…/disks/vol-1.d /dev/.disks/xvdba rw - ext4 /dev/sda1 rw", or with fuse2fs "… - fuse.ext4
 * /dev/xvdba" */
static bool is_use(const char *line, const char *device, const char *hidden, const char *tail)
{
    char root[4096], point[4096], type[32], source[128];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2 ||
        sscanf(rest, " - %31s %127s", type, source) != 2)
        return false;
    if (str_starts(type, "fuse") && str_eq(source, device))
        return true;
    return tail && str_ends(root, tail) && !str_eq(point, hidden);
}

bool disk_placed_in_use(pid_t node_pid, const char *device, const char *dir)
{
    char path[64], line[8400];
    _auto_free_ char *hidden = disk_place_dir(device);
    const char *slash = dir ? strrchr(dir, '/') : NULL;
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)node_pid);
    _auto_file_ FILE *f = node_pid ? fopen(path, "re") : NULL;
    while (f && fgets(line, sizeof line, f))
        if (is_use(line, device, hidden, slash))
            return true;
    return false;
}
