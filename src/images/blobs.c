/* blobs.c - content by its digest, <dir>/blobs/sha256/<hex>, as an OCI layout has it: configs, manifests, and layers as
 * they came, which is what an export writes again.
 *
 * INVARIANTS: what has a name there has that digest: a blob is written beside, digested on the way, and renamed.
 * THREADS: any; a writer belongs to one. */
#include "images/images_int.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JSON_MAX (4 * 1024 * 1024)

static const char prefix[] = "sha256:";

bool digest_is_sha256(const char *digest)
{
    const size_t hex = SHA256_TEXT_LEN - 1, at = sizeof prefix - 1;
    return digest && str_starts(digest, prefix) && strlen(digest + at) == hex &&
           strspn(digest + at, "0123456789abcdef") == hex;
}

char *blob_path(const struct images *im, const char *digest)
{
    return xasprintf("%s/%s", im->blobs, digest + sizeof prefix - 1);
}

int64_t blob_size(const struct images *im, const char *digest)
{
    struct stat st;
    if (!digest_is_sha256(digest))
        return -1;
    _auto_free_ char *path = blob_path(im, digest);
    return stat(path, &st) < 0 ? -1 : st.st_size;
}

int blob_begin(struct images *im, int64_t max_bytes, struct blob_writer *out, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/blob-XXXXXX", im->temp);
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "create %s", path);
    fchmod(fd, 0644);
    *out = (struct blob_writer){.fd = fd, .path = TAKE(path), .max_bytes = max_bytes};
    sha256_init(&out->sha);
    return 0;
}

int blob_write(struct blob_writer *w, const void *data, size_t n, struct err *e)
{
    const char *at = data;
    sha256_add(&w->sha, data, n);
    w->bytes += (int64_t)n;
    if (w->max_bytes && w->bytes > w->max_bytes)
        return err_set(e, ERR_TOO_LARGE, "more than %lld bytes", (long long)w->max_bytes);
    while (n > 0) {
        const ssize_t done = write(w->fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_sys(e, errno, "write");
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int blob_commit(struct images *im, struct blob_writer *w, const char *want, char **out_digest, struct err *e)
{
    char hex[SHA256_TEXT_LEN];
    sha256_hex(&w->sha, hex);
    _auto_free_ char *digest = xasprintf("%s%s", prefix, hex);
    if (want && !str_eq(want, digest))
        return err_set(e, ERR_CORRUPT, "wrong digest: expected %s, got %s", want, digest);
    _auto_free_ char *path = blob_path(im, digest);
    if (rename(w->path, path) < 0)
        return err_sys(e, errno, "rename to %s", path);
    free(w->path);
    w->path = NULL;
    if (out_digest)
        *out_digest = TAKE(digest);
    return 0;
}

void blob_abort(struct blob_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->path)
        unlink(w->path);
    free(w->path);
    *w = (struct blob_writer){.fd = -1};
}

int blob_put(struct images *im, const void *data, size_t n, char **out_digest, struct err *e)
{
    _auto_blob_ struct blob_writer w = {.fd = -1};
    if (blob_begin(im, 0, &w, e) < 0 || blob_write(&w, data, n, e) < 0)
        return -1;
    return blob_commit(im, &w, NULL, out_digest, e);
}

json_t *blob_document(const struct images *im, const char *digest, struct err *e)
{
    json_error_t why;
    const int64_t size = blob_size(im, digest);
    if (size < 0 || size > JSON_MAX) {
        err_set(e, size < 0 ? ERR_NOT_FOUND : ERR_TOO_LARGE, "%s %s", digest,
                size < 0 ? "is not there" : "is too long for a document");
        return NULL;
    }
    _auto_free_ char *path = blob_path(im, digest);
    json_t *doc = json_load_file(path, 0, &why);
    if (!doc)
        err_set(e, ERR_CORRUPT, "%s is no JSON object: %s", digest, why.text);
    return doc;
}

json_t *blob_json(const struct images *im, const char *digest, struct err *e)
{
    json_t *doc = blob_document(im, digest, e);
    if (!doc || json_is_object(doc))
        return doc;
    json_decref(doc);
    err_set(e, ERR_CORRUPT, "%s is no JSON object: another value", digest);
    return NULL;
}

static bool is_named(const struct images *im, const char *digest)
{
    for (const struct record *r = im->records; r; r = r->next)
        if (strlist_has(&r->blobs, digest))
            return true;
    return false;
}

void blobs_sweep(struct images *im)
{
    DIR *dir = opendir(im->blobs);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        _auto_free_ char *digest = xasprintf("%s%s", prefix, entry->d_name);
        if (!digest_is_sha256(digest) || is_named(im, digest))
            continue;
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}
