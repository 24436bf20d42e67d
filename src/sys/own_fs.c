/* own_fs.c - a filesystem of our own: an ext4 in a sparse file, on a loop device.
 *
 * A node's disk and the one for image layers are made the first time, kept over restarts, and grown when a later start
 * asks for more; they never shrink. THREADS: none. */
#include "sys/own_fs_int.h"

#include "sys/grants_fs_int.h"
#include "sys/loopdev.h"
#include "sys/mould_int.h"
#include "sys/node_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define BUSY_TRIES  500 /* × 10 ms: a cluster that just died may still be writing out */
#define AT_MIN      (64 << 20)
#define JOURNAL_MIB "16" /* its blocks are really there */

/* Without the table that helps online growth it writes a tenth; it grows only while it is not mounted. */
#define FEATURES "^resize_inode"

static struct mould *own_mould; /* of the last size */

static const struct mould *mould_for(int64_t bytes)
{
    static const char *const options[] = {"-m0",      "-O", FEATURES "," MKFS_SEED, "-J", "size=" JOURNAL_MIB, "-E",
                                          MKFS_ZEROS, NULL};
    if (own_mould && mould_bytes(own_mould) != bytes)
        own_fs_forget();
    if (!own_mould)
        own_mould = mould_new(bytes, options);
    return own_mould;
}

void own_fs_forget(void)
{
    mould_free(own_mould);
    own_mould = NULL;
}

static int format(const char *file, const char *label, struct err *e)
{
    const char *const argv[] = {"mkfs.ext4",         "-q", "-F",  "-m0", "-O",        FEATURES, "-J",
                                "size=" JOURNAL_MIB, "-L", label, "-E",  MKFS_SPARSE, file,     NULL};
    _auto_buf_ struct buf text = BUF_INIT;
    const int status = proc_run(argv, &text);
    if (status == 0)
        return 0;
    if (status == 127)
        return err_set(e, ERR_UNSUPPORTED, "mkfs.ext4 is missing: install the package e2fsprogs");
    if (strstr(buf_str(&text), strerror(ENOSPC)))
        return err_sys(e, ENOSPC, "format %s", file);
    return err_set(e, ERR_SYS, "mkfs.ext4 %s failed: exit status %d: %s", file, status, buf_str(&text));
}

/* Under another name until it is whole. Nothing is synced: what is written into it once it is mounted is what makes it
 * worth keeping, and the first of that to reach the disk takes all of the file along. */
static int make(const char *file, int64_t bytes, const char *label, struct err *e)
{
    _auto_free_ char *part = xasprintf("%s.part", file);
    _auto_close_ int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, bytes) < 0)
        return err_sys(e, errno, "create %s", file);
    const struct mould *mould = mould_for(bytes);
    if ((mould ? mould_cast(mould, fd, label, e) : format(part, label, e)) < 0) {
        unlink(part);
        return err_wrap(e, "format %s", label);
    }
    return rename(part, file) < 0 ? err_sys(e, errno, "create %s", file) : 0;
}

/* Makes the file and its filesystem the first time; grows them when a later start asks for more. */
static int prepare(const char *file, int64_t bytes, const char *label, struct err *e)
{
    struct stat st;
    if (bytes < AT_MIN)
        bytes = AT_MIN;
    bytes = bytes / 4096 * 4096;
    const bool is_there = stat(file, &st) == 0;
    const char *type = is_there && st.st_size ? fs_probe(file) : "";
    if (!type || (!is_there && errno != ENOENT))
        return err_sys(e, errno, "open %s", file);
    if (!*type)
        return make(file, bytes, label, e);
    if (st.st_size >= bytes)
        return 0;
    if (truncate(file, bytes) < 0)
        return err_sys(e, errno, "size %s", file);
    const char *const check[] = {"e2fsck", "-f", "-p", file, NULL}, *const grow[] = {"resize2fs", file, NULL};
    proc_run(check, NULL);
    proc_run(grow, NULL);
    return 0;
}

static int attach(const char *file, struct loopdev *out, struct err *e)
{
    for (int i = 0;; i++) {
        if (loopdev_attach(file, false, out, e) == 0)
            return 0;
        if (e->code != ERR_BUSY || i >= BUSY_TRIES)
            return -1;
        nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
        err_clear(e);
    }
}

static void repair(const char *device)
{
    const char *const check[] = {"e2fsck", "-y", device, NULL};
    proc_run(check, NULL);
}

/* Without loop devices: the directory itself. Its size is that of the filesystem it is on. */
static int mount_directory(const char *target, const char *label, struct err *e)
{
    return mount(target, target, NULL, MS_BIND, NULL) < 0 ? err_sys(e, errno, "mount %s", label) : 0;
}

int own_fs_mount(const char *file, int64_t bytes, const char *label, const char *device, const char *target,
                 struct err *e)
{
    struct loopdev loop = {.fd = -1};
    if (userns_inside())
        return mount_directory(target, label, e);
    if (prepare(file, bytes, label, e) < 0)
        return -1;
    if (attach(file, &loop, e) < 0)
        return err_wrap(e, "%s", label);
    int result = 0;
    unlink(device);
    if (mknod(device, S_IFBLK | 0600, loop.rdev) < 0)
        result = err_sys(e, errno, "make %s", device);
    if (fs_has_errors(file))
        repair(device);
    fs_log_allocate(file); /* a full machine must not make it read-only: grants.c */
    if (result == 0 && mount(device, target, "ext4", MS_RELATIME, "discard") < 0) {
        repair(device);
        if (mount(device, target, "ext4", MS_RELATIME, NULL) < 0)
            result = err_sys(e, errno, "mount %s", label);
    }
    loopdev_release(&loop); /* the mount holds it now */
    return result;
}
