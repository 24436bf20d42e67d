/* nodes.c - a node and the sums of what runs on it. THREADS: none; see cache.c. */
#include "scheduler/cache_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static void count_amounts(struct node_info *n, const struct room *a, int by)
{
    n->used.cpu += by * a->cpu;
    n->used.memory += by * a->memory;
    n->used.storage += by * a->storage;
    /* Only what the node has is summed: of anything else there is none. */
    for (size_t i = 0; i < n->used.more_len; i++)
        n->used.more[i].amount += by * room_extended(a, n->used.more[i].name);
}

static void count_pod(struct node_info *n, const struct pod_info *p, int by)
{
    count_amounts(n, &p->ask, by);
    n->some_cpu += by * p->some_cpu;
    n->some_memory += by * p->some_memory;
    bool terms = p->near.len || p->apart.len || p->prefer.len;
    n->with_terms = (size_t)((int64_t)n->with_terms + (terms ? by : 0));
    n->with_apart = (size_t)((int64_t)n->with_apart + (p->apart.len ? by : 0));
}

void node_info_add(struct node_info *n, struct pod_info *p)
{
    if (n->pods.len == n->pods.cap) {
        n->pods.cap = n->pods.cap ? 2 * n->pods.cap : 16;
        n->pods.items = xrealloc(n->pods.items, n->pods.cap * sizeof(struct pod_info *));
        n->pods.trees = xrealloc(n->pods.trees, n->pods.cap * sizeof(const json_t *));
    }
    n->pods.items[n->pods.len] = pod_info_ref(p);
    n->pods.trees[n->pods.len++] = p->pod;
    count_pod(n, p, 1);
}

const struct pod_info *node_info_pod(const struct node_info *n, const char *ns, const char *name)
{
    for (size_t i = 0; i < n->pods.len; i++)
        if (str_eq(n->pods.items[i]->name, name) && str_eq(n->pods.items[i]->ns, ns))
            return n->pods.items[i];
    return NULL;
}

bool node_info_remove(struct node_info *n, const char *ns, const char *name)
{
    for (size_t i = 0; i < n->pods.len; i++) {
        struct pod_info *p = n->pods.items[i];
        if (!str_eq(p->name, name) || !str_eq(p->ns, ns))
            continue;
        n->pods.items[i] = n->pods.items[--n->pods.len];
        n->pods.trees[i] = n->pods.trees[n->pods.len];
        count_pod(n, p, -1);
        pod_info_unref(p);
        return true;
    }
    return false;
}

struct extended *room_more_copy(const struct room *a)
{
    struct extended *copy = xcalloc(a->more_len + 1, sizeof *copy);
    for (size_t i = 0; i < a->more_len; i++)
        copy[i] = a->more[i];
    return copy;
}

struct node_info *node_info_copy(const struct node_info *n)
{
    struct node_info *c = xmalloc(sizeof *c);
    *c = *n;
    c->name = xstrdup(n->name);
    c->o = sobj_ref(n->o);
    c->images = NULL;
    c->images_len = 0;
    c->room.more = room_more_copy(&n->room);
    c->used.more = room_more_copy(&n->used);
    c->pods.cap = n->pods.len + 1;
    c->pods.items = xcalloc(c->pods.cap, sizeof(struct pod_info *));
    c->pods.trees = xcalloc(c->pods.cap, sizeof(const json_t *));
    for (size_t i = 0; i < n->pods.len; i++) {
        c->pods.items[i] = pod_info_ref(n->pods.items[i]);
        c->pods.trees[i] = n->pods.trees[i];
    }
    return c;
}

void node_info_free(struct node_info *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->pods.len; i++)
        pod_info_unref(n->pods.items[i]);
    free(n->pods.items);
    free(n->pods.trees);
    room_release(&n->room);
    room_release(&n->used);
    free(n->images);
    sobj_unref(n->o);
    free(n->name);
    free(n);
}
