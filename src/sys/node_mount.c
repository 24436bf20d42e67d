/* node_mount.c - filesystems on a node: format, check, mount, grow, bind, tmpfs, unmount, statfs.
 *
 * DESIGN: where the words matter the machine's own tools are run in the node (mkfs, fsck, mount, resize2fs), with the
 * flags the kubelet's mount library gives them; where only the effect matters it is a system call, and the tool is
 * asked only when that fails, for its explanation. Errors are worded as that library words them.
 *
 * A filesystem is made only on a disk that never had one: the helper, who has its file, says whether there is anything
 * but zeros (disks_format_begin). What is on the others is recognised by the magic numbers of what could be there, as
 * data; what is not recognised is left to mount(8), which refuses it.
 *
 * THREADS: none; each request runs in the loop or in a child of it. */
#include "sys/disk_place_int.h"
#include "sys/disks_int.h"
#include "sys/grants_fs_int.h"
#include "sys/mould_int.h"
#include "sys/node_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

#define BUSY_TRIES   50
#define SERVED_TRIES 3000 /* × 10 ms */

/* ---- what is on a device ---- */

#define PROBE_SIZE (68 * 1024)
#define MKFS_WORDS 16 /* more of a class are not heard */

static const struct {
    const char *type;
    unsigned offset;
    const char *magic;
    unsigned len;
} magics[] = {
    {"ext4", 1080, "\x53\xef", 2},
    {"xfs", 0, "XFSB", 4},
    {"btrfs", 0x10040, "_BHRfS_M", 8},
    {"f2fs", 1024, "\x10\x20\xf5\xf2", 4},
    {"squashfs", 0, "hsqs", 4},
    {"iso9660", 0x8001, "CD001", 5},
    {"swap", 4086, "SWAPSPACE2", 10},
    {"LVM2_member", 536, "LVM2 001", 8},
    {"crypto_LUKS", 0, "LUKS\xba\xbe", 6},
    {"ntfs", 3, "NTFS    ", 8},
    {"vfat", 82, "FAT32   ", 8},
    {"partitions", 510, "\x55\xaa", 2},
};

const char *fs_probe(const char *device)
{
    _auto_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    _auto_free_ char *head = xcalloc(1, PROBE_SIZE);
    if (pread(fd, head, PROBE_SIZE, 0) < 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(magics); i++)
        if (memcmp(head + magics[i].offset, magics[i].magic, magics[i].len) == 0)
            return magics[i].type;
    return "";
}

/* ---- mount(8) and its error ---- */

static int run_mount(const char *const *argv, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT, words = BUF_INIT;
    const int status = proc_run(argv, &text);
    if (status == 0)
        return 0;
    for (size_t i = 1; argv[i]; i++)
        buf_addf(&words, "%s%s", i > 1 ? " " : "", argv[i]);
    return err_set(e, ERR_SYS,
                   "mount failed: exit status %d\nMounting command: mount\nMounting arguments: %s\nOutput: %s\n",
                   status, buf_str(&words), buf_str(&text));
}

static bool is_ext(const char *fstype)
{
    return str_eq(fstype, "ext4") || str_eq(fstype, "ext3") || str_eq(fstype, "ext2");
}

static int format_error(const struct fs_mount *m, int status, const char *text, struct err *e)
{
    char code[64];
    snprintf(code, sizeof code, "exit status %d", status);
    return err_set(e, ERR_SYS,
                   "format of disk \"%s\" failed: type:(\"%s\") target:(\"%s\") options:(\"%s\") errcode:(%s) "
                   "output:(%s) ",
                   m->device, m->fstype, m->target, str_empty(m->options) ? "defaults" : m->options,
                   status == 127 ? "executable file not found in $PATH" : code, text);
}

/* The words of the class come right after the tool, as the kubelet's library puts them. */
static int run_mkfs(const char *const *head, const struct strlist *more, const char *const *tail, struct buf *out)
{
    const char *argv[MKFS_WORDS + 16];
    size_t n = 0;
    for (; *head; head++)
        argv[n++] = *head;
    for (size_t i = 0; i < more->len && i < MKFS_WORDS; i++)
        argv[n++] = more->items[i];
    for (; *tail; tail++)
        argv[n++] = *tail;
    argv[n] = NULL;
    return proc_run(argv, out);
}

