/* rootfs.c - a container's root filesystem: overlay of the image's layers and a writable layer, kernel filesystems,
 * /dev, binds.
 *
 * DESIGN: built in the container's own mount namespace and pivoted to, so there is nothing to unmount afterwards: it
 * goes with the last process. Targets of binds are looked up *inside* the new root (openat2 with RESOLVE_IN_ROOT),
 * because an image or a volume may hold links that point anywhere; the source is a path on the node, as the kubelet
 * resolved it.
 *
 * INVARIANTS: nothing of the node is visible after rootfs_enter() except what was bound; binds are made after /dev, so
 * they may lie in it; shallow targets come before deep ones.
 *
 * THREADS: none; runs in the container's first process. */
#include "sys/container_int.h"
#include "sys/devices_int.h"
#include "sys/kernel_fs_int.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/confine.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Older headers have not got them. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x4
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif

/* ---- the overlay ---- */

#define OPTIONS_ROOM   3500 /* of a page, beside the writable layer's names */
#define LAYER_TEXT_MAX (sizeof NODE_LAYERS + 64)

/* Layers are given by their place on the machine; the node sees the same directory elsewhere. */
static const char *layer_below_images(const char *layer)
{
    const char *at = strstr(layer, "/images/");
    for (const char *next; at && (next = strstr(at + 1, "/images/"));)
        at = next;
    return at ? at + strlen("/images") : NULL;
}

static int mount_overlay(const struct container_spec *spec, const char *merged, struct err *e)
{
    _auto_buf_ struct buf options = BUF_INIT;
    _auto_free_ char *upper = xasprintf("%s/fs", spec->rootfs_dir), *work = xasprintf("%s/work", spec->rootfs_dir);
    size_t count = 0;
    while (spec->layers[count])
        count++;
    buf_adds(&options, "lowerdir=");
    /* Names in full where they fit, as the kernel takes a page of options: else from where the layers lie. */
    const bool in_full = count * LAYER_TEXT_MAX < OPTIONS_ROOM;
    if (!in_full && chdir(NODE_LAYERS) < 0)
        return err_sys(e, errno, "enter the images");
    while (count--) {
        const char *below = layer_below_images(spec->layers[count]);
        if (!below || strstr(below, "..") || strpbrk(below, ":,"))
            return err_set(e, ERR_BAD_REQUEST, "image layer %s is not in the image directory", spec->layers[count]);
        buf_addf(&options, "%s%s%s", in_full ? NODE_LAYERS : "", in_full ? below : below + 1, count ? ":" : "");
    }
    buf_addf(&options, ",upperdir=%s,workdir=%s%s", upper, work, userns_overlay_options());
    if (proc_mkdir_p(upper, 0755, e) < 0 || proc_mkdir_p(work, 0711, e) < 0)
        return -1;
    if (mount("overlay", merged, "overlay", MS_RELATIME, buf_str(&options)) < 0)
        return err_sys(e, errno, "mount the container's root");
    return 0;
}

/* ---- paths inside the root ---- */

static int open_in(int root, const char *path, uint64_t flags)
{
    return confine_open(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* Makes one missing component: its parent exists. */
static int make_part(int root, const char *path, bool as_dir, struct err *e)
{
    _auto_free_ char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    const char *name = slash ? slash + 1 : parent;
    _auto_free_ char *last = xstrdup(name);
    if (slash)
        *slash = '\0';
    _auto_close_ int dir = open_in(root, slash && *parent ? parent : "/", O_PATH | O_DIRECTORY);
    if (dir < 0)
        return err_sys(e, errno, "open %s", path);
    if (as_dir)
        return mkdirat(dir, last, 0755) < 0 && errno != EEXIST ? err_sys(e, errno, "mkdir %s", path) : 0;
    _auto_close_ int fd = openat(dir, last, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0755);
    return fd < 0 ? err_sys(e, errno, "create %s", path) : 0;
}

/* Opens (O_PATH) a path in the root, making what is missing; the last part as a directory or a file. */
static int open_or_make(int root, const char *path, bool as_dir, struct err *e)
{
    _auto_free_ char *copy = xstrdup(path);
    for (char *at = copy; *at; at++) {
        if (*at == '/' || at == copy)
            continue;
        if (at[1] != '/' && at[1] != '\0')
            continue;
        const char kept = at[1];
        at[1] = '\0';
        const int fd = open_in(root, copy, O_PATH);
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT)
            return err_sys(e, errno, "open %s", copy);
        else if (make_part(root, copy, kept ? true : as_dir, e) < 0)
            return -1;
        at[1] = kept;
    }
    const int fd = open_in(root, path, O_PATH);
    return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

int rootfs_open_dir(int root, const char *path, struct err *e)
{
    return open_or_make(root, path, true, e);
}

/* ---- kernel filesystems and /dev ---- */

static int mount_at(int root, const char *path, const char *source, const char *type, unsigned long flags,
                    const char *options, struct err *e)
{
    char link[64];
    _auto_close_ int fd = open_or_make(root, path, true, e);
    if (fd < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return mount(source, link, type, flags, options) < 0 ? err_sys(e, errno, "mount %s", path) : 0;
}

static void each_device(void (*visit)(void *arg, const char *name, const struct stat *st), void *arg)
{
    DIR *d = opendir("/dev");
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        struct stat st;
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)))
            visit(arg, entry->d_name, &st);
    }
    if (d)
        closedir(d);
}

