/* add.c - a manifest whose blobs are all here becomes an image: layers unpacked, each once, and a record.
 *
 * DESIGN: a layer's directory is named by its chain, that is by what it is and by all that lies below it: two images
 * that begin alike share what they have in common, and a layer that was unpacked once is never looked at again. It is
 * unpacked beside and renamed: half a layer is never seen, and two that unpack the same do no harm.
 *
 * Source: OCI image-spec manifest.md, image-index.md, config.md (chain ids). THREADS: any, with the gate held for
 * reading. */
#include "images/images_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/stream.h"
#include "sys/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LAYERS_MAX      120
#define LAYER_BYTES_MAX (INT64_C(16) << 30)
#define CHAIN_HEX       24

void image_add_release(struct image_add *a)
{
    free(a->manifest);
    strlist_release(&a->names);
    strlist_release(&a->ids);
    *a = (struct image_add){0};
}

const char *machine_arch(void)
{
    static const char *const rows[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"ppc64le", "ppc64le"}, {"s390x", "s390x"}, {"riscv64", "riscv64"}};
    struct utsname u;
    uname(&u);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(u.machine, rows[i][0]))
            return rows[i][1];
    return "arm";
}

/* ---- which manifest ---- */

int manifest_choose(const json_t *doc, const char **out_digest, struct err *e)
{
    const json_t *list = json_object_get(doc, "manifests"), *item;
    size_t i;
    *out_digest = NULL;
    if (!list)
        return 0;
    const char *fallback = NULL;
    json_array_foreach(list, i, item)
    {
        const char *arch = jstr(item, "platform.architecture"), *os = jstr(item, "platform.os");
        const char *digest = jstr(item, "digest");
        if (!digest_is_sha256(digest))
            return err_set(e, ERR_CORRUPT, "an index names a manifest without a sha256 digest");
        if (!arch && !fallback)
            fallback = digest;
        if (str_eq(arch, machine_arch()) && str_eq(os, "linux"))
            *out_digest = digest;
        if (*out_digest)
            return 0;
    }
    *out_digest = fallback;
    return fallback
               ? 0
               : err_set(e, ERR_NOT_FOUND, "no match for platform linux/%s in manifest: not found", machine_arch());
}

/* ---- chains ---- */

void chain_names(const json_t *diff_ids, struct strlist *out)
{
    char hex[SHA256_TEXT_LEN] = "";
    size_t i;
    const json_t *item;
    _auto_free_ char *chain = NULL;
    json_array_foreach(diff_ids, i, item)
    {
        const char *diff = json_string_value(item) ? json_string_value(item) : "";
        if (chain) {
            struct sha256 s;
            sha256_init(&s);
            sha256_add(&s, chain, strlen(chain));
            sha256_add(&s, " ", 1);
            sha256_add(&s, diff, strlen(diff));
            sha256_hex(&s, hex);
            free(chain);
            chain = xasprintf("sha256:%s", hex);
        } else {
            chain = xstrdup(diff);
        }
        strlist_addf(out, "%.*s", CHAIN_HEX, chain + strlen("sha256:"));
    }
}

/* ---- layers ---- */

