/* images.c - from a name in a pod to layers on disk (see image.h).
 *
 * DESIGN: three sources, asked in turn: what was imported or pulled (records.c), the catalogue, which is data
 * (catalogue.c, content.c), and for a name that nobody knows the rules of unknown.c. Whatever it was, what comes out is
 * made of an OCI config and a list of layer directories. What was used once is a record, so that a restart still knows
 * which images are present.
 *
 * THREADS: any. The gate lets many make and use layers, and whoever removes some be alone; a struct image is a lease
 * on its record. */
#include "images/image.h"
#include "images/images_int.h"
#include "images/manage.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- open and close ---- */

static int make_dirs(struct images *im, struct err *e)
{
    _auto_free_ char *parent = xasprintf("%s/blobs", im->dir);
    layer_remove(im->temp, e); /* of a life that ended in the middle */
    err_clear(e);
    const char *const dirs[] = {im->dir, im->layers, parent, im->blobs, im->temp};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (mkdir(dirs[i], 0755) < 0 && errno != EEXIST)
            return err_sys(e, errno, "mkdir %s", dirs[i]);
    return 0;
}

int images_open(const char *dir, struct images **out, struct err *e)
{
    struct images *im = xcalloc(1, sizeof *im);
    pthread_rwlock_init(&im->gate, NULL);
    pthread_mutex_init(&im->mu, NULL);
    im->dir = xstrdup(dir);
    im->layers = xasprintf("%s/layers", dir);
    im->blobs = xasprintf("%s/blobs/sha256", dir);
    im->temp = xasprintf("%s/temp", dir);
    if (make_dirs(im, e) < 0 || records_load(im, e) < 0) {
        images_close(im);
        return -1;
    }
    *out = im;
    return 0;
}

void images_configure(struct images *im, const struct images_conf *conf)
{
    struct err e = ERR_INIT;
    im->conf = *conf;
    for (struct record *r; (r = im->records); record_free(r))
        im->records = r->next;
    records_load(im, &e); /* it could be read a moment ago */
}

void images_close(struct images *im)
{
    struct err e = ERR_INIT;
    if (!im)
        return;
    if (im->records)
        records_save_locked(im, &e);
    for (struct record *r; (r = im->records); record_free(r))
        im->records = r->next;
    pthread_mutex_destroy(&im->mu);
    pthread_rwlock_destroy(&im->gate);
    free(im->dir);
    free(im->layers);
    free(im->blobs);
    free(im->temp);
    free(im);
}

/* ---- the answer ---- */

/* What image_free() gets back: the public part first, then what it points to. */
struct image_box {
    struct image image;
    struct images *owner;
    struct strlist texts; /* ref, canonical, id, workdir, user, signal; and the id of its record */
    struct strlist layers, entrypoint, cmd, env, volumes;
};
enum { TEXT_REF, TEXT_CANONICAL, TEXT_ID, TEXT_WORKDIR, TEXT_USER, TEXT_SIGNAL, TEXT_RECORD };

void image_free(struct image *i)
{
    if (!i)
        return;
    struct image_box *b = (struct image_box *)i;
    pthread_mutex_lock(&b->owner->mu);
    for (struct record *r = b->owner->records; r; r = r->next)
        if (str_eq(r->id, b->texts.items[TEXT_RECORD]) && r->leases)
            r->leases--;
    pthread_mutex_unlock(&b->owner->mu);
    strlist_release(&b->texts);
    strlist_release(&b->layers);
    strlist_release(&b->entrypoint);
    strlist_release(&b->cmd);
    strlist_release(&b->env);
    strlist_release(&b->volumes);
    free(b);
}

static const char *const *take_list(struct strlist *out, const json_t *config, const char *key)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(config, key), i, item)
    {
        if (json_is_string(item))
            strlist_add(out, json_string_value(item));
    }
    return strlist_vector(out);
}

static const char *const *take_keys(struct strlist *out, const json_t *config, const char *key)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(config, key), name, value)
    {
        if (name[0] == '/')
            strlist_add(out, name);
    }
    return strlist_vector(out);
}

static const char *or_text(const char *text, const char *other)
{
    return str_empty(text) ? other : text;
}

/* Of a record, whose use it counts. image: its OCI config. */
static struct image *box_locked(struct images *im, struct record *r, const char *ref, const char *canonical,
                                const char *image_id, const json_t *image)
{
    struct image_box *b = xcalloc(1, sizeof *b);
    const json_t *config = json_object_get(image, "config");
    const char *const texts[] = {[TEXT_REF] = ref,
                                 [TEXT_CANONICAL] = canonical,
                                 [TEXT_ID] = image_id,
                                 [TEXT_WORKDIR] = or_text(jstr(config, "WorkingDir"), "/"),
                                 [TEXT_USER] = jstr_or(config, "User", ""),
                                 [TEXT_SIGNAL] = jstr_or(config, "StopSignal", ""),
                                 [TEXT_RECORD] = r->id};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        strlist_add(&b->texts, texts[i]);
    for (size_t i = 0; i < r->layers.len; i++)
        strlist_addf(&b->layers, "%s/%s", im->layers, r->layers.items[i]);
    b->owner = im;
    b->image = (struct image){
        .ref = b->texts.items[TEXT_REF],
        .canonical = b->texts.items[TEXT_CANONICAL],
        .image_id = b->texts.items[TEXT_ID],
        .size = r->size,
        .layers = strlist_vector(&b->layers),
        .entrypoint = take_list(&b->entrypoint, config, "Entrypoint"),
        .cmd = take_list(&b->cmd, config, "Cmd"),
        .env = take_list(&b->env, config, "Env"),
        .volumes = take_keys(&b->volumes, config, "Volumes"),
        .workdir = b->texts.items[TEXT_WORKDIR],
        .user = b->texts.items[TEXT_USER],
        .stop_signal = b->texts.items[TEXT_SIGNAL],
        .stub = r->stub,
    };
    r->leases++;
    r->used = images_now(im);
    return &b->image;
}

