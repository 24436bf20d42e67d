/* image_gc.c - image garbage collection: what no pod uses goes when imagefs fills up.
 *
 * DESIGN: every five minutes, if imagefs is 85 % full, images are removed until it is at 80 %, those first whose last
 * use is longest ago; one that is younger than two minutes stays, as somebody may just be about to use it. Under disk
 * pressure all that are not used go (eviction.c). There is one imagefs for all nodes, so what a pod of any node uses
 * stays.
 *
 * THREADS: image_gc_run() on a worker; the rest on the loop thread. Source: pkg/kubelet/images/image_gc_manager.go. */
#include "kubeletsim/eviction_int.h"

#include <stdlib.h>

#define PERIOD_MS    300000
#define HIGH_PERCENT 85
#define LOW_PERCENT  80
#define MIN_AGE_S    120

bool image_gc_due(struct kubelet *k, struct image_gc *state)
{
    const int64_t now = kubelet_mono(k);
    if (!state->next)
        state->next = now + PERIOD_MS;
    if (now < state->next)
        return false;
    state->next = now + PERIOD_MS;
    return true;
}

static void add_use(struct strlist *out, const char *name)
{
    if (!str_empty(name) && !strlist_has(out, name))
        strlist_add(out, name);
}

void images_in_use(struct kubelet *k, struct strlist *out)
{
    for (const struct pod_run *p = k->pods; p; p = p->next)
        for (size_t i = 0; p->stage < POD_KEPT && i < p->container_count; i++) {
            const struct container_run *c = &p->containers[i];
            struct err e = ERR_INIT;
            _auto_free_ char *canonical = NULL;
            if (image_normalize(jstr_or(c->spec, "image", ""), &canonical, &e) == 0)
                add_use(out, canonical);
            add_use(out, c->image);
            add_use(out, c->image_id);
        }
}

static bool is_used(const struct image_info *info, void *arg)
{
    const struct strlist *used = arg;
    const char *const *const lists[] = {info->names, info->ids};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (const char *const *name = lists[l]; name && *name; name++)
            if (strlist_has(used, *name))
                return true;
    return false;
}

/* How much imagefs has to give back, in the manager's arithmetic; 0: nothing. */
static int64_t amount_to_free(const struct fs_stat *fs)
{
    if (fs->bytes <= 0 || 100 - fs->bytes_avail * 100 / fs->bytes < HIGH_PERCENT)
        return 0;
    const int64_t amount = fs->bytes * (100 - LOW_PERCENT) / 100 - fs->bytes_avail;
    return amount > 0 ? amount : 0;
}

static void collect(struct kubelet *k, const char *node, struct node_stats *s, struct strlist *used, bool all,
                    struct image_gc_result *r)
{
    struct err e = ERR_INIT;
    if (k->m->ops->fs_stat(k->m, node, NODE_IMAGEFS, &s->imagefs, &e) < 0)
        return;
    const struct fs_stat before = s->imagefs;
    r->wanted = r->due ? amount_to_free(&before) : 0;
    while (all || r->freed < r->wanted) {
        _auto_free_ char *name = NULL;
        if (!images_remove_oldest(k->conf.images, MIN_AGE_S, is_used, used, &name))
            break;
        if (k->m->ops->fs_stat(k->m, node, NODE_IMAGEFS, &s->imagefs, &e) < 0)
            break;
        r->freed = s->imagefs.bytes_free - before.bytes_free;
    }
}

/* One after the other, each with what the one before left: two nodes that find the same shortage would else both mend
 * it. */
void image_gc_run(struct kubelet *k, const char *node, struct node_stats *s, struct strlist *used, bool all,
                  struct image_gc_result *r)
{
    if (!s->ok || (!all && !r->due))
        return;
    pthread_mutex_lock(&k->images_mu);
    collect(k, node, s, used, all, r);
    pthread_mutex_unlock(&k->images_mu);
}

void image_gc_tell(struct kubelet *k, const struct node_run *n, struct image_gc *state, const struct image_gc_result *r)
{
    if (!r->due)
        return;
    const bool failed = r->freed < r->wanted;
    _auto_free_ char *text =
        xasprintf("Failed to garbage collect required amount of images. Attempted to free %lld bytes, but only found "
                  "%lld bytes eligible to free.",
                  (long long)r->wanted, (long long)r->freed);
    if (failed)
        node_event(k, n, EVENT_WARNING, "FreeDiskSpaceFailed", "%s", text);
    if (failed && state->failed) /* once may be an accident */
        node_event(k, n, EVENT_WARNING, "ImageGCFailed", "%s", text);
    state->failed = failed;
}
