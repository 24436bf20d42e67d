/* resource.c - the resource table.
 *
 * DESIGN: one row a kind, in the order in which a real server lists groups and, within a group, resources
 * (alphabetical): that order decides ambiguous short names and what `get all` shows first. Names, verbs and hashes are
 * those a 1.32 server answers. Computed columns are filled once by resource_init(); after that the table never changes.
 * THREADS: read only after resource_init().
 * When you add a row: see resource.h. A group that is new also takes its place among the groups here. */
#include "api/resource.h"

#include "api/feature.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define VERBS_NO_COLLECTION (VERB_ALL & ~VERB_DELETECOLLECTION)
#define VERBS_STATUS        (VERB_GET | VERB_PATCH | VERB_UPDATE)
#define VERBS_CONNECT       (VERB_CREATE | VERB_GET)
#define VERBS_PROXY         (VERB_CREATE | VERB_DELETE | VERB_GET | VERB_PATCH | VERB_UPDATE)
#define NAMES(...)          ((const char *const[]){__VA_ARGS__, NULL})

#define SUB_STATUS(kind)                                                                                               \
    {                                                                                                                  \
        "status", "", "", kind, VERBS_STATUS                                                                           \
    }
#define SUB_SCALE                                                                                                      \
    {                                                                                                                  \
        "scale", "autoscaling", "v1", "Scale", VERBS_STATUS                                                            \
    }
#define SUB_PROXY(kind)                                                                                                \
    {                                                                                                                  \
        "proxy", "", "", kind, VERBS_PROXY                                                                             \
    }

static const struct subresource namespace_subs[] = {
    {"finalize", "", "", "Namespace", VERB_UPDATE},
    SUB_STATUS("Namespace"),
    {NULL},
};
static const struct subresource node_subs[] = {SUB_PROXY("NodeProxyOptions"), SUB_STATUS("Node"), {NULL}};
static const struct subresource claim_subs[] = {SUB_STATUS("PersistentVolumeClaim"), {NULL}};
static const struct subresource volume_subs[] = {SUB_STATUS("PersistentVolume"), {NULL}};
static const struct subresource pod_subs[] = {
    {"attach", "", "", "PodAttachOptions", VERBS_CONNECT},
    {"binding", "", "", "Binding", VERB_CREATE},
    {"ephemeralcontainers", "", "", "Pod", VERBS_STATUS},
    {"eviction", "policy", "v1", "Eviction", VERB_CREATE},
    {"exec", "", "", "PodExecOptions", VERBS_CONNECT},
    {"log", "", "", "Pod", VERB_GET},
    {"portforward", "", "", "PodPortForwardOptions", VERBS_CONNECT},
    SUB_PROXY("PodProxyOptions"),
    SUB_STATUS("Pod"),
    {NULL},
};
static const struct subresource account_subs[] = {
    {"token", "authentication.k8s.io", "v1", "TokenRequest", VERB_CREATE},
    {NULL},
};
static const struct subresource service_subs[] = {SUB_PROXY("ServiceProxyOptions"), SUB_STATUS("Service"), {NULL}};
static const struct subresource deployment_subs[] = {SUB_SCALE, SUB_STATUS("Deployment"), {NULL}};
static const struct subresource replicaset_subs[] = {SUB_SCALE, SUB_STATUS("ReplicaSet"), {NULL}};
static const struct subresource autoscaler_subs[] = {SUB_STATUS("HorizontalPodAutoscaler"), {NULL}};
static const struct subresource controller_subs[] = {SUB_SCALE, SUB_STATUS("ReplicationController"), {NULL}};
static const struct subresource statefulset_subs[] = {SUB_SCALE, SUB_STATUS("StatefulSet"), {NULL}};
static const struct subresource daemonset_subs[] = {SUB_STATUS("DaemonSet"), {NULL}};
static const struct subresource job_subs[] = {SUB_STATUS("Job"), {NULL}};
static const struct subresource cronjob_subs[] = {SUB_STATUS("CronJob"), {NULL}};
static const struct subresource quota_subs[] = {SUB_STATUS("ResourceQuota"), {NULL}};
static const struct subresource budget_subs[] = {SUB_STATUS("PodDisruptionBudget"), {NULL}};
static const struct subresource ingress_subs[] = {SUB_STATUS("Ingress"), {NULL}};
static const struct subresource definition_subs[] = {SUB_STATUS("CustomResourceDefinition"), {NULL}};
static const struct subresource snapshot_subs[] = {SUB_STATUS("VolumeSnapshot"), {NULL}};
static const struct subresource content_subs[] = {SUB_STATUS("VolumeSnapshotContent"), {NULL}};
static const struct subresource attachment_subs[] = {SUB_STATUS("VolumeAttachment"), {NULL}};

