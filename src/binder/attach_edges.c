/* attach_edges.c - what the controller remembers of a volume and a node while one wants or has the other.
 *
 * Nothing of it is needed for correctness after a restart: waits begin again, as those of the real controller do.
 * THREADS: the loop thread. */
#include "binder/attach_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

struct edge *edge_of(struct edges *all, const char *unique, const char *node)
{
    for (size_t i = 0; i < all->len; i++)
        if (str_eq(all->items[i]->unique, unique) && str_eq(all->items[i]->node, node))
            return all->items[i];
    if (all->len == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 16;
        all->items = xrealloc(all->items, all->cap * sizeof(struct edge *));
    }
    struct edge *e = xcalloc(1, sizeof *e);
    *e = (struct edge){.unique = xstrdup(unique), .node = xstrdup(node)};
    return all->items[all->len++] = e;
}

static void edge_free(struct edge *e)
{
    free(e->unique);
    free(e->node);
    free(e);
}

void edges_keep(struct edges *all, const char *unique, bool (*keep)(const char *node, void *arg), void *arg)
{
    for (size_t i = all->len; i-- > 0;) {
        struct edge *e = all->items[i];
        if (!str_eq(e->unique, unique) || keep(e->node, arg))
            continue;
        edge_free(e);
        all->items[i] = all->items[--all->len];
    }
}

void edges_release(struct edges *all)
{
    for (size_t i = 0; i < all->len; i++)
        edge_free(all->items[i]);
    free(all->items);
    *all = (struct edges){0};
}
