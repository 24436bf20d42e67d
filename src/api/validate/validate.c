/* validate.c - which rules a kind has.
 *
 * DESIGN: one table, a row a store bucket: the rule for its names, what a new object, a changed one and a warning are
 * checked by. Kinds without a row get the metadata rules. Around the kind's rules come the generic ones of the API
 * machinery, as in the real server: for a new object only when the kind's found nothing, for a changed one always and
 * first. The two event kinds share a bucket and a row.
 * THREADS: pure functions. When you add a kind: its functions in a file of this folder, their names in validate_int.h,
 * a row here. */
#include "api/validate/kinds_int.h"

static const struct kind_rules {
    const char *bucket;
    name_rule *name;
    change_rules *create, *update;
    warning_rules *warnings;
} rows[] = {
    {"configmaps", rule_subdomain, configmap_create, configmap_update, NULL},
    {"endpoints", rule_subdomain, endpoints_create, endpoints_update, NULL},
    {"events", rule_subdomain, event_create, event_update, NULL},
    {"limitranges", rule_subdomain, limitrange_create, limitrange_update, NULL},
    {"namespaces", rule_label, namespace_create, namespace_update, NULL},
    {"nodes", rule_subdomain, node_create, node_update, node_warnings},
    {"persistentvolumeclaims", rule_subdomain, pvc_create, pvc_update, pvc_warnings},
    {"persistentvolumes", rule_subdomain, pv_create, pv_update, pv_warnings},
    {"pods", rule_subdomain, pod_create, pod_update, pod_warnings},
    {"replicationcontrollers", rule_subdomain, controller_create, controller_update, NULL},
    {"resourcequotas", rule_subdomain, quota_create, quota_update, NULL},
    {"secrets", rule_subdomain, secret_create, secret_update, NULL},
    {"serviceaccounts", rule_subdomain, account_create, account_update, NULL},
    {"services", rule_dns1035, service_create, service_update, service_warnings},
    {"controllerrevisions.apps", rule_subdomain, revision_create, revision_update, NULL},
    {"daemonsets.apps", rule_subdomain, daemonset_create, daemonset_update, daemonset_warnings},
    {"deployments.apps", rule_subdomain, deployment_create, deployment_update, deployment_warnings},
    {"replicasets.apps", rule_subdomain, replicaset_create, replicaset_update, replicaset_warnings},
    {"statefulsets.apps", rule_label, statefulset_create, statefulset_update, statefulset_warnings},
    {"cronjobs.batch", rule_subdomain, cronjob_create, cronjob_update, cronjob_warnings},
    {"jobs.batch", rule_subdomain, job_create, job_update, job_warnings},
    {"leases.coordination.k8s.io", rule_subdomain, lease_create, lease_update, NULL},
    {"horizontalpodautoscalers.autoscaling", rule_subdomain, autoscaler_create, autoscaler_update, NULL},
    {"priorityclasses.scheduling.k8s.io", rule_subdomain, priority_class_create, priority_class_update, NULL},
    {"runtimeclasses.node.k8s.io", rule_subdomain, runtime_class_create, runtime_class_update, NULL},
    {"endpointslices.discovery.k8s.io", rule_subdomain, slice_create, slice_update, NULL},
    {"ingressclasses.networking.k8s.io", rule_subdomain, ingress_class_create, ingress_class_update, NULL},
    {"ingresses.networking.k8s.io", rule_subdomain, ingress_create, ingress_update, ingress_warnings},
    {"networkpolicies.networking.k8s.io", rule_subdomain, network_policy_create, network_policy_update, NULL},
    {"poddisruptionbudgets.policy", rule_subdomain, budget_create, budget_update, NULL},
    {"clusterrolebindings.rbac.authorization.k8s.io", rule_path_segment, role_binding_create, role_binding_update,
     NULL},
    {"clusterroles.rbac.authorization.k8s.io", rule_path_segment, role_create, role_update, NULL},
    {"rolebindings.rbac.authorization.k8s.io", rule_path_segment, role_binding_create, role_binding_update, NULL},
    {"roles.rbac.authorization.k8s.io", rule_path_segment, role_create, role_update, NULL},
    {"csidrivers.storage.k8s.io", rule_subdomain, csidriver_create, csidriver_update, NULL},
    {"csinodes.storage.k8s.io", rule_subdomain, csinode_create, csinode_update, NULL},
    {"csistoragecapacities.storage.k8s.io", rule_subdomain, capacity_create, capacity_update, NULL},
    {"volumeattributesclasses.storage.k8s.io", rule_subdomain, attributes_class_create, attributes_class_update, NULL},
    {"volumesnapshotclasses.snapshot.storage.k8s.io", rule_subdomain, snapshot_class_create, snapshot_class_update,
     NULL},
    {"volumesnapshotcontents.snapshot.storage.k8s.io", rule_subdomain, content_create, content_update, NULL},
    {"volumesnapshots.snapshot.storage.k8s.io", rule_subdomain, snapshot_create, snapshot_update, NULL},
    {"storageclasses.storage.k8s.io", rule_subdomain, class_create, class_update, class_warnings},
    {"volumeattachments.storage.k8s.io", rule_subdomain, attachment_create, attachment_update, NULL},
};
static const struct kind_rules plain = {NULL, rule_subdomain, change_meta_create, change_meta_update, NULL};

static const struct kind_rules *rules_of(const struct resource *r)
{
    for (size_t i = 0; r->bucket != NULL && i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].bucket, r->bucket) == 0)
            return &rows[i];
    }
    return &plain;
}

void change_meta_create(const struct change *c)
{
    meta_create(c->obj, c->res->namespaced, c->name, META_CORE, c->errs);
}

void change_meta_update(const struct change *c)
{
    meta_update(c->obj, c->old, META_CORE, c->errs);
}

void validate_create(const struct resource *r, const json_t *obj, struct field_errors *errs)
{
    const struct kind_rules *rules = rules_of(r);
    const struct change c = {.res = r, .sub = "", .obj = obj, .name = rules->name, .errs = errs};
    size_t faults = errs->len;
    if (strcmp(r->kind, "Binding") == 0) {
        binding_check(obj, errs);
        return;
    }
    if (r->bucket == NULL)
        return; /* reviews and the like are answered, not stored */
    rules->create(&c);
    if (errs->len == faults)
        meta_create(obj, r->namespaced, rule_path_segment, META_GENERIC, errs);
}

void validate_update(const struct resource *r, const char *sub, const json_t *obj, const json_t *old,
                     struct field_errors *errs)
{
    const struct kind_rules *rules = rules_of(r);
    const struct change c = {
        .res = r, .sub = sub != NULL ? sub : "", .obj = obj, .old = old, .name = rules->name, .errs = errs};
    if (strcmp(c.sub, "scale") == 0) {
        scale_check(&c);
        return;
    }
    meta_update(obj, old, META_GENERIC, errs);
    rules->update(&c);
}

void validate_warnings(const struct resource *r, const json_t *obj, const json_t *old, struct strlist *warnings)
{
    const struct kind_rules *rules = rules_of(r);
    if (rules->warnings != NULL)
        rules->warnings(obj, old, warnings);
}
