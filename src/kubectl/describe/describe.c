/* describe.c - which kind is described how, and with what of its surroundings.
 *
 * When you add a kind: its rows in the file of its family (declared in page_int.h), and a row in
 * kinds[]. Kinds without a row are described member by member (generic.c). THREADS: pure. */
#include "kubectl/describe/describe.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/describe/page_int.h"

#include <string.h>

#define WANTS_MAX 3

struct described {
    const char *group, *kind;
    const struct row *rows;
    enum describe_events events;
    struct describe_want wants[WANTS_MAX]; /* ends with an empty one */
};

#define POD_PATH "/api/v1/namespaces/{ns}/pods"
#define SELECTED                                                                                                       \
    {                                                                                                                  \
        "pods", POD_PATH "?labelSelector={selector}&limit=500", false, true                                            \
    }
#define OF_NODE                                                                                                        \
    "/api/v1/pods?fieldSelector=spec.nodeName%3D{name}%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
#define SLICES "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
#define RBAC   "rbac.authorization.k8s.io"

static const struct described kinds[] = {
    {"", "Pod", rows_pod, EVENTS_BY_NAME, {{0}}},
    {"", "ReplicationController", rows_replication_controller, EVENTS_BY_KIND, {SELECTED}},
    {"", "Secret", rows_secret, EVENTS_NONE, {{0}}},
    {"",
     "Service",
     rows_service,
     EVENTS_BY_KIND,
     {{"slices", SLICES "?labelSelector=kubernetes.io%2Fservice-name%3D{name}", false, false}}},
    {"",
     "ServiceAccount",
     rows_service_account,
     EVENTS_BY_KIND,
     {{"secrets", "/api/v1/namespaces/{ns}/secrets?limit=500", false, false}}},
    {"",
     "Node",
     rows_node,
     EVENTS_OF_NODE,
     {{"pods", OF_NODE "&limit=500", false, false},
      {"lease", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}", true, false}}},
    {"", "LimitRange", rows_limit_range, EVENTS_NONE, {{0}}},
    {"", "ResourceQuota", rows_quota, EVENTS_NONE, {{0}}},
    {"", "PersistentVolume", rows_pv, EVENTS_BY_KIND, {{0}}},
    {"", "PersistentVolumeClaim", rows_pvc, EVENTS_BY_KIND, {{"pods", POD_PATH "?limit=500", false, true}}},
    {"",
     "Namespace",
     rows_namespace,
     EVENTS_NONE,
     {{"quotas", "/api/v1/namespaces/{name}/resourcequotas?limit=500", false, false},
      {"limits", "/api/v1/namespaces/{name}/limitranges?limit=500", false, false}}},
    {"", "Endpoints", rows_endpoints, EVENTS_BY_KIND, {{0}}},
    {"", "ConfigMap", rows_config_map, EVENTS_BY_KIND, {{0}}},
    {"discovery.k8s.io", "EndpointSlice", rows_slice, EVENTS_BY_KIND, {{0}}},
    {"autoscaling", "HorizontalPodAutoscaler", rows_hpa, EVENTS_BY_KIND, {{0}}},
    {"networking.k8s.io",
     "Ingress",
     rows_ingress,
     EVENTS_BY_KIND,
     {{"slices", SLICES "?limit=500", false, false},
      {"services", "/api/v1/namespaces/{ns}/services?limit=500", false, false}}},
    {"networking.k8s.io", "IngressClass", rows_ingress_class, EVENTS_BY_KIND, {{0}}},
    {"networking.k8s.io", "NetworkPolicy", rows_network_policy, EVENTS_NONE, {{0}}},
    {"networking.k8s.io", "ServiceCIDR", rows_service_cidr, EVENTS_BY_KIND, {{0}}},
    {"networking.k8s.io", "IPAddress", rows_ip_address, EVENTS_BY_KIND, {{0}}},
    {"batch", "Job", rows_job, EVENTS_BY_KIND, {{0}}},
    {"batch", "CronJob", rows_cron_job, EVENTS_BY_KIND, {{0}}},
    {"apps", "StatefulSet", rows_stateful_set, EVENTS_BY_KIND, {SELECTED}},
    {"apps",
     "Deployment",
     rows_deployment,
     EVENTS_BY_KIND,
     {{"replica_sets", "/apis/apps/v1/namespaces/{ns}/replicasets?labelSelector={selector}&limit=500", false, false}}},
    {"apps", "DaemonSet", rows_daemon_set, EVENTS_BY_KIND, {SELECTED}},
    {"apps",
     "ReplicaSet",
     rows_replica_set,
     EVENTS_BY_KIND,
     {{"pods", POD_PATH "?labelSelector={selector}&limit=500", false, false}}},
    {"storage.k8s.io", "StorageClass", rows_storage_class, EVENTS_BY_KIND, {{0}}},
    {"storage.k8s.io", "CSINode", rows_csi_node, EVENTS_BY_KIND, {{0}}},
    {"storage.k8s.io", "VolumeAttributesClass", rows_attributes_class, EVENTS_BY_KIND, {{0}}},
    {"policy", "PodDisruptionBudget", rows_budget, EVENTS_BY_KIND, {{0}}},
    {RBAC, "Role", rows_role, EVENTS_NONE, {{0}}},
    {RBAC, "ClusterRole", rows_role, EVENTS_NONE, {{0}}},
    {RBAC, "RoleBinding", rows_role_binding, EVENTS_NONE, {{0}}},
    {RBAC, "ClusterRoleBinding", rows_role_binding, EVENTS_NONE, {{0}}},
    {"scheduling.k8s.io", "PriorityClass", rows_priority_class, EVENTS_BY_KIND, {{0}}},
    {"certificates.k8s.io", "CertificateSigningRequest", rows_csr, EVENTS_BY_KIND, {{0}}},
};

static const struct described *described_of(const char *group, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].group, group) && str_eq(kinds[i].kind, kind))
            return &kinds[i];
    return NULL;
}

