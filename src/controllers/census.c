/* census.c - how the pods of a replica set stand, counted without looking into each of them again and again.
 *
 * DESIGN. A set of ten thousand pods is counted each time one of them changes. A version of a pod is frozen, so what
 * was read of it stays true for as long as the version lives: the census keeps a reference to each version it has seen
 * and a few bits about it, in a table by address. A round walks the namespace in the present snapshot and reads only
 * the versions that are new; those that were not met again are let go at its end. Nothing is told by watches, so a
 * round is never behind what the loop itself has just written (see claim.c).
 *
 * The bits hold for one set with one generation; another one (its template's labels changed) begins anew. Pods of other
 * owners are not remembered.
 *
 * THREADS: the loop thread. */
#include "controllers/census_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

enum {
    MINE = 1,     /* active, and the set controls it */
    STRAY = 2,    /* to be adopted, or to be released: claim_objects() must look */
    LABELLED = 4, /* as the template says */
    READY = 8,
};

struct slot {
    struct sobj *o; /* owned reference; NULL: empty */
    uint8_t bits;
    bool met; /* in this round */
};
struct census {
    char *ns, *name, *uid; /* owned: of the set */
    int64_t generation;
    struct slot *slots; /* owned; open addressing */
    size_t cap, len;
    struct census *next;
};

/* -- the table -- */

static size_t place(const struct census *c, const struct sobj *o)
{
    size_t at = ((uintptr_t)o >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (c->cap - 1);
    while (c->slots[at].o && c->slots[at].o != o)
        at = (at + 1) & (c->cap - 1);
    return at;
}

static void resize(struct census *c, size_t cap)
{
    struct census old = *c;
    c->slots = xcalloc(cap, sizeof *c->slots);
    c->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].o)
            c->slots[place(c, old.slots[i].o)] = old.slots[i];
    free(old.slots);
}

static void forget_all(struct census *c)
{
    for (size_t i = 0; i < c->cap; i++)
        sobj_unref(c->slots[i].o);
    free(TAKE(c->slots));
    c->cap = c->len = 0;
}

/* Lets go of versions that were not met. */
static void sweep(struct census *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->cap; i++) {
        if (c->slots[i].o && !c->slots[i].met)
            sobj_unref(TAKE(c->slots[i].o));
        kept += c->slots[i].o != NULL;
        c->slots[i].met = false;
    }
    if (kept == c->len)
        return;
    c->len = kept; /* places behind a hole are found no more: all are placed anew */
    size_t cap = 16;
    while (3 * cap < 4 * (kept + 1))
        cap *= 2;
    resize(c, cap);
}

/* -- the sets -- */

static void census_free(struct census *c)
{
    forget_all(c);
    free(c->ns);
    free(c->name);
    free(c->uid);
    free(c);
}

static struct census **find(struct census **all, const char *ns, const char *name)
{
    while (*all && (!str_eq((*all)->name, name) || !str_eq((*all)->ns, ns)))
        all = &(*all)->next;
    return all;
}

void census_drop(struct census **all, const char *ns, const char *name)
{
    struct census **link = find(all, ns, name), *c = *link;
    if (!c)
        return;
    *link = c->next;
    census_free(c);
}

void census_release(struct census **all)
{
    while (*all) {
        struct census *next = (*all)->next;
        census_free(*all);
        *all = next;
    }
}

static struct census *census_of(struct census **all, const json_t *rs)
{
    struct census **link = find(all, obj_ns(rs), obj_name(rs));
    int64_t generation = jint(rs, "metadata.generation", 0);
    if (*link && (!str_eq((*link)->uid, obj_uid(rs)) || (*link)->generation != generation))
        census_drop(link, obj_ns(rs), obj_name(rs));
    if (!*link || !str_eq((*link)->uid, obj_uid(rs))) {
        struct census *c = xcalloc(1, sizeof *c);
        *c = (struct census){.ns = xstrdup(obj_ns(rs)), .name = xstrdup(obj_name(rs)), .uid = xstrdup(obj_uid(rs))};
        c->generation = generation;
        c->next = *all;
        *all = c;
        return c;
    }
    return *link;
}

/* -- one round -- */

struct round {
    struct census *c;
    const json_t *rs;
    struct label_selector *selector;
    int64_t min_ready, now_ns;
    struct census_counts n;
};

static bool as_template(const json_t *rs, const json_t *pod)
{
    const char *key;
    json_t *value;
    json_object_foreach(jat(rs, "spec.template.metadata.labels"), key, value)
    {
        if (!str_eq(jmap(pod, "metadata.labels", key), json_string_value(value)))
            return false;
    }
    return true;
}

/* 0: none of the set's business. */
static uint8_t read_bits(const struct round *r, const json_t *pod)
{
    const json_t *owner = controller_of(pod);
    if ((owner && !str_eq(jstr(owner, "uid"), r->c->uid)) || !pod_active(pod))
        return 0;
    bool selected = label_selector_match(r->selector, jat(pod, "metadata.labels"));
    if (!owner || !selected)
        return owner || selected ? STRAY : 0;
    return (uint8_t)(MINE | (as_template(r->rs, pod) ? LABELLED : 0) | (pod_ready(pod) ? READY : 0));
}

static uint8_t bits_of(struct round *r, struct sobj *o)
{
    struct census *c = r->c;
    if (4 * (c->len + 1) > 3 * c->cap)
        resize(c, c->cap ? 2 * c->cap : 16);
    struct slot *s = &c->slots[place(c, o)];
    if (!s->o) {
        uint8_t bits = read_bits(r, o->tree);
        if (!bits)
            return 0;
        *s = (struct slot){.o = sobj_ref(o), .bits = bits};
        c->len++;
    }
    s->met = true;
    return s->bits;
}

static int count(struct sobj *o, void *arg)
{
    struct round *r = arg;
    uint8_t bits = bits_of(r, o);
    bool ready = bits & READY;
    r->n.strays += bits & STRAY ? 1 : 0;
    r->n.all += bits & MINE ? 1 : 0;
    r->n.labelled += bits & LABELLED ? 1 : 0;
    r->n.ready += ready;
    r->n.available += ready && (!r->min_ready || pod_available(o->tree, r->min_ready, r->now_ns));
    return 0;
}

int census_take(struct loop *l, struct census **all, const json_t *rs, struct census_counts *out, struct err *e)
{
    struct round r = {.c = census_of(all, rs),
                      .rs = rs,
                      .min_ready = jint(rs, "spec.minReadySeconds", 0),
                      .now_ns = clock_wall_ns(loop_clock(l))};
    if (selector_of(rs, &r.selector, e) < 0)
        return -1;
    struct snapshot *snap = reg_snapshot(loop_registry(l));
    snapshot_scan(snap, RES.pods->bucket, obj_ns(rs), NULL, NULL, count, &r);
    snapshot_unref(snap);
    sweep(r.c);
    label_selector_free(r.selector);
    *out = r.n;
    return 0;
}
