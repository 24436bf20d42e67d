/* score_pod.c - scores about other pods: even spread over domains, company that is liked or not.
 *
 * Each fills a number a node and brings it to 0..100 itself. Source: plugins/podtopologyspread/scoring.go,
 * plugins/interpodaffinity/scoring.go. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>

#define BEST         100
#define LEFT_OUT     INT64_MIN /* a node without the labels: gets nothing */
#define REQUIRED_TOO 1         /* what a required affinity of a pod there weighs */

static const char *domain_of(const struct node_info *n, const char *key)
{
    return json_string_value(json_object_get(n->labels, key));
}

/* -- spread -- */

static bool has_every_key(const struct spread_state *s, const struct node_info *n)
{
    for (size_t i = 0; i < s->soft_len; i++)
        if (!spread_domain(&s->soft[i], n))
            return false;
    return true;
}

/* Marks the nodes that get nothing, and counts the constraint's pods by domain. Returns its weight: the more domains,
 * the less one pod more or less in one of them means otherwise. */
static double count_soft(struct attempt *a, struct constraint *c, const struct fitting *f, const int64_t *out)
{
    size_t hosts = 0;
    for (size_t k = 0; k < f->len; k++) {
        const char *value = c->by_host ? NULL : spread_domain(c, a->cache->nodes[f->at[k]]);
        if (out[k] == LEFT_OUT)
            continue;
        hosts++;
        if (value)
            domains_at(&c->counts, c->key, value);
    }
    for (size_t i = 0; !c->by_host && i < a->cache->len; i++) {
        const struct node_info *n = a->cache->nodes[i];
        const char *value = n->o ? spread_domain(c, n) : NULL;
        if (!value || (!a->spread.by_default && !has_every_key(&a->spread, n)) || !spread_includes(a, c, n))
            continue;
        int64_t here = matches_count(c->memo, a->cache, i, c->selector);
        if (here)
            *domains_at(&c->counts, c->key, value) += here;
    }
    return log((double)(c->by_host ? hosts : c->counts.len) + 2);
}

static void even_out(int64_t *out, size_t n)
{
    int64_t least = INT64_MAX, most = 0;
    for (size_t k = 0; k < n; k++) {
        if (out[k] == LEFT_OUT)
            continue;
        least = out[k] < least ? out[k] : least;
        most = out[k] > most ? out[k] : most;
    }
    for (size_t k = 0; k < n; k++) {
        if (out[k] == LEFT_OUT)
            out[k] = 0;
        else
            out[k] = most ? BEST * (most + least - out[k]) / most : BEST;
    }
}

/* What a node gets for one constraint; adds. */
static void add_soft(struct attempt *a, struct constraint *c, const struct fitting *f, const int64_t *out, double *sums)
{
    double weight = count_soft(a, c, f, out);
    for (size_t k = 0; k < f->len; k++) {
        size_t at = f->at[k];
        const char *value = out[k] != LEFT_OUT ? spread_domain(c, a->cache->nodes[at]) : NULL;
        if (!value)
            continue;
        int64_t here =
            c->by_host ? matches_count(c->memo, a->cache, at, c->selector) : domains_get(&c->counts, c->key, value);
        sums[k] += (double)here * weight + (double)(c->max_skew - 1);
    }
}

bool score_spread(struct attempt *a, const struct fitting *f, int64_t *out)
{
    struct spread_state *s = &a->spread;
    if (!s->soft_len)
        return false;
    _auto_free_ double *sums = xcalloc(f->len, sizeof *sums);
    for (size_t k = 0; k < f->len; k++)
        if (!s->by_default && !has_every_key(s, a->cache->nodes[f->at[k]]))
            out[k] = LEFT_OUT;
    for (size_t i = 0; i < s->soft_len; i++)
        add_soft(a, &s->soft[i], f, out, sums);
    for (size_t k = 0; k < f->len; k++)
        if (out[k] != LEFT_OUT)
            out[k] = (int64_t)round(sums[k]);
    even_out(out, f->len);
    return true;
}

/* -- company -- */

static void like(struct domains *d, const struct node_info *n, const struct pod_term *t, int64_t weight)
{
    const char *value = domain_of(n, t->key);
    if (value && weight)
        *domains_at(d, t->key, value) += weight;
}

static void weigh_pod(const struct attempt *a, const struct node_info *n, const struct pod_info *p, struct domains *d)
{
    const struct pod_info *me = a->me;
    for (size_t i = 0; i < me->prefer.len; i++)
        if (term_means(a, &me->prefer.items[i], me, p))
            like(d, n, &me->prefer.items[i], me->prefer.items[i].weight);
    for (size_t i = 0; i < p->near.len; i++)
        if (term_means(a, &p->near.items[i], p, me))
            like(d, n, &p->near.items[i], REQUIRED_TOO);
    for (size_t i = 0; i < p->prefer.len; i++)
        if (term_means(a, &p->prefer.items[i], p, me))
            like(d, n, &p->prefer.items[i], p->prefer.items[i].weight);
}

static int64_t sum_of(const struct domains *d, const struct node_info *n)
{
    int64_t sum = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)n->labels, key, value) sum +=
        domains_get(d, key, json_string_value(value));
    return sum;
}

bool score_pod_affinity(struct attempt *a, const struct fitting *f, int64_t *out)
{
    const struct cache *c = a->cache;
    struct domains d = {0};
    int64_t least = INT64_MAX, most = INT64_MIN;
    if (!a->me->prefer.len && !c->with_terms)
        return false;
    for (size_t i = 0; i < c->len; i++) {
        const struct node_info *n = c->nodes[i];
        for (size_t p = 0; n->o && (a->me->prefer.len || n->with_terms) && p < n->pods.len; p++)
            weigh_pod(a, n, n->pods.items[p], &d);
    }
    for (size_t k = 0; d.len && k < f->len; k++) {
        out[k] = sum_of(&d, c->nodes[f->at[k]]);
        least = out[k] < least ? out[k] : least;
        most = out[k] > most ? out[k] : most;
    }
    for (size_t k = 0; d.len && k < f->len; k++)
        out[k] = most > least ? BEST * (out[k] - least) / (most - least) : 0;
    bool any = d.len > 0;
    domains_release(&d);
    return any;
}