const struct describe_want *describe_wants(const char *group, const char *kind)
{
    static const struct describe_want none[1];
    const struct described *d = described_of(group, kind);
    return d != NULL ? d->wants : none;
}

enum describe_events describe_events_of(const char *group, const char *kind)
{
    const struct described *d = described_of(group, kind);
    return d != NULL ? d->events : EVENTS_BY_KIND;
}

const char *describe_refuses(const json_t *object)
{
    const bool csr = str_eq(jstr(object, "kind"), "CertificateSigningRequest") &&
                     str_starts(jstr_or(object, "apiVersion", ""), "certificates.k8s.io/");
    return csr ? describe_csr_fault(object) : NULL;
}

void describe_object(struct buf *out, const json_t *object, const json_t *related, int64_t now)
{
    const char *version = jstr_or(object, "apiVersion", "v1"), *slash = strchr(version, '/');
    _auto_free_ char *group = slash != NULL ? xstrndup(version, (size_t)(slash - version)) : xstrdup("");
    const struct described *d = described_of(group, jstr_or(object, "kind", ""));
    struct page p = {.out = out, .now = now, .related = related};
    if (d != NULL)
        page_rows(&p, d->rows, object);
    else
        describe_generic(&p, object);
    const json_t *events = jat(related, "events");
    if (json_is_array(events) && (d == NULL || d->events != EVENTS_NONE))
        page_events(&p, events);
    page_flush(&p);
    buf_release(&p.raw);
}

void describe_pod_template(struct buf *out, const json_t *template_object)
{
    struct page p = {.out = out};
    page_pod_template(&p, template_object);
    buf_add(out, buf_str(&p.raw), p.raw.len);
    buf_release(&p.raw);
}

void describe_value(struct buf *out, const json_t *value)
{
    value_text(out, value);
}
