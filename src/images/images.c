/* images.c - from a name in a pod to layers on disk (see image.h).
 *
 * DESIGN: the catalogue is data (catalogue.c), its layers are data (content*.c); this file joins them: parse the name,
 * find the row, ask its tag rule, make the layers that are missing. What was used once is noted in <dir>/pulled, so
 * that a restart still knows which images are present.
 *
 * THREADS: safe from any thread; layers.c copes with two builders, one mutex guards the notes. */
#include "images/image.h"
#include "images/images_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct images {
    char *dir;    /* owned */
    char *layers; /* owned; <dir>/layers */
    char *pulled; /* owned; <dir>/pulled: a file for each image used */
    pthread_mutex_t mu;
};

int images_open(const char *dir, struct images **out, struct err *e)
{
    struct images *im = xcalloc(1, sizeof *im);
    pthread_mutex_init(&im->mu, NULL);
    im->dir = xstrdup(dir);
    im->layers = xasprintf("%s/layers", dir);
    im->pulled = xasprintf("%s/pulled", dir);
    const char *const dirs[] = {im->dir, im->layers, im->pulled};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (mkdir(dirs[i], 0755) == 0 || errno == EEXIST)
            continue;
        err_sys(e, errno, "mkdir %s", dirs[i]);
        images_close(im);
        return -1;
    }
    *out = im;
    return 0;
}

void images_close(struct images *im)
{
    if (!im)
        return;
    pthread_mutex_destroy(&im->mu);
    free(im->dir);
    free(im->layers);
    free(im->pulled);
    free(im);
}

/* ---- the answer ---- */

/* What image_free() gets back: the public part first, then what it points to. */
struct image_box {
    struct image image;
    struct strlist texts; /* ref, canonical, id */
    struct strlist layers, entrypoint, cmd, env;
    char *workdir, *user; /* owned */
};

void image_free(struct image *i)
{
    if (!i)
        return;
    struct image_box *b = (struct image_box *)i;
    strlist_release(&b->texts);
    strlist_release(&b->layers);
    strlist_release(&b->entrypoint);
    strlist_release(&b->cmd);
    strlist_release(&b->env);
    free(b->workdir);
    free(b->user);
    free(b);
}

static void add_words(struct strlist *l, const char *const *words, size_t max, const char *version)
{
    for (size_t i = 0; i < max && words[i]; i++) {
        const char *mark = strstr(words[i], "@VERSION@");
        if (mark)
            strlist_addf(l, "%.*s%s%s", (int)(mark - words[i]), words[i], version, mark + 9);
        else
            strlist_add(l, words[i]);
    }
}

/* A list as a NULL-terminated vector, borrowed from it. */
static const char *const *vector(struct strlist *l)
{
    l->items = xrealloc(l->items, (l->len + 1) * sizeof *l->items);
    l->cap = l->len + 1;
    l->items[l->len] = NULL;
    return (const char *const *)l->items;
}

static char *digest_of(const char *repository, const char *canonical)
{
    struct sha256 s;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&s);
    sha256_add(&s, "stowage", 7);
    sha256_add(&s, canonical, strlen(canonical));
    sha256_hex(&s, hex);
    return xasprintf("%s@sha256:%s", repository, hex);
}

static struct image_box *box_new(const struct image_def *def, const char *ref, const char *canonical,
                                 const char *version)
{
    struct image_box *b = xcalloc(1, sizeof *b);
    strlist_add(&b->texts, ref);
    strlist_add(&b->texts, canonical);
    strlist_take(&b->texts, digest_of(def->repository, canonical));
    add_words(&b->entrypoint, def->entrypoint, ARRAY_LEN(def->entrypoint), version);
    add_words(&b->cmd, def->cmd, ARRAY_LEN(def->cmd), version);
    add_words(&b->env, def->env, ARRAY_LEN(def->env), version);
    b->workdir = xstrdup(def->workdir ? def->workdir : "/");
    b->user = xstrdup(def->user ? def->user : "");
    b->image.ref = b->texts.items[0];
    b->image.canonical = b->texts.items[1];
    b->image.image_id = b->texts.items[2];
    b->image.size = def->size;
    b->image.entrypoint = vector(&b->entrypoint);
    b->image.cmd = vector(&b->cmd);
    b->image.env = vector(&b->env);
    b->image.workdir = b->workdir;
    b->image.user = b->user;
    return b;
}