/* A privileged container sees the devices of its node. */
static void copy_device(void *to, const char *name, const struct stat *st)
{
    _auto_free_ char *path = xasprintf("%s/%s", (const char *)to, name);
    mknod(path, st->st_mode, st->st_rdev);
}

struct device_list {
    struct cgroup_device *list;
    size_t count, max;
};

static void note_device(void *arg, const char *name _unused_, const struct stat *st)
{
    struct device_list *all = arg;
    if (all->count < all->max)
        all->list[all->count++] = (struct cgroup_device){S_ISBLK(st->st_mode), major(st->st_rdev), minor(st->st_rdev)};
}

size_t rootfs_devices(const struct container_spec *spec, struct cgroup_device *out, size_t max)
{
    struct device_list all = {out, 0, max};
    struct stat st;
    for (size_t i = 0; i < spec->mount_count; i++)
        if (spec->mounts[i].device && stat(spec->mounts[i].source, &st) == 0)
            note_device(&all, "", &st);
    if (spec->privileged)
        each_device(note_device, &all);
    return all.count;
}

/* Before there is a root: where that will be is the stage. */
static int make_kernel_fs(const struct container_child *c, const char *merged, struct kernel_fs *out, struct err *e)
{
    const struct container_spec *spec = c->spec;
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
    const struct kernel_fs_how how = {
        .proc_flags = safe,
        .sys_flags = safe,
        .groups = c->cgroups,
        .groups_read_only = !spec->privileged,
        .default_covers = !spec->privileged && !spec->unmasked_proc,
        .settings_read_only = !c->cgroups->keeps_settings,
        .locked = user_may_mount(user_caps(spec)),
    };
    return kernel_fs_make(merged, &how, out, e);
}

static int place_at(int root, const char *path, int tree, struct err *e)
{
    _auto_close_ int taken = tree;
    _auto_close_ int dir = open_or_make(root, path, true, e);
    return dir < 0 ? -1 : kernel_fs_place(TAKE_FD(taken), dir, "", e);
}

