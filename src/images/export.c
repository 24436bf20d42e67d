/* export.c - images into an archive that docker, podman, containerd and images_import() take: an OCI layout with the
 * manifest.json of `docker save` beside it.
 *
 * What was imported goes out byte by byte as it came in, so digests stay. A built-in image is made real: its layers
 * become archives, and its config names them. THREADS: any. */
#include "images/images_int.h"
#include "images/manage.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE    "application/vnd.oci.image.index.v1+json"
#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE    "application/vnd.oci.image.layer.v1.tar"

struct export
{
    struct images *im;
    int fd;
    struct strlist blobs;   /* what goes in */
    json_t *index, *docker; /* owned */
};

/* ---- bytes out ---- */

static int write_all(int fd, const char *data, size_t n, struct err *e)
{
    while (n > 0) {
        const ssize_t k = write(fd, data, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, errno, "write the archive");
        data += k;
        n -= (size_t)k;
    }
    return 0;
}

static int put_text(struct export *x, const char *path, const char *text, struct err *e)
{
    _auto_buf_ struct buf out = BUF_INIT;
    const struct tar_entry entry = {
        .path = (char *)path, .type = TAR_FILE, .mode = 0644, .size = (int64_t)strlen(text)};
    tar_put_header(&out, &entry);
    buf_adds(&out, text);
    tar_put_pad(&out, entry.size);
    return write_all(x->fd, out.data, out.len, e);
}

static int put_blob(struct export *x, const char *digest, struct err *e)
{
    char chunk[65536];
    _auto_buf_ struct buf head = BUF_INIT, pad = BUF_INIT;
    _auto_free_ char *from = blob_path(x->im, digest), *path = xasprintf("blobs/sha256/%s", digest + 7);
    _auto_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open %s", from);
    const struct tar_entry entry = {.path = path, .type = TAR_FILE, .mode = 0644, .size = blob_size(x->im, digest)};
    tar_put_header(&head, &entry);
    if (write_all(x->fd, head.data, head.len, e) < 0)
        return -1;
    for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) != 0;)
        if (n < 0 || write_all(x->fd, chunk, (size_t)n, e) < 0)
            return n < 0 ? err_sys(e, errno, "read %s", from) : -1;
    tar_put_pad(&pad, entry.size);
    return pad.len ? write_all(x->fd, pad.data, pad.len, e) : 0;
}

/* ---- a built-in image, made real ---- */

static json_t *descriptor(const struct images *im, const char *type, const char *digest)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)blob_size(im, digest));
}

static int put_document(struct images *im, const json_t *doc, char **out_digest, struct err *e)
{
    _auto_free_ char *text = json_dumps(doc, JSON_COMPACT);
    return blob_put(im, text, strlen(text), out_digest, e);
}

static int make_real(struct images *im, const struct strlist *layer_dirs, json_t *config, char **out_manifest,
                     struct err *e)
{
    _auto_json_ json_t *layers = json_array();
    _auto_free_ char *id = NULL;
    json_t *diff_ids = json_array();
    jset(config, "rootfs", json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diff_ids));
    for (size_t i = 0; i < layer_dirs->len; i++) {
        _auto_free_ char *digest = NULL;
        if (layer_tar(im, layer_dirs->items[i], &digest, e) < 0)
            return -1;
        json_array_append_new(layers, descriptor(im, LAYER_TYPE, digest));
        json_array_append_new(diff_ids, json_string(digest));
    }
    if (put_document(im, config, &id, e) < 0)
        return -1;
    _auto_json_ json_t *manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", MANIFEST_TYPE,
                                             "config", descriptor(im, CONFIG_TYPE, id), "layers", layers);
    return put_document(im, manifest, out_manifest, e);
}

/* ---- which ---- */

struct chosen {
    struct strlist names, layers;
    char *manifest; /* owned; NULL: built in */
    json_t *config; /* owned; of a built-in one */
};

static void chosen_release(struct chosen *c)
{
    strlist_release(&c->names);
    strlist_release(&c->layers);
    free(c->manifest);
    json_decref(c->config);
}

static int config_of_builtin(const struct record *r, struct chosen *out, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    const struct image_def *def = NULL;
    _auto_free_ char *version = NULL;
    const char *name = r->names.len ? r->names.items[0] : r->ids.len ? r->ids.items[0] : "";
    if (r->stub)
        return err_set(e, ERR_UNSUPPORTED, "%s is a stub: there is nothing to export", name);
    if (image_name_parse(name, &n, e) < 0 || !builtin_find(&n, &def, &version))
        return err_set(e, ERR_NOT_FOUND, "%s is no built-in image any more", name);
    out->config = builtin_config(def, version);
    return 0;
}