#define CORE(k, p, s)                                                                                                  \
    .group = "", .version = "v1", .kind = k, .plural = p, .singular = s, .type = "core.v1." k, .go_kind = "core." k
#define APPS(k, p, s)                                                                                                  \
    .group = "apps", .version = "v1", .kind = k, .plural = p, .singular = s, .type = "apps.v1." k, .go_kind = "apps." k
#define BATCH(k, p, s)                                                                                                 \
    .group = "batch", .version = "v1", .kind = k, .plural = p, .singular = s, .type = "batch.v1." k,                   \
    .go_kind = "batch." k
#define AUTOSCALER(v)                                                                                                  \
    .group = "autoscaling", .version = v, .kind = "HorizontalPodAutoscaler", .plural = "horizontalpodautoscalers",     \
    .singular = "horizontalpodautoscaler", .go_kind = "autoscaling.HorizontalPodAutoscaler",                           \
    STORED("HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling", "qwQve8ut294="),                         \
    .short_names = NAMES("hpa"), .categories = NAMES("all"), .namespaced = true, .subs = autoscaler_subs
#define STORAGE(k, p, s)                                                                                               \
    .group = "storage.k8s.io", .version = "v1", .kind = k, .plural = p, .singular = s, .type = "storage.v1." k,        \
    .go_kind = "storage." k
#define NETWORKING(k, p, s)                                                                                            \
    .group = "networking.k8s.io", .version = "v1", .kind = k, .plural = p, .singular = s, .type = "networking.v1." k,  \
    .go_kind = "networking." k, .generation = true
#define RBAC(k, p, s, hash)                                                                                            \
    .group = "rbac.authorization.k8s.io", .version = "v1", .kind = k, .plural = p, .singular = s,                      \
    .type = "rbac.v1." k, .go_kind = "rbac." k, STORED(k, p ".rbac.authorization.k8s.io", hash),                       \
    .create_on_update = true
#define SNAPSHOT(k, p, s)                                                                                              \
    .group = "snapshot.storage.k8s.io", .version = "v1", .kind = k, .plural = p, .singular = s,                        \
    .type = "snapshot.v1." k, .go_kind = "v1." k
#define METRICS(k, p, s)                                                                                               \
    .group = "metrics.k8s.io", .version = "v1beta1", .kind = k, .plural = p, .singular = s,                            \
    .type = "metrics.v1beta1." k, .go_kind = "metrics." k, .list_kind = k "List", .verbs = VERB_GET | VERB_LIST
#define STORED(k, b, hash) .list_kind = k "List", .bucket = b, .storage_hash = hash, .verbs = VERB_ALL
#define REVIEW(g, pkg, k, p, s)                                                                                        \
    .group = g, .version = "v1", .kind = k, .plural = p, .singular = s, .type = pkg ".v1." k, .go_kind = pkg "." k,    \
    .verbs = VERB_CREATE

