/* disks.c - disks of the cluster: <data>/disks/<id>.img, sparse; attached = a loop device plus a device node in a
 * node's /dev.
 *
 *      absent --create--> detached --attach--> attached --detach--> detached --remove--> absent
 *
 * INVARIANTS: an attached disk has one node and one device name there, a shared one has a row and a device name for
 * each of its nodes, and one loop device for all; no two disks have the same device name on a node; a disk leaves a
 * node only when nothing there has it mounted (else its next node would see a filesystem that is still being written)
 * and its names there are gone: a detach that cannot remove them fails, and is asked for again. A dead node's disk
 * whose file nobody will use again leaves it at once (disks_abandon). The helper holds the loop device open, so it
 * lives exactly as long as the attachment or the helper, but for what the kernel has to end.
 *
 * A copy is made beside the loop, by a child: disk_copy.c. THREADS: none; the helper's loop only. */
#include "sys/disks_int.h"
#include "sys/disk_place_int.h"
#include "sys/loopdev.h"
#include "sys/mould_int.h"
#include "sys/node_int.h"
#include "sys/proc_int.h"
#include "sys/reserve_int.h"
#include "sys/serve_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DISK_ID_MAX   200
#define PART          ".part" /* an id never ends in it: a file's name ends in .img */
#define CAST_ROOM     (GRANTS_KEPT + (INT64_C(64) << 20))
#define DISK_SIZE_MAX (INT64_C(1) << 44) /* 16 TiB: ext4's own limit */

struct disk {
    struct disk *next;
    char *id;     /* owned */
    char *node;   /* owned */
    char *device; /* owned; "/dev/xvdba" */
    char *image;  /* owned; path of its file */
    char *dir;    /* owned; the directory that stands for its filesystem, or NULL */
    bool shared;
    struct loopdev loop; /* fd -1: there are no loop devices, the node has the file (disk_place.c) */
};
struct disks {
    char *dir;             /* owned */
    struct disk *attached; /* owned */
    struct moulds *moulds; /* owned */
    enum disk_kind kind;
};

/* Copies and deletions that a killed helper left unfinished. */
static void sweep_parts(const char *dir)
{
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (str_ends(entry->d_name, PART))
            unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        closedir(d);
}

struct disks *disks_new(const char *dir, enum disk_kind kind, struct err *e)
{
    if (proc_mkdir_p(dir, 0700, e) < 0)
        return NULL;
    sweep_parts(dir);
    if (kind == DISK_KIND_LOOP)
        disk_copy_heal(dir);
    reserve_look(dir);
    struct disks *d = xcalloc(1, sizeof *d);
    d->dir = xstrdup(dir);
    d->kind = kind;
    d->moulds = moulds_new();
    return d;
}

static bool id_ok(const char *id)
{
    const size_t n = strlen(id);
    if (!n || n > DISK_ID_MAX || id[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)id[i]) && !strchr("._-", id[i]))
            return false;
    return true;
}

/* The file's path (returns new), or NULL with `e` set. */
static char *file_of(const struct disks *d, const char *id, struct err *e)
{
    if (id_ok(id))
        return xasprintf("%s/%s.img", d->dir, id);
    err_set(e, ERR_BAD_REQUEST, "invalid disk id \"%s\"", id);
    return NULL;
}

/* Returns new. */
static char *dir_of(const struct disks *d, const char *id)
{
    return xasprintf("%s/%s.d", d->dir, id);
}

/* The disk's attachment to the node; to any, if node is NULL. */
static struct disk *find_on(struct disks *d, const char *id, const char *node)
{
    for (struct disk *k = d->attached; k; k = k->next)
        if (str_eq(k->id, id) && (!node || str_eq(k->node, node)))
            return k;
    return NULL;
}

static struct disk *find(struct disks *d, const char *id)
{
    return find_on(d, id, NULL);
}

static int exists_already(const char *id, struct err *e)
{
    return err_set(e, ERR_ALREADY_EXISTS, "disk \"%s\" already exists", id);
}

/* Under another name until it is whole: a file that has not its size yet is no disk, and half a filesystem neither
 * blank nor mountable. mould: NULL = blank. */
static int create_file(const struct mould *mould, const char *path, int64_t bytes, struct err *e)
{
    _auto_free_ char *part = xasprintf("%s.new" PART, path);
    _auto_close_ int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "create %s", part);
    const bool made = ftruncate(fd, (bytes + 511) / 512 * 512) == 0 && (!mould || mould_cast(mould, fd, "", e) == 0) &&
                      link(part, path) == 0;
    if (!made && e->code == ERR_OK)
        err_sys(e, errno, "create %s", path);
    unlink(part);
    return made ? 0 : -1;
}

