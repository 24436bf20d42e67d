/* grants_fs.c - see grants_fs_int.h.
 *
 * FORMAT: ext4's superblock lies at byte 1024. It holds a copy of the journal inode's block map (s_jnl_blocks); with
 * extents that is a header {magic, entries, max, depth, generation} and up to four extents {block, len, start_hi,
 * start_lo}. A journal that mke2fs made has one or two.
 *
 * XFS: its reserve pool (XFS_IOC_SET_RESBLKS) is what nobody gets but the filesystem itself. The pool counts as used in
 * statfs(), and so do blocks promised to data that is not written yet: they are in the difference of what is used and
 * what the image has.
 *
 * THREADS: none; the helper's loop, or the starting node. */
#include "sys/grants_fs_int.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OWN_RESERVE_MAX 4096 /* blocks ext4 holds back by itself: a fiftieth, and no more */
#define XFS_OWN_RESERVE 8192 /* xfs a twentieth, and no more */

/* As in xfs_fs.h, which is no part of the kernel's headers for programs. */
struct xfs_pool {
    __u64 blocks, left; /* how many shall be held back; how many are */
};
#define XFS_SET_POOL _IOWR('X', 114, struct xfs_pool)
#define XFS_GET_POOL _IOR('X', 115, struct xfs_pool)

/* ---- mounts ---- */

/* "loop7" or "loop7p1"; "" if it is no loop device. */
static void device_name(dev_t dev, char *out, size_t size)
{
    char path[64], target[512];
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(dev), minor(dev));
    const ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(out, size, "%s", slash && str_starts(slash + 1, "loop") ? slash + 1 : "");
}

char *fs_unescape(char *path)
{
    char *to = path;
    for (const char *at = path; *at; at++) {
        unsigned c;
        if (at[0] == '\\' && sscanf(at + 1, "%3o", &c) == 1) {
            *to++ = (char)c;
            at += 3;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return path;
}

static void see_line(char *line, char *target, void (*fn)(void *arg, const struct fs_seen *m), void *arg)
{
    unsigned maj, min;
    struct fs_seen seen = {.target = target, .kind = strstr(line, " - xfs ") ? FS_XFS : FS_EXT};
    if ((seen.kind == FS_EXT && !strstr(line, " - ext")) ||
        sscanf(line, "%*s %*s %u:%u %*s %4095s", &maj, &min, target) != 3)
        return;
    seen.dev = makedev(maj, min);
    device_name(seen.dev, seen.name, sizeof seen.name);
    fs_unescape(target);
    if (seen.name[0])
        fn(arg, &seen);
}

void fs_mounts_each(pid_t pid, void (*fn)(void *arg, const struct fs_seen *m), void *arg)
{
    char path[64];
    _auto_free_ char *line = xmalloc(8192), *target = xmalloc(4096);
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    _auto_file_ FILE *f = fopen(path, "re");
    while (f && fgets(line, 8192, f))
        see_line(line, target, fn, arg);
}

/* ---- room ---- */

static int64_t read_number(const char *name, const char *attribute)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof path, "/sys/fs/ext4/%s/%s", name, attribute);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof text - 1) > 0 ? strtoll(text, NULL, 10) : -1;
}

/* The directory at the path, if it is of this device; -1: it is not. */
static int open_of(const char *path, dev_t dev)
{
    struct stat st;
    _auto_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == dev ? TAKE_FD(fd) : -1;
}

static bool xfs_room(const char *path, dev_t dev, struct fs_room *out)
{
    struct statfs fs;
    struct xfs_pool pool;
    _auto_close_ int fd = open_of(path, dev);
    if (fd < 0 || fstatfs(fd, &fs) < 0 || ioctl(fd, XFS_GET_POOL, &pool) < 0)
        return false;
    const int64_t free_blocks = (int64_t)fs.f_bfree + (int64_t)pool.left;
    *out = (struct fs_room){
        .block = fs.f_bsize,
        .free = free_blocks * fs.f_bsize,
        .used = ((int64_t)fs.f_blocks - free_blocks) * fs.f_bsize,
        .reserved = (int64_t)pool.blocks,
    };
    return true;
}

static bool ext_room(const char *name, const char *path, dev_t dev, struct fs_room *out)
{
    struct stat st;
    struct statfs fs;
    const int64_t dirty = read_number(name, "delayed_allocation_blocks"),
                  reserved = read_number(name, "reserved_clusters");
    if (dirty < 0 || reserved < 0 || stat(path, &st) < 0 || st.st_dev != dev || statfs(path, &fs) < 0)
        return false;
    *out = (struct fs_room){
        .block = fs.f_bsize,
        .free = (int64_t)fs.f_bfree * fs.f_bsize,
        .used = (int64_t)(fs.f_blocks - fs.f_bfree) * fs.f_bsize,
        .dirty = dirty * fs.f_bsize,
        .reserved = reserved,
    };
    return true;
}

