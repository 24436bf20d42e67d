/* pack.c - see pack.h.
 *
 * DESIGN: the tree is walked first and only names are kept; each entry's header is made of what is there when its turn
 * comes. A folder has an entry only when it is empty: the others come with their files, as kubectl has it. */
#include "kubectl/verbs/pack.h"

#include "base/buf.h"
#include "base/go_errno.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct pack {
    struct strlist paths, names; /* one each an entry */
    size_t at;
    struct buf head; /* bytes before the next ones of `fd` */
    int fd;
    int64_t size, left; /* of the file */
    bool ended;
};

static int sys_error(struct err *e, const char *call, const char *path)
{
    char text[GO_ERRNO_LEN];
    return err_set(e, ERR_SYS, "%s %s: %s", call, path, go_errno_text(errno, text));
}

/* ---- the tree ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int real_entry(const struct dirent *d)
{
    return !str_eq(d->d_name, ".") && !str_eq(d->d_name, "..");
}

static void add(struct pack *p, const char *path, const char *name)
{
    strlist_add(&p->paths, path);
    strlist_add(&p->names, name);
}

static int walk(struct pack *p, const char *path, const char *name, struct err *e)
{
    struct stat st;
    struct dirent **list;
    if (lstat(path, &st) < 0)
        return sys_error(e, "lstat", path);
    if (!S_ISDIR(st.st_mode)) {
        add(p, path, name);
        return 0;
    }
    const int n = scandir(path, &list, real_entry, by_name);
    if (n < 0)
        return sys_error(e, "open", path);
    if (n == 0)
        add(p, path, name);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        _auto_free_ char *below = xasprintf("%s/%s", path, list[i]->d_name);
        _auto_free_ char *below_name = xasprintf("%s/%s", name, list[i]->d_name);
        if (rc == 0)
            rc = walk(p, below, below_name, e);
        free(list[i]);
    }
    free(list);
    return rc;
}

int pack_open(const char *path, const char *name, struct pack **out, struct err *e)
{
    struct pack *p = xcalloc(1, sizeof *p);
    p->fd = -1;
    if (walk(p, path, name, e) < 0) {
        pack_free(p);
        return -1;
    }
    *out = p;
    return 0;
}

void pack_free(struct pack *p)
{
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    buf_release(&p->head);
    strlist_release(&p->paths);
    strlist_release(&p->names);
    free(p);
}

void pack_cleanup(struct pack **p)
{
    pack_free(*p);
}

/* ---- the archive ---- */

static int type_of(mode_t mode)
{
    return S_ISDIR(mode)    ? TAR_DIR
           : S_ISLNK(mode)  ? TAR_SYMLINK
           : S_ISFIFO(mode) ? TAR_FIFO
           : S_ISCHR(mode)  ? TAR_CHAR
           : S_ISBLK(mode)  ? TAR_BLOCK
                            : TAR_FILE;
}

static int next_entry(struct pack *p, struct err *e)
{
    const char *path = p->paths.items[p->at];
    char link[4096] = "";
    struct stat st;
    if (lstat(path, &st) < 0)
        return sys_error(e, "lstat", path);
    if (S_ISLNK(st.st_mode) && readlink(path, link, sizeof link - 1) < 0)
        return sys_error(e, "readlink", path);
    if (S_ISREG(st.st_mode) && (p->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return sys_error(e, "open", path);
    const struct tar_entry entry = {.path = p->names.items[p->at],
                                    .link = link,
                                    .type = type_of(st.st_mode),
                                    .mode = st.st_mode & 07777,
                                    .uid = st.st_uid,
                                    .gid = st.st_gid,
                                    .size = S_ISREG(st.st_mode) ? st.st_size : 0,
                                    .mtime = st.st_mtime,
                                    .major = major(st.st_rdev),
                                    .minor = minor(st.st_rdev)};
    tar_put_header(&p->head, &entry);
    p->size = p->left = entry.size;
    p->at++;
    return 0;
}

/* Of the file under way; at its end what fills its last block. */
static ssize_t read_file(struct pack *p, void *buf, size_t n, struct err *e)
{
    const char *path = p->paths.items[p->at - 1];
    if (p->left == 0) {
        tar_put_pad(&p->head, p->size);
        close(p->fd);
        p->fd = -1;
        return 0;
    }
    const ssize_t got = read(p->fd, buf, (int64_t)n < p->left ? n : (size_t)p->left);
    if (got < 0)
        return sys_error(e, "read", path);
    if (got == 0)
        return err_set(e, ERR_SYS, "archive/tar: missed writing %lld bytes", (long long)p->left);
    p->left -= got;
    return got;
}

ssize_t pack_read(struct pack *p, void *buf, size_t n, struct err *e)
{
    for (;;) {
        if (p->head.len) {
            const size_t take = p->head.len < n ? p->head.len : n;
            memcpy(buf, p->head.data, take);
            buf_consume(&p->head, take);
            return (ssize_t)take;
        }
        if (p->fd >= 0) {
            const ssize_t got = read_file(p, buf, n, e);
            if (got != 0)
                return got;
        } else if (p->at < p->paths.len) {
            if (next_entry(p, e) < 0)
                return -1;
        } else if (!p->ended) {
            tar_put_end(&p->head);
            p->ended = true;
        } else {
            return 0;
        }
    }
}