int disks_create(struct disks *d, const char *id, int64_t bytes, struct err *e)
{
    struct err failed = ERR_INIT;
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    if (bytes <= 0 || bytes > DISK_SIZE_MAX)
        return err_set(e, ERR_BAD_REQUEST, "invalid disk size %lld", (long long)bytes);
    if (create_file(NULL, path, bytes, &failed) == 0)
        return 0;
    if (failed.sys_errno == EEXIST)
        return exists_already(id, e);
    *e = failed;
    return err_wrap(e, "disk %s", id);
}

int disks_create_ext4(struct disks *d, const char *id, int64_t bytes, struct err *e)
{
    const struct mould *mould = NULL;
    struct err failed = ERR_INIT;
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    if (access(path, F_OK) == 0)
        return exists_already(id, e);
    if (d->kind == DISK_KIND_DIRECTORY ||
        reserve_look(d->dir) < CAST_ROOM) /* what is left is for those who have a disk already */
        return disks_create(d, id, bytes, e);
    const enum mould_state state = moulds_find(d->moulds, bytes, &mould);
    if (state == MOULD_MAKING)
        return 1;
    return state == MOULD_MADE && create_file(mould, path, bytes, &failed) == 0 ? 0 : disks_create(d, id, bytes, e);
}

bool disks_child_ended(struct disks *d, pid_t pid, int status)
{
    return moulds_child_ended(d->moulds, pid, status);
}

static int missing(int code, const char *id, struct err *e)
{
    if (code == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "disk \"%s\" not found", id);
    return err_sys(e, code, "disk %s", id);
}

int disks_grow(struct disks *d, const char *id, int64_t bytes, struct err *e)
{
    struct stat st;
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    if (bytes > DISK_SIZE_MAX)
        return err_set(e, ERR_BAD_REQUEST, "invalid disk size %lld", (long long)bytes);
    if (stat(path, &st) < 0)
        return missing(errno, id, e);
    bytes = (bytes + 511) / 512 * 512;
    if (bytes <= st.st_size)
        return 0;
    if (truncate(path, bytes) < 0)
        return err_sys(e, errno, "grow disk %s", id);
    const struct disk *k = find(d, id);
    return k && k->loop.fd >= 0 ? loopdev_resize(&k->loop, e) : 0;
}

static const struct disk *device_owner(const struct disks *d, const char *node, const char *device)
{
    for (const struct disk *k = d->attached; k; k = k->next)
        if (str_eq(k->node, node) && str_eq(k->device, device))
            return k;
    return NULL;
}

/* "/dev/xvdba" as the helper reaches it: through the node's root. Returns new. */
static char *node_device_path(pid_t node_pid, const char *device)
{
    return xasprintf("/proc/%d/root%s", (int)node_pid, device);
}

static bool device_ok(const char *device)
{
    return str_starts(device, "/dev/") && device[5] && !strchr(device + 5, '/') && !str_eq(device + 5, "..") &&
           strlen(device) < 64;
}

/* The loop device of a disk that other nodes have too: theirs, so that all see the same cache. */
static int open_loop(const char *path, const struct disk *other, bool read_only, struct loopdev *out, struct err *e)
{
    if (!other)
        return loopdev_attach(path, LOOPDEV_DIRECT | (read_only ? LOOPDEV_READ_ONLY : 0), out, e);
    *out = other->loop;
    out->fd = fcntl(other->loop.fd, F_DUPFD_CLOEXEC, 3);
    return out->fd < 0 ? err_sys(e, errno, "dup /dev/loop%d", out->number) : 0;
}

/* May it be attached there? 1: it is already. */
static int check_place(struct disks *d, const char *id, const char *node, const char *device, bool shared,
                       struct err *e)
{
    const struct disk *here = find_on(d, id, node), *k = here ? here : find(d, id);
    if (here && str_eq(here->device, device))
        return 1;
    if (here || (k && !(shared && k->shared)))
        return err_set(e, ERR_BUSY, "disk \"%s\" is attached to node \"%s\" as %s", id, k->node, k->device);
    const struct disk *owner = device_owner(d, node, device);
    if (owner)
        return err_set(e, ERR_BUSY, "device %s of node \"%s\" is disk \"%s\"", device, node, owner->id);
    return 0;
}

