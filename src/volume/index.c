/* index.c - the volumes a claim may take, sorted.
 *
 * DESIGN: free volumes (Available, no claimRef, not being deleted) stand in shelves, one for each class, volumeMode and
 * access-mode set; a shelf is an array sorted by size, then name. A search visits the shelves that hold the modes asked
 * for, fewest modes first, from the smallest volume that is large enough: the first that the rules accept is the one
 * pv_pick() would find in the whole list (a test says so). Volumes whose claimRef names a claim hang on a hash of that
 * name; a claim rarely has more than one.
 *
 * Taking from a shelf of n volumes moves at most n pointers, which for the ten thousand of a large cluster is less work
 * than one write of an object. THREADS: none. */
#include "volume/index.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *name_next;  /* same hash of the name */
    struct entry *claim_next; /* same hash of the claim it names */
    struct shelf *shelf;      /* NULL: reserved */
    unsigned modes;
    int64_t capacity;
    char *claim; /* owned "ns/name", or NULL */
    char name[];
};

struct shelf {
    char *cls, *mode; /* owned */
    unsigned modes;
    struct entry **items; /* owned array, sorted */
    size_t len, cap;
};

struct pv_index {
    struct shelf **shelves; /* owned */
    size_t shelf_count;
    struct entry **by_name, **by_claim; /* owned tables of the same size, a power of two */
    size_t size, len;
};

/* -- tables -- */

static size_t slot(const struct pv_index *x, const char *key)
{
    return str_hash64(key, strlen(key)) & (x->size - 1);
}

static void link_entry(struct pv_index *x, struct entry *en)
{
    struct entry **at = &x->by_name[slot(x, en->name)];
    en->name_next = *at;
    *at = en;
    if (!en->claim)
        return;
    at = &x->by_claim[slot(x, en->claim)];
    en->claim_next = *at;
    *at = en;
}

static void grow(struct pv_index *x)
{
    struct entry **old = x->by_name;
    size_t old_size = x->size;
    free(x->by_claim);
    x->size = old_size ? 2 * old_size : 64;
    x->by_name = xcalloc(x->size, sizeof *x->by_name);
    x->by_claim = xcalloc(x->size, sizeof *x->by_claim);
    for (size_t i = 0; i < old_size; i++)
        for (struct entry *en = old[i], *next; en; en = next) {
            next = en->name_next;
            link_entry(x, en);
        }
    free(old);
}

static struct entry *find(const struct pv_index *x, const char *name)
{
    struct entry *en = x->by_name[slot(x, name)];
    while (en && !str_eq(en->name, name))
        en = en->name_next;
    return en;
}

/* -- shelves -- */

static struct shelf *shelf_for(struct pv_index *x, const char *cls, const char *mode, unsigned modes)
{
    for (size_t i = 0; i < x->shelf_count; i++) {
        struct shelf *s = x->shelves[i];
        if (s->modes == modes && str_eq(s->cls, cls) && str_eq(s->mode, mode))
            return s;
    }
    struct shelf *s = xcalloc(1, sizeof *s);
    *s = (struct shelf){.cls = xstrdup(cls), .mode = xstrdup(mode), .modes = modes};
    x->shelves = xrealloc(x->shelves, (x->shelf_count + 1) * sizeof *x->shelves);
    x->shelves[x->shelf_count++] = s;
    return s;
}

static int entry_order(const struct entry *en, int64_t capacity, const char *name)
{
    if (en->capacity != capacity)
        return en->capacity < capacity ? -1 : 1;
    return strcmp(en->name, name);
}

