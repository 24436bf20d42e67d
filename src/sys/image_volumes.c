/* image_volumes.c - the volumes an image asks for (VOLUME in its making): directories beside the writable layer, which
 * begin with what the image has at that place and go with the container.
 *
 * So such a place is writable even where the root is not, and what is written there is not in the upper directory. A
 * volume of the pod at the same place comes instead. The copying never follows a link: an image's directory may hold
 * links to anywhere. THREADS: none; the container's first process. Source: containerd internal/cri WithVolumes. */
#include "sys/container_int.h"
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
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64

static int copy_tree(int from, int to, int depth, struct err *e);

static int copy_file(int from, const char *name, int to, const struct stat *st, struct err *e)
{
    _auto_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    _auto_close_ int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return err_sys(e, errno, "copy %s", name);
    for (off_t left = st->st_size; left > 0;) {
        const ssize_t n = sendfile(out, in, NULL, (size_t)left);
        if (n <= 0)
            return err_sys(e, n < 0 ? errno : EIO, "copy %s", name);
        left -= n;
    }
    if (userns_chown(out, "", st->st_uid, st->st_gid, 0) < 0 || fchmod(out, st->st_mode & 07777) < 0)
        return err_sys(e, errno, "copy %s", name);
    return 0;
}

static int copy_link(int from, const char *name, int to, const struct stat *st, struct err *e)
{
    char target[4096];
    const ssize_t n = readlinkat(from, name, target, sizeof target - 1);
    if (n < 0)
        return err_sys(e, errno, "copy %s", name);
    target[n] = '\0';
    if (symlinkat(target, to, name) < 0 || userns_chown(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, errno, "copy %s", name);
    return 0;
}

static int copy_dir(int from, const char *name, int to, int depth, struct err *e)
{
    if (mkdirat(to, name, 0700) < 0)
        return err_sys(e, errno, "copy %s", name);
    const int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _auto_close_ int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || out < 0) {
        if (in >= 0)
            close(in);
        return err_sys(e, errno, "copy %s", name);
    }
    return copy_tree(in, out, depth, e);
}

static int copy_entry(int from, const char *name, int to, int depth, struct err *e)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, errno, "copy %s", name);
    if (S_ISDIR(st.st_mode))
        return copy_dir(from, name, to, depth + 1, e);
    if (S_ISLNK(st.st_mode))
        return copy_link(from, name, to, &st, e);
    return S_ISREG(st.st_mode) ? copy_file(from, name, to, &st, e) : 0;
}

/* What is in `from` (taken), and its own owner and mode. */
static int copy_tree(int take_from, int to, int depth, struct err *e)
{
    struct stat st;
    int rc = fstat(take_from, &st) < 0 || userns_chown(to, "", st.st_uid, st.st_gid, 0) < 0 ||
                     fchmod(to, st.st_mode & 07777) < 0
                 ? err_sys(e, errno, "copy a directory")
                 : 0;
    DIR *dir = fdopendir(take_from);
    if (!dir) {
        close(take_from);
        return err_sys(e, errno, "copy a directory");
    }
    if (depth > DEPTH_MAX)
        rc = err_set(e, ERR_TOO_LARGE, "a volume of the image is too deep");
    for (const struct dirent *entry; rc == 0 && (entry = readdir(dir));)
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            rc = copy_entry(dirfd(dir), entry->d_name, to, depth, e);
    closedir(dir);
    return rc;
}

static bool has_mount(const struct container_spec *spec, const char *path)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        if (str_eq(spec->mounts[i].target, path))
            return true;
    return false;
}

static int mount_one(int root, const struct container_spec *spec, size_t i, struct err *e)
{
    char from[64], at[64];
    _auto_free_ char *path = xasprintf("%s/volumes/%zu", spec->rootfs_dir, i);
    if (proc_mkdir_p(path, 0755, e) < 0)
        return -1;
    _auto_close_ int target = rootfs_open_dir(root, spec->volumes[i], e);
    _auto_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return -1;
    snprintf(at, sizeof at, "/proc/self/fd/%d", target);
    const int source = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || source < 0) {
        if (source >= 0)
            close(source);
        return err_sys(e, errno, "volume %s of the image", spec->volumes[i]);
    }
    if (copy_tree(source, dir, 0, e) < 0)
        return err_wrap(e, "volume %s of the image", spec->volumes[i]);
    snprintf(from, sizeof from, "/proc/self/fd/%d", dir);
    return mount(from, at, NULL, MS_BIND, NULL) < 0 ? err_sys(e, errno, "mount %s", spec->volumes[i]) : 0;
}

int image_volumes_mount(int root, const struct container_spec *spec, struct err *e)
{
    for (size_t i = 0; spec->volumes && spec->volumes[i]; i++)
        if (!has_mount(spec, spec->volumes[i]) && mount_one(root, spec, i, e) < 0)
            return -1;
    return 0;
}