/* ---- finding ---- */

bool images_present(struct images *im, const char *ref)
{
    _auto_free_ char *canonical = NULL;
    struct err e = ERR_INIT;
    if (image_normalize(ref, &canonical, &e) < 0)
        return false;
    pthread_mutex_lock(&im->mu);
    const bool there = record_find_locked(im, canonical) != NULL;
    pthread_mutex_unlock(&im->mu);
    return there;
}

/* One that was imported or pulled. NULL: there is none. */
static struct image *find_real(struct images *im, const char *ref, const char *canonical)
{
    struct image *found = NULL;
    pthread_mutex_lock(&im->mu);
    struct record *r = record_find_locked(im, canonical);
    if (r && r->config) {
        found = box_locked(im, r, ref, canonical, r->ids.len ? r->ids.items[0] : r->id, r->config);
        found->already_present = true;
    }
    pthread_mutex_unlock(&im->mu);
    return found;
}

/* Notes that a built-in image is here, and gives it. */
static struct image *note_builtin(struct images *im, const struct image_def *def, const char *ref,
                                  const struct image_name *n, struct strlist *layers, const json_t *config)
{
    struct err ignored = ERR_INIT;
    _auto_free_ char *canonical = image_name_text(n);
    _auto_free_ char *digest = builtin_digest(canonical);
    _auto_free_ char *id = xasprintf("%s/%s@%s", n->domain, n->path, digest);
    pthread_mutex_lock(&im->mu);
    const bool present = record_find_locked(im, canonical) != NULL;
    struct record *r = xcalloc(1, sizeof *r);
    r->id = xstrdup(digest);
    strlist_add(n->digest ? &r->ids : &r->names, canonical);
    if (!n->digest)
        strlist_add(&r->ids, id);
    r->layers = *layers;
    *layers = (struct strlist){0};
    r->size = def->size;
    r->added = images_now(im);
    r->builtin = def != &stub_def;
    r->stub = def == &stub_def;
    record_add_locked(im, r);
    struct image *image = box_locked(im, record_find_locked(im, digest), ref, canonical, id, config);
    image->already_present = present;
    if (!present)
        records_save_locked(im, &ignored); /* else it is pulled again some day */
    pthread_mutex_unlock(&im->mu);
    return image;
}

static int make_builtin(struct images *im, const struct image_def *def, const char *ref, const struct image_name *n,
                        const char *version, struct image **out, struct err *e)
{
    _auto_strlist_ struct strlist layers = {0};
    if (builtin_layers(im, def, n->tag, version, &layers, e) < 0)
        return -1;
    _auto_json_ json_t *config = builtin_config(def, version);
    *out = note_builtin(im, def, ref, n, &layers, config);
    return 0;
}

static int resolve_unknown(struct images *im, const char *ref, const struct image_name *n, struct image **out,
                           struct err *e)
{
    enum unknown what = unknown_judge(n);
    if (what == UNKNOWN_STUB && im->conf.fail_unknown)
        what = UNKNOWN_NO_HOST;
    return what == UNKNOWN_STUB ? make_builtin(im, &stub_def, ref, n, "1", out, e) : unknown_refuse(what, n, e);
}

/* With the gate held. 1: it is to be pulled first. */
static int resolve(struct images *im, const char *ref, const struct image_name *n, struct image **out, struct err *e)
{
    const struct image_def *def = NULL;
    _auto_free_ char *version = NULL, *canonical = image_name_text(n);
    _auto_free_ char *repository = xasprintf("%s/%s", n->domain, n->path);
    *out = find_real(im, ref, canonical);
    if (*out)
        return 0;
    if (builtin_find(n, &def, &version))
        return make_builtin(im, def, ref, n, version, out, e);
    if (catalogue_find(repository, NULL))
        return unknown_refuse(UNKNOWN_NO_TAG, n, e);
    if (unknown_judge(n) == UNKNOWN_LOCAL)
        return 1;
    return resolve_unknown(im, ref, n, out, e);
}

int images_resolve(struct images *im, const char *ref, struct image **out, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    struct image *found = NULL;
    if (image_name_parse(ref, &n, e) < 0)
        return -1;
    pthread_rwlock_rdlock(&im->gate);
    int rc = resolve(im, ref, &n, &found, e);
    pthread_rwlock_unlock(&im->gate);
    if (rc == 1) {
        _auto_strlist_ struct strlist names = {0};
        _auto_free_ char *canonical = image_name_text(&n);
        rc = images_pull(im, canonical, &names, e);
        found = rc == 0 ? find_real(im, ref, canonical) : NULL;
        if (rc == 0 && !found)
            rc = err_set(e, ERR_NOT_FOUND, "%s: it was removed while it was pulled", canonical);
        else if (found)
            found->already_present = false;
    }
    if (rc == 0)
        *out = found;
    return rc;
}

void images_each(struct images *im, void (*visit)(const struct image_info *info, void *arg), void *arg)
{
    pthread_mutex_lock(&im->mu);
    for (const struct record *r = im->records; r; r = r->next) {
        struct image_info info;
        record_info(r, &info);
        visit(&info, arg);
    }
    pthread_mutex_unlock(&im->mu);
}
