/* sources.c - what the loops watch.
 *
 * DESIGN. One store watch a bucket. Each change is handed to every subscribed loop, which maps it to keys. A watch that
 * fell behind was dropped by the store: then the bucket is listed again and handed out whole. What vanished meanwhile
 * is found by asking the store how the bucket looked at the last revision seen (it can tell while its history reaches
 * back that far), so loops see deletions even across an overflow.
 *
 * THREADS. The loop thread; the store's notification only marks the source ready. */
#include "control/control_int.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void source_subscribe(struct control *c, struct loop *l, const struct loop_watch *w)
{
    struct source **link = &c->sources;
    while (*link && strcmp((*link)->bucket, w->bucket) != 0)
        link = &(*link)->next;
    if (!*link) {
        *link = xcalloc(1, sizeof **link);
        (*link)->control = c;
        (*link)->bucket = w->bucket;
    }
    struct source *src = *link;
    src->subs = xrealloc(src->subs, (src->subs_len + 1) * sizeof *src->subs);
    src->subs[src->subs_len++] = (struct subscription){l, w->map};
}

static void hand_to(const struct subscription *sub, const struct watch_event *ev)
{
    if (sub->map)
        sub->map(sub->loop, ev);
    else
        loop_enqueue(sub->loop, ev->obj->ns, ev->obj->name);
}

static void hand_out(const struct source *src, const struct watch_event *ev)
{
    for (size_t i = 0; i < src->subs_len; i++)
        hand_to(&src->subs[i], ev);
}

static void source_notify(void *arg)
{
    struct source *src = arg;
    pthread_mutex_lock(&src->control->mu);
    src->ready = true;
    control_wake_locked(src->control);
    pthread_mutex_unlock(&src->control->mu);
}

/* -- listing -- */

struct listing {
    const struct source *src;
    const struct snapshot *before; /* or NULL */
    const struct snapshot *now;
};

static int list_present(struct sobj *obj, void *arg)
{
    const struct listing *ls = arg;
    _auto_sobj_ struct sobj *prev = ls->before ? snapshot_get(ls->before, obj->bucket, obj->ns, obj->name) : NULL;
    struct watch_event ev = {.type = prev ? WATCH_MODIFIED : WATCH_ADDED, .obj = obj, .prev = prev};
    hand_out(ls->src, &ev);
    return 0;
}

static int list_vanished(struct sobj *obj, void *arg)
{
    const struct listing *ls = arg;
    _auto_sobj_ struct sobj *still = snapshot_get(ls->now, obj->bucket, obj->ns, obj->name);
    struct watch_event ev = {.type = WATCH_DELETED, .obj = obj, .prev = obj};
    if (!still)
        hand_out(ls->src, &ev);
    return 0;
}

static struct store *source_store(const struct source *src)
{
    return registry_store(src->control->conf.registry);
}

int source_start(struct source *src, struct err *e)
{
    struct store *store = source_store(src);
    struct snapshot *before = src->seen_rv ? store_snapshot_at(store, src->seen_rv) : NULL;
    struct snapshot *now = store_snapshot(store);
    struct watch_conf conf = {.bucket = src->bucket, .after_rv = snapshot_rv(now), .notify = source_notify, .arg = src};
    int rc = store_watch(store, &conf, &src->watch, e);
    if (rc == 0) {
        struct listing ls = {src, before, now};
        src->seen_rv = snapshot_rv(now);
        snapshot_scan(now, src->bucket, NULL, NULL, NULL, list_present, &ls);
        if (before)
            snapshot_scan(before, src->bucket, NULL, NULL, NULL, list_vanished, &ls);
    }
    snapshot_unref(now);
    snapshot_unref(before);
    return rc;
}

/* The watch is dead: begin again, unless the store closes. */
static void source_restart(struct source *src)
{
    struct err e = ERR_INIT;
    watch_close(TAKE(src->watch));
    for (int tries = 0; tries < 3; tries++) {
        int rc = source_start(src, &e);
        if (rc == 0 || e.code != ERR_EXPIRED)
            break;
    }
    if (!src->watch && e.code != ERR_UNAVAILABLE)
        log_error("control", "watching %s: %s", src->bucket, e.msg);
}

bool source_drain(struct source *src)
{
    pthread_mutex_lock(&src->control->mu);
    bool ready = src->ready;
    src->ready = false;
    pthread_mutex_unlock(&src->control->mu);
    if (!ready || !src->watch)
        return false;
    struct watch_event ev;
    int rc;
    while ((rc = watch_next(src->watch, &ev)) > 0) {
        hand_out(src, &ev);
        src->seen_rv = ev.obj->rv;
        watch_event_release(&ev);
    }
    if (rc < 0)
        source_restart(src);
    return true;
}

void source_free(struct source *src)
{
    watch_close(src->watch);
    free(src->subs);
    free(src);
}

/* -- resync -- */

static int resync_one(struct sobj *obj, void *arg)
{
    struct loop *l = arg;
    struct subscription sub = {l, l->def->watches[0].map};
    struct watch_event ev = {.type = WATCH_ADDED, .obj = obj};
    hand_to(&sub, &ev);
    return 0;
}

void loop_resync(struct loop *l)
{
    struct snapshot *now = store_snapshot(registry_store(l->control->conf.registry));
    snapshot_scan(now, l->def->watches[0].bucket, NULL, NULL, NULL, resync_one, l);
    snapshot_unref(now);
}