/* ---- blank or not ---- */

#define ZEROS_MAX (INT64_C(64) << 20) /* written zeros are read up to here; what has more is not blank */

static bool all_zero(int fd, off_t at, off_t end)
{
    char chunk[64 * 1024];
    while (at < end) {
        const size_t want = end - at < (off_t)sizeof chunk ? (size_t)(end - at) : sizeof chunk;
        const ssize_t n = pread(fd, chunk, want, at);
        if (n <= 0 || chunk[0] != 0 || memcmp(chunk, chunk + 1, (size_t)n - 1) != 0)
            return false;
        at += n;
    }
    return true;
}

static bool file_blank(const char *path, off_t start, off_t end)
{
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    int64_t seen = 0;
    off_t hole = start;
    while (fd >= 0) {
        const off_t data = lseek(fd, hole, SEEK_DATA);
        if (data < 0)
            return errno == ENXIO;
        if (data >= end)
            return true;
        hole = lseek(fd, data, SEEK_HOLE);
        hole = hole > end ? end : hole;
        seen += hole - data;
        if (hole < 0 || seen > ZEROS_MAX || !all_zero(fd, data, hole))
            return false;
    }
    return false;
}

/* The disk behind "/dev/xvdba1", and which of its partitions that is; the device node is made. NULL: none. */
static const struct disk *partition_owner(struct disks *d, const char *node, pid_t node_pid, const char *device,
                                          struct loopdev_part *out)
{
    const char *digits = device + strlen(device);
    while (digits > device && isdigit((unsigned char)digits[-1]))
        digits--;
    _auto_free_ char *whole = xstrndup(device, (size_t)(digits - device));
    const struct disk *k = *digits && device_ok(device) ? device_owner(d, node, whole) : NULL;
    if (!k || k->loop.fd < 0 || strlen(digits) > 3 ||
        !loopdev_partition(&k->loop, (unsigned)strtoul(digits, NULL, 10), out))
        return NULL;
    _auto_free_ char *made = node_device_path(node_pid, device);
    unlink(made);
    return mknod(made, S_IFBLK | 0660, out->rdev) == 0 ? k : NULL;
}

/* The mark of a format that was begun: a kill in its midst leaves a disk that is neither blank nor a filesystem.
 * Returns new. */
static char *mark_of(const struct disks *d, const char *id)
{
    return xasprintf("%s/%s.formatting", d->dir, id);
}

static enum format format_whole(const struct disks *d, const struct disk *k)
{
    _auto_free_ char *mark = mark_of(d, k->id), *path = xasprintf("%s/%s.img", d->dir, k->id);
    if (access(mark, F_OK) == 0)
        return FORMAT_AGAIN;
    if (k->dir || (k->loop.fd >= 0 && loopdev_settle(k->loop.fd) < 0) || !file_blank(path, 0, DISK_SIZE_MAX))
        return FORMAT_NO;
    _auto_close_ int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 ? FORMAT_ZEROS : FORMAT_NO;
}

enum format disks_format_begin(struct disks *d, const char *node, pid_t node_pid, const char *device)
{
    struct loopdev_part part;
    const struct disk *k = device_owner(d, node, device);
    if (k)
        return format_whole(d, k);
    k = partition_owner(d, node, node_pid, device, &part);
    if (!k || k->loop.fd < 0 || loopdev_settle(k->loop.fd) < 0)
        return FORMAT_NO;
    _auto_free_ char *path = xasprintf("%s/%s.img", d->dir, k->id);
    return file_blank(path, part.start, part.start + part.size) ? FORMAT_ZEROS : FORMAT_NO;
}

int disks_format_end(struct disks *d, const char *node, const char *device, struct err *e)
{
    const struct disk *k = device_owner(d, node, device);
    if (!k)
        return 0;
    _auto_free_ char *mark = mark_of(d, k->id);
    return unlink(mark) < 0 && errno != ENOENT ? err_sys(e, errno, "unlink %s", mark) : 0;
}

/* A large file may take the kernel long: the loop does not wait for it. */
static void unlink_aside(const char *path)
{
    const pid_t pid = fork();
    if (pid > 0)
        return;
    if (pid == 0)
        proc_keep_fds(NULL, 0);
    unlink(path);
    if (pid == 0)
        _exit(0);
}

