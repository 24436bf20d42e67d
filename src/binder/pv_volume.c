/* pv_volume.c - what the binder does for one volume: its phase follows its claim. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/str.h"

/* Volumes of an in-tree provisioner are marked as handed over to its CSI driver. */
static int edit_migrated(json_t *pv, void *arg, struct err *e)
{
    (void)e;
    if (str_eq(jmap(pv, "metadata.annotations", ANN_MIGRATED_TO), arg))
        return 0;
    jset_map(pv, "metadata.annotations", ANN_MIGRATED_TO, arg);
    return 1;
}

/* 1: written, so `pv` is of yesterday; the change brings the volume back. */
static int mark_migrated(struct loop *l, const json_t *pv, struct err *e)
{
    const char *made_by = jmap(pv, "metadata.annotations", ANN_PROVISIONED_BY);
    const char *driver = made_by ? provisioner_csi_name(made_by) : NULL;
    if (!driver || str_eq(driver, made_by) || str_eq(jmap(pv, "metadata.annotations", ANN_MIGRATED_TO), driver))
        return 0;
    return modify(l, WHO, RES.persistentvolumes, pv, "", edit_migrated, (void *)driver, e) < 0 ? -1 : 1;
}

static int release(struct loop *l, const json_t *pv, struct err *e)
{
    enum pv_phase phase = pv_phase(pv);
    if (phase != PV_RELEASED && phase != PV_FAILED && put_pv_phase(l, pv, PV_RELEASED, "", NULL, e) < 0)
        return -1;
    return reclaim_volume(l, pv, e);
}

/* The claim exists and has not named this volume yet. */
static int sync_with_undecided(struct loop *l, const json_t *pv, const json_t *claim)
{
    if (str_eq(pv_mode(pv), pv_mode(claim))) {
        loop_enqueue(l, obj_ns(claim), obj_name(claim));
        return 0;
    }
    loop_event(l, pv, EVENT_WARNING, "VolumeMismatch",
               "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"%s\" due to incompatible volumeMode.",
               obj_name(claim));
    loop_event(l, claim, EVENT_WARNING, "VolumeMismatch",
               "Cannot bind PersistentVolume \"%s\" to requested PersistentVolumeClaim due to incompatible volumeMode.",
               obj_name(pv));
    return 0;
}

/* The claim went to another volume. */
static int sync_left_behind(struct loop *l, const json_t *pv, struct err *e)
{
    bool made_for_it = jmap(pv, "metadata.annotations", ANN_PROVISIONED_BY) &&
                       str_eq(jstr(pv, "spec.persistentVolumeReclaimPolicy"), "Delete");
    return made_for_it ? release(l, pv, e) : unbind_volume(l, pv, e);
}

/* Nobody's, and said to be so. */
static bool is_available(const json_t *pv)
{
    return jstr(pv, "status.phase") && pv_phase(pv) == PV_AVAILABLE && str_empty(jstr(pv, "status.message"));
}

/* Is something about it, or about its claim, only to be written? */
static bool is_decided(const struct binding *b, const json_t *pv)
{
    return group_has_volume(&b->group, obj_name(pv)) ||
           group_has_claim(&b->group, jstr_or(pv, "spec.claimRef.namespace", ""),
                           jstr_or(pv, "spec.claimRef.name", ""));
}

int sync_volume(struct loop *l, const json_t *pv, struct err *e)
{
    int rc = mark_migrated(l, pv, e);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    bool promised = !str_empty(jstr(pv, "spec.claimRef.uid"));
    if (!promised) /* one that is in no phase yet is in no pair either */
        return is_available(pv) ? 0 : group_free(l, pv, e);
    if (is_decided(loop_state(l), pv)) { /* and will be another one then */
        group_write(l);
        loop_enqueue(l, "", obj_name(pv));
        return 0;
    }
    _auto_sobj_ struct sobj *claim = read_claim_of(l, pv);
    if (!claim)
        return release(l, pv, e);
    const char *wants = jstr(claim->tree, "spec.volumeName");
    if (str_empty(wants))
        return sync_with_undecided(l, pv, claim->tree);
    if (str_eq(wants, obj_name(pv)))
        return put_pv_phase(l, pv, PV_BOUND, "", NULL, e);
    return sync_left_behind(l, pv, e);
}