/* ---- finding ---- */

static int add_layer(struct images *im, struct image_box *b, const char *id, const char *version, struct err *e)
{
    const struct layer_def *def = layer_by_id(id);
    if (!def)
        BUG("the catalogue names an unknown layer: %s", id);
    char *path = NULL;
    bool made = false;
    if (layer_make(im->layers, def, version, &path, &made, e) < 0)
        return -1;
    strlist_take(&b->layers, path);
    return 0;
}

/* The file that says an image was used. Returns new. */
static char *pulled_path(const struct images *im, const char *canonical)
{
    _auto_free_ char *name = xstrdup(canonical);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '+';
    return xasprintf("%s/%s", im->pulled, name);
}

bool images_present(struct images *im, const char *ref)
{
    _auto_free_ char *canonical = NULL;
    struct err e = ERR_INIT;
    if (image_normalize(ref, &canonical, &e) < 0)
        return false;
    _auto_free_ char *path = pulled_path(im, canonical);
    return access(path, F_OK) == 0;
}

/* Notes that the image was used; was it before? */
static bool note_pulled(struct images *im, const char *canonical)
{
    _auto_free_ char *path = pulled_path(im, canonical);
    pthread_mutex_lock(&im->mu);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    pthread_mutex_unlock(&im->mu);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

/* What a containerd without network says of a repository it does not have. */
static int unreachable(const struct image_name *n, const char *canonical, struct err *e)
{
    const char *host = str_eq(n->domain, "docker.io") ? "registry-1.docker.io" : n->domain;
    return err_set(e, ERR_NOT_FOUND,
                   "rpc error: code = Unknown desc = failed to pull and unpack image \"%s\": failed to resolve "
                   "reference \"%s\": failed to "
                   "do request: Head \"https://%s/v2/%s/manifests/%s\": dial tcp: lookup %.*s: no such host (Stowage "
                   "works offline: "
                   "bring an image with \"stowage image import ARCHIVE\")",
                   canonical, canonical, host, n->path, n->tag ? n->tag : n->digest, (int)strcspn(host, ":"), host);
}

static int no_such_tag(const char *canonical, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND,
                   "rpc error: code = NotFound desc = failed to pull and unpack image \"%s\": failed to resolve "
                   "reference \"%s\": %s: not "
                   "found",
                   canonical, canonical, canonical);
}

/* Variants of an image on another distribution say so in their tag. */
static const char *os_layer(const struct image_def *def, const char *tag, const char **out_version)
{
    if (strstr(tag, "alpine") && str_eq(def->os, "debian")) {
        *out_version = "3.21.3";
        return "alpine";
    }
    *out_version = def->os_version;
    return def->os;
}

int images_resolve(struct images *im, const char *ref, struct image **out, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    if (image_name_parse(ref, &n, e) < 0)
        return -1;
    _auto_free_ char *canonical = image_name_text(&n);
    _auto_free_ char *repository = xasprintf("%s/%s", n.domain, n.path);
    const struct image_def *def = catalogue_find(repository, NULL);
    if (!def)
        return unreachable(&n, canonical, e);
    _auto_free_ char *version = NULL;
    while (def && !tag_find(def->tags, n.tag ? n.tag : "latest", &version))
        def = catalogue_find(repository, def);
    if (!def)
        return no_such_tag(canonical, e);

    struct image_box *b = box_new(def, ref, canonical, version);
    const char *os_version = NULL;
    const char *os = os_layer(def, n.tag ? n.tag : "", &os_version);
    if ((os && add_layer(im, b, os, os_version ? os_version : version, e) < 0) ||
        (def->app && add_layer(im, b, def->app, version, e) < 0)) {
        image_free(&b->image);
        return -1;
    }
    b->image.layers = vector(&b->layers);
    b->image.already_present = note_pulled(im, canonical);
    *out = &b->image;
    return 0;
}

void images_each(struct images *im, void (*visit)(const char *canonical, int64_t size, void *arg), void *arg)
{
    (void)im;
    size_t count = 0;
    const struct image_def *rows = catalogue_rows(&count);
    for (size_t i = 0; i < count; i++) {
        _auto_free_ char *name = xasprintf("%s:%s", rows[i].repository, "latest");
        _auto_free_ char *version = NULL;
        if (tag_find(rows[i].tags, "latest", &version))
            visit(name, rows[i].size, arg);
    }
}