/* Flags as the kubelet gives them, and -E to be fast and sparse; what an older e2fsprogs does not know is left out. */
static int format_ext(const struct fs_mount *m, const char *tool, const struct strlist *more, bool zeros, struct err *e)
{
    static const char *const options[] = {MKFS_ZEROS, MKFS_SPARSE};
    for (size_t i = zeros ? 0 : 1;; i++) {
        _auto_buf_ struct buf text = BUF_INIT;
        const char *const head[] = {tool, NULL}, *const tail[] = {"-F", "-m0", "-E", options[i], m->device, NULL};
        const int status = run_mkfs(head, more, tail, &text);
        if (status == 0)
            return 0;
        if (i > 0 || !strstr(buf_str(&text), "assume_storage_prezeroed"))
            return format_error(m, status, buf_str(&text), e);
    }
}

static int format(const struct fs_mount *m, bool zeros, struct err *e)
{
    char tool[32];
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_strlist_ struct strlist more = {0};
    if (!str_empty(m->mkfs))
        strlist_split(&more, m->mkfs, ' ');
    snprintf(tool, sizeof tool, "mkfs.%s", m->fstype);
    const char *const head[] = {tool, NULL}, *const plain[] = {m->device, NULL},
                      *const btrfs[] = {"-f", m->device, NULL},
                      *const xfs[] = {"-f", "-K" /* nothing to discard */, m->device, NULL};
    if (is_ext(m->fstype))
        return format_ext(m, tool, &more, zeros, e);
    const char *const *tail = str_eq(m->fstype, "xfs") ? xfs : str_eq(m->fstype, "btrfs") ? btrfs : plain;
    const int status = run_mkfs(head, &more, tail, &text);
    return status == 0 ? 0 : format_error(m, status, buf_str(&text), e);
}

static int64_t device_bytes(const char *device)
{
    uint64_t size = 0;
    struct stat st;
    _auto_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return st.st_size;
    return fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0 ? -1 : (int64_t)size;
}

/* Blocks of the ext filesystem × their size, from the superblock. */
static int64_t ext_bytes(const char *device)
{
    unsigned char sb[1024];
    _auto_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, sb, sizeof sb, 1024) != (ssize_t)sizeof sb)
        return -1;
    uint32_t low, high, log_size;
    memcpy(&low, sb + 4, sizeof low);
    memcpy(&high, sb + 0x150, sizeof high);
    memcpy(&log_size, sb + 24, sizeof log_size);
    if (log_size > 6) /* larger than any ext4 has: a pod may have written anything */
        return -1;
    return (int64_t)(((uint64_t)high << 32 | low) * (UINT64_C(1024) << log_size));
}

/* Blocks that only root may fill, as far as 32 bits go. */
static int64_t ext_reserved(const char *device)
{
    uint32_t count;
    _auto_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
    return fd < 0 || pread(fd, &count, sizeof count, 1024 + 8) != (ssize_t)sizeof count ? -1 : (int64_t)count;
}

/* Before mounting what is there already: repair it; and if the disk has grown since, let the filesystem follow. */
static int check_existing(const struct fs_mount *m, const char *found, struct err *e)
{
    const char *const fsck[] = {"fsck", "-a", m->device, NULL};
    _auto_buf_ struct buf text = BUF_INIT;
    const int status = proc_run(fsck, &text);
    if (status == 4)
        return err_set(e, ERR_CORRUPT, "'fsck' found errors on device %s but could not correct them: %s", m->device,
                       buf_str(&text));
    const int64_t fs = is_ext(found) ? ext_bytes(m->device) : -1;
    if (fs > 0 && device_bytes(m->device) - fs > 64 * 1024) {
        const char *const check[] = {"e2fsck", "-f", "-p", m->device, NULL}, *const grow[] = {"resize2fs", m->device,
                                                                                              NULL};
        proc_run(check, NULL);
        proc_run(grow, NULL);
    }
    return 0;
}

