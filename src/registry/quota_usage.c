/* quota_usage.c - what an object uses, as quotas name it.
 *
 * DESIGN: each object counts as one of its kind ("count/deployments.apps", for the oldest kinds also by a bare name);
 * pods, claims and services use more. Nothing here knows limits. THREADS: pure functions.
 * Source: pkg/quota/v1/evaluator/core, apiserver quota/v1/generic.
 * When you add a kind that uses more than itself: its function here, its sources in usage_sources(). */
#include "registry/meta_int.h"
#include "registry/quota_int.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define CLASS_SUFFIX ".storageclass.storage.k8s.io/"

/* -- amounts -- */

void amounts_release(struct amounts *a)
{
    for (size_t i = 0; i < a->len; i++)
        free(a->items[i].name);
    free(a->items);
    *a = (struct amounts){0};
}

static struct amount *find(const struct amounts *a, const char *name)
{
    for (size_t i = 0; i < a->len; i++)
        if (strcmp(a->items[i].name, name) == 0)
            return &a->items[i];
    return NULL;
}

void amounts_add(struct amounts *a, const char *name, const struct quantity *q)
{
    struct amount *have = find(a, name);
    if (have) {
        quantity_add(&have->q, q);
        return;
    }
    if (a->len == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 8;
        a->items = xrealloc(a->items, a->cap * sizeof *a->items);
    }
    a->items[a->len++] = (struct amount){.name = xstrdup(name), .q = *q};
}

const struct quantity *amounts_get(const struct amounts *a, const char *name)
{
    const struct amount *have = find(a, name);
    return have ? &have->q : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct amount *)a)->name, ((const struct amount *)b)->name);
}

void amounts_sort(struct amounts *a)
{
    if (a->len)
        qsort(a->items, a->len, sizeof *a->items, by_name);
}

static void add_count(struct amounts *out, const char *name, int64_t n)
{
    struct quantity q = {.nano = (quantity_nano)n * 1000000000, .format = QF_DECIMAL_SI};
    amounts_add(out, name, &q);
}

static void add_text(struct amounts *out, const char *name, const char *text)
{
    struct quantity q;
    if (text && quantity_parse(text, &q) == 0) {
        q.verbatim = false;
        amounts_add(out, name, &q);
    }
}

static void keep_larger(struct amounts *into, const struct amounts *other)
{
    for (size_t i = 0; i < other->len; i++) {
        struct amount *have = find(into, other->items[i].name);
        if (!have)
            amounts_add(into, other->items[i].name, &other->items[i].q);
        else if (quantity_cmp(&have->q, &other->items[i].q) < 0)
            have->q = other->items[i].q;
    }
}

static void add_all(struct amounts *into, const struct amounts *other)
{
    for (size_t i = 0; i < other->len; i++)
        amounts_add(into, other->items[i].name, &other->items[i].q);
}

/* -- pods -- */

static void add_map(struct amounts *out, const json_t *map)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)map, name, v) add_text(out, name, json_string_value(v));
}

/* Init containers run one after the other, beside the sidecars started before them; containers all at once. */
void pod_resources_add(const json_t *pod, const char *list, struct amounts *out)
{
    _auto_amounts_ struct amounts running = {0}, most = {0}, sidecars = {0};
    const json_t *containers = jat(pod, "spec.containers"), *inits = jat(pod, "spec.initContainers");
    for (size_t i = 0; i < json_array_size(containers); i++)
        add_map(&running, json_object_get(json_object_get(json_array_get(containers, i), "resources"), list));
    for (size_t i = 0; i < json_array_size(inits); i++) {
        const json_t *c = json_array_get(inits, i);
        _auto_amounts_ struct amounts own = {0};
        add_map(&own, json_object_get(json_object_get(c, "resources"), list));
        if (str_eq(jstr(c, "restartPolicy"), "Always")) {
            add_all(&running, &own);
            add_all(&sidecars, &own);
            keep_larger(&most, &sidecars);
        } else {
            add_all(&own, &sidecars);
            keep_larger(&most, &own);
        }
    }
    keep_larger(&running, &most);
    const json_t *overhead = jat(pod, "spec.overhead");
    if (running.len > 0 || strcmp(list, "requests") == 0)
        add_map(&running, overhead);
    add_all(out, &running);
}

