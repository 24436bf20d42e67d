/* registry_pull.c - an image from a registry on this machine, over HTTP: the distribution project's API.
 *
 * DESIGN: manifest (of an index, the one for this machine), config, layers; each goes straight into the blobs under the
 * digest it must have, so a layer that is here already is not asked for. Errors are worded as containerd words them,
 * since pods show them. THREADS: any. Source: OCI distribution-spec. */
#include "images/http_int.h"
#include "images/images_int.h"
#include "images/manage.h"

#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX (4 << 20)
#define BLOB_MAX     (INT64_C(32) << 30)

static const char accept_manifests[] =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json";

static int write_body(void *arg, const void *data, size_t n, struct err *e)
{
    return blob_write(arg, data, n, e);
}

/* One thing: /v2/<path>/<what>/<ref>. want: its digest, or NULL. */
static int fetch(struct images *im, const struct image_name *n, const char *what, const char *ref, const char *want,
                 char **out_digest, struct err *e)
{
    const bool blob = str_eq(what, "blobs");
    if (want && blob_size(im, want) >= 0) {
        if (out_digest)
            *out_digest = xstrdup(want);
        return 0;
    }
    _auto_free_ char *path = xasprintf("/v2/%s/%s/%s", n->path, what, ref);
    _auto_blob_ struct blob_writer w = {.fd = -1};
    if (blob_begin(im, blob ? BLOB_MAX : DOCUMENT_MAX, &w, e) < 0)
        return -1;
    const struct http_get get = {n->domain, path, blob ? "*/*" : accept_manifests, write_body, &w};
    const int status = http_get(&get, e);
    if (status == 404)
        return err_set(e, ERR_NOT_FOUND, "not found");
    if (status >= 0 && status != 200)
        return err_set(e, ERR_UNAVAILABLE, "unexpected status from GET request to http://%s%s: %d", n->domain, path,
                       status);
    return status < 0 ? -1 : blob_commit(im, &w, want, out_digest, e);
}

/* The manifest for this machine: its digest (new). An index in front of it is followed. */
static char *fetch_manifest(struct images *im, const struct image_name *n, char **out_named, struct err *e)
{
    const char *chosen;
    char *digest = NULL, *one = NULL;
    if (fetch(im, n, "manifests", n->digest ? n->digest : n->tag, n->digest, &digest, e) < 0)
        return NULL;
    _auto_json_ json_t *doc = blob_json(im, digest, e);
    if (!doc || manifest_choose(doc, &chosen, e) < 0 ||
        (chosen && fetch(im, n, "manifests", chosen, chosen, &one, e) < 0)) {
        free(digest);
        return NULL;
    }
    *out_named = digest;
    return one ? one : xstrdup(digest);
}

static int fetch_content(struct images *im, const struct image_name *n, const char *manifest, struct err *e)
{
    size_t i;
    const json_t *layer;
    _auto_json_ json_t *doc = blob_json(im, manifest, e);
    const char *config = doc ? jstr(doc, "config.digest") : NULL;
    if (!doc)
        return -1;
    if (!digest_is_sha256(config))
        return err_set(e, ERR_CORRUPT, "the manifest names no config");
    if (fetch(im, n, "blobs", config, config, NULL, e) < 0)
        return -1;
    json_array_foreach(json_object_get(doc, "layers"), i, layer)
    {
        const char *digest = jstr(layer, "digest");
        if (!digest_is_sha256(digest))
            return err_set(e, ERR_CORRUPT, "the manifest names a layer without a sha256 digest");
        if (fetch(im, n, "blobs", digest, digest, NULL, e) < 0)
            return -1;
    }
    return 0;
}

static int pull_locked(struct images *im, const struct image_name *n, struct err *e)
{
    _cleanup_(image_add_release) struct image_add a = {0};
    _auto_free_ char *named = NULL, *canonical = image_name_text(n);
    a.manifest = fetch_manifest(im, n, &named, e);
    if (!a.manifest)
        return err_wrap(e, "failed to resolve reference \"%s\": %s", canonical, canonical);
    if (fetch_content(im, n, a.manifest, e) < 0)
        return -1;
    if (!n->digest)
        strlist_add(&a.names, canonical);
    strlist_addf(&a.ids, "%s/%s@%s", n->domain, n->path, named);
    return image_add(im, &a, e);
}

/* "…: dial tcp localhost:5000: connect: connection refused" and the like, as Go words them. */
static void word_failure(const struct image_name *n, struct err *e)
{
    _auto_free_ char *canonical = image_name_text(n);
    const char *code = e->code == ERR_NOT_FOUND ? "NotFound" : "Unknown";
    if (e->sys_errno == ECONNREFUSED)
        err_set(e, ERR_UNAVAILABLE,
                "failed to resolve reference \"%s\": failed to do request: Head \"http://%s/v2/%s/manifests/%s\": dial "
                "tcp %s: connect: connection refused",
                canonical, n->domain, n->path, n->tag ? n->tag : n->digest, n->domain);
    err_wrap(e, "rpc error: code = %s desc = failed to pull and unpack image \"%s\"", code, canonical);
    e->code = ERR_NOT_FOUND;
}

int images_pull(struct images *im, const char *ref, struct strlist *out, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    if (image_name_parse(ref, &n, e) < 0)
        return -1;
    if (unknown_judge(&n) != UNKNOWN_LOCAL)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: only a registry on this machine can be pulled from (localhost:5000/…); for others, `docker "
                       "save` there and `stowage image import` here",
                       ref);
    pthread_rwlock_rdlock(&im->gate);
    const int rc = pull_locked(im, &n, e);
    pthread_rwlock_unlock(&im->gate);
    if (rc < 0)
        word_failure(&n, e);
    else
        strlist_take(out, image_name_text(&n));
    images_sweep(im);
    return rc;
}
