/* layer.c - unpacks one layer of an image; see layer.h.
 *
 * DESIGN: an archive is a hostile guest. Each path is taken apart and walked from the layer's own directory, component
 * by component and never through a link, so nothing is ever written outside. A layer stands on others: a directory it
 * does not bring itself gets the owner and mode that it has below, a hard link may be to a file from below (which is
 * copied up, as overlay would), and a link below that stands in for a directory is followed by name.
 *
 * INVARIANTS: no name is looked up by the kernel across a component we have not opened ourselves; devices are not made,
 * but for overlay's own mark; attributes of overlay's own are never taken from an archive.
 *
 * THREADS: any, each its own job. When you add a type of entry: a row in put_entry(). */
#include "sys/layer.h"
#include "sys/userns_int.h"

#include "base/confine.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WHITEOUT  ".wh."
#define OPAQUE    ".wh..wh..opq"
#define META      ".wh..wh." /* of another union filesystem; nobody's files */
#define FILES_MAX 1000000
#define LINKS_MAX 40
#define CHUNK     (128 * 1024)

struct dir_time { /* set last: making a file in it changes it */
    char *path;   /* owned */
    int64_t s, ns;
};
struct apply {
    const struct layer_job *job;
    struct tar *tar;
    struct dir_time *times;
    size_t time_count;
    struct layer_result result;
    char *chunk; /* owned */
};

static int refuse(struct err *e, const struct tar_entry *entry, const char *why)
{
    return err_set(e, ERR_INVALID, "%s: %s", entry->path, why);
}

/* ---- paths ---- */

/* "./usr//lib/" -> {"usr", "lib"}; false when it climbs. */
static bool split_path(const char *path, struct strlist *out)
{
    while (*path) {
        const size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.')
            return false;
        if (n > 0 && !(n == 1 && path[0] == '.'))
            strlist_take(out, xstrndup(path, n));
        path += n + (path[n] == '/');
    }
    return true;
}

static char *join_parts(const struct strlist *parts, size_t n)
{
    struct strlist some = {parts->items, n, n};
    return strlist_join(&some, "/");
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* What the layers below have at that path; returns its descriptor (O_PATH), or -1. */
static int find_below(const struct apply *a, const char *path, struct stat *out_st)
{
    for (size_t i = 0; i < a->job->lower_count; i++) {
        const int fd =
            confine_open(a->job->lowers[i], path, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0 || fstat(fd, out_st) < 0 || is_whiteout(out_st)) {
            if (fd >= 0)
                close(fd);
            return -1;
        }
        return fd;
    }
    return -1;
}

/* The link below at parts[0..n-1] stands for a directory: puts its target in their place. */
static bool follow_below(struct strlist *parts, size_t n, int link)
{
    char target[4096];
    const ssize_t len = readlinkat(link, "", target, sizeof target - 1);
    if (len <= 0)
        return false;
    target[len] = '\0';
    _auto_strlist_ struct strlist out = {0};
    for (size_t i = 0; target[0] != '/' && i + 1 < n; i++)
        strlist_add(&out, parts->items[i]);
    for (const char *at = target; *at;) {
        const size_t k = strcspn(at, "/");
        if (k == 2 && at[0] == '.' && at[1] == '.') {
            if (out.len > 0)
                free(out.items[--out.len]); /* the root's parent is the root */
        } else if (k > 0 && !(k == 1 && at[0] == '.')) {
            strlist_take(&out, xstrndup(at, k));
        }
        at += k + (at[k] == '/');
    }
    for (size_t i = n; i < parts->len; i++)
        strlist_add(&out, parts->items[i]);
    const struct strlist old = *parts;
    *parts = out;
    out = old;
    return true;
}

/* ---- marks of the overlay ---- */

static int mark_opaque(int dir, struct err *e)
{
    return fsetxattr(dir, userns_opaque_mark(), "y", 1, 0) < 0 ? err_sys(e, errno, "mark a directory as opaque") : 0;
}

/* Makes or opens a directory of the layer. *out_made: it was not there. */
static int open_dir(int parent, const char *name, bool *out_made, struct err *e)
{
    struct stat st;
    bool was_whiteout = false;
    *out_made = false;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_whiteout(&st)) {
        /* Deleted below and made anew here: what lies below stays hidden. */
        was_whiteout = unlinkat(parent, name, 0) == 0;
    }
    if (mkdirat(parent, name, 0755) == 0)
        *out_made = true;
    else if (errno != EEXIST)
        return err_sys(e, errno, "mkdir %s", name);
    _auto_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open %s", name);
    if (was_whiteout && mark_opaque(fd, e) < 0)
        return -1;
    return TAKE_FD(fd);
}