/* The directory beside the file goes with it. */
static void remove_dir_aside(const struct disks *d, const char *id)
{
    struct err lost = ERR_INIT;
    _auto_free_ char *dir = dir_of(d, id);
    if (access(dir, F_OK) < 0 || fork() != 0)
        return;
    proc_keep_fds(NULL, 0);
    _exit(files_remove_tree(dir, &lost) < 0);
}

int disks_remove(struct disks *d, const char *id, struct err *e)
{
    static unsigned serial;
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    _auto_free_ char *gone = xasprintf("%s.%u" PART, path, serial++);
    const struct disk *k = find(d, id);
    if (k)
        return err_set(e, ERR_BUSY, "disk \"%s\" is attached to node \"%s\"", id, k->node);
    if (rename(path, gone) < 0)
        return missing(errno, id, e);
    remove_dir_aside(d, id);
    unlink_aside(gone);
    _auto_free_ char *mark = mark_of(d, id);
    unlink(mark);
    return 0;
}

/* c->from is open. */
static int copy_files(struct disk_copy *c, const char *to, const char *id, const char *to_id, struct err *e)
{
    struct stat st;
    if (fstat(c->from, &st) < 0)
        return err_sys(e, errno, "disk %s", id);
    c->bytes = c->bytes ? (c->bytes + 511) / 512 * 512 : st.st_size;
    if (c->bytes < st.st_size || c->bytes > DISK_SIZE_MAX)
        return err_set(e, ERR_BAD_REQUEST, "a copy of disk \"%s\" cannot have %lld bytes", id, (long long)c->bytes);
    if (access(to, F_OK) == 0)
        return err_set(e, ERR_ALREADY_EXISTS, "disk \"%s\" already exists", to_id);
    c->part = xasprintf("%s" PART, to);
    c->end = xstrdup(to);
    c->to = open(c->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (c->to < 0 && errno == EEXIST)
        return err_set(e, ERR_BUSY, "disk \"%s\" is being made", to_id);
    return c->to < 0 ? err_sys(e, errno, "create %s", c->part) : 0;
}

int disks_copy_into(struct disks *d, int take_from, const char *from, const char *to, int64_t bytes,
                    struct disk_copy *out, struct err *e)
{
    *out = DISK_COPY_INIT;
    out->from = take_from;
    out->bytes = bytes;
    _auto_free_ char *target = file_of(d, to, e);
    if (!target || copy_files(out, target, from, to, e) < 0) {
        disk_copy_release(out);
        return -1;
    }
    out->end_dir = dir_of(d, to);
    return 0;
}

int disks_copy_open(struct disks *d, const char *from, const char *to, int64_t bytes, struct disk_copy *out,
                    struct err *e)
{
    _auto_free_ char *source = file_of(d, from, e);
    const int fd = source ? open(source, O_RDONLY | O_CLOEXEC) : -1;
    if (source && fd < 0)
        return missing(errno, from, e);
    if (!source || disks_copy_into(d, fd, from, to, bytes, out, e) < 0)
        return -1;
    const struct disk *k = find(d, from);
    out->from_dir = dir_of(d, from);
    if (k) {
        out->loop = k->loop.fd;
        out->loop_number = k->loop.fd >= 0 ? k->loop.number : -1;
        snprintf(out->node, sizeof out->node, "%s", k->node);
        snprintf(out->device, sizeof out->device, "%s", k->device);
    }
    return 0;
}

/* The loop device below a node's root; -1: it is none. */
static int root_loop(pid_t node_pid)
{
    char path[32], link[128], at[512] = "";
    struct stat st;
    int number = -1;
    snprintf(path, sizeof path, "/proc/%d/root", (int)node_pid);
    if (stat(path, &st) < 0)
        return -1;
    snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
    const char *name = readlink(link, at, sizeof at - 1) > 0 ? strrchr(at, '/') : NULL;
    return name && sscanf(name, "/loop%d", &number) == 1 ? number : -1;
}

/* An ordinary user's node has a directory instead of a filesystem. */
int disks_copy_node(struct disks *d, const char *data_dir, const char *node, pid_t node_pid, const char *to,
                    struct disk_copy *out, struct err *e)
{
    _auto_free_ char *dir = xasprintf("%s/nodes/%s", data_dir, node), *file = xasprintf("%s/nodefs.img", dir);
    const bool directory = d->kind != DISK_KIND_LOOP;
    const int fd = directory ? memfd_create(node, MFD_CLOEXEC) : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "node %s", node);
    if (disks_copy_into(d, fd, node, to, 0, out, e) < 0)
        return -1;
    out->loop_number = node_pid && !directory ? root_loop(node_pid) : -1;
    out->from_dir = directory ? xasprintf("%s/root", dir) : NULL;
    snprintf(out->node, sizeof out->node, "%s", node);
    snprintf(out->device, sizeof out->device, "%s", ROOT_DEVICE);
    return 0;
}