/* What is made in /dev is made by way of a descriptor: an image may have a link in its place. */
static int mount_kernel(const struct container_child *c, int root, const struct kernel_fs *fs, struct err *e)
{
    _auto_devices_ struct devices held = DEVICES_NONE;
    char dev[64], shm[72];
    const int proc = place_at(root, "/proc", fs->proc, e), sys = place_at(root, "/sys", fs->sys, e);
    if (proc < 0 || sys < 0 ||
        mount_at(root, "/dev", "tmpfs", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k", e) < 0)
        return -1;
    _auto_close_ int dir = open_in(root, "/dev", O_PATH | O_DIRECTORY);
    if (dir < 0)
        return err_sys(e, errno, "open /dev");
    snprintf(dev, sizeof dev, "/proc/self/fd/%d", dir);
    snprintf(shm, sizeof shm, "%s/shm", dev);
    devices_hold(&held); /* of the node */
    if (devices_populate(&held, dev, e) < 0)
        return -1;
    if (c->spec->privileged)
        each_device(copy_device, dev);
    if (mount(c->sandbox->shm, shm, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, errno, "mount /dev/shm");
    return 0;
}

/* ---- binds ---- */

static size_t depth_of(const char *path)
{
    size_t n = 0;
    for (; *path; path++)
        n += path[0] == '/' && path[1] && path[1] != '/';
    return n;
}

/* Puts a copy of a mount there that was taken while it was still in touch with the node's. */
static int add_propagating(int root, const struct mount_spec *m, int tree, struct err *e)
{
    struct stat st;
    char at[64];
    if (fstat(tree, &st) < 0)
        return err_sys(e, errno, "mount source %s", m->source);
    _auto_close_ int target = open_or_make(root, m->target, S_ISDIR(st.st_mode), e);
    if (target < 0)
        return err_wrap(e, "mount %s", m->target);
    if (syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_sys(e, errno, "mount %s on %s", m->source, m->target);
    _auto_close_ int mounted = open_in(root, m->target, O_PATH);
    snprintf(at, sizeof at, "/proc/self/fd/%d", mounted);
    const unsigned long how = m->propagation == PROPAGATION_SLAVE ? MS_SLAVE : MS_SHARED;
    if (mounted < 0 || mount(NULL, at, NULL, how | MS_REC, NULL) < 0)
        return err_sys(e, errno, "propagation of %s", m->target);
    if (m->read_only && mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | userns_kept_flags(at), NULL) < 0)
        return err_sys(e, errno, "mount %s read-only", m->target);
    return 0;
}

static int add_bind(int root, const struct mount_spec *m, struct err *e)
{
    struct stat st;
    char from[64], to[64];
    _auto_close_ int source = open(m->source, O_PATH | O_CLOEXEC);
    if (source < 0 && errno == ENOENT) { /* the runtime makes a missing directory */
        if (proc_mkdir_p(m->source, 0755, e) < 0)
            return -1;
        source = open(m->source, O_PATH | O_CLOEXEC);
    }
    if (source < 0 || fstat(source, &st) < 0)
        return err_sys(e, errno, "mount source %s", m->source);
    _auto_close_ int target = open_or_make(root, m->target, S_ISDIR(st.st_mode), e);
    if (target < 0)
        return err_wrap(e, "mount %s", m->target);
    snprintf(from, sizeof from, "/proc/self/fd/%d", source);
    snprintf(to, sizeof to, "/proc/self/fd/%d", target);
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_sys(e, errno, "mount %s on %s", m->source, m->target);
    if (!m->read_only)
        return 0;
    /* The descriptor is of what lies below the mount: look again. */
    _auto_close_ int mounted = open_in(root, m->target, O_PATH);
    snprintf(to, sizeof to, "/proc/self/fd/%d", mounted);
    if (mounted < 0 || mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | userns_kept_flags(to), NULL) < 0)
        return err_sys(e, errno, "mount %s read-only", m->target);
    return 0;
}

static int add_device(int root, const struct mount_spec *m, struct err *e)
{
    struct stat st;
    if (stat(m->source, &st) < 0)
        return err_sys(e, errno, "device %s", m->source);
    if (S_ISREG(st.st_mode))
        return add_bind(root, m, e); /* a node without loop devices has the disk's file there */
    _auto_free_ char *parent = xstrdup(m->target);
    char *slash = strrchr(parent, '/');
    if (!slash || !slash[1])
        return err_set(e, ERR_BAD_REQUEST, "invalid device path \"%s\"", m->target);
    _auto_free_ char *name = xstrdup(slash + 1);
    slash[slash == parent] = '\0';
    _auto_close_ int dir = open_or_make(root, parent, true, e);
    if (dir < 0)
        return -1;
    unlinkat(dir, name, 0);
    if (mknodat(dir, name, S_IFBLK | (m->read_only ? 0440 : 0660), st.st_rdev) < 0)
        return err_sys(e, errno, "make device %s", m->target);
    return 0;
}

static int add_mount(int root, const struct mount_spec *m, int tree, struct err *e)
{
    if (m->device)
        return add_device(root, m, e);
    return tree >= 0 ? add_propagating(root, m, tree, e) : add_bind(root, m, e);
}

static int add_mounts(int root, const struct container_spec *spec, const int *trees, struct err *e)
{
    size_t done = 0;
    for (size_t depth = 0; done < spec->mount_count && depth < 4096; depth++)
        for (size_t i = 0; i < spec->mount_count; i++) {
            const struct mount_spec *m = &spec->mounts[i];
            if (depth_of(m->target) != depth)
                continue;
            if (add_mount(root, m, trees[i], e) < 0)
                return -1;
            done++;
        }
    return 0;
}

/* ---- entering ---- */

static int make_cwd(int root, const char *cwd, struct err *e)
{
    if (str_empty(cwd))
        return 0;
    _auto_close_ int fd = open_or_make(root, cwd, true, e);
    return fd < 0 ? -1 : 0;
}

static int pivot(const char *merged, bool read_only, struct err *e)
{
    if (chdir(merged) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_sys(e, errno, "enter the container's root");
    if (read_only && mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
        return err_sys(e, errno, "make the root read-only");
    return 0;
}

/* Copies of the mounts that are to stay in touch with the node's, before ours are cut off. Returns a new array with
 * -1 for the others; the descriptors go with the exec. */
static int *take_trees(const struct container_spec *spec)
{
    int *trees = xcalloc(spec->mount_count + 1, sizeof *trees);
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct mount_spec *m = &spec->mounts[i];
        trees[i] = m->propagation == PROPAGATION_NONE || m->device
                       ? -1
                       : (int)syscall(SYS_open_tree, AT_FDCWD, m->source, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
    }
    return trees;
}

int rootfs_enter(const struct container_child *c, struct err *e)
{
    const struct container_spec *spec = c->spec;
    _auto_free_ char *merged = xasprintf("%s/rootfs", spec->rootfs_dir);
    _auto_free_ int *trees = take_trees(spec);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, errno, "make mounts private");
    struct kernel_fs kernel;
    if (proc_mkdir_p(merged, 0755, e) < 0 || make_kernel_fs(c, merged, &kernel, e) < 0 ||
        mount_overlay(spec, merged, e) < 0)
        return -1;
    _auto_close_ int root = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_sys(e, errno, "open %s", merged);
    if (mount_kernel(c, root, &kernel, e) < 0 || image_volumes_mount(root, spec, e) < 0 ||
        add_mounts(root, spec, trees, e) < 0 || make_cwd(root, spec->cwd, e) < 0)
        return -1;
    return pivot(merged, spec->read_only_root, e);
}