static int choose_locked(struct images *im, const char *ref, struct chosen *out, struct err *e)
{
    const struct record *r = record_need_locked(im, ref, e);
    if (!r)
        return -1;
    for (size_t i = 0; i < r->names.len; i++)
        strlist_add(&out->names, r->names.items[i]);
    for (size_t i = 0; i < r->layers.len; i++)
        strlist_add(&out->layers, r->layers.items[i]);
    if (!r->config)
        return config_of_builtin(r, out, e);
    out->manifest = xstrdup(r->blobs.items[0]); /* image_add() puts it first */
    return 0;
}

static void add_once(struct strlist *l, const char *digest)
{
    if (!strlist_has(l, digest))
        strlist_add(l, digest);
}

static void add_to_index(struct export *x, const struct chosen *c, const char *manifest)
{
    for (size_t i = 0; i < (c->names.len ? c->names.len : 1); i++) {
        json_t *row = descriptor(x->im, MANIFEST_TYPE, manifest);
        if (c->names.len)
            json_object_set_new(row, "annotations",
                                json_pack("{s:s, s:s}", "io.containerd.image.name", c->names.items[i],
                                          "org.opencontainers.image.ref.name",
                                          strrchr(c->names.items[i], ':') ? strrchr(c->names.items[i], ':') + 1 : ""));
        json_array_append_new(x->index, row);
    }
}

static int add_image(struct export *x, const struct chosen *c, const char *manifest, struct err *e)
{
    size_t i;
    const json_t *layer;
    _auto_json_ json_t *doc = blob_json(x->im, manifest, e);
    if (!doc)
        return -1;
    const char *config = jstr_or(doc, "config.digest", "");
    json_t *tags = json_array(), *layers = json_array();
    add_once(&x->blobs, manifest);
    add_once(&x->blobs, config);
    json_array_foreach(json_object_get(doc, "layers"), i, layer)
    {
        const char *digest = jstr_or(layer, "digest", "");
        add_once(&x->blobs, digest);
        json_array_append_new(layers, json_sprintf("blobs/sha256/%s", digest + 7));
    }
    for (size_t n = 0; n < c->names.len; n++)
        json_array_append_new(tags, json_string(image_name_familiar(c->names.items[n])));
    json_array_append_new(x->docker, json_pack("{s:o, s:o, s:o}", "Config", json_sprintf("blobs/sha256/%s", config + 7),
                                               "RepoTags", tags, "Layers", layers));
    add_to_index(x, c, manifest);
    return 0;
}

static int export_one(struct export *x, const char *ref, struct err *e)
{
    _cleanup_(chosen_release) struct chosen c = {0};
    pthread_mutex_lock(&x->im->mu);
    const int rc = choose_locked(x->im, ref, &c, e);
    pthread_mutex_unlock(&x->im->mu);
    if (rc < 0 || (!c.manifest && make_real(x->im, &c.layers, c.config, &c.manifest, e) < 0))
        return -1;
    return add_image(x, &c, c.manifest, e);
}

static int write_archive(struct export *x, struct err *e)
{
    _auto_buf_ struct buf end = BUF_INIT;
    _auto_json_ json_t *index =
        json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", INDEX_TYPE, "manifests", x->index);
    _auto_free_ char *index_text = json_dumps(index, JSON_COMPACT), *docker = json_dumps(x->docker, JSON_COMPACT);
    for (size_t i = 0; i < x->blobs.len; i++)
        if (put_blob(x, x->blobs.items[i], e) < 0)
            return -1;
    tar_put_end(&end);
    if (put_text(x, "index.json", index_text, e) < 0 || put_text(x, "manifest.json", docker, e) < 0 ||
        put_text(x, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", e) < 0)
        return -1;
    return write_all(x->fd, end.data, end.len, e);
}

int images_export(struct images *im, const char *const *refs, int fd, struct err *e)
{
    struct export x = {.im = im, .fd = fd, .index = json_array(), .docker = json_array()};
    int rc = 0;
    for (size_t i = 0; rc == 0 && refs[i]; i++) { /* one that was never used is made first */
        struct image *used = NULL;
        struct err ignored = ERR_INIT;
        if (!images_present(im, refs[i]) && images_resolve(im, refs[i], &used, &ignored) == 0)
            image_free(used);
    }
    pthread_rwlock_rdlock(&im->gate);
    for (size_t i = 0; rc == 0 && refs[i]; i++)
        rc = export_one(&x, refs[i], e);
    if (rc == 0)
        rc = write_archive(&x, e);
    pthread_rwlock_unlock(&im->gate);
    strlist_release(&x.blobs);
    json_decref(x.index);
    json_decref(x.docker);
    images_sweep(im);
    return rc;
}
