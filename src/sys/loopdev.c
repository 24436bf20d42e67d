/* loopdev.c - see loopdev.h.
 *
 * THREADS: none. Races with other programs that take loop devices are expected: a number that is taken between asking
 * for it and configuring it gives EBUSY, and the next one is tried. Needs Linux 5.8 (LOOP_CONFIGURE), which sets file,
 * flags and size in one step: with the older two calls a device without autoclear could survive a crash between them.
 */
#include "sys/loopdev.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOOP_TRIES 64

/* The device's numbers as the kernel says them; partitions may spread the minors. */
dev_t loopdev_rdev(int number)
{
    char path[64], text[32] = "";
    unsigned maj = 7, min = (unsigned)number;
    snprintf(path, sizeof path, "/sys/block/loop%d/dev", number);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
        sscanf(text, "%u:%u", &maj, &min);
    return makedev(maj, min);
}

static int open_node(int number, bool read_only, dev_t rdev)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof path, "/dev/loop%d", number);
    if (stat(path, &st) < 0 || st.st_rdev != rdev) {
        unlink(path);
        if (mknod(path, S_IFBLK | 0600, rdev) < 0 && errno != EEXIST)
            return -1;
    }
    return open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

static int open_file(const char *file, bool read_only, struct err *e)
{
    _auto_close_ int fd = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open %s", file);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(e, ERR_BUSY, "%s is in use", file);
    return TAKE_FD(fd);
}

int loopdev_attach(const char *file, unsigned how, struct loopdev *out, struct err *e)
{
    const bool read_only = how & LOOPDEV_READ_ONLY;
    _auto_close_ int backing = open_file(file, read_only, e);
    if (backing < 0)
        return -1;
    _auto_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_sys(e, errno, "open /dev/loop-control");
    struct loop_config config = {
        .fd = (uint32_t)backing,
        .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN | (read_only ? LO_FLAGS_READ_ONLY : 0) |
                         (how & LOOPDEV_DIRECT ? LO_FLAGS_DIRECT_IO : 0),
    };
    /* Some tools tell devices apart by this name alone. */
    const char *slash = strrchr(file, '/');
    snprintf((char *)config.info.lo_file_name, sizeof config.info.lo_file_name, "%s", slash ? slash + 1 : file);
    for (int i = 0; i < LOOP_TRIES; i++) {
        const int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return err_sys(e, errno, "no free loop device");
        const dev_t rdev = loopdev_rdev(number);
        _auto_close_ int fd = open_node(number, read_only, rdev);
        if (fd < 0)
            return err_sys(e, errno, "open /dev/loop%d", number);
        if (ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            *out = (struct loopdev){TAKE_FD(fd), number, rdev};
            return 0;
        }
        if (errno != EBUSY)
            return err_sys(e, errno, "configure /dev/loop%d", number);
    }
    return err_set(e, ERR_BUSY, "no free loop device");
}

int loopdev_resize(const struct loopdev *l, struct err *e)
{
    return ioctl(l->fd, LOOP_SET_CAPACITY) < 0 ? err_sys(e, errno, "resize /dev/loop%d", l->number) : 0;
}

static bool read_attribute(const struct loopdev *l, unsigned n, const char *name, char *out, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/block/loop%d/loop%dp%u/%s", l->number, l->number, n, name);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

bool loopdev_partition(const struct loopdev *l, unsigned n, struct loopdev_part *out)
{
    char dev[32], start[32], size[32];
    unsigned maj, min;
    unsigned long long at, sectors;
    ioctl(l->fd, BLKRRPART); /* refused while a partition is in use: then it is known already */
    if (!read_attribute(l, n, "dev", dev, sizeof dev) || !read_attribute(l, n, "start", start, sizeof start) ||
        !read_attribute(l, n, "size", size, sizeof size) || sscanf(dev, "%u:%u", &maj, &min) != 2 ||
        sscanf(start, "%llu", &at) != 1 || sscanf(size, "%llu", &sectors) != 1)
        return false;
    *out = (struct loopdev_part){makedev(maj, min), (off_t)at * 512, (off_t)sectors * 512};
    return true;
}

int loopdev_settle(int fd)
{
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

bool loopdev_in_use(const struct loopdev *l)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/loop%d", l->number);
    _auto_close_ int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
    return fd < 0 && errno == EBUSY;
}

void loopdev_release(struct loopdev *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
