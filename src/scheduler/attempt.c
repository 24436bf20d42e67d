/* attempt.c - one attempt to find a node for one pod: what is prepared, which nodes are asked, in which order.
 *
 * DESIGN: as in the real scheduler, not every node of a big cluster is asked: from a hundred nodes on the search ends
 * when a share of them fits, and the next one begins where it ended. A pod that is promised a node is tried there
 * first. Pods that were promised a node count as there for those of no more priority, in imagination. Source:
 * schedule_one.go findNodesThatFitPod, runtime/framework.go RunFilterPluginsWithNominatedPods.
 *
 * THREADS: as the cache given to it; writes nothing. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_ALL_UP_TO 100
#define LEAST_PERCENT 5

void refuse(struct verdict *v, bool final, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    strlist_add(&v->reasons, text);
    v->final |= final;
}

void verdicts_free(struct verdict *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        strlist_release(&v[i].reasons);
    free(v);
}

/* -- begin and end -- */

void attempt_begin(struct attempt *a, struct loop *l, struct cache *c, struct sobj *pod)
{
    *a = (struct attempt){.l = l, .cache = c, .me = pod_info_new(pod), .serial = ++c->serial};
    a->pod = a->me->pod;
    if (a->me->picky)
        a->suits = suits_row(c, a->pod);
}

void attempt_end(struct attempt *a)
{
    affinity_release(&a->affinity);
    spread_release(&a->spread);
    if (a->only)
        strlist_release(a->only);
    free(a->only);
    pod_info_unref(a->me);
}

static bool has_claims(const json_t *pod)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        if (json_object_get(volume, "persistentVolumeClaim") || json_object_get(volume, "ephemeral") ||
            json_object_get(volume, "awsElasticBlockStore"))
            return true;
    }
    return false;
}

int attempt_prepare(struct attempt *a, char *text, size_t size)
{
    bool conflict = false;
    if (has_claims(a->pod))
        cache_read_storage(a->cache);
    cache_read_namespaces(a->cache);
    a->world = a->cache->world;
    a->only = affinity_names(a->pod, &conflict);
    if (conflict) {
        a->refused = 1u << 2; /* NodeAffinity */
        snprintf(text, size, "pod affinity terms conflict");
        return 1;
    }
    if (claims_load(a, text, size)) {
        a->refused = 1u << 8; /* VolumeBinding */
        return 1;
    }
    affinity_prepare(a);
    spread_prepare(a);
    for (unsigned i = 0; i < sched_plugins_len; i++)
        if (sched_plugins[i].silent && sched_plugins[i].silent(a))
            a->silent |= 1u << i;
    return 0;
}

/* -- one node -- */

void filter_node(const struct attempt *a, const struct node_info *n, struct verdict *v, struct strlist *also)
{
    struct verdict later = {0};
    for (unsigned i = 0; i < sched_plugins_len; i++) {
        if (v->reasons.len && !also)
            break;
        if (a->silent & 1u << i)
            continue;
        bool first = v->reasons.len == 0;
        sched_plugins[i].filter(a, n, first ? v : &later);
        if (first)
            v->by = i;
    }
    for (size_t i = 0; i < later.reasons.len; i++)
        strlist_add(also, later.reasons.items[i]);
    strlist_release(&later.reasons);
}

void attempt_imagine(struct attempt *a, struct node_info *n, struct pod_info *p, int by)
{
    if (by > 0)
        node_info_add(n, p);
    affinity_count(a, n, p, by);
    spread_count(a, n, p, by);
    if (by < 0)
        node_info_remove(n, p->ns, p->name);
}

static bool counts_for(const struct attempt *a, const struct nominee *o, const struct node_info *n)
{
    return str_eq(o->node, n->name) && o->pod->priority >= a->me->priority &&
           !(str_eq(o->pod->name, a->me->name) && str_eq(o->pod->ns, a->me->ns));
}

void filter_node_promised(struct attempt *a, const struct node_info *n, struct verdict *v)
{
    struct node_info *with = NULL;
    for (size_t i = 0; i < a->cache->nominees_len; i++) {
        const struct nominee *o = &a->cache->nominees[i];
        if (!counts_for(a, o, n))
            continue;
        with = with ? with : node_info_copy(n);
        attempt_imagine(a, with, o->pod, 1);
    }
    if (with) {
        filter_node(a, with, v, NULL);
        while (with->pods.len > n->pods.len)
            attempt_imagine(a, with, with->pods.items[with->pods.len - 1], -1);
        node_info_free(with);
    }
    if (!v->reasons.len)
        filter_node(a, n, v, NULL);
}

/* -- all nodes -- */

/* How many nodes must fit for the search to end. */
static size_t enough(size_t nodes)
{
    if (nodes <= ASK_ALL_UP_TO)
        return nodes;
    size_t percent = 50 > nodes / 125 ? 50 - nodes / 125 : 0;
    percent = percent < LEAST_PERCENT ? LEAST_PERCENT : percent;
    size_t n = nodes * percent / 100;
    return n < ASK_ALL_UP_TO ? ASK_ALL_UP_TO : n;
}

/* Asks one node. */
static bool ask(struct attempt *a, size_t at, struct verdict *v)
{
    const struct node_info *n = a->cache->nodes[at];
    if (a->only && !strlist_has(a->only, n->name)) {
        v->outside = true;
        a->refused |= 1u << 2;
        return false;
    }
    filter_node_promised(a, n, v);
    if (v->reasons.len)
        a->refused |= 1u << v->by;
    return v->reasons.len == 0;
}

/* The index of the node the pod is promised, if it fits still. */
static int find_promised(struct attempt *a)
{
    const char *name = jstr_or(a->pod, "status.nominatedNodeName", "");
    for (size_t i = 0; *name && i < a->cache->len; i++) {
        struct verdict v = {0};
        if (!str_eq(a->cache->nodes[i]->name, name) || !a->cache->nodes[i]->o)
            continue;
        bool fits = ask(a, i, &v);
        strlist_release(&v.reasons);
        return fits ? (int)i : -1;
    }
    return -1;
}

int attempt_find(struct attempt *a, struct verdict **out_verdicts)
{
    struct cache *c = a->cache;
    size_t n = c->len, want = enough(c->present), begin = n ? c->begin % n : 0, asked = 0;
    int best = find_promised(a);
    if (best >= 0)
        return best;
    struct verdict *verdicts = xcalloc(n + 1, sizeof *verdicts);
    _auto_free_ size_t *list = xcalloc(n + 1, sizeof *list);
    struct fitting f = {.at = list};
    for (; asked < n && f.len < want; asked++) {
        size_t at = (begin + asked) % n;
        if (!c->nodes[at]->o)
            continue;
        if (ask(a, at, &verdicts[at]))
            f.at[f.len++] = at;
    }
    c->begin = n ? (begin + asked) % n : 0;
    best = f.len == 1 ? (int)f.at[0] : pick_best(a, &f);
    if (best < 0)
        *out_verdicts = verdicts;
    else
        verdicts_free(verdicts, n);
    return best;
}
