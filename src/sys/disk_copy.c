/* disk_copy.c - see disk_copy_int.h.
 *
 * A disk that is attached may be mounted and written while it is copied; the copy must be what the disk held at one
 * moment. In this order:
 *
 *      what the pod wrote is brought to the file (syncfs, or the device's own cache),
 *                 meanwhile through the page cache: the copy finds it there
 *      reflink:   one system call, atomic against writers                            -> done
 *      copy       extent by extent, holes stay holes; the device's write counters
 *                 are the same before and after: nobody wrote meanwhile              -> done
 *      freeze     the filesystem, copy again, thaw                                   -> done
 *
 * So an idle disk is never frozen, and a busy one only as long as the copy takes. A raw device that is written all the
 * time cannot be frozen: its copy is of the last try, as a real array's would be of some moment of each block.
 *
 * INVARIANTS: the copy gets its name in one step when it is complete; ".part" files are nobody's and are swept at the
 * helper's start. What was frozen is thawed by whoever is left: this process, the helper (disk_copy_undo), or the next
 * helper (disk_copy_heal): a frozen filesystem outlives its mounts.
 *
 * THREADS: none. */
#include "sys/disk_copy_int.h"
#include "sys/grants_fs_int.h"
#include "sys/grants_int.h"
#include "sys/loopdev.h"
#include "sys/node_int.h"
#include "sys/proc_int.h"

#include "base/confine.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CHUNK      (INT64_C(16) << 20) /* of one copy call */
#define RAW_TRIES  3
#define READ_AHEAD (INT64_C(256) << 20)

void disk_copy_release(struct disk_copy *c)
{
    if (c->from >= 0)
        close(c->from);
    if (c->to >= 0)
        close(c->to);
    free(c->part);
    free(c->end);
    free(c->from_dir);
    free(c->end_dir);
    *c = DISK_COPY_INIT;
}

/* ---- bytes ---- */

/* By hand, where the kernel cannot copy between these two files. */
static int copy_slow(int from, int to, off_t at, off_t end, struct err *e)
{
    _auto_free_ char *chunk = xmalloc(1 << 20);
    while (at < end) {
        const size_t want = end - at < (1 << 20) ? (size_t)(end - at) : (size_t)1 << 20;
        const ssize_t n = pread(from, chunk, want, at);
        if (n < 0)
            return err_sys(e, errno, "read");
        if (n == 0)
            return 0; /* the file became shorter: nothing is lost */
        for (ssize_t done = 0; done < n;) {
            const ssize_t k = pwrite(to, chunk + done, (size_t)(n - done), at + done);
            if (k < 0)
                return err_sys(e, errno, "write");
            done += k;
        }
        at += n;
    }
    return 0;
}

/* A copy has no right to the room that the cluster itself needs. */
static bool has_room(int fd)
{
    struct statvfs s;
    return fstatvfs(fd, &s) < 0 || (int64_t)s.f_bavail * (int64_t)s.f_frsize > CHUNK + GRANTS_KEPT;
}

static int copy_extent(int from, int to, off_t at, off_t end, struct err *e)
{
    while (at < end) {
        if (!has_room(to))
            return err_sys(e, ENOSPC, "write");
        off_t in = at, out = at;
        const ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - at < CHUNK ? end - at : CHUNK), 0);
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
            return copy_slow(from, to, at, end, e);
        if (n < 0)
            return err_sys(e, errno, "write");
        if (n == 0)
            return 0;
        at += n;
    }
    return 0;
}

/* What was written past the page cache is read from the disk: let that begin while other things are waited for. */
static void read_ahead(const struct disk_copy *c)
{
    int64_t left = READ_AHEAD;
    for (off_t at = 0, data; left > 0 && (data = lseek(c->from, at, SEEK_DATA)) >= 0; left -= at - data) {
        at = lseek(c->from, data, SEEK_HOLE);
        if (at < 0)
            return;
        posix_fadvise(c->from, data, at - data < left ? at - data : left, POSIX_FADV_WILLNEED);
    }
}