/* A filesystem that grows only while it is mounted follows its disk. */
static void follow_device(const struct fs_mount *m)
{
    const char *const xfs[] = {"xfs_growfs", "-d", m->target, NULL}, *const btrfs[] = {"btrfs", "filesystem", "resize",
                                                                                       "max",   m->target,    NULL};
    if (str_eq(m->fstype, "xfs"))
        proc_run(xfs, NULL);
    else if (str_eq(m->fstype, "btrfs"))
        proc_run(btrfs, NULL);
}

/* blank: the helper says that nobody ever had a filesystem here. */
static int prepare(const struct fs_mount *m, enum format blank, struct err *e)
{
    const char *found = fs_probe(m->device);
    if (!found || !m->format || (!blank && !*found))
        return 0; /* mount(8) will say what is wrong: something is there that is not ours to overwrite */
    if (!blank)
        return m->read_only ? 0 : check_existing(m, found, e);
    if (m->read_only)
        return err_set(e, ERR_SYS, "cannot mount unformatted disk %s as we are manipulating it in read-only mode",
                       m->device);
    return format(m, blank == FORMAT_ZEROS, e);
}

/* A directory stands for the disk's filesystem. */
static int mount_directory(const struct fs_mount *m, const char *dir, struct err *e)
{
    const unsigned long again = MS_BIND | MS_REMOUNT | MS_RDONLY | userns_kept_flags(dir);
    if (proc_mkdir_p(m->target, 0750, e) < 0)
        return -1;
    if (mount(dir, m->target, NULL, MS_BIND, NULL) < 0 ||
        (m->read_only && mount(NULL, m->target, NULL, again, NULL) < 0))
        return err_sys(e, errno, "mount %s", m->device);
    return 0;
}

/* A node without loop devices has the disk's file there, which is served from here on by fuse2fs. */
static bool is_file(const char *device)
{
    struct stat st;
    return stat(device, &st) == 0 && S_ISREG(st.st_mode);
}

/* Waits until the server that had it before has written everything out. Returns the descriptor that locks it. */
static int take_file(const char *device, struct err *e)
{
    _auto_close_ int fd = open(device, O_RDWR | O_CLOEXEC);
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (i >= SERVED_TRIES)
            return err_set(e, ERR_BUSY, "%s is still being written out", device);
        nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
    }
    return fd < 0 ? err_sys(e, errno, "open %s", device) : TAKE_FD(fd);
}

/* fuse2fs takes a filesystem that reserves nothing for one that reserves a tenth. */
static int make_servable(const struct fs_mount *m, struct err *e)
{
    const char *const reserve[] = {"tune2fs", "-r", "1", m->device, NULL};
    const char *found = fs_probe(m->device);
    if (!found || !is_ext(found))
        return err_set(e, ERR_UNSUPPORTED,
                       "mount failed: %s is %s, and without root only ext4 is served: without loop devices the kernel "
                       "does not mount it",
                       m->device, found && *found ? found : "no filesystem that is known");
    if (ext_reserved(m->device) == 0)
        proc_run(reserve, NULL);
    return 0;
}

int req_fs_mount(struct req *r, struct err *e)
{
    struct fs_mount m = {.device = wire_need_str(&r->in)};
    m.target = wire_need_str(&r->in);
    m.fstype = wire_need_str(&r->in);
    m.options = wire_need_str(&r->in);
    m.read_only = wire_get_bool(&r->in);
    m.format = wire_get_bool(&r->in);
    if (str_empty(m.fstype))
        m.fstype = "ext4";
    const enum format blank = (enum format)wire_get_u32(&r->in);
    m.mkfs = wire_need_str(&r->in);
    _auto_free_ char *dir = disk_place_dir(m.device);
    if (userns_inside() && access(dir, F_OK) == 0)
        return mount_directory(&m, dir, e);
    if (strchr(m.fstype, '/') || m.fstype[0] == '-')
        return err_set(e, ERR_BAD_REQUEST, "invalid filesystem type \"%s\"", m.fstype);
    const bool served = is_file(m.device);
    _auto_close_ int lock = served ? take_file(m.device, e) : -1;
    if ((served && lock < 0) || proc_mkdir_p(m.target, 0750, e) < 0 || prepare(&m, blank, e) < 0)
        return -1;
    wire_u32(&r->out, served);
    if (served)
        return make_servable(&m, e);
    _auto_free_ char *options =
        xasprintf("%s%s%sdefaults", m.options, str_empty(m.options) ? "" : ",", m.read_only ? "ro," : "");
    const char *const argv[] = {"mount", "-t", m.fstype, "-o", options, m.device, m.target, NULL};
    if (run_mount(argv, e) < 0)
        return -1;
    if (m.format && !m.read_only && !blank)
        follow_device(&m);
    return 0;
}

