/* own_fs.c - a filesystem of our own: an ext4 in a sparse file, on a loop device.
 *
 * A node's disk and the one for image layers are made the first time, kept over restarts, and grown when a later start
 * asks for more; they never shrink. THREADS: none. */
#include "sys/own_fs_int.h"

#include "sys/grants_fs_int.h"
#include "sys/loopdev.h"
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

static int format(const char *file, const char *label, struct err *e)
{
    /* Without the table that helps online growth it writes a tenth; it grows only while it is not mounted. */
    const char *const argv[] = {"mkfs.ext4", "-q",
                                "-F",        "-m0",
                                "-L",        label,
                                "-O",        "^resize_inode",
                                "-J",        "size=" JOURNAL_MIB,
                                "-E",        "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
                                file,        NULL};
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

/* Makes the file and its filesystem the first time; grows them when a later start asks for more. */
static int prepare(const char *file, int64_t bytes, const char *label, struct err *e)
{
    _auto_close_ int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "open %s", file);
    if (bytes < AT_MIN)
        bytes = AT_MIN;
    bytes = bytes / 4096 * 4096;
    const char *type = st.st_size ? fs_probe(file) : "";
    const bool fresh = !type || !*type;
    if (st.st_size >= bytes && !fresh)
        return 0;
    if (st.st_size < bytes && ftruncate(fd, bytes) < 0)
        return err_sys(e, errno, "size %s", file);
    if (fresh)
        return format(file, label, e);
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
