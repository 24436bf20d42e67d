/* node_volume.c - atomically written volumes: ConfigMap, Secret, downward API, projected.
 *
 *      dir/key  -> ..data/key
 *      dir/..data -> ..2025_01_02_15_04_05.1234567890
 *      dir/..2025_01_02_15_04_05.1234567890/key
 *
 * What the kubelet's AtomicWriter does, in its order: nothing if the content is the same; else a new timestamped
 * directory, a link
 * ..data_tmp renamed over ..data (the one atomic step, so a reader sees all old or all new), links for new names,
 * removal of stale links, removal of the old directory. THREADS: none; runs in a child of the node's loop. */
#include "sys/node_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct volume {
    const char *dir;
    struct file_spec *files; /* owned; texts borrowed from the message */
    uint32_t count;
    int64_t gid;
};

static bool path_ok(const char *path)
{
    if (!*path || *path == '/' || str_starts(path, ".."))
        return false;
    for (const char *p = path; *p;) {
        const size_t n = strcspn(p, "/");
        if (!n || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n + (p[n] == '/');
    }
    return true;
}

static bool same_file(int data, const struct file_spec *f)
{
    struct stat st;
    _auto_close_ int fd = openat(data, f->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != (off_t)f->len)
        return false;
    _auto_free_ char *old = xmalloc(f->len);
    return read(fd, old, f->len) == (ssize_t)f->len && (!f->len || memcmp(old, f->data, f->len) == 0);
}

static unsigned count_files(int dir, const char *name)
{
    const int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    unsigned n = 0;
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        n += entry->d_type == DT_DIR ? count_files(dirfd(d), entry->d_name) : 1;
    }
    if (d)
        closedir(d);
    return n;
}

static bool unchanged(const struct volume *v)
{
    _auto_free_ char *path = xasprintf("%s/..data", v->dir);
    _auto_close_ int data = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0 || count_files(data, ".") != v->count)
        return false;
    for (uint32_t i = 0; i < v->count; i++)
        if (!same_file(data, &v->files[i]))
            return false;
    return true;
}

static int write_file(const struct volume *v, int dir, const struct file_spec *f, struct err *e)
{
    _auto_free_ char *path = xstrdup(f->path);
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(dir, path, 0777) < 0 && errno != EEXIST)
            return err_sys(e, errno, "mkdir %s", path);
        if (v->gid >= 0 &&
            (userns_chown(dir, path, (uid_t)-1, (gid_t)v->gid, 0) < 0 || fchmodat(dir, path, 02775, 0) < 0))
            return err_sys(e, errno, "chown %s", path);
        *slash = '/';
    }
    _auto_close_ int fd = openat(dir, f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "create %s", f->path);
    for (size_t at = 0; at < f->len;) {
        const ssize_t n = write(fd, (const char *)f->data + at, f->len - at);
        if (n < 0)
            return err_sys(e, errno, "write %s", f->path);
        at += (size_t)n;
    }
    mode_t mode = f->mode & 07777;
    if (v->gid >= 0) {
        if (userns_chown(fd, "", (uid_t)-1, (gid_t)v->gid, 0) < 0)
            return err_sys(e, errno, "chown %s", f->path);
        mode |= 0440;
    }
    return fchmod(fd, mode) < 0 ? err_sys(e, errno, "chmod %s", f->path) : 0;
}

/* "..2025_01_02_15_04_05.1234567890" */
static void stamp(char *out, size_t size)
{
    const time_t now = (time_t)(clock_wall_ns(clock_real()) / 1000000000);
    struct tm tm;
    char when[32];
    uint32_t random;
    random_bytes(&random, sizeof random);
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y_%m_%d_%H_%M_%S", &tm);
    snprintf(out, size, "..%s.%010u", when, random);
}

static int write_generation(const struct volume *v, int dir, const char *name, struct err *e)
{
    if (mkdirat(dir, name, 0755) < 0)
        return err_sys(e, errno, "mkdir %s", name);
    _auto_close_ int fresh = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fresh < 0)
        return err_sys(e, errno, "open %s", name);
    if (v->gid >= 0 && (userns_chown(fresh, "", (uid_t)-1, (gid_t)v->gid, 0) < 0 || fchmod(fresh, 02775) < 0))
        return err_sys(e, errno, "chown %s", name);
    for (uint32_t i = 0; i < v->count; i++)
        if (write_file(v, fresh, &v->files[i], e) < 0)
            return -1;
    return 0;
}

