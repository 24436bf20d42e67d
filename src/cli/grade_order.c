/* grade_order.c - see grade_order.h. Only names are looked at: what is in a folder or an archive nobody has read yet.
 * THREADS: any. */
#include "cli/grade_order.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct place {
    size_t at;
    bool may_take_long;
    uint64_t hash;
};

/* Names that differ in a digit have hashes that hardly differ in their upper bits. */
static uint64_t scattered(uint64_t hash)
{
    for (int i = 0; i < 2; i++)
        hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static struct place place_of(const struct strlist *entries, size_t i)
{
    const char *name = entries->items[i];
    return (struct place){i, str_ends(name, ".sh") || str_ends(name, ".jsonl"),
                          scattered(str_hash64(name, strlen(name)))};
}

static int by_turn(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->may_take_long != y->may_take_long)
        return x->may_take_long ? -1 : 1;
    if (!x->may_take_long && x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

size_t *grade_order(const struct strlist *entries)
{
    size_t *order = xcalloc(entries->len + 1, sizeof *order);
    _auto_free_ struct place *places = xcalloc(entries->len + 1, sizeof *places);
    for (size_t i = 0; i < entries->len; i++)
        places[i] = place_of(entries, i);
    qsort(places, entries->len, sizeof *places, by_turn);
    for (size_t i = 0; i < entries->len; i++)
        order[i] = places[i].at;
    return order;
}
