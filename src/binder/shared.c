/* shared.c - lookups, writes and small memories the loops of this folder share. THREADS: the loop thread. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* -- lookups -- */

struct sobj *read_pv(struct loop *l, const char *name)
{
    return str_empty(name) ? NULL : reg_read(loop_registry(l), RES.persistentvolumes, "", name);
}

struct sobj *read_claim(struct loop *l, const char *ns, const char *name)
{
    return str_empty(name) ? NULL : reg_read(loop_registry(l), RES.persistentvolumeclaims, ns, name);
}

struct sobj *read_class(struct loop *l, const char *name)
{
    return str_empty(name) ? NULL : reg_read(loop_registry(l), RES.storageclasses, "", name);
}

struct sobj *read_claim_of(struct loop *l, const json_t *pv)
{
    struct sobj *claim = read_claim(l, jstr_or(pv, "spec.claimRef.namespace", ""), jstr(pv, "spec.claimRef.name"));
    if (claim && pv_is_for_claim(pv, claim->tree))
        return claim;
    sobj_unref(claim);
    return NULL;
}

struct sobj *read_pv_of(struct loop *l, const json_t *claim)
{
    return read_pv(l, jstr(claim, "spec.volumeName"));
}

static void each_claim_of_pod(struct loop *l, const json_t *pod, bool volumes)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        char name[512];
        pod_volume_claim(pod, volume, name, sizeof name);
        if (!*name)
            continue;
        if (!volumes) {
            loop_enqueue(l, obj_ns(pod), name);
            continue;
        }
        _auto_sobj_ struct sobj *claim = read_claim(l, obj_ns(pod), name);
        const char *pv = claim ? jstr(claim->tree, "spec.volumeName") : NULL;
        if (!str_empty(pv))
            loop_enqueue(l, "", pv);
    }
}

void enqueue_claims_of_pod(struct loop *l, const json_t *pod)
{
    each_claim_of_pod(l, pod, false);
}

void enqueue_volumes_of_pod(struct loop *l, const json_t *pod)
{
    each_claim_of_pod(l, pod, true);
}

/* -- writes -- */

static int gone_is_done(int rc, struct err *e)
{
    if (rc < 0 && e->code == ERR_NOT_FOUND) {
        err_clear(e);
        return 0;
    }
    return rc;
}

int modify(struct loop *l, const char *who, const struct resource *res, const json_t *obj, const char *sub,
           edit_fn edit, void *arg, struct err *e)
{
    return gone_is_done(reg_modify(loop_registry(l), who, res, obj_ns(obj), obj_name(obj), sub, edit, arg, e), e);
}

int modify_all(struct loop *l, const char *who, struct reg_edit *edits, size_t n)
{
    int rc = 0;
    if (reg_modify_all(loop_registry(l), who, edits, n) == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        edits[i].rc = gone_is_done(edits[i].rc, &edits[i].err);
        if (edits[i].rc < 0)
            rc = -1;
    }
    return rc;
}

int remove_object(struct loop *l, const char *who, const struct resource *res, const json_t *obj, struct err *e)
{
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.uid = obj_uid(obj);
    return gone_is_done(reg_remove(loop_registry(l), who, res, obj_ns(obj), obj_name(obj), &opts, e), e);
}

int edit_finalizer_add(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    return !jstr(obj, "metadata.deletionTimestamp") && finalizer_add(obj, arg) ? 1 : 0;
}

int edit_finalizer_remove(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    return finalizer_remove(obj, arg) ? 1 : 0;
}

/* -- said once -- */

#define SEEN_MAX 4096 /* then the oldest half is forgotten: something may be said twice, nothing grows for ever */

static uint64_t hash_text(const char *fmt, va_list ap)
{
    char text[1024];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    return str_hash64(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

static bool seen_hash(const struct seen *s, uint64_t h)
{
    for (size_t i = 0; i < s->len; i++)
        if (s->slots[i] == h)
            return true;
    return false;
}

bool seen_has(const struct seen *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    uint64_t h = hash_text(fmt, ap);
    va_end(ap);
    return seen_hash(s, h);
}

bool seen_first(struct seen *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    uint64_t h = hash_text(fmt, ap);
    va_end(ap);
    if (seen_hash(s, h))
        return false;
    if (s->len == SEEN_MAX) {
        s->len /= 2;
        memmove(s->slots, s->slots + s->len, s->len * sizeof *s->slots);
    }
    if (s->len == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 32;
        s->slots = xrealloc(s->slots, s->cap * sizeof *s->slots);
    }
    s->slots[s->len++] = h;
    return true;
}

void seen_forget(struct seen *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    uint64_t h = hash_text(fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < s->len; i++) {
        if (s->slots[i] == h) {
            s->slots[i] = s->slots[--s->len];
            return;
        }
    }
}

void seen_release(struct seen *s)
{
    free(s->slots);
    *s = (struct seen){0};
}

/* -- jobs in flight -- */

static struct flight *flight_find(struct flights *f, const char *key)
{
    for (size_t i = 0; i < f->len; i++)
        if (str_eq(f->items[i].key, key))
            return &f->items[i];
    return NULL;
}

bool flight_begin(struct loop *l, struct flights *f, const char *key)
{
    struct flight *have = flight_find(f, key);
    if (have && (have->running || clock_mono_ms(loop_clock(l)) < have->not_before_ms))
        return false;
    if (!have) {
        if (f->len == f->cap) {
            f->cap = f->cap ? 2 * f->cap : 16;
            f->items = xrealloc(f->items, f->cap * sizeof *f->items);
        }
        have = &f->items[f->len++];
        *have = (struct flight){.key = xstrdup(key)};
    }
    have->running = true;
    return true;
}

int64_t flight_end(struct loop *l, struct flights *f, const char *key, bool ok, int64_t min_ms, int64_t max_ms)
{
    struct flight *have = flight_find(f, key);
    if (!have)
        BUG("job \"%s\" ended but never began", key);
    if (ok) {
        free(have->key);
        *have = f->items[--f->len];
        return 0;
    }
    have->running = false;
    unsigned shift = have->failures < 20 ? have->failures : 20;
    have->failures++;
    int64_t wait = min_ms << shift;
    wait = wait < max_ms ? wait : max_ms;
    have->not_before_ms = clock_mono_ms(loop_clock(l)) + wait;
    return wait;
}

void flight_forgive(struct flights *f, const char *key)
{
    struct flight *have = flight_find(f, key);
    if (have)
        have->not_before_ms = 0;
}

void flights_release(struct flights *f)
{
    for (size_t i = 0; i < f->len; i++)
        free(f->items[i].key);
    free(f->items);
    *f = (struct flights){0};
}

void flights_stop(struct loop *l)
{
    flights_release(loop_state(l));
}
