/* reclaim.c - what becomes of a volume whose claim is gone.
 *
 * DESIGN: one decision, told apart by policy and by what kind of source the volume has. In-tree deleters exist for
 * hostPath only (and that one only dares to touch what has /tmp/ in its path, wherever); CSI volumes and those a
 * provisioner made are the provisioner's to delete; the rest has no deleter, and the volume fails. Recycling exists for
 * nfs and hostPath. Source: pv_controller.go reclaimVolume. THREADS: pure. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static struct reclaim_plan fail(const char *reason, const char *text)
{
    struct reclaim_plan plan = {.what = RECLAIM_FAIL, .reason = reason};
    snprintf(plan.message, sizeof plan.message, "%s", text);
    return plan;
}

static struct reclaim_plan plan_delete(const json_t *pv)
{
    const char *made_by = jmap(pv, "metadata.annotations", ANN_PROVISIONED_BY);
    if (jat(pv, "spec.csi") || jmap(pv, "metadata.annotations", ANN_MIGRATED_TO) ||
        (made_by && !str_starts(made_by, "kubernetes.io/")))
        return (struct reclaim_plan){.what = RECLAIM_EXTERNAL};
    const char *path = jstr(pv, "spec.hostPath.path");
    const char *tmp = path ? strstr(path, "/tmp/") : NULL;
    if (tmp && tmp[5])
        return (struct reclaim_plan){.what = RECLAIM_DELETE_PATH};
    char text[512];
    if (path)
        snprintf(text, sizeof text, "host_path deleter only supports /tmp/.+ but received provided %s", path);
    else /* nfs has a plugin in the controller, one that cannot delete; the other types have none there */
        snprintf(text, sizeof text, "error getting deleter volume plugin for volume \"%s\": no %svolume plugin matched",
                 jstr_or(pv, "metadata.name", ""), jat(pv, "spec.nfs") ? "deletable " : "");
    return fail("VolumeFailedDelete", text);
}

struct reclaim_plan pv_reclaim(const json_t *pv)
{
    const char *policy = jstr_or(pv, "spec.persistentVolumeReclaimPolicy", "Retain");
    if (str_eq(policy, "Retain"))
        return (struct reclaim_plan){.what = RECLAIM_KEEP};
    if (str_eq(policy, "Delete"))
        return plan_delete(pv);
    if (!str_eq(policy, "Recycle"))
        return fail("VolumeUnknownReclaimPolicy", "Volume has unrecognized PersistentVolumeReclaimPolicy");
    if (jat(pv, "spec.hostPath") || jat(pv, "spec.nfs"))
        return (struct reclaim_plan){.what = RECLAIM_RECYCLE};
    return fail("VolumeFailedRecycle", "No recycler plugin found for the volume!");
}
