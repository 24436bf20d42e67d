/* admission.c - the chain of admission plug-ins; see admission_int.h.
 *
 * The order is that of the real server's default chain. A row runs when its bucket (NULL: any), verb and subresource
 * fit. */
#include "registry/admission_int.h"

#include <string.h>

static const struct admission {
    const char *name;
    const char *bucket; /* NULL = any */
    unsigned verbs;
    int (*mutate)(struct op *op, struct admit *a);
    int (*validate)(struct op *op, struct admit *a);
} chain[] = {
    {"NamespaceLifecycle", NULL, ADMIT_CREATE | ADMIT_DELETE, admit_namespace, NULL},
    {"LimitRanger", "pods", ADMIT_CREATE, admit_limit_defaults, admit_limits},
    {"LimitRanger", "persistentvolumeclaims", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_limits},
    {"ServiceAccount", "pods", ADMIT_CREATE, admit_service_account, NULL},
    {"PodSecurity", "pods", ADMIT_CREATE, NULL, admit_pod_security},
    {"PodSecurity", "replicationcontrollers", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"PodSecurity", "deployments.apps", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"PodSecurity", "replicasets.apps", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"PodSecurity", "statefulsets.apps", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"PodSecurity", "daemonsets.apps", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"PodSecurity", "jobs.batch", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"PodSecurity", "cronjobs.batch", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_pod_security},
    {"TaintNodesByCondition", "nodes", ADMIT_CREATE, admit_node_taint, NULL},
    {"Priority", "pods", ADMIT_CREATE | ADMIT_UPDATE, admit_priority, NULL},
    {"Priority", "priorityclasses.scheduling.k8s.io", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_priority_class},
    {"DefaultTolerationSeconds", "pods", ADMIT_CREATE | ADMIT_UPDATE, admit_tolerations, NULL},
    {"DefaultStorageClass", "persistentvolumeclaims", ADMIT_CREATE, admit_default_class, NULL},
    {"StorageObjectInUseProtection", "persistentvolumeclaims", ADMIT_CREATE, admit_protection, NULL},
    {"StorageObjectInUseProtection", "persistentvolumes", ADMIT_CREATE, admit_protection, NULL},
    {"RuntimeClass", "pods", ADMIT_CREATE, admit_runtime_class, NULL},
    {"DefaultIngressClass", "ingresses.networking.k8s.io", ADMIT_CREATE, admit_ingress_class, NULL},
    {"CustomResourceDefinitions", "customresourcedefinitions.apiextensions.k8s.io", ADMIT_CREATE | ADMIT_DELETE, NULL,
     admit_definition},
    {"PersistentVolumeClaimResize", "persistentvolumeclaims", ADMIT_UPDATE, NULL, admit_claim_resize},
    {"RBAC", "roles.rbac.authorization.k8s.io", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_role},
    {"RBAC", "clusterroles.rbac.authorization.k8s.io", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_role},
    {"RBAC", "rolebindings.rbac.authorization.k8s.io", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_role_binding},
    {"RBAC", "clusterrolebindings.rbac.authorization.k8s.io", ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_role_binding},
    {"ResourceQuota", NULL, ADMIT_CREATE | ADMIT_UPDATE, NULL, admit_quota}, /* last: what it grants is used */
};

static bool applies(const struct admission *row, const struct op *op, const struct admit *a)
{
    return (row->verbs & a->verb) && (!a->sub || !*a->sub) &&
           (!row->bucket || strcmp(row->bucket, op->res->bucket) == 0);
}

int admission_mutate(struct op *op, struct admit *a)
{
    for (size_t i = 0; i < ARRAY_LEN(chain); i++)
        if (chain[i].mutate && applies(&chain[i], op, a) && chain[i].mutate(op, a) < 0)
            return -1;
    return 0;
}

int admission_validate(struct op *op, struct admit *a)
{
    for (size_t i = 0; i < ARRAY_LEN(chain); i++)
        if (chain[i].validate && applies(&chain[i], op, a) && chain[i].validate(op, a) < 0)
            return -1;
    return 0;
}
