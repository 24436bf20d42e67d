/* workload.c - deployments, replica sets, disruption budgets, endpoint slices at the door: what a new one's status is,
 * what counts as a change. */
#include "registry/meta_int.h"
#include "registry/strategy_int.h"

#include <string.h>

void deployment_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_object());
}

/* A rollback lives in the annotations, so they count. */
bool deployment_bumps(const json_t *obj, const json_t *old)
{
    return !member_equal(obj, old, "spec") ||
           !member_equal(json_object_get(obj, "metadata"), json_object_get(old, "metadata"), "annotations");
}

void replicaset_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_pack("{si}", "replicas", 0));
}

void autoscaler_prepare_create(struct op *op, json_t *obj)
{
    bool old = strcmp(op->res->version, "v1") == 0;
    json_object_set_new(obj, "status",
                        old ? json_pack("{si si}", "currentReplicas", 0, "desiredReplicas", 0)
                            : json_pack("{si sn}", "desiredReplicas", 0, "currentMetrics"));
}

void budget_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status",
                        json_pack("{si si si si}", "disruptionsAllowed", 0, "currentHealthy", 0, "desiredHealthy", 0,
                                  "expectedPods", 0));
}

/* Everything but the metadata, and the labels. */
bool slice_bumps(const json_t *obj, const json_t *old)
{
    static const char *const members[] = {"addressType", "endpoints", "ports"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!member_equal(obj, old, members[i]))
            return true;
    return !member_equal(json_object_get(obj, "metadata"), json_object_get(old, "metadata"), "labels");
}
