/* world.c - the cluster as one scheduling attempt sees it: lists taken from the registry, pods sorted to their nodes.
 *
 * The lists hold references to frozen versions; nothing is copied. */
#include "scheduler/scheduler_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* What a container that asks for nothing is counted as when nodes are compared. */
#define DEFAULT_CPU_MILLI 100
#define DEFAULT_MEMORY    (INT64_C(200) << 20)

const json_t *world_find(const struct objlist *l, const char *ns, const char *name)
{
    const struct sobj *o = objlist_find(l, ns, name);
    return o ? o->tree : NULL;
}

static int64_t amount(const json_t *container, const char *resource)
{
    struct quantity q;
    const char *text = jmap(container, "resources.requests", resource);
    if (!text || quantity_parse(text, &q) < 0)
        return 0;
    return str_eq(resource, "cpu") ? quantity_milli(&q) : quantity_value(&q);
}

/* Containers run together, init containers one after the other; a restartable init container stays. */
int64_t pod_request(const json_t *pod, const char *resource)
{
    int64_t together = 0, sidecars = 0, peak = 0;
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "spec.containers"), i, c) together += amount(c, resource);
    json_array_foreach(jat(pod, "spec.initContainers"), i, c)
    {
        int64_t n = amount(c, resource) + sidecars;
        if (str_eq(jstr(c, "restartPolicy"), "Always"))
            sidecars = n;
        peak = n > peak ? n : peak;
    }
    together += sidecars;
    struct quantity overhead;
    const char *text = jmap(pod, "spec.overhead", resource);
    int64_t extra = 0;
    if (text && quantity_parse(text, &overhead) == 0)
        extra = str_eq(resource, "cpu") ? quantity_milli(&overhead) : quantity_value(&overhead);
    return (together > peak ? together : peak) + extra;
}

static void add_pod(struct node_info *n, struct sobj *pod)
{
    int64_t cpu = pod_request(pod->tree, "cpu");
    int64_t memory = pod_request(pod->tree, "memory");
    objlist_add(&n->pods, pod);
    n->cpu += cpu ? cpu : DEFAULT_CPU_MILLI;
    n->memory += memory ? memory : DEFAULT_MEMORY;
}

void world_load(struct world *w, struct registry *r)
{
    static const struct {
        const char *bucket;
        size_t offset;
    } lists[] = {
        {"nodes", offsetof(struct world, nodes)},
        {"pods", offsetof(struct world, pods)},
        {"persistentvolumeclaims", offsetof(struct world, claims)},
        {"persistentvolumes", offsetof(struct world, volumes)},
        {"storageclasses.storage.k8s.io", offsetof(struct world, classes)},
        {"csinodes.storage.k8s.io", offsetof(struct world, csi_nodes)},
        {"csidrivers.storage.k8s.io", offsetof(struct world, csi_drivers)},
        {"csistoragecapacities.storage.k8s.io", offsetof(struct world, capacities)},
        {"namespaces", offsetof(struct world, namespaces)},
    };
    *w = (struct world){0};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        objlist_load((struct objlist *)((char *)w + lists[i].offset), r, lists[i].bucket, NULL);
    w->info = xcalloc(w->nodes.len + 1, sizeof *w->info);
    for (size_t i = 0; i < w->nodes.len; i++)
        w->info[i].node = w->nodes.trees[i];
    for (size_t p = 0; p < w->pods.len; p++) {
        const char *where = jstr(w->pods.trees[p], "spec.nodeName");
        if (!where || pod_terminal(w->pods.trees[p]))
            continue;
        for (size_t i = 0; i < w->nodes.len; i++)
            if (str_eq(w->nodes.items[i]->name, where))
                add_pod(&w->info[i], w->pods.items[p]);
    }
}

void world_release(struct world *w)
{
    for (size_t i = 0; w->info && i < w->nodes.len; i++)
        objlist_release(&w->info[i].pods);
    free(w->info);
    struct objlist *lists[] = {&w->nodes,     &w->pods,        &w->claims,     &w->volumes,   &w->classes,
                               &w->csi_nodes, &w->csi_drivers, &w->capacities, &w->namespaces};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        objlist_release(lists[i]);
    *w = (struct world){0};
}