/* What is data in the source, and only that. */
static int copy_sparse(const struct disk_copy *c, struct err *e)
{
    struct stat st;
    /* Only what an earlier try wrote is cut off: ext4 writes a file out at once that was cut to nothing. */
    if (fstat(c->to, &st) < 0 || (st.st_size > 0 && ftruncate(c->to, 0) < 0) || ftruncate(c->to, c->bytes) < 0)
        return err_sys(e, errno, "size");
    for (off_t at = 0;;) {
        const off_t data = lseek(c->from, at, SEEK_DATA);
        if (data < 0)
            return errno == ENXIO ? 0 : err_sys(e, errno, "read");
        const off_t hole = lseek(c->from, data, SEEK_HOLE);
        if (hole < 0)
            return err_sys(e, errno, "read");
        if (copy_extent(c->from, c->to, data, hole, e) < 0)
            return -1;
        at = hole;
    }
}

/* ---- who writes meanwhile ---- */

struct writes { /* of a block device, from its statistics */
    unsigned long long sectors, discarded, flying;
};

static bool writes_read(const struct disk_copy *c, struct writes *out)
{
    char path[64], text[512] = "";
    unsigned long long v[15] = {0};
    snprintf(path, sizeof path, "/sys/block/loop%d/stat", c->loop_number);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return false;
    char *at = text;
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        v[i] = strtoull(at, &at, 10);
    *out = (struct writes){v[4] + v[6], v[11] + v[13], v[8]};
    return true;
}

/* Copies while the disk may be written; *out_clean: nobody did. */
static int copy_watched(const struct disk_copy *c, bool *out_clean, struct err *e)
{
    struct writes before, after;
    bool known = writes_read(c, &before);
    if (copy_sparse(c, e) < 0)
        return -1;
    known = known && writes_read(c, &after);
    *out_clean = known && before.sectors == after.sectors && before.discarded == after.discarded && !before.flying &&
                 !after.flying;
    return 0;
}

/* ---- the mounted filesystem ---- */

/* Where the disk's filesystem is mounted on its node, as an open directory; -1 if it is not. A mount table names no
 * links, so none is followed: whoever is root on the node may move a directory and put a link to "/" in its place, and
 * what is frozen then would be this machine's own filesystem. */
