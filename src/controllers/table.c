/* table.c - the loops of this folder. How to add one: its file, its line in controllers_int.h, its row here. */
#include "controllers/controllers_int.h"

#include "base/mem.h"

const struct loop_def *const *controllers_loops(size_t *n)
{
    static const struct loop_def *loops[] = {
        NULL, /* gc_loop() */
        NULL, /* quota_loop() */
        &cluster_roles_loop,
        &replicaset_loop,
        &replication_controller_loop,
        &deployment_loop,
        &autoscaler_loop,
        &statefulset_loop,
        &daemonset_loop,
        &job_loop,
        &job_ttl_loop,
        &cronjob_loop,
        &namespace_loop,
        &service_account_loop,
        &root_ca_loop,
        &endpoints_loop,
        &endpointslice_loop,
        &load_balancer_loop,
        &mirror_loop,
        &node_lifecycle_loop,
        &node_monitor_loop,
        &pod_gc_loop,
        &disruption_loop,
        &event_ttl_loop, /* of control: it knows what a change of an event is */
    };
    loops[0] = gc_loop();
    loops[1] = quota_loop();
    *n = ARRAY_LEN(loops);
    return loops;
}