const char *disks_image(const struct disks *d, const char *node, const char *device)
{
    const struct disk *k = device_owner(d, node, device);
    return k ? k->image : NULL;
}

const char *disks_dir(const struct disks *d)
{
    return d->dir;
}

size_t disks_attached(const struct disks *d, struct grant_disk **out)
{
    size_t n = 0;
    for (const struct disk *k = d->attached; k; k = k->next)
        n++;
    struct grant_disk *list = xcalloc(n + 1, sizeof *list);
    n = 0;
    for (const struct disk *k = d->attached; k; k = k->next) {
        size_t same = 0;
        if (k->loop.fd < 0)
            continue;
        while (same < n && list[same].loop != k->loop.number)
            same++;
        if (same == n)
            list[n++] = (struct grant_disk){k->image, k->loop.number};
    }
    *out = list;
    return n;
}

int disks_info(struct disks *d, const char *id, struct disk_info *out, struct err *e)
{
    struct stat st;
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    if (stat(path, &st) < 0)
        return missing(errno, id, e);
    memset(out, 0, sizeof *out);
    out->bytes = st.st_size;
    out->used = (int64_t)st.st_blocks * 512;
    out->room = reserve_look(d->dir);
    const struct disk *k = find(d, id);
    if (k) {
        snprintf(out->node, sizeof out->node, "%s", k->node);
        snprintf(out->device, sizeof out->device, "%s", k->device);
        if (k->loop.fd >= 0)
            snprintf(out->loop, sizeof out->loop, "/dev/loop%d", k->loop.number);
    }
    return 0;
}

static int attach_loop(const char *path, const struct disk *other, pid_t node_pid, const char *device, bool read_only,
                       struct loopdev *out, struct err *e)
{
    _auto_free_ char *made = node_device_path(node_pid, device);
    if (open_loop(path, other, read_only, out, e) < 0)
        return -1;
    unlink(made);
    if (mknod(made, S_IFBLK | 0660, out->rdev) == 0)
        return 0;
    err_sys(e, errno, "make %s", device);
    loopdev_release(out);
    return -1;
}

/* *out_dir (new): the directory that is its filesystem; NULL: its file holds one, or will. */
static int attach_file(const struct disks *d, const char *id, const char *path, pid_t node_pid, const char *device,
                       bool shared, char **out_dir, struct err *e)
{
    _auto_free_ char *dir = dir_of(d, id);
    bool has_dir = access(dir, F_OK) == 0;
    if (!has_dir && (d->kind == DISK_KIND_DIRECTORY || shared)) { /* two servers cannot have one file */
        const bool blank = file_blank(path, 0, DISK_SIZE_MAX);
        if (!blank && d->kind == DISK_KIND_DIRECTORY)
            return err_set(e, ERR_UNSUPPORTED,
                           "its filesystem needs fuse2fs, which was there when it was made and is "
                           "not now: install the package fuse2fs");
        if (blank && proc_mkdir_p(dir, 0755, e) < 0)
            return -1;
        has_dir = blank;
    }
    if (serve_holds(path))
        return err_set(e, ERR_BUSY, "it is still being written out");
    if (disk_place(node_pid, path, has_dir ? dir : NULL, device, e) < 0)
        return -1;
    *out_dir = has_dir ? TAKE(dir) : NULL;
    return 0;
}

int disks_attach(struct disks *d, const char *id, const char *node, pid_t node_pid, const char *device, unsigned how,
                 struct err *e)
{
    const bool shared = how & DISK_SHARED;
    struct loopdev loop = {.fd = -1};
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    if (!device_ok(device))
        return err_set(e, ERR_BAD_REQUEST, "invalid device name \"%s\"", device);
    const int placed = check_place(d, id, node, device, shared, e);
    if (placed)
        return placed < 0 ? -1 : 0;
    if (access(path, F_OK) < 0)
        return missing(errno, id, e);
    _auto_free_ char *dir = NULL;
    const int there = d->kind == DISK_KIND_LOOP
                          ? attach_loop(path, find(d, id), node_pid, device, how & DISK_READ_ONLY, &loop, e)
                          : attach_file(d, id, path, node_pid, device, shared, &dir, e);
    if (there < 0)
        return err_wrap(e, "attach disk %s", id);
    struct disk *added = xcalloc(1, sizeof *added);
    *added =
        (struct disk){d->attached, xstrdup(id), xstrdup(node), xstrdup(device), TAKE(path), TAKE(dir), shared, loop};
    d->attached = added;
    return 0;
}