static bool pod_counts(const json_t *pod, int64_t now_ns)
{
    const char *phase = jstr_or(pod, "status.phase", ""), *deleted = jstr(pod, "metadata.deletionTimestamp");
    int64_t at;
    if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        return false;
    /* The time of deletion has the grace in it. */
    return !deleted || time_parse(deleted, &at) < 0 || now_ns <= at;
}

static void pod_usage(const json_t *pod, int64_t now_ns, struct amounts *out)
{
    static const char *const bare[] = {"cpu", "memory", "ephemeral-storage"};
    static const char *const lists[] = {"requests", "limits"};
    if (!pod_counts(pod, now_ns))
        return;
    add_count(out, "pods", 1);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        _auto_amounts_ struct amounts all = {0};
        pod_resources_add(pod, lists[l], &all);
        for (size_t i = 0; i < all.len; i++) {
            bool huge = str_starts(all.items[i].name, "hugepages-");
            _auto_free_ char *name = xasprintf("%s.%s", lists[l], all.items[i].name);
            amounts_add(out, name, &all.items[i].q);
            for (size_t k = 0; l == 0 && k < ARRAY_LEN(bare); k++)
                if (strcmp(all.items[i].name, bare[k]) == 0)
                    amounts_add(out, bare[k], &all.items[i].q);
            if (l == 0 && huge)
                amounts_add(out, all.items[i].name, &all.items[i].q);
        }
    }
}

/* -- claims -- */

static void claim_usage(const json_t *claim, struct amounts *out)
{
    const char *request = jstr(claim, "spec.resources.requests.storage");
    const char *allocated = jstr(claim, "status.allocatedResources.storage");
    const char *beta = jmap(claim, "metadata.annotations", "volume.beta.kubernetes.io/storage-class");
    const char *class = beta ? beta : jstr_or(claim, "spec.storageClassName", "");
    struct quantity a, b;
    if (request && allocated && quantity_parse(request, &a) == 0 && quantity_parse(allocated, &b) == 0 &&
        quantity_cmp(&a, &b) < 0)
        request = allocated;
    add_count(out, "persistentvolumeclaims", 1);
    add_text(out, "requests.storage", request);
    if (!*class)
        return;
    _auto_free_ char *claims = xasprintf("%s" CLASS_SUFFIX "persistentvolumeclaims", class);
    _auto_free_ char *storage = xasprintf("%s" CLASS_SUFFIX "requests.storage", class);
    add_count(out, claims, 1);
    add_text(out, storage, request);
}

/* -- services -- */

static void service_usage(const json_t *svc, struct amounts *out)
{
    const char *type = jstr_or(svc, "spec.type", "");
    const json_t *ports = jat(svc, "spec.ports");
    int64_t node_ports = 0;
    bool balancer = strcmp(type, "LoadBalancer") == 0;
    bool all = strcmp(type, "NodePort") == 0 || (balancer && jbool(svc, "spec.allocateLoadBalancerNodePorts", true));
    for (size_t i = 0; i < json_array_size(ports); i++)
        node_ports += all || (balancer && jint(json_array_get(ports, i), "nodePort", 0) != 0);
    add_count(out, "services", 1);
    add_count(out, "services.nodeports", node_ports);
    add_count(out, "services.loadbalancers", balancer);
}

/* -- all -- */

static const char *const bare_counts[] = {"configmaps", "secrets", "resourcequotas", "replicationcontrollers"};

void usage_add(const struct resource *res, const json_t *obj, int64_t now_ns, struct amounts *out)
{
    _auto_free_ char *counted = xasprintf("count/%s", res->qualified);
    add_count(out, counted, 1);
    if (res == RES.pods)
        pod_usage(obj, now_ns, out);
    else if (res == RES.persistentvolumeclaims)
        claim_usage(obj, out);
    else if (res == RES.services)
        service_usage(obj, out);
    for (size_t i = 0; i < ARRAY_LEN(bare_counts); i++)
        if (strcmp(res->qualified, bare_counts[i]) == 0)
            add_count(out, bare_counts[i], 1);
}

