/* fake_disk.c - disks, mounts and files of the fake machine. See fake.c for the design. */
#include "base/mem.h"
#include "base/str.h"
#include "sys/fake_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- disks ---- */

int fake_disk_create(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_find(f, FAKE_DISK, NULL, id))
        return fake_leave(f, err_set(e, ERR_ALREADY_EXISTS, "disk \"%s\" already exists", id));
    fake_add(f, FAKE_DISK, "", id)->bytes = bytes;
    return fake_leave(f, 0);
}

/* The disk, or NULL with `e` set. The lock is held. */
static struct fake_row *need_disk(struct fake *f, const char *id, struct err *e)
{
    struct fake_row *row = fake_find(f, FAKE_DISK, NULL, id);
    if (!row)
        err_set(e, ERR_NOT_FOUND, "disk \"%s\" not found", id);
    return row;
}

int fake_disk_grow(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = need_disk(f, id, e);
    if (!row)
        return fake_leave(f, -1);
    if (bytes > row->bytes)
        row->bytes = bytes;
    return fake_leave(f, 0);
}

int fake_disk_delete(struct machine *m, const char *id, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = need_disk(f, id, e);
    if (!row)
        return fake_leave(f, -1);
    const struct fake_row *share = fake_find(f, FAKE_SHARE, NULL, id);
    if (row->node[0] || share)
        return fake_leave(
            f, err_set(e, ERR_BUSY, "disk \"%s\" is attached to node \"%s\"", id, share ? share->node : row->node));
    fake_drop(f, row);
    return fake_leave(f, 0);
}

int fake_disk_copy(struct machine *m, const char *from, const char *to, int64_t bytes, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    const struct fake_row *row = need_disk(f, from, e);
    if (!row)
        return fake_leave(f, -1);
    bytes = bytes ? bytes : row->bytes;
    if (bytes < row->bytes)
        return fake_leave(f, err_set(e, ERR_BAD_REQUEST, "a copy of disk \"%s\" cannot be smaller than it", from));
    if (fake_find(f, FAKE_DISK, NULL, to))
        return fake_leave(f, err_set(e, ERR_ALREADY_EXISTS, "disk \"%s\" already exists", to));
    const unsigned content = row->content;
    struct fake_row *copy = fake_add(f, FAKE_DISK, "", to);
    copy->bytes = bytes;
    copy->content = content;
    return fake_leave(f, 0);
}

int fake_node_copy(struct machine *m, const char *node, const char *to, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    const struct fake_row *row = fake_find(f, FAKE_NODE, NULL, node);
    if (!row)
        return fake_leave(f, err_set(e, ERR_NOT_FOUND, "node \"%s\" does not run", node));
    if (fake_find(f, FAKE_DISK, NULL, to))
        return fake_leave(f, err_set(e, ERR_ALREADY_EXISTS, "disk \"%s\" already exists", to));
    const int64_t bytes = row->bytes;
    fake_add(f, FAKE_DISK, "", to)->bytes = bytes;
    return fake_leave(f, 0);
}

int fake_disk_info(struct machine *m, const char *id, struct disk_info *out, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = need_disk(f, id, e);
    if (!row)
        return fake_leave(f, -1);
    memset(out, 0, sizeof *out);
    out->bytes = row->bytes;
    out->room = INT64_C(1) << 40;
    out->starved = row->starved;
    snprintf(out->node, sizeof out->node, "%s", row->node);
    snprintf(out->device, sizeof out->device, "%s", row->extra ? row->extra : "");
    return fake_leave(f, 0);
}

void fake_place(struct fake_row *disk, const char *node, const char *device)
{
    free(disk->node);
    free(disk->extra);
    disk->node = xstrdup(node);
    disk->extra = device ? xstrdup(device) : NULL;
}

int fake_disk_attach(struct machine *m, const char *id, const char *node, const char *device, unsigned how,
                     struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = need_disk(f, id, e);
    if (!row || fake_need_node(f, node, e) < 0)
        return fake_leave(f, -1);
    if ((how & DISK_SHARED) && row->node[0] && !str_eq(row->node, node)) {
        struct fake_row *share = fake_find(f, FAKE_SHARE, node, id);
        fake_place(share ? share : fake_add(f, FAKE_SHARE, node, id), node, device);
        return fake_leave(f, 0);
    }
    if (row->node[0] && !(str_eq(row->node, node) && str_eq(row->extra, device)))
        return fake_leave(
            f, err_set(e, ERR_BUSY, "disk \"%s\" is attached to node \"%s\" as %s", id, row->node, row->extra));
    fake_place(row, node, device);
    return fake_leave(f, 0);
}