static void drop(struct disks *d, struct disk *k)
{
    for (struct disk **at = &d->attached; *at; at = &(*at)->next)
        if (*at == k) {
            *at = k->next;
            break;
        }
    if (k->loop.fd >= 0)
        loopdev_release(&k->loop);
    free(k->dir);
    free(k->id);
    free(k->node);
    free(k->device);
    free(k->image);
    free(k);
}

static bool elsewhere(const struct disks *d, const struct disk *k)
{
    for (const struct disk *other = d->attached; other; other = other->next)
        if (other != k && str_eq(other->id, k->id))
            return true;
    return false;
}

/* Is it mounted on its node? What other nodes do with a shared one does not count. */
static bool in_use(const struct disks *d, const struct disk *k, pid_t node_pid)
{
    if (k->loop.fd < 0)
        return serve_holds(k->image) || disk_placed_in_use(node_pid, k->device, k->dir);
    if (elsewhere(d, k))
        return node_pid && proc_mounts_device(node_pid, k->loop.rdev);
    return loopdev_in_use(&k->loop);
}

/* "xvdba", and "xvdba1" if that is no disk's own name: partition_owner() made it. */
static bool is_name_of(const struct disks *d, const struct disk *k, const char *entry)
{
    const char *name = k->device + strlen("/dev/");
    const size_t n = strlen(name);
    _auto_free_ char *device = xasprintf("/dev/%s", entry);
    return strncmp(entry, name, n) == 0 && entry[n + strspn(entry + n, "0123456789")] == '\0' &&
           (!entry[n] || !device_owner(d, k->node, device));
}

/* Its names on the node. One that stayed would lead to the next disk that gets this loop device. */
static int unlink_names(const struct disks *d, const struct disk *k, pid_t node_pid, struct err *e)
{
    int rc = 0;
    _auto_free_ char *dev = node_device_path(node_pid, "/dev");
    DIR *dir = opendir(dev);
    if (!dir)
        return errno == ENOENT || errno == ESRCH ? 0 : err_sys(e, errno, "open %s", dev); /* a node that just ended */
    for (const struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
        _auto_free_ char *path = xasprintf("%s/%s", dev, entry->d_name);
        if (is_name_of(d, k, entry->d_name) && unlink(path) < 0 && errno != ENOENT)
            rc = err_sys(e, errno, "remove /dev/%s", entry->d_name);
    }
    closedir(dir);
    return rc;
}

int disks_detach(struct disks *d, const char *id, const char *node, pid_t node_pid, struct err *e)
{
    _auto_free_ char *path = file_of(d, id, e);
    if (!path)
        return -1;
    struct disk *k = find_on(d, id, node);
    if (!k)
        return access(path, F_OK) < 0 ? missing(errno, id, e) : 0;
    if (in_use(d, k, node_pid))
        return err_set(e, ERR_BUSY, "disk \"%s\" is still in use on node \"%s\" as %s", id, node, k->device);
    if (node_pid && (k->loop.fd < 0 ? disk_unplace(node_pid, k->device, e) : unlink_names(d, k, node_pid, e)) < 0)
        return err_wrap(e, "detach disk %s", id);
    drop(d, k);
    return 0;
}

void disks_abandon(struct disks *d, const char *node)
{
    for (struct disk *k = d->attached, *next; k; k = next) {
        next = k->next;
        if (str_eq(k->node, node))
            drop(d, k);
    }
}

void disks_node_ready(struct disks *d, const char *node, pid_t node_pid)
{
    struct err lost = ERR_INIT;
    for (const struct disk *k = d->attached; k; k = k->next)
        if (str_eq(k->node, node) && k->loop.fd < 0) {
            disk_place(node_pid, k->image, k->dir, k->device, &lost);
        } else if (str_eq(k->node, node)) {
            _auto_free_ char *made = node_device_path(node_pid, k->device);
            mknod(made, S_IFBLK | 0660, k->loop.rdev);
        }
}
