/* defaults.c - what the server fills in.
 *
 * DESIGN: one walk over the object, driven by the schema. At each struct the fixed defaults of the schema (default=,
 * fill=) are filled in first, then the type's hook, if it has one, does what depends on other fields; then the walk
 * goes down. So a pod template gets the same defaults wherever it is reached from. A non-pointer field counts as unset
 * when it is empty, a pointer when it is absent, as in Go. At the end members are put in schema order. Source of the
 * rules: Kubernetes 1.32 pkg/apis/<group>/v1/defaults.go. THREADS: pure. When you add a default: a fixed one goes into
 * the schema text; one with a condition is a hook in defaults_<topic>.c and a row in the table below. */
#include "api/defaults_int.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

static const struct {
    const char *type;
    default_hook *hook;
} hooks[] = {
    {"core.v1.Pod", default_pod},
    {"core.v1.PodSpec", default_pod_spec},
    {"core.v1.Container", default_container},
    {"core.v1.EphemeralContainer", default_container},
    {"core.v1.Volume", default_volume},
    {"core.v1.ServiceSpec", default_service_spec},
    {"core.v1.ServicePort", default_service_port},
    {"core.v1.LoadBalancerIngress", default_load_balancer_ingress},
    {"networking.v1.NetworkPolicySpec", default_network_policy_spec},
    {"core.v1.ReplicationController", default_replication_controller},
    {"core.v1.Namespace", default_namespace},
    {"core.v1.PersistentVolume", default_persistent_volume},
    {"core.v1.NodeStatus", default_node_status},
    {"core.v1.LimitRangeItem", default_limit_range_item},
    {"apps.v1.DeploymentStrategy", default_deployment_strategy},
    {"apps.v1.StatefulSetSpec", default_statefulset_spec},
    {"apps.v1.StatefulSetUpdateStrategy", default_statefulset_strategy},
    {"apps.v1.DaemonSetUpdateStrategy", default_daemonset_strategy},
    {"batch.v1.Job", default_job},
    {"autoscaling.v2.HorizontalPodAutoscalerSpec", default_autoscaler_spec},
    {"autoscaling.v2.HorizontalPodAutoscalerBehavior", default_autoscaler_behavior},
    {"rbac.v1.Subject", default_subject},
    {"rbac.v1.RoleRef", default_role_ref},
};

static const struct schema_type *hook_types[ARRAY_LEN(hooks)]; /* of the rows above */

static void hook_types_find(void)
{
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        hook_types[i] = schema_type(hooks[i].type);
}

static default_hook *hook_find(const struct schema_type *t)
{
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        if (hook_types[i] == t)
            return hooks[i].hook;
    return NULL;
}

bool value_is_unset(const json_t *v)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_NULL:
    case JSON_FALSE:
        return true;
    case JSON_STRING:
        return json_string_length(v) == 0;
    case JSON_INTEGER:
        return json_integer_value(v) == 0;
    case JSON_ARRAY:
        return json_array_size(v) == 0;
    default:
        return false;
    }
}

static void fixed_defaults(const struct schema_type *t, json_t *obj)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        if (!f->dflt)
            continue;
        json_t *v = json_object_get(obj, f->name);
        bool unset = f->nullable_pointer ? !v || json_is_null(v) : value_is_unset(v);
        if (unset && !(value_is_unset(f->dflt) && !f->nullable_pointer))
            json_object_set_new_nocheck(obj, f->name, json_deep_copy(f->dflt));
    }
}

static void walk_object(const struct schema_type *t, json_t *obj);

static void walk_value(const struct schema_type *t, json_t *v)
{
    if (json_is_object(v)) {
        walk_object(t, v);
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item) walk_object(t, item);
}

static void own_defaults(const struct schema_type *t, json_t *obj)
{
    fixed_defaults(t, obj);
    default_hook *hook = hook_find(t);
    if (hook)
        hook(obj);
}

static void walk_member(const struct schema_type *t, const char *key, size_t len, json_t *v)
{
    const struct schema_field *f = json_is_object(v) || json_is_array(v) ? schema_field(t, key, len) : NULL;
    if (f && f->type && f->shape != SHAPE_MAP)
        walk_value(f->type, v);
}

static void walk_object(const struct schema_type *t, json_t *obj)
{
    if (!json_is_object(obj))
        return;
    own_defaults(t, obj);
    for (void *it = json_object_iter(obj); it; it = json_object_iter_next(obj, it))
        walk_member(t, json_object_iter_key(it), json_object_iter_key_len(it), json_object_iter_value(it));
}

static const struct schema_type *type_of(const struct resource *r)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, hook_types_find);
    return schema_type(r->type);
}

void defaults_apply(const struct resource *r, json_t *tree)
{
    const struct schema_type *t = type_of(r);
    walk_object(t, tree);
    schema_order(t, tree);
}

void defaults_apply_members(const struct resource *r, const json_t *members, json_t *tree)
{
    const struct schema_type *t = type_of(r);
    const char *key;
    json_t *given;
    own_defaults(t, tree);
    json_object_foreach((json_t *)members, key, given)
    {
        walk_member(t, key, strlen(key), json_object_get(tree, key));
    }
}
