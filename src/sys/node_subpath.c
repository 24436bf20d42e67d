/* node_subpath.c - a bind of something below a directory, whatever links lie there (volumeMounts[].subPath).
 *
 * The content of a volume belongs to its pods: a pod may leave a symbolic link in it that points to the node's /etc,
 * and ask for it as a subPath the next time. So the path is resolved by the kernel beneath the volume's root (openat2
 * with RESOLVE_BENEATH), each missing directory is made in a parent that was found so, and what is bound is the
 * descriptor that came out, never the name. Links that stay inside are followed, as the kubelet does.
 *
 * THREADS: none; runs in the node's loop. Source: pkg/volume/util/subpath/subpath_linux.go (what it promises). */
#include "sys/node_int.h"
#include "sys/proc_int.h"

#include "base/confine.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_beneath(int root, const char *path)
{
    return confine_open(root, path, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

/* Makes the last component of `path`, whose parent is there. */
static int make_last(int root, const char *path, mode_t mode, struct err *e)
{
    const char *slash = strrchr(path, '/');
    _auto_free_ char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    _auto_close_ int dir = open_beneath(root, parent);
    if (dir < 0)
        return err_sys(e, errno, "open %s", parent);
    if (mkdirat(dir, slash ? slash + 1 : path, mode) < 0)
        return errno == EEXIST ? 0 : err_sys(e, errno, "mkdir %s", path);
    _auto_close_ int made = openat(dir, slash ? slash + 1 : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return made < 0 || fchmod(made, mode) < 0 ? err_sys(e, errno, "chmod %s", path) : 0;
}

/* Opens the path (O_PATH), making missing directories with the mode of the root. */
static int open_or_make(int root, const char *path, struct err *e)
{
    struct stat st;
    if (fstat(root, &st) < 0)
        return err_sys(e, errno, "stat");
    _auto_free_ char *part = xstrdup(path);
    for (char *end = part;; *end++ = '/') {
        end = strchrnul(end, '/');
        const bool last = !*end;
        *end = '\0';
        const int fd = open_beneath(root, part);
        if (fd >= 0 && last)
            return fd;
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT)
            return err_sys(e, errno, "open %s", part);
        else if (make_last(root, part, st.st_mode & 07777, e) < 0)
            return -1;
        if (last)
            break;
    }
    const int fd = open_beneath(root, path);
    return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

/* An empty file or directory to mount on, like what is mounted. */
static int make_target(const char *target, bool is_dir, struct err *e)
{
    if (is_dir)
        return proc_mkdir_p(target, 0750, e);
    const char *slash = strrchr(target, '/');
    _auto_free_ char *parent = xstrndup(target, slash ? (size_t)(slash - target) : 0);
    if (proc_mkdir_p(parent, 0750, e) < 0)
        return -1;
    _auto_close_ int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    return fd < 0 ? err_sys(e, errno, "create %s", target) : 0;
}

int req_bind_beneath(struct req *r, struct err *e)
{
    const char *root = wire_need_str(&r->in), *path = wire_need_str(&r->in), *target = wire_need_str(&r->in);
    struct stat st;
    char from[64];
    if (r->in.bad || target[0] != '/' || path[0] == '/' || str_empty(path))
        return err_set(e, ERR_BAD_REQUEST, "invalid path \"%s\"", path);
    _auto_close_ int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return err_sys(e, errno, "open %s", root);
    _auto_close_ int fd = open_or_make(top, path, e);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "stat %s", path);
    if (make_target(target, S_ISDIR(st.st_mode), e) < 0)
        return -1;
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    return mount(from, target, NULL, MS_BIND | MS_REC, NULL) < 0 ? err_sys(e, errno, "bind %s", path) : 0;
}
