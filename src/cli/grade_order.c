/* grade_order.c - see grade_order.h. Only names are looked at: what is in a folder or an archive nobody has read yet.
 * THREADS: any. */
#include "cli/grade_order.h"

#include "base/mem.h"

static bool may_take_long(const char *entry)
{
    return str_ends(entry, ".sh") || str_ends(entry, ".jsonl");
}

size_t *grade_order(const struct strlist *entries)
{
    size_t *order = xcalloc(entries->len + 1, sizeof *order), n = 0;
    for (int slow = 1; slow >= 0; slow--)
        for (size_t i = 0; i < entries->len; i++)
            if (may_take_long(entries->items[i]) == (bool)slow)
                order[n++] = i;
    return order;
}
