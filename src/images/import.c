/* import.c - images out of an archive or a directory: what `docker save` writes, and OCI layouts.
 *
 * DESIGN: first every file of the source becomes a blob under the digest it really has, and a list remembers which name
 * had which; then the documents are read, and refer either to names (docker's manifest.json) or to digests (OCI's
 * index.json). A digest that nothing has is thus a wrong digest, found without a check of its own. What no image needed
 * in the end is swept.
 *
 * A `docker save` archive of today is both; its manifest.json is believed, as it has the names.
 *
 * THREADS: any. Source: OCI image-spec image-layout.md; moby image/tarexport (manifest.json). */
#include "images/images_int.h"
#include "images/manage.h"

#include "base/confine.h"
#include "base/json.h"
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

#define MEMBERS_MAX   20000
#define ARCHIVE_MAX   (INT64_C(64) << 30)
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE    "application/vnd.oci.image.layer.v1.tar"

struct member {
    char *name;   /* owned; without "./" */
    char *digest; /* owned; NULL: a link to `link` */
    char *link;   /* owned, or NULL */
};
struct bundle {
    struct member *members;
    size_t count;
};

static void bundle_release(struct bundle *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->members[i].name);
        free(b->members[i].digest);
        free(b->members[i].link);
    }
    free(b->members);
}

static int add_member(struct bundle *b, const char *name, char *take_digest, const char *link, struct err *e)
{
    if (b->count == MEMBERS_MAX) {
        free(take_digest);
        return err_set(e, ERR_TOO_LARGE, "more than %d files", MEMBERS_MAX);
    }
    static const char blobs[] = "blobs/sha256/";
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    if (take_digest && str_starts(name, blobs) && !str_eq(name + sizeof blobs - 1, take_digest + strlen("sha256:"))) {
        err_set(e, ERR_CORRUPT, "wrong digest: %s has %s", name, take_digest);
        free(take_digest);
        return -1;
    }
    b->members = xrealloc(b->members, (b->count + 1) * sizeof *b->members);
    b->members[b->count++] = (struct member){xstrdup(name), take_digest, link ? xstrdup(link) : NULL};
    return 0;
}

/* ---- names ---- */

/* "ab/layer.tar" and "../cd/layer.tar" -> "cd/layer.tar"; NULL when it leads out. Returns new. */
static char *beside(const char *name, const char *link)
{
    _auto_strlist_ struct strlist parts = {0};
    _auto_free_ char *path =
        xasprintf("%.*s%s", (int)(strrchr(name, '/') ? strrchr(name, '/') - name + 1 : 0), name, link);
    for (const char *at = path; *at;) {
        const size_t n = strcspn(at, "/");
        const bool up = n == 2 && at[0] == '.' && at[1] == '.';
        if (up && parts.len == 0)
            return NULL;
        if (up)
            free(parts.items[--parts.len]);
        else if (n > 0 && !(n == 1 && at[0] == '.'))
            strlist_take(&parts, xstrndup(at, n));
        at += n + (at[n] == '/');
    }
    return strlist_join(&parts, "/");
}

/* The digest of the file of that name; old docker wrote a layer that it had written before as a link. */
static const char *digest_of(const struct bundle *b, const char *name)
{
    _auto_free_ char *seek = xstrdup(name ? name : "");
    for (int links = 0; links < 8; links++) {
        const struct member *found = NULL;
        for (size_t i = 0; i < b->count; i++)
            if (str_eq(b->members[i].name, seek))
                found = &b->members[i];
        if (!found || found->digest)
            return found ? found->digest : NULL;
        char *next = beside(found->name, found->link);
        free(seek);
        seek = next;
        if (!seek)
            return NULL;
    }
    return NULL;
}

/* ---- reading the source ---- */

static int take_file(struct images *im, struct tar *t, struct bundle *b, const struct tar_entry *entry, struct err *e)
{
    char chunk[65536];
    char *digest = NULL;
    _auto_blob_ struct blob_writer w = {.fd = -1};
    if (blob_begin(im, ARCHIVE_MAX, &w, e) < 0)
        return -1;
    for (ssize_t n; (n = tar_data(t, chunk, sizeof chunk, e)) != 0;)
        if (n < 0 || blob_write(&w, chunk, (size_t)n, e) < 0)
            return -1;
    if (blob_commit(im, &w, NULL, &digest, e) < 0)
        return -1;
    return add_member(b, entry->path, digest, NULL, e);
}