bool fs_room_read(const struct fs_seen *m, const char *path, struct fs_room *out)
{
    return m->kind == FS_XFS ? xfs_room(path, m->dev, out) : ext_room(m->name, path, m->dev, out);
}

static void ext_reserve(const char *name, int64_t blocks)
{
    char path[128], text[32];
    snprintf(path, sizeof path, "/sys/fs/ext4/%s/reserved_clusters", name);
    snprintf(text, sizeof text, "%lld", (long long)blocks);
    proc_write(path, text);
}

static void xfs_reserve(const char *path, dev_t dev, int64_t blocks)
{
    struct xfs_pool pool = {.blocks = (__u64)blocks};
    _auto_close_ int fd = open_of(path, dev);
    if (fd >= 0)
        ioctl(fd, XFS_SET_POOL, &pool);
}

void fs_reserve(const struct fs_seen *m, const char *path, const struct fs_room *room, int64_t blocks)
{
    if (blocks == room->reserved)
        return;
    if (m->kind == FS_XFS)
        xfs_reserve(path, m->dev, blocks);
    else
        ext_reserve(m->name, blocks);
}

static int64_t xfs_held_for_others(const char *path, const struct statfs *fs)
{
    struct xfs_pool pool = {0};
    _auto_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, XFS_GET_POOL, &pool) < 0 || pool.left <= XFS_OWN_RESERVE)
        return 0;
    return (int64_t)(pool.left - XFS_OWN_RESERVE) * fs->f_bsize;
}

int64_t fs_held_for_others(const char *path, const struct statfs *fs)
{
    struct stat st;
    char name[32] = "";
    if (fs->f_type == XFS_SUPER_MAGIC)
        return xfs_held_for_others(path, fs);
    if (fs->f_type == EXT4_SUPER_MAGIC && stat(path, &st) == 0)
        device_name(st.st_dev, name, sizeof name);
    const int64_t reserved = name[0] ? read_number(name, "reserved_clusters") : 0;
    if (reserved <= OWN_RESERVE_MAX)
        return 0;
    const int64_t avail = (int64_t)fs->f_bfree - OWN_RESERVE_MAX - (int64_t)fs->f_bavail;
    return avail > 0 ? (avail < reserved ? avail : reserved) * fs->f_bsize : 0;
}

/* ---- the journal's place ---- */

struct span {
    off_t at, len;
};

static uint32_t le32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

static uint16_t le16(const unsigned char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return le16toh(v);
}

enum { SB_BLOCK_SIZE = 24, SB_MAGIC = 56, SB_STATE = 58, SB_LOG_BACKUP = 0xfd, SB_LOG_MAP = 0x10c };
enum { STATE_ERRORS = 2, EXTENTS = 0xf30a };

static bool read_super(int fd, unsigned char sb[1024])
{
    return fd >= 0 && pread(fd, sb, 1024, 1024) == 1024 && le16(sb + SB_MAGIC) == 0xef53;
}

bool fs_has_errors(const char *image)
{
    unsigned char sb[1024];
    _auto_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
    return read_super(fd, sb) && le16(sb + SB_STATE) & STATE_ERRORS;
}

/* Where the journal lies in the image. Returns how many spans; 0: it is not known. */
static size_t log_spans(int fd, struct span out[4])
{
    unsigned char sb[1024];
    if (!read_super(fd, sb) || sb[SB_LOG_BACKUP] != 1)
        return 0;
    const unsigned char *header = sb + SB_LOG_MAP;
    const size_t n = le16(header + 2);
    const unsigned shift = le32(sb + SB_BLOCK_SIZE);
    if (le16(header) != EXTENTS || le16(header + 6) != 0 || n > 4 || shift > 6)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *extent = header + 12 * (i + 1);
        const uint64_t start = (uint64_t)le16(extent + 6) << 32 | le32(extent + 8);
        out[i] = (struct span){(off_t)(start << (10 + shift)), (off_t)le16(extent + 4) << (10 + shift)};
    }
    return n;
}

static int64_t holes_in(int fd, struct span s)
{
    int64_t holes = 0;
    const off_t end = s.at + s.len;
    for (off_t at = s.at; at < end;) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 || data > end)
            data = end;
        holes += data - at;
        at = data < end ? lseek(fd, data, SEEK_HOLE) : end;
        if (at < 0)
            break;
    }
    return holes;
}

int64_t fs_log_unwritten(const char *image)
{
    struct span spans[4];
    int64_t holes = 0;
    _auto_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
    const size_t n = fd < 0 ? 0 : log_spans(fd, spans);
    for (size_t i = 0; i < n; i++)
        holes += holes_in(fd, spans[i]);
    return holes;
}

void fs_log_allocate(const char *image)
{
    struct span spans[4];
    _auto_close_ int fd = open(image, O_RDWR | O_CLOEXEC);
    const size_t n = fd < 0 ? 0 : log_spans(fd, spans);
    for (size_t i = 0; i < n; i++)
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, spans[i].at, spans[i].len) < 0)
            return;
}