int req_fs_grow(struct req *r, struct err *e)
{
    const char *device = wire_need_str(&r->in), *target = wire_need_str(&r->in);
    _auto_free_ char *dir = disk_place_dir(device);
    if (userns_inside() && access(dir, F_OK) == 0)
        return 0; /* a directory has room for all of it */
    const char *found = fs_probe(device);
    const char *const ext[] = {"resize2fs", device, NULL}, *const xfs[] = {"xfs_growfs", "-d", target, NULL},
                      *const btrfs[] = {"btrfs", "filesystem", "resize", "max", target, NULL};
    if (!found || !*found)
        return err_set(e, ERR_SYS, "could not get filesystem of %s", device);
    if (is_file(device))
        return err_set(
            e, ERR_UNSUPPORTED,
            "resize of device %s failed: without root its filesystem is served by fuse2fs, and grows when it "
            "is mounted again",
            device);
    const char *const *argv = str_eq(found, "xfs") ? xfs : str_eq(found, "btrfs") ? btrfs : ext;
    _auto_buf_ struct buf text = BUF_INIT;
    const int status = proc_run(argv, &text);
    if (status == 0)
        return 0;
    /* Growing a mounted ext4 is for CAP_SYS_RESOURCE alone, which some machines withhold from everybody. */
    const bool withheld = argv == ext && strstr(buf_str(&text), "Permission denied to resize filesystem");
    char code[64];
    snprintf(code, sizeof code, "exit status %d", status);
    return err_set(e, withheld ? ERR_UNSUPPORTED : ERR_SYS, "resize of device %s failed: %s. %s output: %s%s", device,
                   status == 127 && !text.len ? "executable file not found in $PATH" : code, argv[0], buf_str(&text),
                   withheld ? "This machine withholds CAP_SYS_RESOURCE, which growing a mounted ext4 needs: it grows "
                              "when it is mounted again."
                            : "");
}

/* The target of a bind must be what the source is. */
static int make_target_like(const char *source, const char *target, struct err *e)
{
    struct stat st;
    if (stat(source, &st) < 0 || S_ISDIR(st.st_mode))
        return proc_mkdir_p(target, 0750, e);
    _auto_free_ char *parent = xstrdup(target);
    char *slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = '\0';
        if (proc_mkdir_p(parent, 0750, e) < 0)
            return -1;
    }
    _auto_close_ int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    return fd < 0 && errno != EISDIR ? err_sys(e, errno, "create %s", target) : 0;
}

int req_bind(struct req *r, struct err *e)
{
    const char *source = wire_need_str(&r->in), *target = wire_need_str(&r->in);
    const bool read_only = wire_get_bool(&r->in);
    if (make_target_like(source, target, e) < 0)
        return -1;
    const char *const argv[] = {"mount", "-o", "bind", source, target, NULL};
    if (mount(source, target, NULL, MS_BIND, NULL) < 0 && run_mount(argv, e) < 0)
        return -1;
    const char *const again[] = {"mount", "-o", "bind,remount,ro", source, target, NULL};
    const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | userns_kept_flags(target);
    if (read_only && mount(NULL, target, NULL, flags, NULL) < 0 && run_mount(again, e) < 0) {
        umount2(target, MNT_DETACH);
        return -1;
    }
    return 0;
}