static const struct resource *counted_resource(const char *qualified)
{
    size_t n;
    const struct resource *const *all = resource_all(&n);
    for (size_t i = 0; i < n; i++)
        if (all[i]->bucket && all[i]->namespaced && strcmp(all[i]->qualified, qualified) == 0)
            return all[i];
    return NULL;
}

size_t usage_sources(const char *name, const struct resource **out, size_t max)
{
    static const char *const of_pods[] = {"pods", "cpu", "memory", "ephemeral-storage"};
    const struct resource *res = NULL;
    if (max == 0)
        return 0;
    if (str_starts(name, "count/"))
        res = counted_resource(name + strlen("count/"));
    else if (strstr(name, CLASS_SUFFIX) || strcmp(name, "persistentvolumeclaims") == 0 ||
             strcmp(name, "requests.storage") == 0)
        res = RES.persistentvolumeclaims;
    else if (strcmp(name, "services") == 0 || str_starts(name, "services."))
        res = RES.services;
    else if (str_starts(name, "requests.") || str_starts(name, "limits.") || str_starts(name, "hugepages-"))
        res = RES.pods;
    for (size_t i = 0; !res && i < ARRAY_LEN(of_pods); i++)
        if (strcmp(name, of_pods[i]) == 0)
            res = RES.pods;
    for (size_t i = 0; !res && i < ARRAY_LEN(bare_counts); i++)
        if (strcmp(name, bare_counts[i]) == 0)
            res = counted_resource(name);
    if (!res)
        return 0;
    out[0] = res;
    return 1;
}

/* -- scopes -- */

static bool crosses_namespaces(const json_t *pod)
{
    static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
    static const char *const lists[] = {"requiredDuringSchedulingIgnoredDuringExecution",
                                        "preferredDuringSchedulingIgnoredDuringExecution"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
            const json_t *terms = jat(json_object_get(jat(pod, "spec.affinity"), kinds[k]), lists[l]);
            for (size_t i = 0; i < json_array_size(terms); i++) {
                const json_t *term = json_array_get(terms, i), *inner = json_object_get(term, "podAffinityTerm");
                term = inner ? inner : term;
                if (json_array_size(json_object_get(term, "namespaces")) > 0 ||
                    json_object_get(term, "namespaceSelector"))
                    return true;
            }
        }
    return false;
}

static bool priority_takes(const json_t *requirement, const char *class)
{
    const char *op = jstr_or(requirement, "operator", "Exists");
    bool listed = jarr_has(requirement, "values", class);
    if (strcmp(op, "In") == 0)
        return listed;
    if (strcmp(op, "NotIn") == 0)
        return !listed;
    return (*class != '\0') == (strcmp(op, "Exists") == 0);
}

static bool scope_takes(const char *scope, const json_t *requirement, const json_t *pod)
{
    bool ends = jat(pod, "spec.activeDeadlineSeconds") != NULL;
    bool best_effort = str_eq(jstr(pod, "status.qosClass"), "BestEffort");
    if (strcmp(scope, "Terminating") == 0 || strcmp(scope, "NotTerminating") == 0)
        return ends == (*scope == 'T');
    if (strcmp(scope, "BestEffort") == 0 || strcmp(scope, "NotBestEffort") == 0)
        return best_effort == (*scope == 'B');
    if (strcmp(scope, "PriorityClass") == 0)
        return priority_takes(requirement, jstr_or(pod, "spec.priorityClassName", ""));
    return strcmp(scope, "CrossNamespacePodAffinity") == 0 && crosses_namespaces(pod);
}

bool quota_scopes_take(const json_t *quota, const struct resource *res, const json_t *obj)
{
    const json_t *scopes = jat(quota, "spec.scopes"), *selector = jat(quota, "spec.scopeSelector.matchExpressions");
    size_t n = json_array_size(scopes) + json_array_size(selector);
    if (n > 0 && res != RES.pods)
        return false;
    for (size_t i = 0; i < json_array_size(scopes); i++)
        if (!scope_takes(json_string_value(json_array_get(scopes, i)), NULL, obj))
            return false;
    for (size_t i = 0; i < json_array_size(selector); i++) {
        const json_t *requirement = json_array_get(selector, i);
        if (!scope_takes(jstr_or(requirement, "scopeName", ""), requirement, obj))
            return false;
    }
    return true;
}
