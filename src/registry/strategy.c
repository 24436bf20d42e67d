/* strategy.c - the table of kinds for the door; see strategy_int.h.
 *
 * DESIGN: rows are found by bucket, once per operation, with a linear walk over a short table: comparing twenty
 * interned names costs less than a hash. A kind without a row behaves like a ConfigMap. */
#include "registry/strategy_int.h"

#include "base/str.h"

#include <string.h>

static const struct strategy rows[] = {
    {.bucket = "pods",
     .returns_object = true,
     .status_split = true,
     .convert = pod_convert,
     .prepare_create = pod_prepare_create,
     .prepare_update = pod_prepare_update,
     .prepare_status = pod_prepare_status,
     .grace = pod_grace},
    {.bucket = "nodes", .key_prefix = "minions", .status_split = true, .convert = node_convert},
    {.bucket = "namespaces",
     .returns_object = true,
     .status_split = true,
     .prepare_create = namespace_prepare_create,
     .prepare_update = namespace_prepare_update,
     .may_go = namespace_may_go},
    {.bucket = "persistentvolumeclaims",
     .returns_object = true,
     .status_split = true,
     .prepare_create = claim_prepare_create,
     .prepare_update = claim_prepare_update},
    {.bucket = "persistentvolumes",
     .returns_object = true,
     .status_split = true,
     .prepare_create = volume_prepare_create,
     .prepare_status = volume_prepare_status},
    {.bucket = "services",
     .key_prefix = "services/specs",
     .returns_object = true,
     .status_split = true,
     .prepare_create = service_prepare_create,
     .prepare_update = service_prepare_update,
     .allocate = service_allocate},
    {.bucket = "endpoints", .key_prefix = "services/endpoints"},
    {.bucket = "secrets", .convert = secret_convert},
    {.bucket = "serviceaccounts",
     .returns_object = true,
     .prepare_create = account_prepare_create,
     .prepare_update = account_prepare_update},
    {.bucket = "events", .no_garbage = true},
    {.bucket = "storageclasses.storage.k8s.io", .returns_object = true},
    {.bucket = "volumeattributesclasses.storage.k8s.io", .returns_object = true},
    {.bucket = "csidrivers.storage.k8s.io", .returns_object = true, .bumps = driver_bumps},
    {.bucket = "csinodes.storage.k8s.io", .returns_object = true},
    {.bucket = "volumeattachments.storage.k8s.io",
     .returns_object = true,
     .status_split = true,
     .status_keeps_meta = true,
     .prepare_create = attachment_prepare_create},
    {.bucket = "volumesnapshots.snapshot.storage.k8s.io",
     .status_split = true,
     .prepare_create = snapshot_prepare_create},
    {.bucket = "volumesnapshotcontents.snapshot.storage.k8s.io",
     .status_split = true,
     .prepare_create = snapshot_prepare_create},
    {.bucket = "customresourcedefinitions.apiextensions.k8s.io", .status_split = true},
    {.bucket = "deployments.apps",
     .status_split = true,
     .status_keeps_labels = true,
     .prepare_create = deployment_prepare_create,
     .bumps = deployment_bumps},
    {.bucket = "replicasets.apps", .status_split = true, .prepare_create = replicaset_prepare_create},
    {.bucket = "statefulsets.apps",
     .status_split = true,
     .convert = statefulset_convert,
     .prepare_create = statefulset_prepare_create,
     .prepare_update = statefulset_prepare_update},
    {.bucket = "daemonsets.apps",
     .status_split = true,
     .prepare_create = daemonset_prepare_create,
     .prepare_update = daemonset_prepare_update,
     .bumps = daemonset_bumps},
    {.bucket = "jobs.batch",
     .orphans = true,
     .status_split = true,
     .prepare_create = job_prepare_create,
     .prepare_update = job_prepare_update},
    {.bucket = "cronjobs.batch", .status_split = true, .prepare_create = cronjob_prepare_create},
    {.bucket = "horizontalpodautoscalers.autoscaling",
     .status_split = true,
     .prepare_create = autoscaler_prepare_create},
    {.bucket = "replicationcontrollers",
     .key_prefix = "controllers",
     .orphans = true,
     .status_split = true,
     .prepare_create = replicaset_prepare_create},
    {.bucket = "limitranges", .prepare_create = limitrange_prepare_create},
    {.bucket = "resourcequotas", .returns_object = true, .status_split = true, .prepare_create = quota_prepare_create},
    {.bucket = "endpointslices.discovery.k8s.io", .bumps = slice_bumps},
    {.bucket = "ingresses.networking.k8s.io",
     .key_prefix = "ingress",
     .status_split = true,
     .prepare_create = ingress_prepare_create},
    {.bucket = "poddisruptionbudgets.policy", .status_split = true, .prepare_create = budget_prepare_create},
};
static const struct strategy plain;

const struct strategy *strategy_of(const struct resource *res)
{
    for (size_t i = 0; res->bucket && i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].bucket, res->bucket) == 0)
            return &rows[i];
    return &plain;
}

char *strategy_key(const struct strategy *st, const struct resource *res, const char *ns, const char *name)
{
    const char *prefix = st->key_prefix ? st->key_prefix : res->plural;
    if (!str_empty(ns))
        return xasprintf("/registry/%s/%s/%s", prefix, ns, name);
    return xasprintf("/registry/%s/%s", prefix, name);
}
