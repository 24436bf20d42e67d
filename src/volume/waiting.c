/* waiting.c - the claims that wait, so that a volume which becomes free calls one of them and not all.
 *
 * DESIGN: a claim stands in one line: that of its class if it takes any volume, or that of a volume it names (or lost).
 * Lines are in the order in which the claims came. A free volume calls the first in line it could serve and takes it
 * out; two volumes that become free together so call two claims. A claim that was called looks for itself, and if it
 * finds nothing it is put back. Should a claim miss its call in some crossing of changes, the binder's resync finds it
 * 15 seconds later, which is all the real controller ever does.
 *
 * THREADS: none. */
#include "volume/index.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct waiter {
    struct waiter *hash_next;
    struct waiter *prev, *next; /* in its line */
    struct line *line;
    int64_t request;
    unsigned modes;
    bool block, selects;
    char *ns, *name; /* owned */
};

/* Claims of a class, or claims that name a volume. */
struct line {
    struct line *hash_next;
    struct waiter *first, *last;
    bool named;
    char key[];
};

struct claim_index {
    struct waiter **waiters; /* owned table */
    struct line **lines;     /* owned table of the same size, a power of two */
    size_t size, len, line_count;
};

static uint64_t hash(const char *a, const char *b)
{
    return str_hash64(a, strlen(a)) * 31 + str_hash64(b, strlen(b));
}

/* -- lines -- */

static struct line **line_slot(const struct claim_index *x, bool named, const char *key)
{
    return &x->lines[hash(named ? "v" : "c", key) & (x->size - 1)];
}

static struct line *line_find(const struct claim_index *x, bool named, const char *key)
{
    struct line *l = *line_slot(x, named, key);
    while (l && (l->named != named || !str_eq(l->key, key)))
        l = l->hash_next;
    return l;
}

static struct line *line_for(struct claim_index *x, bool named, const char *key)
{
    struct line *l = line_find(x, named, key);
    if (l)
        return l;
    l = xcalloc(1, sizeof *l + strlen(key) + 1);
    l->named = named;
    memcpy(l->key, key, strlen(key) + 1);
    struct line **at = line_slot(x, named, key);
    l->hash_next = *at;
    *at = l;
    x->line_count++;
    return l;
}

static void line_forget(struct claim_index *x, struct line *l)
{
    struct line **at = line_slot(x, l->named, l->key);
    while (*at != l)
        at = &(*at)->hash_next;
    *at = l->hash_next;
    x->line_count--;
    free(l);
}

/* -- waiters -- */

static struct waiter **waiter_slot(const struct claim_index *x, const char *ns, const char *name)
{
    struct waiter **at = &x->waiters[hash(ns, name) & (x->size - 1)];
    while (*at && (!str_eq((*at)->name, name) || !str_eq((*at)->ns, ns)))
        at = &(*at)->hash_next;
    return at;
}

static void waiter_remove(struct claim_index *x, struct waiter **at)
{
    struct waiter *w = *at;
    *at = w->hash_next;
    *(w->prev ? &w->prev->next : &w->line->first) = w->next;
    *(w->next ? &w->next->prev : &w->line->last) = w->prev;
    if (!w->line->first)
        line_forget(x, w->line);
    free(w->ns);
    free(w->name);
    free(w);
    x->len--;
}

static void rehash(struct claim_index *x, size_t size)
{
    struct waiter **waiters = x->waiters;
    struct line **lines = x->lines;
    size_t old = x->size;
    x->size = size;
    x->waiters = xcalloc(size, sizeof *x->waiters);
    x->lines = xcalloc(size, sizeof *x->lines);
    for (size_t i = 0; i < old; i++) {
        for (struct waiter *w = waiters[i], *next; w; w = next) {
            next = w->hash_next;
            struct waiter **at = &x->waiters[hash(w->ns, w->name) & (size - 1)];
            w->hash_next = *at;
            *at = w;
        }
        for (struct line *l = lines[i], *next; l; l = next) {
            next = l->hash_next;
            struct line **at = line_slot(x, l->named, l->key);
            l->hash_next = *at;
            *at = l;
        }
    }
    free(waiters);
    free(lines);
}