static int read_archive(struct images *im, int fd, struct bundle *b, struct err *e)
{
    const struct stream_conf conf = {.fd = fd, .max_bytes = ARCHIVE_MAX};
    _auto_stream_ struct stream *s = NULL;
    const struct tar_entry *entry;
    int rc;
    if (stream_open(&conf, &s, e) < 0)
        return -1;
    _auto_tar_ struct tar *t = tar_new(s);
    while ((rc = tar_next(t, &entry, e)) == 1) {
        rc = 0;
        if (entry->type == TAR_FILE)
            rc = take_file(im, t, b, entry, e);
        else if (entry->type == TAR_SYMLINK)
            rc = add_member(b, entry->path, NULL, entry->link, e);
        else if (entry->type != TAR_DIR)
            rc = err_set(e, ERR_INVALID, "%s: neither a file nor a directory", entry->path);
        if (rc < 0)
            return -1;
    }
    return rc;
}

static int take_plain(struct images *im, int dir, const char *name, struct bundle *b, struct err *e)
{
    char chunk[65536];
    char *digest = NULL;
    struct stat st;
    _auto_blob_ struct blob_writer w = {.fd = -1};
    _auto_close_ int fd =
        confine_open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "open %s", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    if (blob_begin(im, ARCHIVE_MAX, &w, e) < 0)
        return -1;
    for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) != 0;)
        if (n < 0 || blob_write(&w, chunk, (size_t)n, e) < 0)
            return n < 0 ? err_sys(e, errno, "read %s", name) : -1;
    if (blob_commit(im, &w, NULL, &digest, e) < 0)
        return -1;
    return add_member(b, name, digest, NULL, e);
}

/* A layout's files: its documents, and blobs/sha256. */
static int read_directory(struct images *im, int dir, struct bundle *b, struct err *e)
{
    static const char blobs[] = "blobs/sha256";
    if (take_plain(im, dir, "index.json", b, e) < 0)
        return -1;
    const int below = openat(dir, blobs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = below < 0 ? NULL : fdopendir(below);
    if (!d)
        return err_sys(e, errno, "open %s", blobs);
    int rc = 0;
    for (const struct dirent *entry; rc == 0 && (entry = readdir(d));) {
        _auto_free_ char *name = xasprintf("%s/%s", blobs, entry->d_name);
        if (entry->d_name[0] != '.')
            rc = take_plain(im, dir, name, b, e);
    }
    closedir(d);
    return rc;
}

static int read_source(struct images *im, const char *path, struct bundle *b, struct err *e)
{
    struct stat st;
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "open %s", path);
    return S_ISDIR(st.st_mode) ? read_directory(im, fd, b, e) : read_archive(im, fd, b, e);
}

/* ---- documents ---- */

/* The content a document asks for must be here, under the digest it has. */
static int need_blob(struct images *im, const char *digest, struct err *e)
{
    if (!digest_is_sha256(digest))
        return err_set(e, ERR_CORRUPT, "a document names content without a sha256 digest");
    if (blob_size(im, digest) < 0)
        return err_set(e, ERR_CORRUPT, "wrong digest: nothing in it has %s", digest);
    return 0;
}

/* Adds "NAME" as a canonical name. */
static int add_name(struct image_add *a, const char *name, struct err *e)
{
    _auto_free_ char *canonical = NULL;
    if (image_normalize(name, &canonical, e) < 0)
        return -1;
    if (!strlist_has(&a->names, canonical))
        strlist_add(&a->names, canonical);
    return 0;
}

struct import {
    struct images *im;
    struct bundle *bundle;
    const char *name;    /* given by the user, or NULL */
    struct strlist *out; /* names or ids */
    size_t count;
};

static int finish(struct import *i, struct image_add *a, struct err *e)
{
    if (i->name && i->count > 0)
        return err_set(e, ERR_BAD_REQUEST, "there are several images in it: a name can be given to one only");
    if (i->name && add_name(a, i->name, e) < 0)
        return -1;
    if (image_add(i->im, a, e) < 0)
        return -1;
    i->count++;
    for (size_t n = 0; n < a->names.len; n++)
        strlist_add(i->out, a->names.items[n]);
    _auto_json_ json_t *manifest = a->names.len ? NULL : blob_json(i->im, a->manifest, e);
    if (manifest)
        strlist_add(i->out, jstr_or(manifest, "config.digest", ""));
    return 0;
}

static json_t *descriptor(const struct images *im, const char *type, const char *digest)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)blob_size(im, digest));
}

/* The media type of a layer, by its first bytes. */
static const char *layer_type(const struct images *im, const char *digest)
{
    unsigned char head[4] = {0};
    _auto_free_ char *path = blob_path(im, digest);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, head, sizeof head) != sizeof head)
        return LAYER_TYPE;
    if (memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
        return LAYER_TYPE "+zstd";
    return head[0] == 0x1f && head[1] == 0x8b ? LAYER_TYPE "+gzip" : LAYER_TYPE;
}

