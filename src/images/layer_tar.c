/* layer_tar.c - a built-in layer as an archive, for an export. Sorted, with no times and no names of owners, so that
 * the same files give the same digest everywhere. THREADS: any. */
#include "images/images_int.h"

#include "base/mem.h"
#include "base/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen { /* a file with several names: the others become links to the first */
    ino_t ino;
    char *path; /* owned */
};
struct writer {
    struct blob_writer blob;
    struct seen *seen;
    size_t seen_count;
    size_t skip; /* of each path: the layer's own directory */
};

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int put_header(struct writer *w, const struct tar_entry *entry, struct err *e)
{
    _auto_buf_ struct buf head = BUF_INIT;
    tar_put_header(&head, entry);
    return blob_write(&w->blob, head.data, head.len, e);
}

static int put_content(struct writer *w, const char *path, int64_t size, struct err *e)
{
    char chunk[65536];
    _auto_buf_ struct buf pad = BUF_INIT;
    _auto_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open %s", path);
    for (int64_t left = size; left > 0;) {
        const ssize_t n = read(fd, chunk, left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk);
        if (n <= 0)
            return err_sys(e, n < 0 ? errno : EIO, "read %s", path);
        if (blob_write(&w->blob, chunk, (size_t)n, e) < 0)
            return -1;
        left -= n;
    }
    tar_put_pad(&pad, size);
    return pad.len ? blob_write(&w->blob, pad.data, pad.len, e) : 0;
}

/* The first name of a file that has several, or NULL: this is it. */
static const char *first_name(struct writer *w, const struct stat *st, const char *path)
{
    if (st->st_nlink < 2)
        return NULL;
    for (size_t i = 0; i < w->seen_count; i++)
        if (w->seen[i].ino == st->st_ino)
            return w->seen[i].path;
    w->seen = xrealloc(w->seen, (w->seen_count + 1) * sizeof *w->seen);
    w->seen[w->seen_count++] = (struct seen){st->st_ino, xstrdup(path)};
    return NULL;
}

static int put(struct writer *w, const FTSENT *f, struct err *e)
{
    const struct stat *st = f->fts_statp;
    char target[4096] = "";
    struct tar_entry entry = {.path = f->fts_path + w->skip,
                              .link = target,
                              .mode = st->st_mode & 07777,
                              .uid = st->st_uid,
                              .gid = st->st_gid};
    _auto_free_ char *dir = NULL;
    if (f->fts_info == FTS_D) {
        entry.path = dir = xasprintf("%s/", f->fts_path + w->skip);
        entry.type = TAR_DIR;
        return put_header(w, &entry, e);
    }
    if (f->fts_info == FTS_SL || f->fts_info == FTS_SLNONE) {
        if (readlink(f->fts_accpath, target, sizeof target - 1) < 0)
            return err_sys(e, errno, "read link %s", f->fts_path);
        entry.type = TAR_SYMLINK;
        return put_header(w, &entry, e);
    }
    if (f->fts_info != FTS_F)
        return 0;
    const char *first = first_name(w, st, entry.path);
    entry.type = first ? TAR_HARD_LINK : TAR_FILE;
    entry.size = first ? 0 : st->st_size;
    if (first)
        entry.link = (char *)first;
    return put_header(w, &entry, e) < 0 ? -1 : first ? 0 : put_content(w, f->fts_accpath, st->st_size, e);
}

static int walk(struct writer *w, const char *path, struct err *e)
{
    _auto_free_ char *top = xstrdup(path);
    char *const paths[] = {top, NULL};
    _auto_buf_ struct buf end = BUF_INIT;
    int rc = 0;
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!fts)
        return err_sys(e, errno, "open %s", path);
    for (const FTSENT *f; rc == 0 && (f = fts_read(fts));)
        if (f->fts_level > 0 && f->fts_info != FTS_DP)
            rc = put(w, f, e);
    fts_close(fts);
    tar_put_end(&end);
    return rc < 0 ? -1 : blob_write(&w->blob, end.data, end.len, e);
}

int layer_tar(struct images *im, const char *name, char **out_digest, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s", im->layers, name);
    struct writer w = {.blob = {.fd = -1}, .skip = strlen(path) + 1};
    int rc = blob_begin(im, 0, &w.blob, e);
    if (rc == 0)
        rc = walk(&w, path, e);
    if (rc == 0)
        rc = blob_commit(im, &w.blob, NULL, out_digest, e);
    blob_abort(&w.blob);
    while (w.seen_count > 0)
        free(w.seen[--w.seen_count].path);
    free(w.seen);
    return rc;
}
