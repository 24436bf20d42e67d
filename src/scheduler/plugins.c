/* plugins.c - the filters in the real scheduler's order: the first that refuses a node gives its reasons.
 *
 * Each row says when the filter has nothing to say (so that a thousand nodes need not ask it), and what may change its
 * mind: a pod that it refused is tried again after such an event only. Source: apis/config/v1/default_plugins.go,
 * EventsToRegister() of each plugin. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"

#define WAKE_PODS (WAKE_POD_CAME | WAKE_POD_GONE)

static bool no_affinity(const struct attempt *a)
{
    return !a->me->picky;
}

static bool no_ports(const struct attempt *a)
{
    return a->me->ports_len == 0;
}

/* Neither claims nor disks it names itself. */
static bool no_disks(const struct attempt *a)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(a->pod, "spec.volumes"), i, volume)
    {
        if (json_object_get(volume, "awsElasticBlockStore") || json_object_get(volume, "gcePersistentDisk"))
            return false;
    }
    return true;
}

static bool no_claims(const struct attempt *a)
{
    return a->claim_count == 0;
}

static bool no_volumes(const struct attempt *a)
{
    return no_claims(a) && no_disks(a);
}

static bool no_spread(const struct attempt *a)
{
    return a->spread.hard_len == 0;
}

static bool no_terms(const struct attempt *a)
{
    return !a->me->near.len && !a->me->apart.len && !a->affinity.refused.len;
}

const struct plugin sched_plugins[] = {
    {"NodeUnschedulable", filter_unschedulable, NULL, WAKE_NODE | WAKE_ITSELF, true},
    {"TaintToleration", filter_taints, NULL, WAKE_NODE | WAKE_ITSELF, true},
    {"NodeAffinity", filter_affinity, no_affinity, WAKE_NODE | WAKE_ITSELF, true},
    {"NodePorts", filter_ports, no_ports, WAKE_NODE | WAKE_POD_GONE, true},
    {"NodeResourcesFit", filter_resources, NULL, WAKE_NODE | WAKE_POD_GONE | WAKE_ITSELF, true},
    {"VolumeRestrictions", filter_disks, no_disks, WAKE_NODE | WAKE_POD_GONE, false},
    {"VolumeRestrictions", filter_exclusive_claims, no_claims, WAKE_POD_GONE | WAKE_CLAIM, false},
    {"NodeVolumeLimits", filter_volume_limits, no_volumes, WAKE_NODE | WAKE_POD_GONE | WAKE_CLAIM | WAKE_STORAGE,
     false},
    {"VolumeBinding", filter_volumes, no_claims, WAKE_NODE | WAKE_CLAIM | WAKE_STORAGE, false},
    {"VolumeZone", filter_zones, no_claims, WAKE_NODE | WAKE_CLAIM | WAKE_STORAGE, false},
    {"PodTopologySpread", filter_spread, no_spread, WAKE_NODE | WAKE_NODE_GONE | WAKE_PODS | WAKE_ITSELF, false},
    {"InterPodAffinity", filter_pod_affinity, no_terms,
     WAKE_NODE | WAKE_NODE_GONE | WAKE_PODS | WAKE_ITSELF | WAKE_NAMESPACE, false},
};
const size_t sched_plugins_len = ARRAY_LEN(sched_plugins);