struct claim_index *claim_index_new(void)
{
    struct claim_index *x = xcalloc(1, sizeof *x);
    rehash(x, 64);
    return x;
}

void claim_index_free(struct claim_index *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->size; i++)
        while (x->waiters[i])
            waiter_remove(x, &x->waiters[i]);
    free(x->waiters);
    free(x->lines);
    free(x);
}

size_t claim_index_len(const struct claim_index *x)
{
    return x->len;
}

void claim_index_drop(struct claim_index *x, const char *ns, const char *name)
{
    struct waiter **at = waiter_slot(x, ns, name);
    if (*at)
        waiter_remove(x, at);
}

/* A claim is created once and hardly ever changes while it waits: then it keeps its place. */
static bool stands_there(const struct waiter *w, const char *line, const json_t *claim)
{
    return w && str_eq(w->line->key, line) && w->request == claim_request(claim);
}

void claim_index_put(struct claim_index *x, const json_t *claim)
{
    const char *ns = jstr_or(claim, "metadata.namespace", ""), *name = jstr_or(claim, "metadata.name", "");
    const char *volume = jstr_or(claim, "spec.volumeName", "");
    bool waits = !obj_deleting(claim) && (!claim_fully_bound(claim) || claim_phase(claim) == CLAIM_LOST);
    if (waits && stands_there(*waiter_slot(x, ns, name), *volume ? volume : claim_class(claim), claim))
        return;
    claim_index_drop(x, ns, name);
    if (!waits)
        return;
    if (x->len >= x->size)
        rehash(x, 2 * x->size);
    struct waiter *w = xcalloc(1, sizeof *w);
    *w = (struct waiter){
        .line = line_for(x, *volume, *volume ? volume : claim_class(claim)),
        .request = claim_request(claim),
        .modes = access_mode_set(jat(claim, "spec.accessModes")),
        .block = str_eq(claim_mode(claim), "Block"),
        .selects = jat(claim, "spec.selector") != NULL,
        .ns = xstrdup(ns),
        .name = xstrdup(name),
    };
    w->prev = w->line->last;
    *(w->prev ? &w->prev->next : &w->line->first) = w;
    w->line->last = w;
    struct waiter **at = &x->waiters[hash(ns, name) & (x->size - 1)];
    w->hash_next = *at;
    *at = w;
    x->len++;
}

/* -- calling -- */

static void call_all(struct claim_index *x, bool named, const char *key, claim_visit_fn visit, void *arg)
{
    struct line *l = line_find(x, named, key);
    for (struct waiter *w = l ? l->first : NULL; w; w = w->next)
        visit(w->ns, w->name, arg);
}

void claim_index_call(struct claim_index *x, const json_t *pv, claim_visit_fn visit, void *arg)
{
    struct line *l = line_find(x, false, pv_class(pv));
    int64_t capacity = pv_capacity(pv);
    unsigned modes = access_mode_set(jat(pv, "spec.accessModes"));
    bool block = str_eq(pv_mode(pv), "Block");
    for (struct waiter *w = l ? l->first : NULL; w; w = w->next) {
        if (w->request > capacity || (w->modes & ~modes) != 0 || w->block != block)
            continue;
        visit(w->ns, w->name, arg);
        if (w->selects)
            continue; /* perhaps it wants other labels */
        waiter_remove(x, waiter_slot(x, w->ns, w->name));
        return;
    }
}

void claim_index_call_named(struct claim_index *x, const char *volume, claim_visit_fn visit, void *arg)
{
    call_all(x, true, volume, visit, arg);
}

void claim_index_call_class(struct claim_index *x, const char *class_name, claim_visit_fn visit, void *arg)
{
    call_all(x, false, class_name, visit, arg);
}