/* ---- walking ---- */

static void copy_owner(int to, const struct stat *st)
{
    if (userns_chown(to, "", st->st_uid, st->st_gid, 0) == 0)
        fchmod(to, st->st_mode & 07777);
}

/* A parent directory that is needed: 1 and *out_fd, or 0: parts were changed, start again. */
static int step_into(const struct apply *a, int at, struct strlist *parts, size_t i, int *out_fd, struct err *e)
{
    struct stat st, below;
    _auto_free_ char *path = join_parts(parts, i + 1);
    if (fstatat(at, parts->items[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) && !is_whiteout(&st))
        return err_set(e, ERR_INVALID, "%s is no directory of this layer, and files stand below it", path);
    const bool here = fstatat(at, parts->items[i], &st, AT_SYMLINK_NOFOLLOW) == 0;
    _auto_close_ int found = here ? -1 : find_below(a, path, &below);
    if (found >= 0 && S_ISLNK(below.st_mode) && follow_below(parts, i + 1, found))
        return 0;
    bool made = false;
    *out_fd = open_dir(at, parts->items[i], &made, e);
    if (*out_fd < 0)
        return -1;
    if (made && found >= 0 && S_ISDIR(below.st_mode))
        copy_owner(*out_fd, &below);
    return 1;
}

static int walk(const struct apply *a, struct strlist *parts, bool *out_again, struct err *e)
{
    _auto_close_ int at = fcntl(a->job->dir, F_DUPFD_CLOEXEC, 0);
    *out_again = false;
    for (size_t i = 0; at >= 0 && i + 1 < parts->len; i++) {
        int next = -1;
        const int rc = step_into(a, at, parts, i, &next, e);
        *out_again = rc == 0;
        if (rc <= 0)
            return -1;
        close(at);
        at = next;
    }
    return TAKE_FD(at);
}

/* Opens the directory that holds the last of `parts`, making it if need be; links below may change the parts. */
static int open_parent(const struct apply *a, struct strlist *parts, struct err *e)
{
    for (int links = 0; links < LINKS_MAX; links++) {
        bool again;
        const int fd = walk(a, parts, &again, e);
        if (!again)
            return fd;
    }
    return err_set(e, ERR_INVALID, "too many links");
}

/* ---- what all entries have ---- */

static bool wanted_xattr(const char *name)
{
    return (str_starts(name, "user.") && !str_starts(name, "user.overlay.")) || str_eq(name, "security.capability") ||
           str_eq(name, "system.posix_acl_access") || str_eq(name, "system.posix_acl_default");
}

static int set_xattrs(int fd, const struct tar_entry *entry, struct err *e)
{
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tar_xattr *x = &entry->xattrs[i];
        if (str_starts(x->name, "trusted.overlay."))
            return refuse(e, entry, "an archive may not bring marks of the overlay");
        if (wanted_xattr(x->name) && fsetxattr(fd, x->name, x->data, x->len, 0) < 0 && errno != EOPNOTSUPP)
            return err_sys(e, errno, "%s: attribute %s", entry->path, x->name);
    }
    return 0;
}

/* Owner before mode: giving a file away takes its set-user bit. Attributes last: a new owner takes capabilities. */
static int set_meta(int fd, const struct tar_entry *entry, struct err *e)
{
    if (userns_chown(fd, "", entry->uid, entry->gid, 0) < 0 || fchmod(fd, entry->mode) < 0)
        return err_sys(e, errno, "%s: owner and mode", entry->path);
    return set_xattrs(fd, entry, e);
}

/* Makes room for a new thing of that name. A file may come twice: the last one counts. */
static int clear_name(int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    return errno == EISDIR ? refuse(e, entry, "stands there as a directory already") : err_sys(e, errno, "unlink");
}

/* ---- entries by type ---- */

static int put_dir(struct apply *a, int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    bool made;
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) && !is_whiteout(&st) &&
        clear_name(parent, name, entry, e) < 0)
        return -1;
    _auto_close_ int fd = open_dir(parent, name, &made, e);
    if (fd < 0 || set_meta(fd, entry, e) < 0)
        return -1;
    a->times = xrealloc(a->times, (a->time_count + 1) * sizeof *a->times);
    a->times[a->time_count++] = (struct dir_time){xstrdup(entry->path), entry->mtime, entry->mtime_ns};
    return 0;
}