/* Docker's list of files, as the manifest that OCI would have. */
static int docker_image(struct import *i, const json_t *row, struct err *e)
{
    size_t n;
    const json_t *item;
    struct images *im = i->im;
    const char *config = digest_of(i->bundle, jstr(row, "Config"));
    if (!config)
        return err_set(e, ERR_CORRUPT, "manifest.json: its Config is not in the archive");
    _auto_json_ json_t *layers = json_array();
    json_array_foreach(json_object_get(row, "Layers"), n, item)
    {
        const char *layer = digest_of(i->bundle, json_string_value(item));
        if (!layer)
            return err_set(e, ERR_CORRUPT, "manifest.json: layer %s is not in the archive", json_string_value(item));
        json_array_append_new(layers, descriptor(im, layer_type(im, layer), layer));
    }
    _auto_json_ json_t *manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", MANIFEST_TYPE,
                                             "config", descriptor(im, CONFIG_TYPE, config), "layers", layers);
    _auto_free_ char *text = json_dumps(manifest, JSON_COMPACT);
    _cleanup_(image_add_release) struct image_add a = {0};
    if (blob_put(im, text, strlen(text), &a.manifest, e) < 0)
        return -1;
    json_array_foreach(json_object_get(row, "RepoTags"), n, item)
    {
        if (json_is_string(item) && add_name(&a, json_string_value(item), e) < 0)
            return -1;
    }
    return finish(i, &a, e);
}

static int docker_images(struct import *i, const char *digest, struct err *e)
{
    size_t n;
    const json_t *row;
    _auto_json_ json_t *rows = blob_document(i->im, digest, e);
    if (!rows)
        return err_wrap(e, "manifest.json");
    if (json_array_size(rows) == 0)
        return err_set(e, ERR_CORRUPT, "manifest.json names no images");
    json_array_foreach(rows, n, row)
    {
        if (docker_image(i, row, e) < 0)
            return -1;
    }
    return 0;
}

/* A full name in an annotation; a bare tag ("1.0") is none. */
static const char *oci_name(const json_t *descriptor)
{
    const json_t *notes = json_object_get(descriptor, "annotations");
    const char *full = json_string_value(json_object_get(notes, "io.containerd.image.name"));
    const char *ref = json_string_value(json_object_get(notes, "org.opencontainers.image.ref.name"));
    return full ? full : ref && strpbrk(ref, ":/") ? ref : NULL;
}

/* An index may name indexes; a manifest's content must all be here. */
static int oci_manifest(struct import *i, const char *digest, struct image_add *a, int depth, struct err *e)
{
    size_t n;
    const json_t *layer;
    const char *chosen;
    if (need_blob(i->im, digest, e) < 0)
        return -1;
    _auto_json_ json_t *doc = blob_json(i->im, digest, e);
    if (!doc || manifest_choose(doc, &chosen, e) < 0)
        return -1;
    if (chosen && depth > 4)
        return err_set(e, ERR_CORRUPT, "indexes within indexes");
    if (chosen)
        return oci_manifest(i, chosen, a, depth + 1, e);
    if (need_blob(i->im, jstr(doc, "config.digest"), e) < 0)
        return -1;
    json_array_foreach(json_object_get(doc, "layers"), n, layer)
    {
        if (need_blob(i->im, jstr(layer, "digest"), e) < 0)
            return -1;
    }
    a->manifest = xstrdup(digest);
    return 0;
}

static int oci_images(struct import *i, const char *digest, struct err *e)
{
    size_t n;
    const json_t *item;
    _auto_json_ json_t *index = blob_json(i->im, digest, e);
    if (!index)
        return err_wrap(e, "index.json");
    if (json_array_size(json_object_get(index, "manifests")) == 0)
        return err_set(e, ERR_CORRUPT, "index.json names no images");
    json_array_foreach(json_object_get(index, "manifests"), n, item)
    {
        _cleanup_(image_add_release) struct image_add a = {0};
        const char *name = oci_name(item);
        if (oci_manifest(i, jstr(item, "digest"), &a, 0, e) < 0 || (name && add_name(&a, name, e) < 0) ||
            finish(i, &a, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- together ---- */

static int import_locked(struct import *i, const char *path, struct err *e)
{
    if (read_source(i->im, path, i->bundle, e) < 0)
        return -1;
    const char *docker = digest_of(i->bundle, "manifest.json"), *oci = digest_of(i->bundle, "index.json");
    if (!docker && !oci)
        return err_set(e, ERR_INVALID, "no image: neither manifest.json (docker save) nor index.json (OCI) is in it");
    return docker ? docker_images(i, docker, e) : oci_images(i, oci, e);
}

int images_import(struct images *im, const char *path, const char *name, struct strlist *out, struct err *e)
{
    struct bundle bundle = {0};
    struct import i = {.im = im, .bundle = &bundle, .name = name, .out = out};
    pthread_rwlock_rdlock(&im->gate);
    const int rc = import_locked(&i, path, e);
    pthread_rwlock_unlock(&im->gate);
    bundle_release(&bundle);
    images_sweep(im);
    return rc < 0 ? err_wrap(e, "%s", path) : 0;
}
