/* defaults_int.h - private to api: the hooks of defaults.c, one per type with conditional defaults. */
#ifndef STOWAGE_API_DEFAULTS_INT_H
#define STOWAGE_API_DEFAULTS_INT_H

#include <jansson.h>
#include <stdbool.h>

/* Gets the struct of its type; the fixed defaults are in. */
typedef void default_hook(json_t *obj);

default_hook default_pod, default_pod_spec, default_container, default_volume;
default_hook default_service_spec, default_service_port, default_load_balancer_ingress, default_network_policy_spec;
default_hook default_replication_controller, default_autoscaler_spec, default_autoscaler_behavior;
default_hook default_namespace, default_node_status, default_deployment_strategy, default_persistent_volume;
default_hook default_statefulset_spec, default_statefulset_strategy, default_daemonset_strategy, default_job,
    default_limit_range_item, default_subject, default_role_ref;

/* Absent, null, "", 0, false or an empty list: Go's zero value. */
bool value_is_unset(const json_t *v);

#endif
