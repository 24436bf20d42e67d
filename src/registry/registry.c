/* registry.c - the registry itself: what it holds, and the names of the kinds everybody uses. See registry.h. */
#include "registry/registry_int.h"

#include <stdlib.h>

struct resource_names RES;

static const struct {
    const struct resource **at;
    const char *group, *plural;
} names[] = {
    {&RES.namespaces, "", "namespaces"},
    {&RES.nodes, "", "nodes"},
    {&RES.pods, "", "pods"},
    {&RES.persistentvolumes, "", "persistentvolumes"},
    {&RES.persistentvolumeclaims, "", "persistentvolumeclaims"},
    {&RES.storageclasses, "storage.k8s.io", "storageclasses"},
    {&RES.volumeattachments, "storage.k8s.io", "volumeattachments"},
    {&RES.csidrivers, "storage.k8s.io", "csidrivers"},
    {&RES.csinodes, "storage.k8s.io", "csinodes"},
    {&RES.volumesnapshots, "snapshot.storage.k8s.io", "volumesnapshots"},
    {&RES.volumesnapshotcontents, "snapshot.storage.k8s.io", "volumesnapshotcontents"},
    {&RES.volumesnapshotclasses, "snapshot.storage.k8s.io", "volumesnapshotclasses"},
    {&RES.definitions, "apiextensions.k8s.io", "customresourcedefinitions"},
    {&RES.configmaps, "", "configmaps"},
    {&RES.secrets, "", "secrets"},
    {&RES.services, "", "services"},
    {&RES.endpoints, "", "endpoints"},
    {&RES.endpointslices, "discovery.k8s.io", "endpointslices"},
    {&RES.events, "", "events"},
    {&RES.serviceaccounts, "", "serviceaccounts"},
    {&RES.deployments, "apps", "deployments"},
    {&RES.replicasets, "apps", "replicasets"},
    {&RES.statefulsets, "apps", "statefulsets"},
    {&RES.daemonsets, "apps", "daemonsets"},
    {&RES.jobs, "batch", "jobs"},
    {&RES.cronjobs, "batch", "cronjobs"},
    {&RES.resourcequotas, "", "resourcequotas"},
    {&RES.limitranges, "", "limitranges"},
    {&RES.controllerrevisions, "apps", "controllerrevisions"},
    {&RES.leases, "coordination.k8s.io", "leases"},
    {&RES.poddisruptionbudgets, "policy", "poddisruptionbudgets"},
    {&RES.autoscalers, "autoscaling", "horizontalpodautoscalers"},
    {&RES.priorityclasses, "scheduling.k8s.io", "priorityclasses"},
    {&RES.runtimeclasses, "node.k8s.io", "runtimeclasses"},
    {&RES.replicationcontrollers, "", "replicationcontrollers"},
    {&RES.ingresses, "networking.k8s.io", "ingresses"},
    {&RES.ingressclasses, "networking.k8s.io", "ingressclasses"},
    {&RES.networkpolicies, "networking.k8s.io", "networkpolicies"},
    {&RES.roles, "rbac.authorization.k8s.io", "roles"},
    {&RES.clusterroles, "rbac.authorization.k8s.io", "clusterroles"},
    {&RES.rolebindings, "rbac.authorization.k8s.io", "rolebindings"},
    {&RES.clusterrolebindings, "rbac.authorization.k8s.io", "clusterrolebindings"},
};

static void fill_names(void)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct resource *r = resource_by_plural(names[i].group, "v1", names[i].plural);
        if (!r)
            BUG("the resource table has no %s", names[i].plural);
        *names[i].at = r->bucket ? resource_by_bucket(r->bucket) : r; /* in the version that is stored */
    }
}

static void init_once(void)
{
    resource_init();
    schema_init();
    fill_names();
}

struct registry *registry_new(const struct registry_conf *conf)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    struct registry *r = xcalloc(1, sizeof *r);
    r->store = conf->store;
    r->clock = conf->clock;
    r->service_cidr = xstrdup(conf->service_cidr ? conf->service_cidr : "10.96.0.0/12");
    r->pod_cidr = xstrdup(conf->pod_cidr ? conf->pod_cidr : "10.244.0.0/16");
    pthread_mutex_init(&r->service_mu, NULL);
    pthread_mutex_init(&r->quota_mu, NULL);
    pthread_mutex_init(&r->siblings.mu, NULL);
    return r;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->service_mu);
    pthread_mutex_destroy(&r->quota_mu);
    siblings_forget(r);
    pthread_mutex_destroy(&r->siblings.mu);
    free(r->service_cidr);
    free(r->pod_cidr);
    free(r);
}

struct store *registry_store(struct registry *r)
{
    return r->store;
}

const struct clock *registry_clock(struct registry *r)
{
    return r->clock;
}

void registry_set_node_ops(struct registry *r, const struct node_ops *ops, void *self)
{
    r->node_ops = ops;
    r->node_self = self;
}

const struct node_ops *registry_node_ops(struct registry *r, void **out_self)
{
    *out_self = r->node_self;
    return r->node_ops;
}

void registry_set_token_ops(struct registry *r, const struct token_ops *ops, void *self)
{
    r->token_ops = ops;
    r->token_self = self;
}