static int write_all(int fd, const char *data, size_t n, struct err *e)
{
    while (n > 0) {
        const ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_sys(e, errno, "write");
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

static int put_file(struct apply *a, int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    const struct timespec times[2] = {{entry->mtime, entry->mtime_ns}, {entry->mtime, entry->mtime_ns}};
    if (clear_name(parent, name, entry, e) < 0)
        return -1;
    _auto_close_ int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "create %s", entry->path);
    for (ssize_t n; (n = tar_data(a->tar, a->chunk, CHUNK, e)) != 0;)
        if (n < 0 || write_all(fd, a->chunk, (size_t)n, e) < 0)
            return -1;
    if (set_meta(fd, entry, e) < 0)
        return -1;
    futimens(fd, times);
    return 0;
}

static int put_symlink(int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    const struct timespec times[2] = {{entry->mtime, entry->mtime_ns}, {entry->mtime, entry->mtime_ns}};
    if (clear_name(parent, name, entry, e) < 0)
        return -1;
    if (symlinkat(entry->link, parent, name) < 0 ||
        userns_chown(parent, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, errno, "link %s", entry->path);
    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

static int put_fifo(int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    if (clear_name(parent, name, entry, e) < 0)
        return -1;
    if (mknodat(parent, name, S_IFIFO | 0600, 0) < 0 ||
        userns_chown(parent, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(parent, name, entry->mode, 0) < 0)
        return err_sys(e, errno, "make %s", entry->path);
    return 0;
}

/* A file from below becomes one of this layer, with all it has. */
static int copy_up(struct apply *a, const char *path, int parent, const char *name, struct err *e)
{
    struct stat st;
    char self[64];
    _auto_close_ int found = find_below(a, path, &st);
    if (found < 0 || !S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, "a hard link to %s, which is not there", path);
    snprintf(self, sizeof self, "/proc/self/fd/%d", found);
    _auto_close_ int from = open(self, O_RDONLY | O_CLOEXEC);
    _auto_close_ int to = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return err_sys(e, errno, "copy %s", path);
    for (ssize_t n; (n = read(from, a->chunk, CHUNK)) != 0;)
        if (n < 0 || write_all(to, a->chunk, (size_t)n, e) < 0)
            return n < 0 ? err_sys(e, errno, "copy %s", path) : -1;
    copy_owner(to, &st);
    return 0;
}

static int put_hard_link(struct apply *a, int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    _auto_strlist_ struct strlist parts = {0};
    struct stat st;
    if (entry->link[0] == '/' || !split_path(entry->link, &parts) || parts.len == 0)
        return refuse(e, entry, "a hard link that leads out of the layer");
    _auto_close_ int dir = open_parent(a, &parts, e);
    const char *target = parts.items[parts.len - 1];
    if (dir < 0)
        return -1;
    if (fstatat(dir, target, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        _auto_free_ char *path = join_parts(&parts, parts.len);
        if (copy_up(a, path, dir, target, e) < 0)
            return err_wrap(e, "%s", entry->path);
    } else if (S_ISDIR(st.st_mode) || is_whiteout(&st)) {
        return refuse(e, entry, "a hard link to what is no file");
    }
    struct stat here;
    if (fstatat(parent, name, &here, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(dir, target, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        here.st_ino == st.st_ino)
        return 0;
    if (clear_name(parent, name, entry, e) < 0)
        return -1;
    return linkat(dir, target, parent, name, 0) < 0 ? err_sys(e, errno, "link %s", entry->path) : 0;
}

/* "name" is deleted in this layer; a thing of that name that the layer itself brings stays, and hides what is below. */
static int put_whiteout(int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    struct stat st;
    if (!*name || str_eq(name, ".") || str_eq(name, ".."))
        return refuse(e, entry, "a mark of deletion without a name");
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        _auto_close_ int dir =
            S_ISDIR(st.st_mode) ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        return dir >= 0 ? mark_opaque(dir, e) : 0;
    }
    return mknodat(parent, name, S_IFCHR, makedev(0, 0)) < 0 ? err_sys(e, errno, "mark %s as deleted", name) : 0;
}

/* ---- an entry ---- */

static int put_entry(struct apply *a, int parent, const char *name, const struct tar_entry *entry, struct err *e)
{
    switch (entry->type) {
    case TAR_DIR:
        return put_dir(a, parent, name, entry, e);
    case TAR_SYMLINK:
        return put_symlink(parent, name, entry, e);
    case TAR_HARD_LINK:
        return put_hard_link(a, parent, name, entry, e);
    case TAR_FIFO:
        return put_fifo(parent, name, entry, e);
    case TAR_CHAR: /* only as the mark that overlay itself makes: judge() saw to it */
        return put_whiteout(parent, name, entry, e);
    default:
        return put_file(a, parent, name, entry, e);
    }
}

/* 1: to be made; 0: passed over; -1: refused. */
static int judge(const struct tar_entry *entry, const struct strlist *parts, struct err *e)
{
    const bool device = entry->type == TAR_CHAR || entry->type == TAR_BLOCK;
    const bool mark = entry->type == TAR_CHAR && entry->major == 0 && entry->minor == 0;
    if (device && !mark) {
        if (parts->len > 0 && str_eq(parts->items[0], "dev"))
            return 0; /* a container has a /dev of its own */
        return refuse(e, entry, "an image may not bring devices");
    }
    if (entry->type == TAR_HARD_LINK) {
        _auto_strlist_ struct strlist target = {0};
        if (entry->link[0] == '/' || !split_path(entry->link, &target) || target.len == 0)
            return refuse(e, entry, "a hard link that leads out of the layer");
    }
    for (size_t i = 0; i < entry->xattr_count; i++)
        if (str_starts(entry->xattrs[i].name, "trusted.overlay."))
            return refuse(e, entry, "an archive may not bring marks of the overlay");
    const char *name = parts->len ? parts->items[parts->len - 1] : "";
    return !str_starts(name, META) || str_eq(name, OPAQUE);
}

static int apply_root(struct apply *a, const struct tar_entry *entry, struct err *e)
{
    if (entry->type != TAR_DIR)
        return refuse(e, entry, "the root is no directory here");
    return set_meta(a->job->dir, entry, e);
}

static int apply_entry(struct apply *a, const struct tar_entry *entry, struct err *e)
{
    _auto_strlist_ struct strlist parts = {0};
    if (!split_path(entry->path, &parts))
        return refuse(e, entry, "a path may not climb");
    const int rc = judge(entry, &parts, e);
    if (rc <= 0 || a->job->dir < 0)
        return rc < 0 ? -1 : 0;
    if (parts.len == 0)
        return apply_root(a, entry, e);
    _auto_close_ int parent = open_parent(a, &parts, e);
    if (parent < 0)
        return err_wrap(e, "%s", entry->path);
    const char *name = parts.items[parts.len - 1];
    if (str_eq(name, OPAQUE))
        return mark_opaque(parent, e);
    if (str_starts(name, WHITEOUT))
        return put_whiteout(parent, name + strlen(WHITEOUT), entry, e);
    return put_entry(a, parent, name, entry, e);
}

static void set_dir_times(struct apply *a)
{
    while (a->time_count > 0) {
        struct dir_time *t = &a->times[--a->time_count];
        struct err ignored = ERR_INIT;
        _auto_strlist_ struct strlist parts = {0};
        const struct timespec times[2] = {{t->s, t->ns}, {t->s, t->ns}};
        if (split_path(t->path, &parts) && parts.len > 0) {
            _auto_close_ int parent = open_parent(a, &parts, &ignored);
            if (parent >= 0)
                utimensat(parent, parts.items[parts.len - 1], times, AT_SYMLINK_NOFOLLOW);
        }
        free(t->path);
    }
    free(a->times);
}

int layer_apply(const struct layer_job *job, struct stream *s, struct layer_result *out, struct err *e)
{
    _auto_free_ char *chunk = xmalloc(CHUNK);
    struct apply a = {.job = job, .tar = tar_new(s), .chunk = chunk};
    const struct tar_entry *entry;
    int rc;
    while ((rc = tar_next(a.tar, &entry, e)) == 1) {
        a.result.bytes += entry->size;
        if (++a.result.files > FILES_MAX)
            rc = err_set(e, ERR_TOO_LARGE, "more than %d files", FILES_MAX);
        else
            rc = apply_entry(&a, entry, e);
        if (rc < 0)
            break;
    }
    set_dir_times(&a);
    tar_free(a.tar);
    if (rc < 0 || stream_drain(s, e) < 0)
        return -1;
    stream_digest(s, a.result.diff_id);
    *out = a.result;
    return 0;
}

/* ---- the end of a layer ---- */

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path) < 0 && errno != ENOENT;
}

int layer_remove(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "stat %s", path);
    return nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) ? err_sys(e, errno, "remove %s", path) : 0;
}
