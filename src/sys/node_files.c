/* node_files.c - files on a node: directories, removal, stat, open, ownership, usage.
 *
 * INVARIANTS: walks never follow a symbolic link and never enter another mount (a pod's leftover directory may still
 * have someone's volume mounted in it: deleting through it would lose their data). What is a mount root is refused, not
 * skipped. THREADS: none; see node.c. */
#include "sys/node_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
#define DEPTH_MAX 512

static int path_error(const char *what, const char *path, struct err *e)
{
    const int code = errno;
    err_sys(e, code, "%s %s", what, path);
    if (code == ENOENT)
        e->code = ERR_NOT_FOUND;
    else if (code == EBUSY)
        e->code = ERR_BUSY;
    return -1;
}

int req_mkdir_p(struct req *r, struct err *e)
{
    const char *path = wire_need_str(&r->in);
    const mode_t mode = (mode_t)wire_get_u32(&r->in);
    return path[0] == '/' ? proc_mkdir_p(path, mode, e)
                          : err_set(e, ERR_BAD_REQUEST, "path \"%s\" is not absolute", path);
}

int req_stat(struct req *r, struct err *e)
{
    struct stat st;
    const char *path = wire_need_str(&r->in);
    if (stat(path, &st) < 0)
        return path_error("stat", path, e);
    wire_blob(&r->out, &st, sizeof st);
    return 0;
}

int req_open(struct req *r, struct err *e)
{
    const char *path = wire_need_str(&r->in);
    const int flags = (int)wire_get_u32(&r->in);
    const mode_t mode = (mode_t)wire_get_u32(&r->in);
    /* A pipe or device of a pod must not be able to hold up the node. */
    const int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
    if (fd < 0)
        return path_error("open", path, e);
    if (!(flags & O_NONBLOCK) && !(flags & O_PATH))
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    r->fds[r->fd_count++] = fd;
    return 0;
}

/* ---- walking ---- */

/* What a walk does. Directories are told twice: before (enter = true; may skip by returning 0 with *skip) and after. */
struct walk {
    int (*visit)(struct walk *w, int dir, const char *name, const struct statx *st, bool after, struct err *e);
    int64_t bytes, inodes;
    uint32_t gid;
    bool read_only;
    bool cross_refused; /* a mount below is an error (else it is skipped) */
};

static int walk_at(struct walk *w, int dir, const char *name, int depth, struct err *e);

static int walk_children(struct walk *w, int fd, int depth, struct err *e)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_sys(e, errno, "opendir");
    }
    int result = 0;
    const struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(d))) {
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            result = walk_at(w, dirfd(d), entry->d_name, depth + 1, e);
    }
    closedir(d);
    return result;
}

static int walk_at(struct walk *w, int dir, const char *name, int depth, struct err *e)
{
    struct statx st;
    if (depth > DEPTH_MAX)
        return err_set(e, ERR_SYS, "%s: too deep", name);
    if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) < 0)
        return errno == ENOENT ? 0 : path_error("stat", name, e);
    if (depth > 0 && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
        errno = EBUSY;
        return w->cross_refused ? path_error("mounted", name, e) : 0;
    }
    if (w->visit(w, dir, name, &st, false, e) < 0)
        return -1;
    if (!S_ISDIR(st.stx_mode))
        return 0;
    const int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : path_error("open", name, e);
    if (walk_children(w, fd, depth, e) < 0)
        return -1;
    return w->visit(w, dir, name, &st, true, e);
}

/* ---- removal ---- */

static int remove_one(struct walk *w, int dir, const char *name, const struct statx *st, bool after, struct err *e)
{
    (void)w;
    const bool is_dir = S_ISDIR(st->stx_mode);
    if (is_dir && !after)
        return 0;
    if (unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
        return path_error("remove", name, e);
    return 0;
}

int files_remove_tree(const char *path, struct err *e)
{
    struct walk w = {.visit = remove_one, .cross_refused = true};
    struct statx st;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
        return errno == ENOENT ? 0 : path_error("stat", path, e);
    if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
        errno = EBUSY;
        return path_error("remove", path, e);
    }
    return walk_at(&w, AT_FDCWD, path, 0, e);
}

int req_remove_all(struct req *r, struct err *e)
{
    const char *path = wire_need_str(&r->in);
    if (path[0] != '/' || path[1] == '\0')
        return err_set(e, ERR_BAD_REQUEST, "refusing to remove \"%s\"", path);
    return files_remove_tree(path, e);
}

/* ---- fsGroup (kubelet: SetVolumeOwnership) ---- */

static int own_one(struct walk *w, int dir, const char *name, const struct statx *st, bool after, struct err *e)
{
    if (after != S_ISDIR(st->stx_mode)) /* a directory after what is in it: OnRootMismatch trusts in the root */
        return 0;
    /* A pod that has the volume already may put a link there between two looks: what was opened is what is changed. */
    struct stat now;
    char self[64];
    _auto_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : path_error("open", name, e);
    if (userns_chown(fd, "", (uid_t)-1, w->gid, 0) < 0 || fstat(fd, &now) < 0)
        return path_error("lchown", name, e);
    if (S_ISLNK(now.st_mode))
        return 0;
    mode_t mode = (now.st_mode & 07777) | (w->read_only ? 0440 : 0660);
    if (S_ISDIR(now.st_mode))
        mode |= S_ISGID | 0110;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return chmod(self, mode) < 0 ? path_error("chmod", name, e) : 0;
}

int req_chown_tree(struct req *r, struct err *e)
{
    const char *path = wire_need_str(&r->in);
    struct walk w = {.visit = own_one, .gid = wire_get_u32(&r->in)};
    w.read_only = wire_get_bool(&r->in);
    return walk_at(&w, AT_FDCWD, path, 0, e);
}

/* ---- usage (du -x) ---- */

static int count_one(struct walk *w, int dir, const char *name, const struct statx *st, bool after, struct err *e)
{
    (void)dir, (void)name, (void)e;
    if (after)
        return 0;
    w->bytes += (int64_t)st->stx_blocks * 512;
    w->inodes++;
    return 0;
}

/* What cannot be read any more while it is walked is counted as far as that went: files come and go. */
int req_disk_usage(struct req *r, struct err *e)
{
    (void)e;
    const uint32_t count = wire_get_u32(&r->in);
    for (uint32_t i = 0; i < count && !r->in.bad; i++) {
        const char *path = wire_need_str(&r->in);
        struct walk w = {.visit = count_one};
        struct err lost = ERR_INIT;
        walk_at(&w, AT_FDCWD, path, 0, &lost);
        wire_i64(&r->out, w.bytes);
        wire_i64(&r->out, w.inodes);
    }
    return 0;
}
