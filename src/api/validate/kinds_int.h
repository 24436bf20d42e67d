/* kinds_int.h - the rules of each kind: what the table of validate.c points at. */
#ifndef STOWAGE_API_VALIDATE_KINDS_INT_H
#define STOWAGE_API_VALIDATE_KINDS_INT_H

#include "api/validate/validate_int.h"

/* A new object, a changed one. */
change_rules pod_create, pod_update, pod_status_update, namespace_create, namespace_update, node_create, node_update,
    pv_create, pv_update, pvc_create, pvc_update, configmap_create, configmap_update, secret_create, secret_update,
    service_create, service_update, endpoints_create, endpoints_update, slice_create, slice_update, event_create,
    event_update, account_create, account_update, deployment_create, deployment_update, replicaset_create,
    replicaset_update, revision_create, revision_update, lease_create, lease_update, class_create, class_update,
    attachment_create, attachment_update, csidriver_create, csidriver_update, csinode_create, csinode_update,
    capacity_create, capacity_update, budget_create, budget_update;
change_rules statefulset_create, statefulset_update, daemonset_create, daemonset_update, job_create, job_update,
    cronjob_create, cronjob_update, quota_create, quota_update, limitrange_create, limitrange_update;
change_rules autoscaler_create, autoscaler_update;
change_rules role_create, role_update, role_binding_create, role_binding_update;
change_rules priority_class_create, priority_class_update, runtime_class_create, runtime_class_update,
    controller_create, controller_update;
change_rules ingress_create, ingress_update, ingress_class_create, ingress_class_update, network_policy_create,
    network_policy_update;
change_rules snapshot_create, snapshot_update, content_create, content_update, snapshot_class_create,
    snapshot_class_update, attributes_class_create, attributes_class_update;
/* Parts of a pod's update (pod_gates.c); `spec_path` is "spec". */
void pod_gates_check(const struct change *c, const struct vpath *spec_path);
void pod_gated_changes_check(const struct change *c, const struct vpath *spec_path);
/* Undoes in a copy of the new spec what a gated pod may change. */
void pod_gated_restore(json_t *spec, const json_t *before);
void scale_check(const struct change *c);
void binding_check(const json_t *binding, struct field_errors *errs);

typedef void warning_rules(const json_t *obj, const json_t *old, struct strlist *out);
warning_rules pod_warnings, pv_warnings, pvc_warnings, class_warnings, service_warnings, deployment_warnings,
    replicaset_warnings, node_warnings, ingress_warnings, statefulset_warnings, daemonset_warnings, job_warnings,
    cronjob_warnings;

#endif
