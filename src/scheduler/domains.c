/* domains.c - see domains_int.h. THREADS: none; an attempt's own. */
#include "scheduler/domains_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void domains_release(struct domains *d)
{
    free(d->items);
    *d = (struct domains){0};
}

static struct domain *place_interned(const struct domains *d, const char *value)
{
    size_t at = ((uintptr_t)value >> 4) * 31 & (d->cap - 1);
    while (d->items[at].value && d->items[at].value != value)
        at = (at + 1) & (d->cap - 1);
    return &d->items[at];
}

static struct domain *place(const struct domains *d, const char *key, const char *value)
{
    if (d->interned)
        return place_interned(d, value);
    size_t at = (str_hash32(key, strlen(key)) * 31 + str_hash32(value, strlen(value))) & (d->cap - 1);
    while (d->items[at].value && (!str_eq(d->items[at].value, value) || !str_eq(d->items[at].key, key)))
        at = (at + 1) & (d->cap - 1);
    return &d->items[at];
}

static void grow(struct domains *d)
{
    struct domains bigger = {.cap = d->cap ? d->cap * 2 : 16, .len = d->len, .interned = d->interned};
    bigger.items = xcalloc(bigger.cap, sizeof *bigger.items);
    for (size_t i = 0; i < d->cap; i++)
        if (d->items[i].value)
            *place(&bigger, d->items[i].key, d->items[i].value) = d->items[i];
    domains_release(d);
    *d = bigger;
}

int64_t *domains_at(struct domains *d, const char *key, const char *value)
{
    if (2 * (d->len + 1) > d->cap)
        grow(d);
    struct domain *p = place(d, key, value);
    if (!p->value) {
        *p = (struct domain){key, value, 0};
        d->len++;
    }
    return &p->count;
}

int64_t domains_get(const struct domains *d, const char *key, const char *value)
{
    return d->cap ? place(d, key, value)->count : 0;
}

int domains_any(const struct domains *d)
{
    for (size_t i = 0; i < d->cap; i++)
        if (d->items[i].value && d->items[i].count)
            return 1;
    return 0;
}
