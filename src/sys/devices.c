/* devices.c - the standard files of a /dev: of the helper, of nodes, of containers.
 *
 * DESIGN: root makes device nodes. Root of a user namespace may not, and a node that he made could not be opened; there
 * each is an empty file with the machine's device mounted on it. THREADS: none. */
#include "sys/devices_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* C libraries before 2.36 know neither the calls nor their flags. */
enum { TREE_CLONE = 1, FROM_EMPTY_PATH = 4 };

#define TTY_GROUP 5

static const struct {
    const char *name;
    unsigned major, minor;
    bool standard;
} nodes[] = {{"null", 1, 3, true},    {"zero", 1, 5, true}, {"full", 1, 7, true},    {"random", 1, 8, true},
             {"urandom", 1, 9, true}, {"tty", 5, 0, true},  {"fuse", 10, 229, false}};

static const struct {
    const char *name, *target;
} links[] = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
             {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},         {"core", "/proc/kcore"}};

void devices_hold(struct devices *out)
{
    _Static_assert(ARRAY_LEN(nodes) <= DEVICES_HELD, "room for each");
    char path[64];
    for (size_t i = 0; i < DEVICES_HELD; i++)
        out->trees[i] = -1;
    for (size_t i = 0; i < ARRAY_LEN(nodes) && userns_inside(); i++) {
        snprintf(path, sizeof path, "/dev/%s", nodes[i].name);
        out->trees[i] = (int)syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC);
    }
}

void devices_release(struct devices *d)
{
    for (size_t i = 0; i < DEVICES_HELD; i++)
        if (d->trees[i] >= 0)
            close(d->trees[i]);
}

static int show(struct devices *d, size_t i, const char *path)
{
    _auto_close_ int tree = TAKE_FD(d->trees[i]);
    _auto_close_ int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (tree < 0 || file < 0)
        return -1;
    return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, path, FROM_EMPTY_PATH);
}

int devices_make(struct devices *d, const char *dir, struct err *e)
{
    const bool inside = userns_inside();
    char path[512];
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        if (!nodes[i].standard)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, nodes[i].name);
        const int rc = inside ? show(d, i, path) : mknod(path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor));
        if (rc < 0 && errno != EEXIST)
            return err_sys(e, errno, "make %s", path);
        if (!inside)
            chmod(path, 0666);
    }
    return 0;
}

void devices_show(struct devices *d, const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        if (str_eq(nodes[i].name, name) && d->trees[i] >= 0 && show(d, i, path) < 0)
            unlink(path);
}

static int mount_terminals(const char *dir, struct err *e)
{
    char path[512], options[96];
    snprintf(path, sizeof path, "%s/pts", dir);
    snprintf(options, sizeof options, "newinstance,ptmxmode=0666,mode=0620%s",
             userns_ids() > TTY_GROUP ? ",gid=5" : "");
    mkdir(path, 0755);
    return mount("devpts", path, "devpts", MS_NOSUID | MS_NOEXEC, options) < 0 ? err_sys(e, errno, "mount devpts") : 0;
}

int devices_populate(struct devices *d, const char *dir, struct err *e)
{
    char path[512];
    if (devices_make(d, dir, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, links[i].name);
        if (symlink(links[i].target, path) < 0 && errno != EEXIST)
            return err_sys(e, errno, "make %s", path);
    }
    if (mount_terminals(dir, e) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/mqueue", dir);
    mkdir(path, 0755);
    mount("mqueue", path, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    snprintf(path, sizeof path, "%s/shm", dir);
    mkdir(path, 01777);
    return 0;
}