int fake_disk_detach(struct machine *m, const char *id, const char *node, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = need_disk(f, id, e);
    if (!row)
        return fake_leave(f, -1);
    struct fake_row *share = fake_find(f, FAKE_SHARE, node, id), *here = share ? share : row;
    if (!str_eq(here->node, node))
        return fake_leave(f, 0);
    for (const struct fake_row *r = f->rows; r; r = r->next)
        if (r->kind == FAKE_MOUNT && str_eq(r->node, node) && str_eq(r->extra, here->extra))
            return fake_leave(f, err_set(e, ERR_BUSY, "disk \"%s\" is still mounted on %s", id, r->name));
    if (share)
        fake_drop(f, share);
    else
        fake_place(row, "", NULL);
    return fake_leave(f, 0);
}

/* ---- mounts ---- */

static int add_mount(struct fake *f, const char *node, const char *source, const char *target, int64_t bytes,
                     struct err *e)
{
    if (fake_need_node(f, node, e) < 0)
        return -1;
    struct fake_row *row = fake_add(f, FAKE_MOUNT, node, target);
    row->extra = xstrdup(source);
    row->bytes = bytes;
    return 0;
}

/* The disk behind a device of the node, or NULL. */
static struct fake_row *disk_at(struct fake *f, const char *node, const char *device)
{
    for (const struct fake_row *r = f->rows; r; r = r->next)
        if ((r->kind == FAKE_DISK || r->kind == FAKE_SHARE) && str_eq(r->node, node) && str_eq(r->extra, device))
            return fake_find(f, FAKE_DISK, NULL, r->name);
    return NULL;
}

int fake_fs_mount(struct machine *m, const struct fs_mount *spec, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *disk = disk_at(f, spec->node, spec->device);
    if (disk && spec->format && !disk->content)
        disk->content = ++f->last_content;
    if (disk)
        return fake_leave(f, add_mount(f, spec->node, spec->device, spec->target, disk->bytes, e));
    err_set(e, ERR_SYS,
            "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t %s -o defaults %s "
            "%s\nOutput: mount: %s: "
            "special device %s does not exist.\n",
            spec->fstype, spec->device, spec->target, spec->target, spec->device);
    return fake_leave(f, -1);
}

int fake_fs_grow(struct machine *m, const char *node, const char *device, const char *target, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *mounted = fake_find(f, FAKE_MOUNT, node, target);
    const struct fake_row *disk = disk_at(f, node, device);
    if (mounted && disk)
        mounted->bytes = disk->bytes;
    return fake_leave(f, mounted ? 0 : err_set(e, ERR_NOT_FOUND, "%s is not mounted", target));
}

int fake_bind(struct machine *m, const char *node, const char *source, const char *target, bool read_only,
              struct err *e)
{
    (void)read_only;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    const struct fake_row *from = fake_find(f, FAKE_MOUNT, node, source);
    return fake_leave(f, add_mount(f, node, source, target, from ? from->bytes : 0, e));
}

int fake_bind_beneath(struct machine *m, const char *node, const char *root, const char *path, const char *target,
                      struct err *e)
{
    _auto_free_ char *source = xasprintf("%s/%s", root, path);
    return fake_bind(m, node, source, target, false, e);
}

int fake_tmpfs(struct machine *m, const char *node, const char *target, int64_t bytes, mode_t mode, struct err *e)
{
    (void)mode;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    return fake_leave(f, add_mount(f, node, "tmpfs", target, bytes, e));
}

int fake_unmount(struct machine *m, const char *node, const char *target, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = fake_find(f, FAKE_MOUNT, node, target);
    if (row)
        fake_drop(f, row);
    return fake_leave(f, 0);
}

bool fake_is_mounted(struct machine *m, const char *node, const char *target)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    bool yes = fake_find(f, FAKE_MOUNT, node, target) != NULL;
    pthread_mutex_unlock(&f->mu);
    return yes;
}

int fake_fs_stat(struct machine *m, const char *node, const char *path, struct fs_stat *out, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_need_node(f, node, e) < 0)
        return fake_leave(f, -1);
    const struct fake_row *row = fake_find(f, FAKE_MOUNT, node, path);
    if (!row)
        row = fake_find(f, FAKE_NODE, NULL, node);
    memset(out, 0, sizeof *out);
    out->bytes = row->bytes;
    out->bytes_free = out->bytes_avail = row->bytes;
    out->inodes = row->bytes / 16384;
    out->inodes_free = out->inodes;
    snprintf(out->fstype, sizeof out->fstype, "ext4");
    return fake_leave(f, 0);
}

/* ---- files ---- */

static struct fake_row *find_path(struct fake *f, const char *node, const char *path)
{
    struct fake_row *row = fake_find(f, FAKE_FILE, node, path);
    return row ? row : fake_find(f, FAKE_DIR, node, path);
}

int fake_mkdir_p(struct machine *m, const char *node, const char *path, mode_t mode, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_need_node(f, node, e) < 0)
        return fake_leave(f, -1);
    if (fake_find(f, FAKE_FILE, node, path)) {
        err_sys(e, ENOTDIR, "mkdir %s", path);
        return fake_leave(f, -1);
    }
    if (!fake_find(f, FAKE_DIR, node, path))
        fake_add(f, FAKE_DIR, node, path)->mode = mode;
    return fake_leave(f, 0);
}

