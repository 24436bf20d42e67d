/* filter_node.c - filters about the node itself: cordon, taints, affinity, host ports.
 *
 * Texts are Kubernetes' own; `final` says whether preemption could help. Source: pkg/scheduler/framework/plugins. */
#include "scheduler/scheduler_int.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

#define REQUIRED_NODES "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

void filter_unschedulable(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    if (!n->cordoned)
        return;
    json_t *taint = json_pack("{s:s, s:s}", "key", "node.kubernetes.io/unschedulable", "effect", "NoSchedule");
    if (!pod_tolerates(a->pod, taint))
        refuse(v, true, "node(s) were unschedulable");
    json_decref(taint);
}

/* -- taints: asked once for all nodes that have the same -- */

static const struct taint_set *judge(const struct attempt *a, struct taint_set *t)
{
    if (t->serial == a->serial)
        return t;
    size_t i;
    json_t *taint;
    t->serial = a->serial;
    t->first = NULL;
    t->disliked = 0;
    json_array_foreach(t->taints, i, taint)
    {
        const char *effect = jstr_or(taint, "effect", "");
        if (pod_tolerates(a->pod, taint))
            continue;
        if (str_eq(effect, "PreferNoSchedule"))
            t->disliked++;
        else if (!t->first && (str_eq(effect, "NoSchedule") || str_eq(effect, "NoExecute")))
            t->first = taint;
    }
    return t;
}

bool taints_allow(const struct attempt *a, const struct node_info *n)
{
    return !n->taints || !judge(a, n->taints)->first;
}

int64_t taints_disliked(const struct attempt *a, const struct node_info *n)
{
    return n->taints ? judge(a, n->taints)->disliked : 0;
}

void filter_taints(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    if (taints_allow(a, n))
        return;
    const json_t *taint = n->taints->first;
    refuse(v, true, "node(s) had untolerated taint {%s: %s}", jstr_or(taint, "key", ""), jstr_or(taint, "value", ""));
}

/* -- node affinity -- */

bool affinity_allows(const struct attempt *a, const struct node_info *n)
{
    return !a->suits || suits_node(a->suits, n, a->pod);
}

void filter_affinity(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    if (!affinity_allows(a, n))
        refuse(v, true, "node(s) didn't match Pod's node affinity/selector");
}

/* The names that one term allows: those in all of its lists. NULL: it names none. Returns new. */
static struct strlist *term_names(const json_t *term)
{
    struct strlist *names = NULL;
    size_t i, k;
    json_t *field, *value;
    json_array_foreach(json_object_get(term, "matchFields"), i, field)
    {
        if (!str_eq(jstr(field, "key"), "metadata.name") || !str_eq(jstr(field, "operator"), "In"))
            continue;
        struct strlist *both = xcalloc(1, sizeof *both);
        json_array_foreach(json_object_get(field, "values"), k, value)
        {
            if (!names || strlist_has(names, json_string_value(value)))
                strlist_add(both, json_string_value(value));
        }
        if (names)
            strlist_release(names);
        free(names);
        names = both;
    }
    return names;
}

struct strlist *affinity_names(const json_t *pod, bool *out_conflict)
{
    const json_t *terms = jat(pod, REQUIRED_NODES ".nodeSelectorTerms");
    struct strlist *all = NULL;
    size_t i;
    json_t *term;
    json_array_foreach(terms, i, term)
    {
        struct strlist *names = term_names(term);
        if (!names) { /* terms are alternatives: this one leaves all nodes open */
            if (all)
                strlist_release(all);
            free(all);
            return NULL;
        }
        all = all ? all : xcalloc(1, sizeof *all);
        for (size_t k = 0; k < names->len; k++)
            if (!strlist_has(all, names->items[k]))
                strlist_add(all, names->items[k]);
        strlist_release(names);
        free(names);
    }
    *out_conflict = all && !all->len;
    return all;
}

/* -- host ports -- */

static bool same_port(const struct host_port *a, const struct host_port *b)
{
    bool same_ip = str_eq(a->ip, b->ip) || str_eq(a->ip, "0.0.0.0") || str_eq(b->ip, "0.0.0.0");
    return a->port == b->port && same_ip && str_eq(a->protocol, b->protocol);
}

static bool ports_clash(const struct pod_info *a, const struct pod_info *b)
{
    for (size_t i = 0; i < a->ports_len; i++)
        for (size_t k = 0; k < b->ports_len; k++)
            if (same_port(&a->ports[i], &b->ports[k]))
                return true;
    return false;
}

void filter_ports(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    for (size_t i = 0; i < n->pods.len; i++) {
        if (!ports_clash(a->me, n->pods.items[i]))
            continue;
        refuse(v, false, "node(s) didn't have free ports for the requested pod ports");
        return;
    }
}
