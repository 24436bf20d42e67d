/* checkpoint_files.c - what the filesystems in two disks hold, name by name: added, removed, changed.
 *
 * DESIGN: the images are copies of ours, put in order by e2fsck and read by sys/ext4_read.h. A file has changed when
 * its kind, owner, mode or size has, or its bytes have; these are compared only where the time of the last change
 * differs. A directory is told when it came or went, or its owner or mode changed: what is in it is told anyway. Of xfs
 * and btrfs names are not read; that is told instead. THREADS: the caller's. */
#include "app/checkpoint_int.h"

#include "base/buf.h"
#include "sys/ext4_read.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MOST 200000

static const char *kind_of(const struct ext4_file *f)
{
    static const struct {
        unsigned kind;
        const char *name;
    } kinds[] = {{S_IFDIR, "directory"}, {S_IFLNK, "link"},   {S_IFIFO, "pipe"},
                 {S_IFSOCK, "socket"},   {S_IFBLK, "device"}, {S_IFCHR, "device"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if ((f->mode & S_IFMT) == kinds[i].kind)
            return kinds[i].name;
    return "file";
}

static void add(json_t *rows, const struct ext4_file *was, const struct ext4_file *is, json_t *take_what)
{
    const struct ext4_file *f = is ? is : was;
    json_t *path = json_string(f->path); /* names need not be UTF-8 */
    if (!path) {
        _auto_buf_ struct buf visible = BUF_INIT;
        buf_add_visible(&visible, f->path, strlen(f->path));
        path = json_string(buf_str(&visible));
    }
    json_t *row = json_pack("{s:o, s:s, s:s}", "path", path ? path : json_string("?"), "how",
                            !was  ? "added"
                            : !is ? "removed"
                                  : "changed",
                            "kind", kind_of(f));
    if (was)
        jset_int(row, "sizeThen", (int64_t)was->size);
    if (is)
        jset_int(row, "sizeNow", (int64_t)is->size);
    if (take_what)
        json_object_set_new(row, "what", take_what);
    json_array_append_new(rows, row);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The same name in both. */
static void compare(struct ext4 *a, const struct ext4_file *was, struct ext4 *b, const struct ext4_file *is,
                    json_t *rows)
{
    json_t *what = json_array();
    const bool directory = S_ISDIR(was->mode) && S_ISDIR(is->mode);
    if ((was->mode & S_IFMT) != (is->mode & S_IFMT))
        json_array_append_new(what, json_string("kind"));
    else if (!directory && was->size != is->size)
        json_array_append_new(what, json_string("size"));
    else if (!directory && !same_time(was->mtime, is->mtime) && !ext4_same_bytes(a, was->inode, b, is->inode))
        json_array_append_new(what, json_string("content"));
    if ((was->mode & 07777) != (is->mode & 07777))
        json_array_append_new(what, json_sprintf("mode %04o -> %04o", was->mode & 07777, is->mode & 07777));
    if (was->uid != is->uid || was->gid != is->gid)
        json_array_append_new(what, json_sprintf("owner %u:%u -> %u:%u", was->uid, was->gid, is->uid, is->gid));
    if (json_array_size(what))
        add(rows, was, is, json_incref(what));
    json_decref(what);
}

static void merge(struct ext4 *a, const struct ext4_files *then, struct ext4 *b, const struct ext4_files *now,
                  json_t *rows)
{
    for (size_t i = 0, k = 0; i < then->len || k < now->len;) {
        const struct ext4_file *was = i < then->len ? &then->rows[i] : NULL, *is = k < now->len ? &now->rows[k] : NULL;
        const int order = !was ? 1 : !is ? -1 : strcmp(was->path, is->path);
        if (order < 0)
            add(rows, was, NULL, NULL);
        else if (order > 0)
            add(rows, NULL, is, NULL);
        else
            compare(a, was, b, is, rows);
        i += order <= 0;
        k += order >= 0;
    }
}

const char *filesystem_of(int fd)
{
    char xfs[4] = "", btrfs[8] = "";
    if (pread(fd, xfs, sizeof xfs, 0) == sizeof xfs && memcmp(xfs, "XFSB", 4) == 0)
        return "xfs";
    if (pread(fd, btrfs, sizeof btrfs, 65536 + 64) == sizeof btrfs && memcmp(btrfs, "_BHRfS_M", 8) == 0)
        return "btrfs";
    return NULL;
}

void diff_files(struct ext4 *a, struct ext4 *b, json_t *row)
{
    struct err none = ERR_INIT;
    _auto_ext4_files_ struct ext4_files then = {0}, now = {0};
    if (ext4_list(a, FILES_MOST, &then, &none) < 0 || ext4_list(b, FILES_MOST, &now, &none) < 0)
        return;
    json_t *rows = json_array();
    merge(a, &then, b, &now, rows);
    json_object_set_new(row, "files", rows);
    if (then.cut || now.cut)
        jset_bool(row, "filesCut", true);
}