static bool is_below(const char *path, const char *top)
{
    size_t n = strlen(top);
    return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

int fake_remove_all(struct machine *m, const char *node, const char *path, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    for (const struct fake_row *r = f->rows; r; r = r->next)
        if (r->kind == FAKE_MOUNT && str_eq(r->node, node) && is_below(r->name, path)) {
            err_sys(e, EBUSY, "remove %s", r->name);
            e->code = ERR_BUSY;
            return fake_leave(f, -1);
        }
    for (struct fake_row *r = f->rows, *next; r; r = next) {
        next = r->next;
        if ((r->kind == FAKE_FILE || r->kind == FAKE_DIR) && str_eq(r->node, node) && is_below(r->name, path))
            fake_drop(f, r);
    }
    return fake_leave(f, 0);
}

int fake_stat(struct machine *m, const char *node, const char *path, struct stat *out, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    const struct fake_row *row = find_path(f, node, path);
    const bool mounted = fake_find(f, FAKE_MOUNT, node, path) != NULL;
    if (!row && !mounted && !str_eq(path, "/")) {
        err_sys(e, ENOENT, "stat %s", path);
        e->code = ERR_NOT_FOUND;
        return fake_leave(f, -1);
    }
    memset(out, 0, sizeof *out);
    if (row && row->kind == FAKE_FILE)
        fstat(row->fd, out);
    else
        out->st_mode = S_IFDIR | (row ? row->mode : 0755);
    return fake_leave(f, 0);
}

static int reopen(const struct fake_row *row, int flags, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", row->fd);
    int fd = open(path, (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, errno, "open %s", row->name);
}

static struct fake_row *add_file(struct fake *f, const char *node, const char *path)
{
    struct fake_row *row = fake_add(f, FAKE_FILE, node, path);
    row->fd = memfd_create("fake-file", MFD_CLOEXEC);
    return row;
}

int fake_open(struct machine *m, const char *node, const char *path, int flags, mode_t mode, int *out_fd, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_need_node(f, node, e) < 0)
        return fake_leave(f, -1);
    struct fake_row *row = fake_find(f, FAKE_FILE, node, path);
    if (!row && (flags & O_CREAT)) {
        row = add_file(f, node, path);
        fchmod(row->fd, mode);
    }
    if (!row) {
        err_sys(e, ENOENT, "open %s", path);
        e->code = ERR_NOT_FOUND;
        return fake_leave(f, -1);
    }
    int fd = reopen(row, flags, e);
    if (fd >= 0)
        *out_fd = fd;
    return fake_leave(f, fd >= 0 ? 0 : -1);
}

int fake_chown_tree(struct machine *m, const char *node, const char *path, uint32_t gid, bool read_only, struct err *e)
{
    (void)path, (void)gid, (void)read_only;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    return fake_leave(f, fake_need_node(f, node, e));
}

/* Replaces one file's content; returns whether it differed. */
static bool put_file(struct fake *f, const char *node, const char *path, const struct file_spec *file)
{
    struct fake_row *row = fake_find(f, FAKE_FILE, node, path);
    if (!row)
        row = add_file(f, node, path);
    _auto_free_ char *old = xmalloc(file->len + 1);
    ssize_t n = pread(row->fd, old, file->len + 1, 0);
    if (n == (ssize_t)file->len && memcmp(old, file->data, file->len) == 0)
        return false;
    if (ftruncate(row->fd, 0) < 0 || pwrite(row->fd, file->data, file->len, 0) < 0)
        BUG("memory file: %s", strerror(errno));
    return true;
}

int fake_write_volume(struct machine *m, const char *node, const char *dir, const struct file_spec *files, size_t count,
                      int64_t gid, bool *out_changed, struct err *e)
{
    (void)gid;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_need_node(f, node, e) < 0)
        return fake_leave(f, -1);
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        _auto_free_ char *path = xasprintf("%s/%s", dir, files[i].path);
        changed |= put_file(f, node, path, &files[i]);
    }
    if (out_changed)
        *out_changed = changed;
    return fake_leave(f, 0);
}

static struct path_use use_of(const struct fake *f, const char *node, const char *path)
{
    struct path_use use = {0, 0};
    for (const struct fake_row *r = f->rows; r; r = r->next) {
        struct stat st;
        if (r->kind != FAKE_FILE || !str_eq(r->node, node) || !is_below(r->name, path) || fstat(r->fd, &st) < 0)
            continue;
        use.bytes += st.st_size;
        use.inodes++;
    }
    return use;
}

int fake_disk_usage(struct machine *m, const char *node, const char *const *paths, size_t count, struct path_use *out,
                    struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        out[i] = use_of(f, node, paths[i]);
    return fake_leave(f, 0);
}