static int mounted_fd(const struct disk_copy *c, pid_t node_pid)
{
    char info[64], line[4096];
    snprintf(info, sizeof info, "/proc/%d/root", (int)node_pid);
    _auto_close_ int root = node_pid ? open(info, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    snprintf(info, sizeof info, "/proc/%d/mountinfo", (int)node_pid);
    _auto_file_ FILE *f = root >= 0 ? fopen(info, "re") : NULL;
    while (f && fgets(line, sizeof line, f)) {
        char source[128];
        _auto_free_ char *target = xmalloc(sizeof line);
        const char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %*s %4095s", target) != 1 ||
            sscanf(tail + 3, "%*s %127s", source) != 1 || !str_eq(source, c->device))
            continue;
        const int fd =
            confine_open(root, fs_unescape(target), O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* Brings what was written to the disk into its file. */
static int settle(const struct disk_copy *c, pid_t node_pid, struct err *e)
{
    _auto_close_ int fs = mounted_fd(c, node_pid);
    if (fs >= 0 && c->server)
        return fsync(fs) < 0 ? err_sys(e, errno, "fsync") : 0; /* syncfs(2) does not reach a server */
    if (fs >= 0)
        return syncfs(fs) < 0 ? err_sys(e, errno, "syncfs") : 0;
    return c->loop >= 0 && loopdev_settle(c->loop) < 0 ? err_sys(e, errno, "sync") : 0;
}

static int copy_frozen(const struct disk_copy *c, int fs, struct err *e)
{
    if (ioctl(fs, FIFREEZE, 0) < 0)
        return err_sys(e, errno, "freeze");
    const int rc = copy_sparse(c, e);
    ioctl(fs, FITHAW, 0);
    return rc;
}

static int copy_live(const struct disk_copy *c, pid_t node_pid, struct err *e)
{
    for (int i = 0; i < RAW_TRIES; i++) {
        bool clean = false;
        if ((i > 0 && settle(c, node_pid, e) < 0) || copy_watched(c, &clean, e) < 0)
            return -1;
        if (clean)
            return 0;
        _auto_close_ int fs = mounted_fd(c, node_pid);
        if (fs >= 0)
            return copy_frozen(c, fs, e);
    }
    return 0;
}

/* A server that does not run takes no writes: its clients wait. */
static int copy_stopped(const struct disk_copy *c, struct err *e)
{
    kill(c->server, SIGSTOP);
    const int rc = copy_sparse(c, e);
    kill(c->server, SIGCONT);
    return rc;
}

/* ---- the whole ---- */

static int copy_directory(const struct disk_copy *c, struct err *e)
{
    const char *const argv[] = {"cp", "-a", "--reflink=auto", "-T", c->from_dir, c->end_dir, NULL};
    _auto_buf_ struct buf text = BUF_INIT;
    if (!c->from_dir || access(c->from_dir, F_OK) < 0 || proc_run(argv, &text) == 0)
        return 0;
    files_remove_tree(c->end_dir, &(struct err){0});
    return err_set(e, ERR_SYS, "copy %s: %s", c->from_dir, buf_str(&text));
}

/* What the device writes past the page cache would have to be read from the disk again. Who dies in between leaves a
 * device that only writes more slowly. */
static void through_memory(const struct disk_copy *c, bool yes)
{
    if (c->loop >= 0)
        ioctl(c->loop, LOOP_SET_DIRECT_IO, yes ? 0UL : 1UL);
}

static int copy(const struct disk_copy *c, pid_t node_pid, struct err *e)
{
    through_memory(c, true);
    const int settled = settle(c, node_pid, e);
    through_memory(c, false);
    if (settled < 0)
        return -1;
    if (ioctl(c->to, FICLONE, c->from) == 0)
        return ftruncate(c->to, c->bytes) < 0 ? err_sys(e, errno, "size") : 0;
    read_ahead(c);
    return c->loop_number >= 0 ? copy_live(c, node_pid, e) : c->server ? copy_stopped(c, e) : copy_sparse(c, e);
}

int disk_copy_run(struct disk_copy *c, pid_t node_pid, struct err *e)
{
    if (copy(c, node_pid, e) < 0 || copy_directory(c, e) < 0) {
        unlink(c->part);
        return -1;
    }
    if (link(c->part, c->end) < 0) {
        err_sys(e, errno, "name");
        unlink(c->part);
        return -1;
    }
    unlink(c->part);
    return 0;
}

void disk_copy_undo(const struct disk_copy *c, pid_t node_pid)
{
    _auto_close_ int fs = mounted_fd(c, node_pid);
    if (fs >= 0)
        ioctl(fs, FITHAW, 0); /* not frozen: EINVAL */
    if (c->server)
        kill(c->server, SIGCONT);
    unlink(c->part);
}

/* ---- what a killed helper left ---- */

/* Is the device's file one of this directory? By its inode: the path that the kernel tells is that of another mount
 * namespace, which is no more. */
static bool backed_by(int number, const char *dir)
{
    struct loop_info64 info;
    char device[64];
    snprintf(device, sizeof device, "/dev/loop%d", number);
    mknod(device, S_IFBLK | 0600, loopdev_rdev(number));
    _auto_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
        return false;
    bool found = false;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && !found && (entry = readdir(d));) {
        struct stat st;
        found = entry->d_ino == info.lo_inode && fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                st.st_ino == info.lo_inode && (uint64_t)st.st_dev == info.lo_device;
    }
    if (d)
        closedir(d);
    return found;
}

/* A filesystem that is frozen can still be mounted, and then be thawed. */
static void thaw_device(int number)
{
    static const char *const types[] = {"ext4", "xfs", "btrfs", "ext3"};
    char device[64];
    const struct loopdev l = {.fd = -1, .number = number};
    snprintf(device, sizeof device, "/dev/loop%d", number);
    mkdir("/dev/thaw", 0700);
    for (size_t i = 0; i < ARRAY_LEN(types) && loopdev_in_use(&l); i++) {
        if (mount(device, "/dev/thaw", types[i], MS_NOSUID | MS_NODEV, NULL) < 0)
            continue;
        _auto_close_ int fs = open("/dev/thaw", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fs >= 0)
            ioctl(fs, FITHAW, 0);
        umount2("/dev/thaw", MNT_DETACH);
        break;
    }
    rmdir("/dev/thaw");
}

static bool has_files(const char *dir)
{
    bool any = false;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && !any && (entry = readdir(d));)
        any = entry->d_type != DT_DIR;
    if (d)
        closedir(d);
    return any;
}

/* Every loop device of the machine is looked at: not for a cluster that is new. */
void disk_copy_heal(const char *dir)
{
    DIR *d = has_files(dir) ? opendir("/sys/block") : NULL;
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        int number;
        if (sscanf(entry->d_name, "loop%d", &number) == 1 && backed_by(number, dir))
            thaw_device(number);
    }
    if (d)
        closedir(d);
}
