/* filter_pod.c - filters about other pods: affinity, anti-affinity and spread over topology domains.
 *
 * Only required terms are filters; preferred ones do not count here. Source: plugins interpodaffinity,
 * podtopologyspread. */
#include "scheduler/scheduler_int.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"

static bool selector_matches(const json_t *selector, const json_t *labels)
{
    struct label_selector *s = NULL;
    struct err e = ERR_INIT;
    if (label_selector_from_json(selector, &s, &e) < 0)
        return false;
    bool yes = label_selector_match(s, labels);
    label_selector_free(s);
    return yes;
}

/* Does the term of a pod in `ns` mean the pod `other`? */
static bool term_means(const struct attempt *a, const json_t *term, const char *ns, const json_t *other)
{
    const json_t *names = jat(term, "namespaces");
    const json_t *wide = jat(term, "namespaceSelector");
    bool here =
        json_array_size(names) ? jarr_has(term, "namespaces", obj_ns(other)) : !wide && str_eq(ns, obj_ns(other));
    if (!here && wide) {
        const json_t *space = world_find(&a->world.namespaces, "", obj_ns(other));
        here = selector_matches(wide, jat(space, "metadata.labels"));
    }
    return here && selector_matches(jat(term, "labelSelector"), jat(other, "metadata.labels"));
}

static bool same_domain(const json_t *node, const json_t *other, const char *key)
{
    const char *value = jmap(node, "metadata.labels", key);
    return value && str_eq(value, jmap(other, "metadata.labels", key));
}

/* Is a pod the term means in the node's domain? *out_anywhere: is there one at all? */
static bool found_in_domain(const struct attempt *a, const json_t *term, const json_t *node, bool *out_anywhere)
{
    bool found = false;
    for (size_t i = 0; i < a->world.nodes.len; i++) {
        const struct node_info *n = &a->world.info[i];
        for (size_t p = 0; p < n->pods.len; p++) {
            if (!term_means(a, term, obj_ns(a->pod), n->pods.trees[p]))
                continue;
            *out_anywhere = true;
            found |= same_domain(node, n->node, jstr_or(term, "topologyKey", ""));
        }
    }
    return found;
}

static bool affinity_holds(const struct attempt *a, const json_t *node)
{
    size_t i;
    json_t *term;
    json_array_foreach(jat(a->pod, "spec.affinity.podAffinity." REQUIRED), i, term)
    {
        bool anywhere = false;
        if (found_in_domain(a, term, node, &anywhere))
            continue;
        /* The first of a group that wants its own company may begin anywhere. */
        if (anywhere || !term_means(a, term, obj_ns(a->pod), a->pod) ||
            !jmap(node, "metadata.labels", jstr_or(term, "topologyKey", "")))
            return false;
    }
    return true;
}

static bool anti_affinity_holds(const struct attempt *a, const json_t *node)
{
    size_t i;
    json_t *term;
    json_array_foreach(jat(a->pod, "spec.affinity.podAntiAffinity." REQUIRED), i, term)
    {
        bool anywhere = false;
        if (found_in_domain(a, term, node, &anywhere))
            return false;
    }
    return true;
}

/* Nobody who is there already must mind the newcomer. */
static bool others_agree(const struct attempt *a, const json_t *node)
{
    for (size_t n = 0; n < a->world.nodes.len; n++) {
        const struct node_info *info = &a->world.info[n];
        for (size_t p = 0; p < info->pods.len; p++) {
            size_t i;
            json_t *term;
            json_array_foreach(jat(info->pods.trees[p], "spec.affinity.podAntiAffinity." REQUIRED), i, term)
            {
                if (term_means(a, term, obj_ns(info->pods.trees[p]), a->pod) &&
                    same_domain(node, info->node, jstr_or(term, "topologyKey", "")))
                    return false;
            }
        }
    }
    return true;
}

void filter_pod_affinity(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    if (!affinity_holds(a, n->node))
        refuse(v, true, "node(s) didn't match pod affinity rules");
    else if (!anti_affinity_holds(a, n->node))
        refuse(v, false, "node(s) didn't match pod anti-affinity rules");
    else if (!others_agree(a, n->node))
        refuse(v, false, "node(s) didn't satisfy existing pods anti-affinity rules");
}

/* -- topology spread -- */

static int64_t pods_in_domain(const struct attempt *a, const json_t *constraint, const char *key, const char *value)
{
    int64_t count = 0;
    for (size_t i = 0; i < a->world.nodes.len; i++) {
        const struct node_info *n = &a->world.info[i];
        if (!str_eq(jmap(n->node, "metadata.labels", key), value))
            continue;
        for (size_t p = 0; p < n->pods.len; p++)
            count += str_eq(obj_ns(n->pods.trees[p]), obj_ns(a->pod)) &&
                     !jstr(n->pods.trees[p], "metadata.deletionTimestamp") &&
                     selector_matches(jat(constraint, "labelSelector"), jat(n->pods.trees[p], "metadata.labels"));
    }
    return count;
}

/* The fewest pods in any domain of a node the pod could be on. */
static int64_t fewest(const struct attempt *a, const json_t *constraint, const char *key)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < a->world.nodes.len; i++) {
        const char *value = jmap(a->world.nodes.trees[i], "metadata.labels", key);
        struct verdict eligible = {0};
        filter_affinity(a, &a->world.info[i], &eligible);
        int64_t count = value && !eligible.reasons.len ? pods_in_domain(a, constraint, key, value) : INT64_MAX;
        least = count < least ? count : least;
        strlist_release(&eligible.reasons);
    }
    return least == INT64_MAX ? 0 : least;
}

void filter_spread(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    size_t i;
    json_t *constraint;
    json_array_foreach(jat(a->pod, "spec.topologySpreadConstraints"), i, constraint)
    {
        if (!str_eq(jstr(constraint, "whenUnsatisfiable"), "DoNotSchedule"))
            continue;
        const char *key = jstr_or(constraint, "topologyKey", "");
        const char *value = jmap(n->node, "metadata.labels", key);
        if (!value) {
            refuse(v, true, "node(s) didn't match pod topology spread constraints (missing required label)");
            return;
        }
        int64_t self = selector_matches(jat(constraint, "labelSelector"), jat(a->pod, "metadata.labels"));
        if (pods_in_domain(a, constraint, key, value) + self - fewest(a, constraint, key) >
            jint(constraint, "maxSkew", 1)) {
            refuse(v, false, "node(s) didn't match pod topology spread constraints");
            return;
        }
    }
}
