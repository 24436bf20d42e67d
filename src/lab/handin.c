/* handin.c - see handin.h.
 *
 * DESIGN: names are judged in one place, handin_add(): absolute ones and those with ".." are refused as an attack (the
 * whole submission with them), hidden ones and a Mac's leftovers are passed over in silence. Links and special files
 * are left out, and that is told. If all files are in one folder at the top, as archives of a folder have it, its name
 * is taken off. When you add a form: its first bytes in read_file(). THREADS: pure but for reading. */
#include "lab/handin_int.h"

#include "base/confine.h"
#include "base/mem.h"
#include "base/stream.h"
#include "base/tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define PATH_LEN  512
#define PIECE     65536

void handin_release(struct handin *h)
{
    for (size_t i = 0; i < h->len; i++) {
        free(h->files[i].path);
        buf_release(&h->files[i].data);
    }
    free(h->files);
    strlist_release(&h->left_out);
    *h = (struct handin){0};
}

/* ---- names ---- */

static bool leads_out(const char *path)
{
    if (*path == '/' || strchr(path, '\\'))
        return true;
    for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/')
        if (str_starts(at, "..") && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

/* Hidden, or what a Mac puts beside. */
static bool of_no_interest(const char *path)
{
    for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/')
        if ((*at == '.' && at[1] != '/' && at[1] != '\0') || str_starts(at, "__MACOSX"))
            return true;
    return false;
}

/* Without "./" and doubled slashes. Returns new. */
static char *plain(const char *path)
{
    _auto_buf_ struct buf out = BUF_INIT;
    for (const char *at = path; *at;) {
        const size_t n = strcspn(at, "/");
        if (n && !(n == 1 && *at == '.')) {
            buf_adds(&out, out.len ? "/" : "");
            buf_add(&out, at, n);
        }
        at += n + (at[n] == '/');
    }
    return buf_steal(&out, NULL);
}

size_t handin_room(const struct handin *h)
{
    const size_t left = HANDIN_BYTES_MAX - h->bytes;
    return left < HANDIN_FILE_MAX ? left : HANDIN_FILE_MAX;
}

struct handin_file *handin_add(struct handin *h, const char *path, struct err *e)
{
    if (leads_out(path)) {
        err_set(e, ERR_BAD_REQUEST, "\"%.200s\" leads out of the submission", path);
        return NULL;
    }
    _auto_free_ char *name = plain(path);
    if (!*name || of_no_interest(name))
        return NULL;
    if (strlen(name) > PATH_LEN) {
        err_set(e, ERR_TOO_LARGE, "a file's name is longer than %d bytes", PATH_LEN);
        return NULL;
    }
    if (h->len == HANDIN_FILES_MAX) {
        err_set(e, ERR_TOO_LARGE, "more than %d files", HANDIN_FILES_MAX);
        return NULL;
    }
    if (h->len == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->files = xrealloc(h->files, h->cap * sizeof *h->files);
    }
    struct handin_file *f = &h->files[h->len++];
    *f = (struct handin_file){.path = TAKE(name)};
    return f;
}

void handin_added(struct handin *h)
{
    struct handin_file *f = &h->files[h->len - 1];
    h->bytes += f->data.len;
    buf_str(&f->data);
}

static int too_large(const char *path, struct err *e)
{
    return err_set(e, ERR_TOO_LARGE, "%.200s: more than %d MiB in a file, or %d in all", path,
                   HANDIN_FILE_MAX / 1024 / 1024, HANDIN_BYTES_MAX / 1024 / 1024);
}

/* ---- folders ---- */

static int read_all(int fd, const char *path, size_t room, struct buf *out, struct err *e)
{
    ssize_t n;
    while ((n = read(fd, buf_reserve(out, PIECE), PIECE)) > 0) {
        out->len += (size_t)n;
        if (out->len > room)
            return too_large(path, e);
    }
    if (n < 0)
        return err_sys(e, errno, "%s", path);
    if (out->data)
        out->data[out->len] = '\0';
    return 0;
}

static int take_file(struct handin *h, int dir, const char *name, const char *path, struct err *e)
{
    struct stat st;
    _auto_close_ int fd = confine_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        strlist_addf(&h->left_out, "%s: no plain file, so it was left out", path);
        return 0;
    }
    struct handin_file *f = handin_add(h, path, e);
    if (!f)
        return e->code ? -1 : 0;
    if (read_all(fd, path, handin_room(h), &f->data, e) < 0)
        return -1;
    handin_added(h);
    return 0;
}

static int take_folder(struct handin *h, int take_dir, const char *path, int depth, struct err *e)
{
    DIR *d = fdopendir(take_dir);
    int rc = depth > DEPTH_MAX ? err_set(e, ERR_TOO_LARGE, "folders are more than %d deep", DEPTH_MAX) : 0;
    for (const struct dirent *entry; rc == 0 && d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        _auto_free_ char *name = *path ? xasprintf("%s/%s", path, entry->d_name) : xstrdup(entry->d_name);
        const int sub = confine_open(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY,
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        rc = sub >= 0 ? take_folder(h, sub, name, depth + 1, e) : take_file(h, dirfd(d), entry->d_name, name, e);
    }
    if (d)
        closedir(d);
    else
        close(take_dir);
    return rc;
}

/* ---- tar ---- */

static int take_tar_file(struct handin *h, struct tar *t, const struct tar_entry *entry, struct err *e)
{
    struct handin_file *f = handin_add(h, entry->path, e);
    if (!f)
        return e->code ? -1 : 0;
    const size_t room = handin_room(h);
    if (entry->size < 0 || (uint64_t)entry->size > room)
        return too_large(f->path, e);
    ssize_t n;
    while ((n = tar_data(t, buf_reserve(&f->data, PIECE), PIECE, e)) > 0) {
        f->data.len += (size_t)n;
        if (f->data.len > room)
            return too_large(f->path, e);
    }
    if (f->data.data)
        f->data.data[f->data.len] = '\0';
    handin_added(h);
    return n < 0 ? -1 : 0;
}

static int untar(struct handin *h, const struct buf *text, struct err *e)
{
    const struct stream_conf conf = {
        .fd = -1, .mem = text->data, .mem_len = text->len, .max_bytes = 2 * (int64_t)HANDIN_BYTES_MAX};
    const struct tar_entry *entry;
    _auto_stream_ struct stream *s = NULL;
    if (stream_open(&conf, &s, e) < 0)
        return -1;
    _auto_tar_ struct tar *t = tar_new(s);
    int rc;
    while ((rc = tar_next(t, &entry, e)) == 1) {
        if (leads_out(entry->path))
            return err_set(e, ERR_BAD_REQUEST, "\"%.200s\" leads out of the submission", entry->path);
        if (entry->type == TAR_FILE && take_tar_file(h, t, entry, e) < 0)
            return -1;
        if (entry->type != TAR_FILE && entry->type != TAR_DIR)
            strlist_addf(&h->left_out, "%.200s: no plain file, so it was left out", entry->path);
        if (h->left_out.len > HANDIN_FILES_MAX)
            return err_set(e, ERR_TOO_LARGE, "more than %d links and special files", HANDIN_FILES_MAX);
    }
    return rc;
}

/* ---- a file ---- */

static bool is_tar(const struct buf *text)
{
    static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    return (text->len > 262 && memcmp(text->data + 257, "ustar", 5) == 0) ||
           (text->len > sizeof gzip && memcmp(text->data, gzip, sizeof gzip) == 0) ||
           (text->len > sizeof zstd && memcmp(text->data, zstd, sizeof zstd) == 0);
}

static bool is_zip(const struct buf *text)
{
    return text->len > 4 && (memcmp(text->data, "PK\3\4", 4) == 0 || memcmp(text->data, "PK\5\6", 4) == 0);
}

static int take_bytes(struct handin *h, const char *name, const struct buf *text, struct err *e)
{
    if (is_tar(text))
        return untar(h, text, e);
    if (is_zip(text))
        return handin_unzip(h, text->data, text->len, e);
    struct handin_file *f = handin_add(h, name, e);
    if (!f)
        return e->code ? -1 : err_set(e, ERR_BAD_REQUEST, "there is nothing in it to judge");
    if (text->len > handin_room(h))
        return too_large(f->path, e);
    buf_add(&f->data, buf_str(text), text->len);
    handin_added(h);
    return 0;
}

static int read_file(struct handin *h, int fd, const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    _auto_buf_ struct buf text = BUF_INIT;
    if (read_all(fd, name, HANDIN_BYTES_MAX, &text, e) < 0)
        return -1;
    return take_bytes(h, name, &text, e);
}

/* ---- all ---- */

/* The one folder that all are in: its length with the slash, or 0. */
static size_t common_folder(const struct handin *h)
{
    const char *slash = h->len ? strchr(h->files[0].path, '/') : NULL;
    const size_t n = slash ? (size_t)(slash + 1 - h->files[0].path) : 0;
    for (size_t i = 1; i < h->len; i++)
        if (strncmp(h->files[i].path, h->files[0].path, n) != 0)
            return 0;
    return n;
}

static int by_path(const void *a, const void *b)
{
    return strverscmp(((const struct handin_file *)a)->path, ((const struct handin_file *)b)->path);
}

static void finish(struct handin *h, bool packed)
{
    if (h->len)
        qsort(h->files, h->len, sizeof *h->files, by_path);
    const size_t common = packed ? common_folder(h) : 0;
    for (size_t i = 0; i < h->len && common; i++)
        memmove(h->files[i].path, h->files[i].path + common, strlen(h->files[i].path + common) + 1);
}

int handin_take(const char *name, const void *data, size_t len, struct handin *out, struct err *e)
{
    _auto_handin_ struct handin h = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    buf_add(&text, data, len);
    if (take_bytes(&h, name, &text, e) < 0)
        return -1;
    finish(&h, true);
    *out = h;
    h = (struct handin){0};
    return 0;
}

int handin_read(const char *path, struct handin *out, struct err *e)
{
    _auto_handin_ struct handin h = {0};
    struct stat st;
    _auto_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "%s", path);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return err_set(e, ERR_BAD_REQUEST, "%s is neither a folder nor a file", path);
    if ((S_ISDIR(st.st_mode) ? take_folder(&h, TAKE_FD(fd), "", 0, e) : read_file(&h, fd, path, e)) < 0)
        return -1;
    finish(&h, !S_ISDIR(st.st_mode));
    *out = h;
    h = (struct handin){0};
    return 0;
}

void handin_digest(const struct handin *h, char out[SHA256_TEXT_LEN])
{
    struct sha256 sum;
    sha256_init(&sum);
    for (size_t i = 0; i < h->len; i++) {
        const struct handin_file *f = &h->files[i];
        _auto_free_ char *head = xasprintf("%zu %s\n", f->data.len, f->path);
        sha256_add(&sum, head, strlen(head) + 1);
        sha256_add(&sum, buf_str(&f->data), f->data.len);
    }
    sha256_hex(&sum, out);
}

const struct handin_file *handin_find(const struct handin *h, const char *path)
{
    for (size_t i = 0; i < h->len; i++)
        if (str_eq(h->files[i].path, path))
            return &h->files[i];
    return NULL;
}
