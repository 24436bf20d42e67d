/* daemonset_pods.c - pods of a DaemonSet: made for one node by an affinity to its name, tolerating what ails nodes.
 * Source: pkg/controller/daemon/{daemon_controller.go, util/daemonset_util.go}. */
#include "controllers/daemonset_int.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRED "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

/* A daemon is needed on a node that is not well, too. */
static const struct {
    const char *key, *effect;
    bool host_network; /* only for pods on the host's network */
} tolerated[] = {
    {"node.kubernetes.io/not-ready", "NoExecute", false},
    {"node.kubernetes.io/unreachable", "NoExecute", false},
    {"node.kubernetes.io/disk-pressure", "NoSchedule", false},
    {"node.kubernetes.io/memory-pressure", "NoSchedule", false},
    {"node.kubernetes.io/pid-pressure", "NoSchedule", false},
    {"node.kubernetes.io/unschedulable", "NoSchedule", false},
    {"node.kubernetes.io/network-unavailable", "NoSchedule", true},
};

static void add_tolerations(json_t *pod)
{
    json_t *list = jmake_arr(pod, "spec.tolerations");
    for (size_t i = 0; i < ARRAY_LEN(tolerated); i++) {
        if (tolerated[i].host_network && !jbool(pod, "spec.hostNetwork", false))
            continue;
        _auto_json_ json_t *t =
            json_pack("{ss ss ss}", "key", tolerated[i].key, "operator", "Exists", "effect", tolerated[i].effect);
        bool there = false;
        for (size_t k = 0; k < json_array_size(list); k++)
            there |= json_equal(json_array_get(list, k), t);
        if (!there)
            json_array_append(list, t);
    }
}

/* Of the template's required terms only the one node's name is left. */
static void pin(json_t *pod, const char *node)
{
    jset(pod, REQUIRED,
         json_pack("{s[{s[{ss ss s[s]}]}]}", "nodeSelectorTerms", "matchFields", "key", "metadata.name", "operator",
                   "In", "values", node));
}

const char *daemon_node(const json_t *pod)
{
    const char *node = jstr(pod, "spec.nodeName");
    if (node)
        return node;
    const json_t *term = json_array_get(jat(pod, REQUIRED ".nodeSelectorTerms"), 0);
    const json_t *field = json_array_get(jat(term, "matchFields"), 0);
    const char *name = json_string_value(json_array_get(jat(field, "values"), 0));
    return name ? name : "";
}

json_t *daemon_sample(const struct daemons *d)
{
    json_t *pod = pod_from_template(d->set, jat(d->set, "spec.template"));
    const char *generation = jmap(d->set, "metadata.annotations", ANN_GENERATION);
    if (generation)
        jset_map(pod, "metadata.labels", LABEL_GENERATION, generation);
    jset_map(pod, "metadata.labels", LABEL_REVISION, d->hash);
    add_tolerations(pod);
    return pod;
}

/* -- which pods are where -- */

static int by_node(const void *pa, const void *pb)
{
    const struct sobj *a = *(struct sobj *const *)pa, *b = *(struct sobj *const *)pb;
    int order = strcmp(daemon_node(a->tree), daemon_node(b->tree));
    return order ? order : strcmp(a->name, b->name);
}

void daemons_sort(struct daemons *d)
{
    if (d->pods.len)
        qsort(d->pods.items, d->pods.len, sizeof *d->pods.items, by_node);
    for (size_t i = 0; i < d->pods.len; i++)
        d->pods.trees[i] = d->pods.items[i]->tree;
}

size_t daemons_on(const struct daemons *d, const char *node, size_t *out_first)
{
    size_t low = 0, high = d->pods.len, n = 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(daemon_node(d->pods.trees[middle]), node) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < d->pods.len && str_eq(daemon_node(d->pods.trees[low + n]), node))
        n++;
    *out_first = low;
    return n;
}

/* -- where they belong -- */

bool daemon_fits(const struct daemons *d, const json_t *node, bool *out_may_stay)
{
    const json_t *pod = d->sample;
    const char *wanted = jstr(pod, "spec.nodeName"), *key;
    json_t *value, *taint;
    bool fits = str_empty(wanted) || str_eq(wanted, obj_name(node)), place = true;
    size_t i;
    json_object_foreach(jat(pod, "spec.nodeSelector"), key, value) place &=
        str_eq(jmap(node, "metadata.labels", key), json_string_value(value));
    if (jat(pod, REQUIRED))
        place &= node_selector_match(jat(pod, REQUIRED), node);
    *out_may_stay = fits && place;
    fits = *out_may_stay;
    json_array_foreach(jat(node, "spec.taints"), i, taint)
    {
        const char *effect = jstr_or(taint, "effect", "");
        if (strcmp(effect, "PreferNoSchedule") == 0 || pod_tolerates(pod, taint))
            continue;
        fits = false;
        *out_may_stay = *out_may_stay && strcmp(effect, "NoExecute") != 0;
    }
    return fits;
}

bool daemon_is_new(const struct daemons *d, const json_t *pod)
{
    return str_eq(jmap(pod, "metadata.labels", LABEL_REVISION), d->hash);
}

bool daemon_available(const struct daemons *d, const json_t *pod)
{
    return pod_ready(pod) && pod_available(pod, d->min_ready, d->now_ns);
}

int daemon_make(struct daemons *d, const char *node, struct err *e)
{
    json_t *pod = json_deep_copy(d->sample);
    pin(pod, node);
    d->changed = true;
    return pod_make_from(d->l, d->set, pod, e);
}

int daemon_remove(struct daemons *d, const json_t *pod, struct err *e)
{
    d->changed = true;
    return pod_remove(d->l, d->set, pod, e);
}