int req_tmpfs(struct req *r, struct err *e)
{
    const char *target = wire_need_str(&r->in);
    const int64_t bytes = wire_get_i64(&r->in);
    const mode_t mode = (mode_t)wire_get_u32(&r->in);
    char options[96] = "";
    size_t n = 0;
    if (bytes > 0)
        n = (size_t)snprintf(options, sizeof options, "size=%lld", (long long)bytes);
    if (mode)
        snprintf(options + n, sizeof options - n, "%smode=%o", n ? "," : "", (unsigned)mode);
    if (proc_mkdir_p(target, 0777, e) < 0)
        return -1;
    if (mount("tmpfs", target, "tmpfs", MS_RELATIME, options) == 0)
        return 0;
    const char *const argv[] = {"mount", "-t", "tmpfs", "-o", *options ? options : "defaults", "tmpfs", target, NULL};
    return run_mount(argv, e);
}

int req_unmount(struct req *r, struct err *e)
{
    const char *target = wire_need_str(&r->in);
    for (int i = 0, waited = 0; i < 16; i++) {
        if (umount2(target, UMOUNT_NOFOLLOW) == 0)
            continue;
        if (errno == EINVAL || errno == ENOENT)
            return 0;
        if (errno == EBUSY && waited++ < BUSY_TRIES) { /* someone just looks how full it is, or trims it */
            nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
            i--;
            continue;
        }
        err_set(e, errno == EBUSY ? ERR_BUSY : ERR_SYS,
                "unmount failed: exit status 32\nUnmounting arguments: %s\nOutput: umount: %s: %s.\n", target, target,
                errno == EBUSY ? "target is busy" : strerror(errno));
        return -1;
    }
    return 0;
}

int req_is_mounted(struct req *r, struct err *e)
{
    (void)e;
    struct statx sx;
    const char *target = wire_need_str(&r->in);
    const bool ok = statx(AT_FDCWD, target, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &sx) == 0;
    wire_u32(&r->out, ok && (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    return 0;
}

static const struct {
    long magic;
    const char *name;
} fs_names[] = {
    {EXT4_SUPER_MAGIC, "ext4"}, {XFS_SUPER_MAGIC, "xfs"}, {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},     {NFS_SUPER_MAGIC, "nfs"}, {OVERLAYFS_SUPER_MAGIC, "overlay"},
};

/* A node whose disk is a directory of the machine's filesystem has no more of that than its disk would hold, and does
 * not count what others have there. */
static void share_of(struct fs_stat *fs, int64_t bytes)
{
    const int64_t size = fs->bytes < bytes ? fs->bytes : bytes;
    fs->shared = true;
    fs->bytes = size;
    fs->bytes_avail = fs->bytes_avail < size ? fs->bytes_avail : size;
    fs->bytes_free = fs->bytes_avail;
}

static bool on_node_disk(const char *path)
{
    struct stat st, root;
    return stat(path, &st) == 0 && stat("/", &root) == 0 && st.st_dev == root.st_dev;
}

int req_fs_stat(struct req *r, struct err *e)
{
    struct statfs s;
    const char *path = wire_need_str(&r->in);
    if (statfs(path, &s) < 0) {
        err_sys(e, errno, "statfs %s", path);
        if (errno == ENOENT)
            e->code = ERR_NOT_FOUND;
        return -1;
    }
    struct fs_stat out = {
        .bytes = (int64_t)s.f_blocks * s.f_bsize,
        .bytes_free = (int64_t)s.f_bfree * s.f_bsize,
        .bytes_avail = (int64_t)s.f_bavail * s.f_bsize + fs_held_for_others(path, &s),
        .inodes = (int64_t)s.f_files,
        .inodes_free = (int64_t)s.f_ffree,
    };
    for (size_t i = 0; i < ARRAY_LEN(fs_names); i++)
        if (fs_names[i].magic == (long)s.f_type)
            snprintf(out.fstype, sizeof out.fstype, "%s", fs_names[i].name);
    if (userns_inside() && on_node_disk(path))
        share_of(&out, r->node->nodefs_bytes);
    wire_blob(&r->out, &out, sizeof out);
    return 0;
}