static bool is_top_name(const struct volume *v, const char *name)
{
    const size_t n = strlen(name);
    for (uint32_t i = 0; i < v->count; i++)
        if (strncmp(v->files[i].path, name, n) == 0 && (v->files[i].path[n] == '\0' || v->files[i].path[n] == '/'))
            return true;
    return false;
}

/* Links for what is new; then what is no longer there goes. */
static int link_names(const struct volume *v, int dir, struct err *e)
{
    for (uint32_t i = 0; i < v->count; i++) {
        char target[4200];
        _auto_free_ char *top = xstrndup(v->files[i].path, strcspn(v->files[i].path, "/"));
        snprintf(target, sizeof target, "..data/%s", top);
        if (symlinkat(target, dir, top) < 0 && errno != EEXIST)
            return err_sys(e, errno, "link %s", top);
    }
    const int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (entry->d_type == DT_LNK && !str_starts(entry->d_name, "..") && !is_top_name(v, entry->d_name))
            unlinkat(dir, entry->d_name, 0);
    if (d)
        closedir(d);
    return 0;
}

static int write_volume(const struct volume *v, struct err *e)
{
    char name[64], old[256] = "";
    _auto_close_ int dir = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, errno, "open %s", v->dir);
    if (v->gid >= 0 && (userns_chown(dir, "", (uid_t)-1, (gid_t)v->gid, 0) < 0 || fchmod(dir, 02777) < 0))
        return err_sys(e, errno, "chown %s", v->dir);
    const ssize_t n = readlinkat(dir, "..data", old, sizeof old - 1);
    old[n > 0 ? n : 0] = '\0';
    stamp(name, sizeof name);
    if (write_generation(v, dir, name, e) < 0) {
        _auto_free_ char *half = xasprintf("%s/%s", v->dir, name);
        struct err lost = ERR_INIT;
        files_remove_tree(half, &lost);
        return -1;
    }
    unlinkat(dir, "..data_tmp", 0);
    if (symlinkat(name, dir, "..data_tmp") < 0 || renameat(dir, "..data_tmp", dir, "..data") < 0)
        return err_sys(e, errno, "switch ..data");
    if (link_names(v, dir, e) < 0)
        return -1;
    if (!str_starts(old, "..2"))
        return 0;
    _auto_free_ char *stale = xasprintf("%s/%s", v->dir, old);
    return files_remove_tree(stale, e);
}

/* The content is what it should be. Its links may not be: whoever wrote it may have been killed before he made them. */
static int relink(const struct volume *v, struct err *e)
{
    _auto_close_ int dir = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? err_sys(e, errno, "open %s", v->dir) : link_names(v, dir, e);
}

int req_write_volume(struct req *r, struct err *e)
{
    struct volume v = {.dir = wire_need_str(&r->in)};
    v.gid = wire_get_i64(&r->in);
    v.count = wire_get_u32(&r->in);
    if (v.count > r->msg->body.len)
        return err_set(e, ERR_BAD_REQUEST, "malformed request");
    v.files = xcalloc(v.count, sizeof *v.files);
    _auto_free_ struct file_spec *owned = v.files;
    for (uint32_t i = 0; i < v.count; i++) {
        owned[i].path = wire_need_str(&r->in);
        owned[i].data = wire_get_blob(&r->in, &owned[i].len);
        owned[i].mode = (mode_t)wire_get_u32(&r->in);
        if (!path_ok(owned[i].path))
            return err_set(e, ERR_BAD_REQUEST, "invalid path: must not contain '..': %s", owned[i].path);
    }
    if (proc_mkdir_p(v.dir, 0777, e) < 0)
        return -1;
    const bool changed = !unchanged(&v);
    if ((changed ? write_volume(&v, e) : relink(&v, e)) < 0)
        return -1;
    wire_u32(&r->out, changed);
    return 0;
}
