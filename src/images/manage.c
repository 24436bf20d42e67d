/* manage.c - images as a person handles them: names given and taken, images removed, and room made.
 *
 * DESIGN: a name is a pointer; an image goes with its last name, unless a container stands on its layers: then it stays
 * without a name until nobody uses it. Layers go when the last image that has them goes. Whoever removes holds the gate
 * for writing, so nobody makes or leases layers meanwhile. THREADS: any. */
#include "images/manage.h"
#include "images/images_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void images_sweep(struct images *im)
{
    pthread_rwlock_wrlock(&im->gate);
    pthread_mutex_lock(&im->mu);
    blobs_sweep(im);
    pthread_mutex_unlock(&im->mu);
    pthread_rwlock_unlock(&im->gate);
}

int images_tag(struct images *im, const char *ref, const char *name, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    if (image_name_parse(name, &n, e) < 0)
        return -1;
    if (n.digest)
        return err_set(e, ERR_BAD_REQUEST, "refusing to create a tag with a digest reference");
    _auto_free_ char *canonical = image_name_text(&n);
    pthread_mutex_lock(&im->mu);
    struct record *r = record_need_locked(im, ref, e);
    int rc = -1;
    if (r && (r->builtin || r->stub)) {
        err_set(e, ERR_UNSUPPORTED, "%s is built in and has its names from the catalogue; export and import it first",
                ref);
    } else if (r) {
        struct record *same = xcalloc(1, sizeof *same);
        same->id = xstrdup(r->id);
        strlist_add(&same->names, canonical);
        for (size_t i = 0; i < r->layers.len; i++)
            strlist_add(&same->layers, r->layers.items[i]);
        record_add_locked(im, same);
        rc = records_save_locked(im, e);
    }
    pthread_mutex_unlock(&im->mu);
    return rc;
}

/* ---- removing; with the gate held for writing, and mu ---- */

static bool layer_is_shared(const struct images *im, const char *layer)
{
    for (const struct record *r = im->records; r; r = r->next)
        if (strlist_has(&r->layers, layer))
            return true;
    return false;
}

static void record_drop(struct images *im, struct record *gone)
{
    for (struct record **at = &im->records; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    for (size_t i = gone->layers.len; i-- > 0;)
        if (!layer_is_shared(im, gone->layers.items[i]))
            layer_drop(im, gone->layers.items[i]);
    blobs_sweep(im);
    record_free(gone);
}

static bool is_used(const struct record *r, image_used_fn used, void *arg)
{
    struct image_info info;
    record_info(r, &info);
    return r->leases > 0 || (used && used(&info, arg));
}

/* Takes the name (NULL = all) and says so. */
static void untag(struct record *r, const char *name, struct strlist *out)
{
    for (size_t i = r->names.len; i-- > 0;) {
        if (name && !str_eq(r->names.items[i], name))
            continue;
        strlist_addf(out, "Untagged: %s", r->names.items[i]);
        free(r->names.items[i]);
        memmove(&r->names.items[i], &r->names.items[i + 1], (r->names.len - i - 1) * sizeof *r->names.items);
        r->names.len--;
    }
}

static int remove_locked(struct images *im, const char *ref, bool force, image_used_fn used, void *arg,
                         struct strlist *out, struct err *e)
{
    struct err ignored = ERR_INIT;
    _auto_free_ char *canonical = NULL;
    struct record *r = record_need_locked(im, ref, e);
    if (!r)
        return -1;
    const bool by_name = image_normalize(ref, &canonical, &ignored) == 0 && strlist_has(&r->names, canonical);
    if (!by_name && r->names.len > 1 && !force)
        return err_set(e, ERR_BUSY,
                       "conflict: unable to delete %.12s (must be forced) - image is referenced in "
                       "multiple repositories",
                       r->id + strlen("sha256:"));
    const bool last = !by_name || r->names.len == 1, busy = last && is_used(r, used, arg);
    if (busy && !force)
        return err_set(e, ERR_BUSY,
                       "conflict: unable to remove %s (must be forced) - a container is using its image %.12s", ref,
                       r->id + strlen("sha256:"));
    untag(r, by_name ? canonical : NULL, out);
    if (last && !busy) {
        strlist_addf(out, "Deleted: %s", r->id);
        record_drop(im, r);
    }
    return records_save_locked(im, e);
}

int images_remove(struct images *im, const char *ref, bool force, image_used_fn used, void *arg, struct strlist *out,
                  struct err *e)
{
    pthread_rwlock_wrlock(&im->gate);
    pthread_mutex_lock(&im->mu);
    const int rc = remove_locked(im, ref, force, used, arg, out, e);
    pthread_mutex_unlock(&im->mu);
    pthread_rwlock_unlock(&im->gate);
    return rc;
}

/* ---- making room ---- */

static struct record *oldest(struct images *im, int64_t before, image_used_fn used, void *arg)
{
    struct record *found = NULL;
    for (struct record *r = im->records; r; r = r->next)
        if (r->used <= before && (!found || r->used < found->used) && !is_used(r, used, arg))
            found = r;
    return found;
}

bool images_remove_oldest(struct images *im, int64_t min_age_s, image_used_fn used, void *arg, char **out_name)
{
    struct err ignored = ERR_INIT;
    pthread_rwlock_wrlock(&im->gate);
    pthread_mutex_lock(&im->mu);
    struct record *r = oldest(im, images_now(im) - min_age_s, used, arg);
    if (r) {
        *out_name = xstrdup(r->names.len ? r->names.items[0] : r->id);
        record_drop(im, r);
        records_save_locked(im, &ignored); /* a record without layers is dropped when it is read */
    }
    pthread_mutex_unlock(&im->mu);
    pthread_rwlock_unlock(&im->gate);
    return r != NULL;
}