static struct resource rows[] = {
    /* -- core -- */
    {CORE("Binding", "bindings", "binding"), .namespaced = true, .verbs = VERB_CREATE},
    {CORE("ComponentStatus", "componentstatuses", "componentstatus"), .list_kind = "ComponentStatusList",
     .verbs = VERB_GET | VERB_LIST, .short_names = NAMES("cs")},
    {CORE("ConfigMap", "configmaps", "configmap"), STORED("ConfigMap", "configmaps", "qFsyl6wFWjQ="),
     .short_names = NAMES("cm"), .namespaced = true},
    {CORE("Endpoints", "endpoints", "endpoints"), STORED("Endpoints", "endpoints", "fWeeMqaN/OA="),
     .short_names = NAMES("ep"), .namespaced = true, .create_on_update = true},
    {CORE("Event", "events", "event"), STORED("Event", "events", "r2yiGXH7wu8="), .short_names = NAMES("ev"),
     .namespaced = true, .create_on_update = true},
    {CORE("LimitRange", "limitranges", "limitrange"), STORED("LimitRange", "limitranges", "EBKMFVe6cwo="),
     .short_names = NAMES("limits"), .namespaced = true, .create_on_update = true},
    {CORE("Namespace", "namespaces", "namespace"), .list_kind = "NamespaceList", .bucket = "namespaces",
     .storage_hash = "Q3oi5N2YM8M=", .verbs = VERBS_NO_COLLECTION, .short_names = NAMES("ns"), .subs = namespace_subs},
    {CORE("Node", "nodes", "node"), STORED("Node", "nodes", "XwShjMxG9Fs="), .short_names = NAMES("no"),
     .subs = node_subs},
    {CORE("PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim"),
     STORED("PersistentVolumeClaim", "persistentvolumeclaims", "QWTyNDq0dC4="), .short_names = NAMES("pvc"),
     .namespaced = true, .subs = claim_subs},
    {CORE("PersistentVolume", "persistentvolumes", "persistentvolume"),
     STORED("PersistentVolume", "persistentvolumes", "HN/zwEC+JgM="), .short_names = NAMES("pv"), .subs = volume_subs},
    {CORE("Pod", "pods", "pod"), STORED("Pod", "pods", "xPOwRZ+Yhw8="), .short_names = NAMES("po"),
     .categories = NAMES("all"), .namespaced = true, .subs = pod_subs},
    {CORE("ReplicationController", "replicationcontrollers", "replicationcontroller"),
     STORED("ReplicationController", "replicationcontrollers", "Jond2If31h0="), .short_names = NAMES("rc"),
     .categories = NAMES("all"), .namespaced = true, .subs = controller_subs, .generation = true},
    {CORE("ResourceQuota", "resourcequotas", "resourcequota"),
     STORED("ResourceQuota", "resourcequotas", "8uhSgffRX6w="), .short_names = NAMES("quota"), .namespaced = true,
     .subs = quota_subs},
    {CORE("Secret", "secrets", "secret"), STORED("Secret", "secrets", "S6u1pOWzb84="), .namespaced = true},
    {CORE("ServiceAccount", "serviceaccounts", "serviceaccount"),
     STORED("ServiceAccount", "serviceaccounts", "pbx9ZvyFpBE="), .short_names = NAMES("sa"), .namespaced = true,
     .subs = account_subs},
    {CORE("Service", "services", "service"), STORED("Service", "services", "0/CO1lhkEBI="), .short_names = NAMES("svc"),
     .categories = NAMES("all"), .namespaced = true, .subs = service_subs, .create_on_update = true},

    /* -- apps -- */
    {APPS("ControllerRevision", "controllerrevisions", "controllerrevision"),
     STORED("ControllerRevision", "controllerrevisions.apps", "85nkx63pcBU="), .namespaced = true},
    {APPS("DaemonSet", "daemonsets", "daemonset"), STORED("DaemonSet", "daemonsets.apps", "dd7pWHUlMKQ="),
     .short_names = NAMES("ds"), .categories = NAMES("all"), .namespaced = true, .subs = daemonset_subs,
     .generation = true},
    {APPS("Deployment", "deployments", "deployment"), STORED("Deployment", "deployments.apps", "8aSe+NMegvE="),
     .short_names = NAMES("deploy"), .categories = NAMES("all"), .namespaced = true, .subs = deployment_subs,
     .generation = true},
    {APPS("ReplicaSet", "replicasets", "replicaset"), STORED("ReplicaSet", "replicasets.apps", "P1RzHs8/mWQ="),
     .short_names = NAMES("rs"), .categories = NAMES("all"), .namespaced = true, .subs = replicaset_subs,
     .generation = true},
    {APPS("StatefulSet", "statefulsets", "statefulset"), STORED("StatefulSet", "statefulsets.apps", "H+vl74LkKdo="),
     .short_names = NAMES("sts"), .categories = NAMES("all"), .namespaced = true, .subs = statefulset_subs,
     .generation = true},

    /* -- events.k8s.io: another view of core events -- */
    {.group = "events.k8s.io",
     .version = "v1",
     .kind = "Event",
     .plural = "events",
     .singular = "event",
     .type = "events.v1.Event",
     .go_kind = "core.Event",
     STORED("Event", "events", "r2yiGXH7wu8="),
     .short_names = NAMES("ev"),
     .namespaced = true,
     .create_on_update = true},

