/* defaults_cluster.c - conditional defaults of services, namespaces, nodes and deployments. See defaults.c. THREADS:
 * pure. */
#include "api/defaults_int.h"

#include "base/json.h"
#include "base/str.h"

enum { SESSION_SECONDS = 10800 };

static void session_affinity(json_t *spec)
{
    if (str_eq(jstr(spec, "sessionAffinity"), "None")) {
        json_object_del(spec, "sessionAffinityConfig");
        return;
    }
    if (str_eq(jstr(spec, "sessionAffinity"), "ClientIP") &&
        !jat(spec, "sessionAffinityConfig.clientIP.timeoutSeconds"))
        jset_int(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", SESSION_SECONDS);
}

void default_service_spec(json_t *spec)
{
    const char *type = jstr_or(spec, "type", "");
    bool balancer = str_eq(type, "LoadBalancer");
    bool outside = balancer || str_eq(type, "NodePort");
    session_affinity(spec);
    const bool named = str_eq(type, "ClusterIP") && json_array_size(json_object_get(spec, "externalIPs"));
    if ((outside || named) && str_empty(jstr(spec, "externalTrafficPolicy")))
        jset_str(spec, "externalTrafficPolicy", "Cluster");
    if ((outside || str_eq(type, "ClusterIP")) && !json_object_get(spec, "internalTrafficPolicy"))
        jset_str(spec, "internalTrafficPolicy", "Cluster");
    if (balancer && !json_object_get(spec, "allocateLoadBalancerNodePorts"))
        jset_bool(spec, "allocateLoadBalancerNodePorts", true);
}

void default_service_port(json_t *port)
{
    if (value_is_unset(json_object_get(port, "targetPort")))
        jset_int(port, "targetPort", jint(port, "port", 0));
}

void default_load_balancer_ingress(json_t *ingress)
{
    if (!str_empty(jstr(ingress, "ip")) && !json_object_get(ingress, "ipMode"))
        jset_str(ingress, "ipMode", "VIP");
}

/* A policy closes the way in, and the way out too if it has rules for that. */
void default_network_policy_spec(json_t *spec)
{
    if (json_array_size(json_object_get(spec, "policyTypes")))
        return;
    json_t *types = json_pack("[s]", "Ingress");
    if (json_array_size(json_object_get(spec, "egress")))
        json_array_append_new(types, json_string("Egress"));
    json_object_set_new(spec, "policyTypes", types);
}

/* The name as a label, so that selectors can name namespaces. */
void default_namespace(json_t *ns)
{
    const char *name = jstr(ns, "metadata.name");
    if (!str_empty(name))
        jset_map(ns, "metadata.labels", "kubernetes.io/metadata.name", name);
}

/* Of a volume, not of its spec: the one inside a VolumeAttachment stays as it was written. */
void default_persistent_volume(json_t *pv)
{
    json_t *spec = json_object_get(pv, "spec");
    if (!spec)
        return;
    if (str_empty(jstr(spec, "persistentVolumeReclaimPolicy")))
        jset_str(spec, "persistentVolumeReclaimPolicy", "Retain");
    if (!jstr(spec, "volumeMode"))
        jset_str(spec, "volumeMode", "Filesystem");
}

void default_node_status(json_t *status)
{
    json_t *capacity = json_object_get(status, "capacity");
    if (capacity && !json_object_get(status, "allocatable"))
        json_object_set_new_nocheck(status, "allocatable", json_deep_copy(capacity));
}

/* Only a rolling update has parameters; the walk fills them. */
void default_deployment_strategy(json_t *strategy)
{
    if (str_eq(jstr(strategy, "type"), "RollingUpdate") && !json_object_get(strategy, "rollingUpdate"))
        json_object_set_new_nocheck(strategy, "rollingUpdate", json_object());
}

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* Whose group it is, follows from the kind. */
void default_subject(json_t *subject)
{
    const char *kind = jstr_or(subject, "kind", "");
    if (str_empty(jstr(subject, "apiGroup")) && (str_eq(kind, "User") || str_eq(kind, "Group")))
        jset_str(subject, "apiGroup", RBAC_GROUP);
}

void default_role_ref(json_t *ref)
{
    if (str_empty(jstr(ref, "apiGroup")))
        jset_str(ref, "apiGroup", RBAC_GROUP);
}