/* In a simulated cluster, and in tests. */
static int unpack_here(struct images *im, const struct layer_spec *spec, struct layer_result *out, struct err *e)
{
    int lowers[LAYERS_MAX], dir = -1, rc = 0;
    size_t n = 0;
    _auto_free_ char *blob = xasprintf("%s/%s", im->dir, spec->blob), *to = xasprintf("%s/%s", im->dir, spec->dir);
    _auto_close_ int fd = open(blob, O_RDONLY | O_CLOEXEC);
    if (!im->conf.simulated && mkdir(to, 0755) < 0)
        return err_sys(e, errno, "mkdir %s", to);
    if (!im->conf.simulated)
        dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (; !im->conf.simulated && spec->lowers[n]; n++) {
        _auto_free_ char *lower = xasprintf("%s/%s", im->dir, spec->lowers[n]);
        lowers[n] = open(lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    const struct stream_conf conf = {.fd = fd, .max_bytes = spec->max_bytes, .digest = true};
    const struct layer_job job = {dir, lowers, n};
    _auto_stream_ struct stream *s = NULL;
    rc = fd < 0 ? err_sys(e, errno, "open %s", blob) : stream_open(&conf, &s, e);
    if (rc == 0)
        rc = layer_apply(&job, s, out, e);
    while (n > 0)
        close(lowers[--n]);
    if (dir >= 0)
        close(dir);
    return rc;
}

static int unpack(struct images *im, const struct layer_spec *spec, struct layer_result *out, struct err *e)
{
    struct machine *m = im->conf.machine;
    return m && !im->conf.simulated ? m->ops->layer_unpack(m, spec, out, e) : unpack_here(im, spec, out, e);
}

static void remove_dir(struct images *im, const char *dir)
{
    struct machine *m = im->conf.machine;
    struct err ignored = ERR_INIT;
    _auto_free_ char *path = xasprintf("%s/%s", im->dir, dir);
    if (m && !im->conf.simulated)
        m->ops->layer_remove(m, dir, &ignored);
    else
        layer_remove(path, &ignored);
}

void layer_drop(struct images *im, const char *name)
{
    _auto_free_ char *dir = xasprintf("layers/%s", name), *gone = xasprintf("temp/gone-%s", name);
    _auto_free_ char *from = xasprintf("%s/%s", im->dir, dir), *to = xasprintf("%s/%s", im->dir, gone);
    if (rename(from, to) == 0)
        remove_dir(im, gone);
}

static char *fresh_name(struct images *im, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/layer-XXXXXX", im->temp);
    if (!mkdtemp(path) || rmdir(path) < 0) {
        err_sys(e, errno, "make %s", path);
        return NULL;
    }
    return xasprintf("temp/%s", strrchr(path, '/') + 1);
}

/* chain: names of this layer and those below, lowest first; the last is made. */
static int make_layer(struct images *im, const char *blob, const char *diff_id, const struct strlist *chain, size_t at,
                      struct err *e)
{
    _auto_free_ char *to = xasprintf("%s/%s", im->layers, chain->items[at]);
    _auto_strlist_ struct strlist lowers = {0};
    struct layer_result result;
    if (!im->conf.simulated && access(to, F_OK) == 0)
        return 0;
    for (size_t i = at; i-- > 0;)
        strlist_addf(&lowers, "layers/%s", chain->items[i]);
    _auto_free_ char *dir = fresh_name(im, e);
    _auto_free_ char *source = xasprintf("blobs/sha256/%s", blob + strlen("sha256:"));
    if (!dir)
        return -1;
    const struct layer_spec spec = {source, dir, strlist_vector(&lowers), LAYER_BYTES_MAX};
    int rc = unpack(im, &spec, &result, e);
    if (rc == 0 && !str_eq(result.diff_id, diff_id + strlen("sha256:")))
        rc = err_set(e, ERR_CORRUPT, "wrong digest: the config says %s, it is sha256:%s", diff_id, result.diff_id);
    _auto_free_ char *from = xasprintf("%s/%s", im->dir, dir);
    if (rc == 0 && !im->conf.simulated && rename(from, to) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        rc = err_sys(e, errno, "rename to %s", to);
    remove_dir(im, dir); /* if it is still there */
    return rc < 0 ? err_wrap(e, "layer %s", blob) : 0;
}

static int make_layers(struct images *im, const json_t *layers, const json_t *diff_ids, struct record *r, struct err *e)
{
    const size_t n = json_array_size(layers);
    if (n != json_array_size(diff_ids))
        return err_set(e, ERR_CORRUPT, "the manifest has %zu layers, the config %zu", n, json_array_size(diff_ids));
    if (n > LAYERS_MAX)
        return err_set(e, ERR_UNSUPPORTED, "%zu layers; overlay stacks %d", n, LAYERS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *blob = jstr(json_array_get(layers, i), "digest");
        const char *diff_id = json_string_value(json_array_get(diff_ids, i));
        if (!digest_is_sha256(blob) || !digest_is_sha256(diff_id))
            return err_set(e, ERR_CORRUPT, "a layer has no sha256 digest");
        strlist_add(&r->blobs, blob);
        r->size += blob_size(im, blob) > 0 ? blob_size(im, blob) : 0;
    }
    chain_names(diff_ids, &r->layers);
    for (size_t i = 0; i < n; i++)
        if (make_layer(im, jstr(json_array_get(layers, i), "digest"), json_string_value(json_array_get(diff_ids, i)),
                       &r->layers, i, e) < 0)
            return -1;
    return 0;
}

/* ---- the image ---- */

static int check_config(const json_t *config, struct err *e)
{
    const char *arch = jstr_or(config, "architecture", machine_arch()), *os = jstr_or(config, "os", "linux");
    if (!str_eq(os, "linux") || !str_eq(arch, machine_arch()))
        return err_set(e, ERR_UNSUPPORTED, "the image is for %s/%s, this machine is linux/%s", os, arch,
                       machine_arch());
    if (!json_is_array(jat(config, "rootfs.diff_ids")))
        return err_set(e, ERR_CORRUPT, "the config names no layers (rootfs.diff_ids)");
    return 0;
}

int image_add(struct images *im, const struct image_add *a, struct err *e)
{
    _auto_json_ json_t *manifest = blob_json(im, a->manifest, e);
    if (!manifest)
        return err_wrap(e, "manifest");
    const char *id = jstr_or(manifest, "config.digest", "");
    _auto_json_ json_t *config = blob_json(im, id, e);
    if (!config || check_config(config, e) < 0)
        return err_wrap(e, "config");
    struct record *r = xcalloc(1, sizeof *r);
    r->id = xstrdup(id);
    r->added = r->used = images_now(im);
    strlist_add(&r->blobs, a->manifest);
    strlist_add(&r->blobs, id);
    if (make_layers(im, json_object_get(manifest, "layers"), jat(config, "rootfs.diff_ids"), r, e) < 0) {
        record_free(r);
        return -1;
    }
    r->config = TAKE(config);
    for (size_t i = 0; i < a->names.len; i++)
        strlist_add(&r->names, a->names.items[i]);
    for (size_t i = 0; i < a->ids.len; i++)
        strlist_add(&r->ids, a->ids.items[i]);
    pthread_mutex_lock(&im->mu);
    record_add_locked(im, r);
    const int rc = records_save_locked(im, e);
    pthread_mutex_unlock(&im->mu);
    return rc;
}
