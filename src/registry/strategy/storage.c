/* storage.c - claims, volumes, attachments, CSI drivers at the door.
 * Source: pkg/registry/core/{persistentvolumeclaim,persistentvolume}/strategy.go, pkg/registry/storage. */
#include "registry/meta_int.h"
#include "registry/strategy_int.h"

#include "api/feature.h"
#include "base/str.h"

#include <string.h>

/* -- claims: dataSource and dataSourceRef say the same thing twice -- */

static bool source_is_known(const json_t *source)
{
    const char *group = jstr_or(source, "apiGroup", ""), *kind = jstr_or(source, "kind", "");
    return (!*group && strcmp(kind, "PersistentVolumeClaim") == 0) ||
           (strcmp(group, "snapshot.storage.k8s.io") == 0 && strcmp(kind, "VolumeSnapshot") == 0);
}

static void join_sources(json_t *spec)
{
    json_t *source = json_object_get(spec, "dataSource"), *ref = json_object_get(spec, "dataSourceRef");
    if (json_is_object(source) && !json_is_object(ref)) {
        json_object_set_new(spec, "dataSourceRef", json_deep_copy(source));
    } else if (json_is_object(ref) && !json_is_object(source) && !*jstr_or(ref, "namespace", "")) {
        json_object_set_new(spec, "dataSource", json_deep_copy(ref));
    }
}

void claim_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_t *spec = json_object_get(obj, "spec");
    json_object_set_new(obj, "status", json_pack("{ss}", "phase", "Pending"));
    if (!json_is_object(spec))
        return;
    if (!feature_on(FEATURE_VOLUME_ATTRIBUTES_CLASS))
        json_object_del(spec, "volumeAttributesClassName");
    if (*jstr_or(spec, "dataSourceRef.namespace", "")) /* CrossNamespaceVolumeDataSource is off: all of it goes */
        json_object_del(spec, "dataSourceRef");
    json_t *source = json_object_get(spec, "dataSource");
    if (json_is_object(source) && !json_is_object(json_object_get(spec, "dataSourceRef")) && !source_is_known(source))
        json_object_del(spec, "dataSource");
    join_sources(spec);
}

void claim_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    (void)op;
    json_t *spec = json_object_get(obj, "spec");
    if (!json_is_object(spec))
        return;
    if (!feature_on(FEATURE_VOLUME_ATTRIBUTES_CLASS) && !jat(old, "spec.volumeAttributesClassName"))
        json_object_del(spec, "volumeAttributesClassName");
    join_sources(spec);
}

/* -- snapshots and their contents: a new object has no status of its own making -- */

void snapshot_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_del(obj, "status");
}

/* -- volumes: when the phase last changed is the server's to say -- */

void volume_prepare_create(struct op *op, json_t *obj)
{
    json_object_set_new(obj, "status", json_pack("{ssss}", "phase", "Pending", "lastPhaseTransitionTime", op->now));
}

void volume_prepare_status(struct op *op, json_t *obj, const json_t *old)
{
    json_t *status = json_object_get(obj, "status");
    const json_t *was = json_object_get(old, "status");
    if (!json_is_object(status) || str_eq(jstr_or(status, "phase", ""), jstr_or(was, "phase", "")))
        return;
    json_t *at = json_object_get(status, "lastPhaseTransitionTime");
    if (at && !json_equal(at, json_object_get(was, "lastPhaseTransitionTime")))
        return;
    json_object_set_new(status, "lastPhaseTransitionTime", json_string(op->now));
}

void attachment_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_pack("{sb}", "attached", 0));
}

bool driver_bumps(const json_t *obj, const json_t *old)
{
    return !member_equal(obj, old, "spec");
}
