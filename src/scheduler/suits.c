/* suits.c - which nodes a pod's node selector and required node affinity allow, remembered.
 *
 * DESIGN. As matches.c: a row for each selector asked of late, a verdict a node, with the generation of the node object
 * it was found for. Nodes' labels hardly ever change, so that replicas of a Deployment ask nothing at all. THREADS: as
 * the cache. */
#include "scheduler/cache_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

#define ROWS_MAX       16
#define REQUIRED_NODES "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

struct suits {
    char *key;             /* owned */
    uint64_t shape;        /* of the cache when the row was begun */
    uint64_t *generations; /* owned; one a node */
    bool *allowed;         /* owned */
    struct suits *next;    /* used longer ago */
};

void suits_free(struct suits *s)
{
    for (struct suits *next; s; s = next) {
        next = s->next;
        free(s->key);
        free(s->generations);
        free(s->allowed);
        free(s);
    }
}

/* Takes the row with that key out of the list; cuts off what was not asked of for long. */
static struct suits *row_take(struct cache *c, const char *key)
{
    size_t depth = 0;
    for (struct suits **link = &c->suits; *link; link = &(*link)->next) {
        struct suits *s = *link;
        if (str_eq(s->key, key)) {
            *link = TAKE(s->next);
            return s;
        }
        if (++depth == ROWS_MAX)
            suits_free(TAKE(s->next));
    }
    return NULL;
}

struct suits *suits_row(struct cache *c, const json_t *pod)
{
    const json_t *spec = json_object_get(pod, "spec");
    _auto_json_ json_t *what = json_pack("[O?, O?]", json_object_get(spec, "nodeSelector"), jat(spec, REQUIRED_NODES));
    _auto_free_ char *key = json_text(what);
    struct suits *s = row_take(c, key);
    if (s && s->shape != c->shape)
        suits_free(TAKE(s));
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->key = TAKE(key);
        s->shape = c->shape;
        s->generations = xcalloc(c->len + 1, sizeof *s->generations);
        s->allowed = xcalloc(c->len + 1, sizeof *s->allowed);
    }
    s->next = c->suits;
    return c->suits = s;
}

static bool find_out(const struct node_info *n, const json_t *pod)
{
    const json_t *spec = json_object_get(pod, "spec");
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(spec, "nodeSelector"), key, value)
    {
        if (!str_eq(json_string_value(json_object_get(n->labels, key)), json_string_value(value)))
            return false;
    }
    const json_t *required = jat(spec, REQUIRED_NODES);
    return !required || node_selector_match(required, n->node);
}

bool suits_node(struct suits *s, const struct node_info *n, const json_t *pod)
{
    if (s->generations[n->at] != n->labelled) {
        s->allowed[n->at] = find_out(n, pod);
        s->generations[n->at] = n->labelled;
    }
    return s->allowed[n->at];
}
