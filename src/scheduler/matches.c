/* matches.c - how many pods on each node a selector means, remembered.
 *
 * DESIGN. A hundred replicas of one Deployment ask the same of every node. For each (namespace, selector) asked of late
 * there is a row of counts, one a node, each with the generation of the node's pods when it was counted: only nodes
 * where one came, went, or changed its labels since are counted again. Rows are thrown away when nodes come or go.
 * THREADS: as the cache. */
#include "scheduler/cache_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define MEMOS_MAX 64 /* more than one attempt asks for */

struct matches {
    char *key, *ns;        /* owned */
    uint64_t shape;        /* of the cache when the row was begun */
    uint64_t *generations; /* owned; one a node */
    int64_t *counts;       /* owned */
    struct matches *next;  /* used longer ago */
};

static void memo_free(struct matches *m)
{
    free(m->key);
    free(m->ns);
    free(m->generations);
    free(m->counts);
    free(m);
}

void matches_free(struct matches *m)
{
    for (struct matches *next; m; m = next) {
        next = m->next;
        memo_free(m);
    }
}

/* The row, moved to the front; NULL if there is none. */
static struct matches *memo_find(struct cache *c, const char *ns, const char *key)
{
    size_t depth = 0;
    for (struct matches **link = &c->memos; *link; link = &(*link)->next) {
        struct matches *m = *link;
        if (str_eq(m->key, key) && str_eq(m->ns, ns)) {
            *link = m->next;
            m->next = c->memos;
            c->memos = m;
            return m;
        }
        if (++depth == MEMOS_MAX) {
            matches_free(TAKE(m->next));
            break;
        }
    }
    return NULL;
}

struct matches *matches_row(struct cache *c, const char *ns, const char *key)
{
    struct matches *m = memo_find(c, ns, key);
    if (m && m->shape == c->shape)
        return m;
    if (m)
        c->memos = m->next, memo_free(m);
    m = xcalloc(1, sizeof *m);
    m->key = xstrdup(key);
    m->ns = xstrdup(ns);
    m->shape = c->shape;
    m->generations = xcalloc(c->len + 1, sizeof *m->generations);
    m->counts = xcalloc(c->len + 1, sizeof *m->counts);
    m->next = c->memos;
    return c->memos = m;
}

static int64_t count(const struct node_info *n, const char *ns, const struct label_selector *s)
{
    int64_t found = 0;
    for (size_t i = 0; i < n->pods.len; i++) {
        const struct pod_info *p = n->pods.items[i];
        found += str_eq(p->ns, ns) && !jstr(p->pod, "metadata.deletionTimestamp") && label_selector_match(s, p->labels);
    }
    return found;
}

int64_t matches_count(struct matches *m, const struct cache *c, size_t node, const struct label_selector *s)
{
    const struct node_info *n = c->nodes[node];
    if (m->generations[node] != n->peopled || !n->peopled) {
        m->counts[node] = count(n, m->ns, s);
        m->generations[node] = n->peopled;
    }
    return m->counts[node];
}
