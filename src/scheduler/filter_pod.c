/* filter_pod.c - pod affinity and anti-affinity: the company a pod wants, shuns, or is shunned by.
 *
 * DESIGN: before nodes are asked, all pods that matter are counted by topology domain: pods that the newcomer's
 * required terms mean (for affinity: that all of them mean), and domains where a pod stands whose own anti-affinity
 * means the newcomer. A node is then a few look-ups, and a pod that goes away in imagination (preemption) is a
 * subtraction. Source: plugins/interpodaffinity/filtering.go. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/str.h"

/* -- terms -- */

static bool names_space(const struct pod_term *t, const char *ns)
{
    size_t i;
    json_t *name;
    json_array_foreach((json_t *)(uintptr_t)t->names, i, name)
    {
        if (str_eq(json_string_value(name), ns))
            return true;
    }
    return false;
}

/* Without names and selector a term means its owner's namespace; with both, either. */
static bool space_matches(const struct attempt *a, const struct pod_term *t, const char *own, const char *ns)
{
    if (!t->names && !t->spaces)
        return str_eq(own, ns);
    if (names_space(t, ns))
        return true;
    const json_t *space = t->spaces ? world_find(&a->world.namespaces, "", ns) : NULL;
    return space && label_selector_match(t->spaces, jat(space, "metadata.labels"));
}

bool term_means(const struct attempt *a, const struct pod_term *t, const struct pod_info *owner,
                const struct pod_info *p)
{
    return t->selector && space_matches(a, t, owner->ns, p->ns) && label_selector_match(t->selector, p->labels);
}

static bool all_mean(const struct attempt *a, const struct pod_terms *terms, const struct pod_info *p)
{
    for (size_t i = 0; i < terms->len; i++)
        if (!term_means(a, &terms->items[i], a->me, p))
            return false;
    return terms->len > 0;
}

static const char *domain_of(const struct node_info *n, const char *key)
{
    return json_string_value(json_object_get(n->labels, key));
}

static void domain_count(struct domains *d, const struct node_info *n, const char *key, int by)
{
    const char *value = domain_of(n, key);
    if (value)
        *domains_at(d, key, value) += by;
}

/* -- counting -- */

void affinity_count(struct attempt *a, const struct node_info *n, const struct pod_info *p, int by)
{
    struct affinity_state *s = &a->affinity;
    const struct pod_info *me = a->me;
    if (all_mean(a, &me->near, p))
        for (size_t i = 0; i < me->near.len; i++)
            domain_count(&s->wanted, n, me->near.items[i].key, by);
    for (size_t i = 0; i < me->apart.len; i++)
        if (term_means(a, &me->apart.items[i], me, p))
            domain_count(&s->unwanted, n, me->apart.items[i].key, by);
    for (size_t i = 0; i < p->apart.len; i++)
        if (term_means(a, &p->apart.items[i], p, me))
            domain_count(&s->refused, n, p->apart.items[i].key, by);
}

void affinity_prepare(struct attempt *a)
{
    const struct cache *c = a->cache;
    bool mine = a->me->near.len || a->me->apart.len;
    for (size_t i = 0; (mine || c->with_apart) && i < c->len; i++) {
        const struct node_info *n = c->nodes[i];
        if (!n->o || (!mine && !n->with_apart))
            continue;
        for (size_t p = 0; p < n->pods.len; p++)
            affinity_count(a, n, n->pods.items[p], 1);
    }
}

void affinity_release(struct affinity_state *s)
{
    domains_release(&s->wanted);
    domains_release(&s->unwanted);
    domains_release(&s->refused);
}

/* -- the filter -- */

static bool wanted_here(const struct attempt *a, const struct node_info *n)
{
    const struct pod_terms *near = &a->me->near;
    bool company = true;
    for (size_t i = 0; i < near->len; i++) {
        const char *value = domain_of(n, near->items[i].key);
        if (!value)
            return false;
        company &= domains_get(&a->affinity.wanted, near->items[i].key, value) > 0;
    }
    /* The first of a group that wants its own company may begin anywhere. */
    return company || (!domains_any(&a->affinity.wanted) && all_mean(a, near, a->me));
}

static bool unwanted_here(const struct attempt *a, const struct node_info *n)
{
    const struct pod_terms *apart = &a->me->apart;
    for (size_t i = 0; i < apart->len; i++) {
        const char *value = domain_of(n, apart->items[i].key);
        if (value && domains_get(&a->affinity.unwanted, apart->items[i].key, value) > 0)
            return true;
    }
    return false;
}

/* Nobody who is there already must mind the newcomer. */
static bool refused_here(const struct attempt *a, const struct node_info *n)
{
    const char *key;
    json_t *value;
    if (!a->affinity.refused.len)
        return false;
    json_object_foreach((json_t *)(uintptr_t)n->labels, key, value)
    {
        if (domains_get(&a->affinity.refused, key, json_string_value(value)) > 0)
            return true;
    }
    return false;
}

void filter_pod_affinity(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    if (a->me->near.len && !wanted_here(a, n))
        refuse(v, true, "node(s) didn't match pod affinity rules");
    else if (unwanted_here(a, n))
        refuse(v, false, "node(s) didn't match pod anti-affinity rules");
    else if (refused_here(a, n))
        refuse(v, false, "node(s) didn't satisfy existing pods anti-affinity rules");
}