    /* -- reviews: answered, never stored -- */
    {REVIEW("authentication.k8s.io", "authentication", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview")},
    {REVIEW("authentication.k8s.io", "authentication", "TokenReview", "tokenreviews", "tokenreview")},
    {REVIEW("authorization.k8s.io", "authorization", "LocalSubjectAccessReview", "localsubjectaccessreviews",
            "localsubjectaccessreview"),
     .namespaced = true},
    {REVIEW("authorization.k8s.io", "authorization", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
            "selfsubjectaccessreview")},
    {REVIEW("authorization.k8s.io", "authorization", "SelfSubjectRulesReview", "selfsubjectrulesreviews",
            "selfsubjectrulesreview")},
    {REVIEW("authorization.k8s.io", "authorization", "SubjectAccessReview", "subjectaccessreviews",
            "subjectaccessreview")},

    /* -- autoscaling: stored as v2, shown as v1 too -- */
    {AUTOSCALER("v2"), .type = "autoscaling.v2.HorizontalPodAutoscaler"},
    {AUTOSCALER("v1"), .type = "autoscaling.v1.HorizontalPodAutoscaler"},

    /* -- batch -- */
    {BATCH("CronJob", "cronjobs", "cronjob"), STORED("CronJob", "cronjobs.batch", "sd5LIXh4Fjs="),
     .short_names = NAMES("cj"), .categories = NAMES("all"), .namespaced = true, .subs = cronjob_subs,
     .generation = true},
    {BATCH("Job", "jobs", "job"), STORED("Job", "jobs.batch", "mudhfqk/qZY="), .categories = NAMES("all"),
     .namespaced = true, .subs = job_subs, .generation = true},

    /* -- networking.k8s.io -- */
    {NETWORKING("IngressClass", "ingressclasses", "ingressclass"),
     STORED("IngressClass", "ingressclasses.networking.k8s.io", "l/iqIbDgFyQ=")},
    {NETWORKING("Ingress", "ingresses", "ingress"), STORED("Ingress", "ingresses.networking.k8s.io", "39NQlfNR+bo="),
     .short_names = NAMES("ing"), .namespaced = true, .subs = ingress_subs},
    {NETWORKING("NetworkPolicy", "networkpolicies", "networkpolicy"),
     STORED("NetworkPolicy", "networkpolicies.networking.k8s.io", "YpfwF18m1G8="), .short_names = NAMES("netpol"),
     .namespaced = true},

    /* -- policy -- */
    {.group = "policy",
     .version = "v1",
     .kind = "PodDisruptionBudget",
     .plural = "poddisruptionbudgets",
     .singular = "poddisruptionbudget",
     .type = "policy.v1.PodDisruptionBudget",
     .go_kind = "policy.PodDisruptionBudget",
     STORED("PodDisruptionBudget", "poddisruptionbudgets.policy", "EVWiDmWqyJw="),
     .short_names = NAMES("pdb"),
     .namespaced = true,
     .subs = budget_subs,
     .generation = true,
     .needs_rv = true},

    /* -- rbac.authorization.k8s.io -- */
    {RBAC("ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", "48tpQ8gZHFc=")},
    {RBAC("ClusterRole", "clusterroles", "clusterrole", "bYE5ZWDrJ44=")},
    {RBAC("RoleBinding", "rolebindings", "rolebinding", "eGsCzGH6b1g="), .namespaced = true},
    {RBAC("Role", "roles", "role", "7FuwZcIIItM="), .namespaced = true},

    /* -- storage.k8s.io -- */
    {STORAGE("CSIDriver", "csidrivers", "csidriver"), STORED("CSIDriver", "csidrivers.storage.k8s.io", "hL6j/rwBV5w="),
     .needs_rv = true},
    {STORAGE("CSINode", "csinodes", "csinode"), STORED("CSINode", "csinodes.storage.k8s.io", "Pe62DkZtjuo="),
     .needs_rv = true},
    {STORAGE("CSIStorageCapacity", "csistoragecapacities", "csistoragecapacity"),
     STORED("CSIStorageCapacity", "csistoragecapacities.storage.k8s.io", "xeVl+2Ly1kE="), .namespaced = true,
     .needs_rv = true},
    {STORAGE("StorageClass", "storageclasses", "storageclass"),
     STORED("StorageClass", "storageclasses.storage.k8s.io", "K+m6uJwbjGY="), .short_names = NAMES("sc")},
    {STORAGE("VolumeAttachment", "volumeattachments", "volumeattachment"),
     STORED("VolumeAttachment", "volumeattachments.storage.k8s.io", "tJx/ezt6UDU="), .subs = attachment_subs,
     .needs_rv = true},
    {.group = "storage.k8s.io",
     .version = "v1beta1",
     .kind = "VolumeAttributesClass",
     .plural = "volumeattributesclasses",
     .singular = "volumeattributesclass",
     .type = "storage.v1beta1.VolumeAttributesClass",
     .go_kind = "storage.VolumeAttributesClass",
     STORED("VolumeAttributesClass", "volumeattributesclasses.storage.k8s.io", "ssn9qHMxE1c="),
     .short_names = NAMES("vac")},

    /* -- apiextensions.k8s.io -- */
    {.group = "apiextensions.k8s.io",
     .version = "v1",
     .kind = "CustomResourceDefinition",
     .plural = "customresourcedefinitions",
     .singular = "customresourcedefinition",
     .type = "apiextensions.v1.CustomResourceDefinition",
     .go_kind = "apiextensions.CustomResourceDefinition",
     STORED("CustomResourceDefinition", "customresourcedefinitions.apiextensions.k8s.io", "jfWCUB31mvA="),
     .short_names = NAMES("crd", "crds"),
     .categories = NAMES("api-extensions"),
     .subs = definition_subs,
     .generation = true,
     .needs_rv = true},

    /* -- scheduling.k8s.io -- */
    {.group = "scheduling.k8s.io",
     .version = "v1",
     .kind = "PriorityClass",
     .plural = "priorityclasses",
     .singular = "priorityclass",
     .type = "scheduling.v1.PriorityClass",
     .go_kind = "scheduling.PriorityClass",
     STORED("PriorityClass", "priorityclasses.scheduling.k8s.io", "1QwjyaZjj3Y="),
     .short_names = NAMES("pc"),
     .generation = true},

    /* -- coordination.k8s.io, node.k8s.io, discovery.k8s.io -- */
    {.group = "coordination.k8s.io",
     .version = "v1",
     .kind = "Lease",
     .plural = "leases",
     .singular = "lease",
     .type = "coordination.v1.Lease",
     .go_kind = "coordination.Lease",
     STORED("Lease", "leases.coordination.k8s.io", "gqkMMb/YqFM="),
     .namespaced = true,
     .needs_rv = true,
     .create_on_update = true},
    {.group = "node.k8s.io",
     .version = "v1",
     .kind = "RuntimeClass",
     .plural = "runtimeclasses",
     .singular = "runtimeclass",
     .type = "node.v1.RuntimeClass",
     .go_kind = "node.RuntimeClass",
     STORED("RuntimeClass", "runtimeclasses.node.k8s.io", "WQTu1GL3T2Q="),
     .needs_rv = true,
     .create_on_update = true},
    {.group = "discovery.k8s.io",
     .version = "v1",
     .kind = "EndpointSlice",
     .plural = "endpointslices",
     .singular = "endpointslice",
     .type = "discovery.v1.EndpointSlice",
     .go_kind = "discovery.EndpointSlice",
     STORED("EndpointSlice", "endpointslices.discovery.k8s.io", "qgS0xkrxYAI="),
     .namespaced = true,
     .generation = true},

    /* -- snapshot.storage.k8s.io: custom resources in a real cluster -- */
    {SNAPSHOT("VolumeSnapshotClass", "volumesnapshotclasses", "volumesnapshotclass"),
     STORED("VolumeSnapshotClass", "volumesnapshotclasses.snapshot.storage.k8s.io", "I7pHj9vYlXQ="),
     .short_names = NAMES("vsclass", "vsclasses"), .generation = true, .needs_rv = true},
    {SNAPSHOT("VolumeSnapshotContent", "volumesnapshotcontents", "volumesnapshotcontent"),
     STORED("VolumeSnapshotContent", "volumesnapshotcontents.snapshot.storage.k8s.io", "oLyZ4iEr5tQ="),
     .short_names = NAMES("vsc", "vscs"), .subs = content_subs, .generation = true, .needs_rv = true},
    {SNAPSHOT("VolumeSnapshot", "volumesnapshots", "volumesnapshot"),
     STORED("VolumeSnapshot", "volumesnapshots.snapshot.storage.k8s.io", "jHi0cLa2dmo="), .short_names = NAMES("vs"),
     .namespaced = true, .subs = snapshot_subs, .generation = true, .needs_rv = true},

    /* -- metrics.k8s.io: an API server of its own in a real cluster; nothing of it is stored -- */
    {METRICS("NodeMetrics", "nodes", "")},
    {METRICS("PodMetrics", "pods", ""), .namespaced = true},
};

/* -- the index: a hash over "what|group|version|name", what being 'p'lural, 'k'ind or 'b'ucket -- */

enum { INDEX_SIZE = 512, KEY_MAX = 256 };
static struct {
    char *key; /* lives as long as the process */
    const struct resource *row;
} table[INDEX_SIZE];
static const struct resource *row_list[ARRAY_LEN(rows) + 1];
static size_t row_count;

static const struct resource *lookup(const char *key)
{
    for (size_t at = str_hash32(key, strlen(key)) % INDEX_SIZE; table[at].key; at = (at + 1) % INDEX_SIZE)
        if (strcmp(table[at].key, key) == 0)
            return table[at].row;
    return NULL;
}

/* The first row to claim a key keeps it. */
static void enter(char *take_key, const struct resource *row)
{
    size_t at = str_hash32(take_key, strlen(take_key)) % INDEX_SIZE;
    while (table[at].key && strcmp(table[at].key, take_key) != 0)
        at = (at + 1) % INDEX_SIZE;
    if (table[at].key) {
        free_cleanup(&take_key);
        return;
    }
    table[at].key = take_key;
    table[at].row = row;
}

/* Behind a feature gate that is off, a row is as if it were not there. */
static bool is_hidden(const struct resource *r)
{
    return strcmp(r->kind, "VolumeAttributesClass") == 0 && !feature_on(FEATURE_VOLUME_ATTRIBUTES_CLASS);
}

static void init_once(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct resource *r = &rows[i];
        if (is_hidden(r))
            continue;
        bool core = r->group[0] == '\0';
        r->api_version = core ? r->version : xasprintf("%s/%s", r->group, r->version);
        r->qualified = core ? r->plural : xasprintf("%s.%s", r->plural, r->group);
        r->prefix = xasprintf("{\"kind\":\"%s\",\"apiVersion\":\"%s\",", r->kind, r->api_version);
        r->prefix_len = strlen(r->prefix);
        row_list[row_count++] = r;
        enter(xasprintf("p|%s|%s|%s", r->group, r->version, r->plural), r);
        enter(xasprintf("k|%s|%s|%s", r->group, r->version, r->kind), r);
        enter(xasprintf("a|%s|%s", r->api_version, r->kind), r);
        enter(xasprintf("g|%s", r->group), r);
        enter(xasprintf("v|%s|%s", r->group, r->version), r);
        if (r->bucket)
            enter(xasprintf("b|%s", r->bucket), r);
    }
}

void resource_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

/* Looks "KIND|a|b|c" up; b and c may be NULL. Every request comes here: no printf. */
static const struct resource *find(char kind, const char *a, const char *b, const char *c)
{
    const char *const parts[] = {a, b, c};
    char key[KEY_MAX] = {kind};
    size_t n = 1;
    for (size_t i = 0; i < ARRAY_LEN(parts) && parts[i]; i++) {
        size_t len = strlen(parts[i]);
        if (n + 1 + len >= sizeof key)
            return NULL;
        key[n++] = '|';
        memcpy(key + n, parts[i], len + 1);
        n += len;
    }
    return lookup(key);
}

const struct resource *const *resource_all(size_t *out_count)
{
    *out_count = row_count;
    return row_list;
}

const struct resource *resource_by_plural(const char *group, const char *version, const char *plural)
{
    return find('p', group, version, plural);
}

const struct resource *resource_by_kind(const char *group, const char *version, const char *kind)
{
    return find('k', group, version, kind);
}

const struct resource *resource_by_api_version(const char *api_version, const char *kind)
{
    return find('a', api_version, kind, NULL);
}

const struct resource *resource_by_bucket(const char *bucket)
{
    return find('b', bucket, NULL, NULL);
}

const struct subresource *resource_sub(const struct resource *r, const char *name)
{
    for (const struct subresource *s = r->subs; s && s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

const char *resource_api_version(const struct resource *r)
{
    return r->api_version;
}

const char *resource_qualified(const struct resource *r)
{
    return r->qualified;
}

bool resource_has_group(const char *group)
{
    return find('g', group, NULL, NULL) != NULL;
}

bool resource_has_group_version(const char *group, const char *version)
{
    return find('v', group, version, NULL) != NULL;
}