/* The first place whose volume is not before (capacity, name). */
static size_t shelf_seek(const struct shelf *s, int64_t capacity, const char *name)
{
    size_t low = 0, high = s->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (entry_order(s->items[mid], capacity, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void shelf_add(struct shelf *s, struct entry *en)
{
    if (s->len == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->items = xrealloc(s->items, s->cap * sizeof(struct entry *));
    }
    size_t at = shelf_seek(s, en->capacity, en->name);
    memmove(s->items + at + 1, s->items + at, (s->len - at) * sizeof(struct entry *));
    s->items[at] = en;
    s->len++;
    en->shelf = s;
}

static void shelf_remove(struct shelf *s, const struct entry *en)
{
    size_t at = shelf_seek(s, en->capacity, en->name);
    if (at == s->len || s->items[at] != en)
        BUG("volume %s is not on its shelf", en->name);
    memmove(s->items + at, s->items + at + 1, (s->len - at - 1) * sizeof(struct entry *));
    s->len--;
}

static void shelf_free(struct shelf *s)
{
    free(s->cls);
    free(s->mode);
    free(s->items);
    free(s);
}

/* -- the index -- */

struct pv_index *pv_index_new(void)
{
    struct pv_index *x = xcalloc(1, sizeof *x);
    grow(x);
    return x;
}

static void entry_free(struct entry *en)
{
    free(en->claim);
    free(en);
}

void pv_index_free(struct pv_index *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->size; i++)
        for (struct entry *en = x->by_name[i], *next; en; en = next) {
            next = en->name_next;
            entry_free(en);
        }
    for (size_t i = 0; i < x->shelf_count; i++)
        shelf_free(x->shelves[i]);
    free(x->shelves);
    free(x->by_name);
    free(x->by_claim);
    free(x);
}

size_t pv_index_len(const struct pv_index *x)
{
    return x->len;
}

void pv_index_drop(struct pv_index *x, const char *name)
{
    struct entry *en = find(x, name);
    if (!en)
        return;
    struct entry **at = &x->by_name[slot(x, name)];
    while (*at != en)
        at = &(*at)->name_next;
    *at = en->name_next;
    if (en->claim) {
        at = &x->by_claim[slot(x, en->claim)];
        while (*at != en)
            at = &(*at)->claim_next;
        *at = en->claim_next;
    }
    if (en->shelf)
        shelf_remove(en->shelf, en);
    entry_free(en);
    x->len--;
}

void pv_index_put(struct pv_index *x, const json_t *pv)
{
    const char *name = jstr_or(pv, "metadata.name", "");
    const json_t *ref = jat(pv, "spec.claimRef");
    pv_index_drop(x, name);
    if (obj_deleting(pv) || (!ref && pv_phase(pv) != PV_AVAILABLE))
        return;
    if (x->len >= x->size)
        grow(x);
    struct entry *en = xcalloc(1, sizeof *en + strlen(name) + 1);
    memcpy(en->name, name, strlen(name) + 1);
    en->modes = access_mode_set(jat(pv, "spec.accessModes"));
    en->capacity = pv_capacity(pv);
    if (ref)
        en->claim = xasprintf("%s/%s", jstr_or(ref, "namespace", ""), jstr_or(ref, "name", ""));
    else
        shelf_add(shelf_for(x, pv_class(pv), pv_mode(pv), en->modes), en);
    link_entry(x, en);
    x->len++;
}

/* -- searching -- */

/* The best reserved volume of the claim in this group is visited; several are tried in order of name. */
static bool visit_reserved(const struct pv_index *x, const char *claim, unsigned modes, pv_visit_fn visit, void *arg)
{
    _auto_strlist_ struct strlist names = {0};
    for (const struct entry *en = x->by_claim[slot(x, claim)]; en; en = en->claim_next)
        if (en->modes == modes && str_eq(en->claim, claim))
            strlist_add(&names, en->name);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++)
        if (visit(names.items[i], arg))
            return true;
    return false;
}

static bool visit_shelf(const struct pv_index *x, const struct pv_query *q, unsigned modes, pv_visit_fn visit,
                        void *arg)
{
    for (size_t i = 0; i < x->shelf_count; i++) {
        const struct shelf *s = x->shelves[i];
        if (s->modes != modes || !str_eq(s->cls, q->cls) || !str_eq(s->mode, q->mode))
            continue;
        for (size_t at = shelf_seek(s, q->request, ""); at < s->len; at++)
            if (visit(s->items[at]->name, arg))
                return true;
    }
    return false;
}

bool pv_index_search(const struct pv_index *x, const struct pv_query *q, pv_visit_fn visit, void *arg)
{
    _auto_free_ char *claim =
        xasprintf("%s/%s", jstr_or(q->claim, "metadata.namespace", ""), jstr_or(q->claim, "metadata.name", ""));
    for (int count = 0; count <= 4; count++) {
        for (unsigned modes = 0; modes < MODE_SETS; modes++) {
            if (__builtin_popcount(modes) != count || (q->modes & ~modes) != 0)
                continue;
            if (visit_reserved(x, claim, modes, visit, arg) ||
                (!q->delay_binding && visit_shelf(x, q, modes, visit, arg)))
                return true;
        }
    }
    return false;
}
