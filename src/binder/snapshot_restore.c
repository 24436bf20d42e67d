/* snapshot_restore.c - volumes made from a snapshot or from another claim: what the provisioner asks before it makes
 * one.
 *
 * THREADS: the loop thread. Source: external-provisioner pkg/controller/controller.go (getSnapshotSource,
 * getPVCSource), clone_controller.go. */
#include "binder/snapshot_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

void volume_origin_release(struct volume_origin *o)
{
    sobj_unref(o->clone_of);
    *o = (struct volume_origin){0};
}

/* -- from a snapshot -- */

static int check_snapshot(const struct sobj *snap, const char *name, struct err *e)
{
    if (!snap)
        return err_set(e, ERR_NOT_FOUND,
                       "error getting snapshot %s from api server: volumesnapshots.snapshot.storage.k8s.io \"%s\" not "
                       "found",
                       name, name);
    if (obj_deleting(snap->tree))
        return err_set(e, ERR_CONFLICT, "snapshot %s is currently being deleted", name);
    if (str_empty(jstr(snap->tree, "status.boundVolumeSnapshotContentName")))
        return err_set(e, ERR_CONFLICT, "snapshot %s not bound", name);
    return jbool(snap->tree, "status.readyToUse", false) ? 0
                                                         : err_set(e, ERR_CONFLICT, "snapshot %s is not Ready", name);
}

static int check_content(const json_t *claim, const struct sobj *content, const struct sobj *snap,
                         const struct csi_driver *d, struct err *e)
{
    if (!content || !str_eq(jstr(content->tree, "spec.volumeSnapshotRef.uid"), obj_uid(snap->tree)))
        return err_set(e, ERR_CONFLICT, "snapshotcontent %s for snapshot %s/%s is bound to a different snapshot",
                       jstr_or(snap->tree, "status.boundVolumeSnapshotContentName", ""), snap->ns, snap->name);
    if (!str_eq(jstr(content->tree, "spec.driver"), d->name))
        return err_set(e, ERR_CONFLICT, "error snapshot %s is created by driver %s, not by %s", snap->name,
                       jstr_or(content->tree, "spec.driver", ""), d->name);
    const char *mode = jstr(content->tree, "spec.sourceVolumeMode");
    if (mode && !str_eq(mode, claim_mode(claim)) && !jmap(content->tree, "metadata.annotations", ANN_MODE_CHANGE))
        return err_set(e, ERR_FORBIDDEN,
                       "requested volume %s/%s modifies the mode of the source volume but does not have permission to "
                       "do so. %s annotation is not present on snapshotcontent %s",
                       obj_ns(claim), obj_name(claim), ANN_MODE_CHANGE, content->name);
    return 0;
}

static int from_snapshot(struct loop *l, const json_t *claim, const char *name, const struct csi_driver *d,
                         struct volume_origin *out, struct err *e)
{
    _auto_sobj_ struct sobj *snap = read_snapshot(l, obj_ns(claim), name);
    if (check_snapshot(snap, name, e) < 0)
        return -1;
    _auto_sobj_ struct sobj *content = read_content(l, jstr(snap->tree, "status.boundVolumeSnapshotContentName"));
    if (check_content(claim, content, snap, d, e) < 0)
        return -1;
    const int64_t size = jint(content->tree, "status.restoreSize", 0), asked = claim_request(claim);
    if (asked < size)
        return err_set(e, ERR_INVALID,
                       "requested volume size %" PRId64 " is less than the size %" PRId64 " for the source snapshot %s",
                       asked, size, name);
    snprintf(out->snapshot, sizeof out->snapshot, "%s", jstr_or(content->tree, "status.snapshotHandle", ""));
    return 0;
}

/* -- from a claim -- */

static int check_claim(const json_t *claim, const struct sobj *source, const char *name, struct err *e)
{
    if (!source)
        return err_set(
            e, ERR_NOT_FOUND,
            "error getting PVC %s (namespace \"%s\") from api server: persistentvolumeclaims \"%s\" not found", name,
            obj_ns(claim), name);
    const json_t *tree = source->tree;
    if (claim_phase(tree) != CLAIM_BOUND)
        return err_set(e, ERR_CONFLICT, "the PVC DataSource %s must have a status of Bound.  Got %s", name,
                       claim_phase_name(claim_phase(tree)));
    if (obj_deleting(tree))
        return err_set(e, ERR_CONFLICT, "the PVC DataSource %s is currently being deleted", name);
    const int64_t have = quantity_bytes(jmap(tree, "status.capacity", "storage"), 0);
    if (claim_request(claim) < have)
        return err_set(e, ERR_INVALID,
                       "error, new PVC request must be greater than or equal in size to the specified PVC data source, "
                       "requested %" PRId64 " but source is %" PRId64,
                       claim_request(claim), have);
    if (!str_eq(claim_mode(claim), claim_mode(tree)))
        return err_set(e, ERR_INVALID,
                       "the source PVC and destination PVCs must have the same volume mode for cloning.  Source is %s, "
                       "but new PVC requested %s",
                       claim_mode(tree), claim_mode(claim));
    return 0;
}

static int from_claim(struct loop *l, const json_t *claim, const char *name, const struct csi_driver *d,
                      struct volume_origin *out, struct err *e)
{
    _auto_sobj_ struct sobj *source = read_claim(l, obj_ns(claim), name);
    if (check_claim(claim, source, name, e) < 0)
        return -1;
    _auto_sobj_ struct sobj *pv = read_pv_of(l, source->tree);
    char buf[VOLUME_HANDLE_LEN];
    const char *handle = pv ? pv_handle(pv->tree, buf) : NULL;
    if (!pv)
        return err_set(e, ERR_NOT_FOUND, "error getting PV %s from api server: persistentvolumes \"%s\" not found",
                       jstr_or(source->tree, "spec.volumeName", ""), jstr_or(source->tree, "spec.volumeName", ""));
    if (!handle || !str_eq(pv_driver(pv->tree), d->name))
        return err_set(e, ERR_INVALID, "the source PV %s is not provisioned by %s", pv->name, d->name);
    snprintf(out->source, sizeof out->source, "%s", handle);
    out->clone_of = TAKE(source);
    return 0;
}

/* -- the two of them -- */

int volume_origin_find(struct loop *l, const json_t *claim, const struct csi_driver *d, struct volume_origin *out,
                       struct err *e)
{
    const json_t *ref = jat(claim, "spec.dataSourceRef");
    ref = json_is_object(ref) ? ref : jat(claim, "spec.dataSource");
    const char *kind = jstr_or(ref, "kind", ""), *name = jstr_or(ref, "name", "");
    *out = (struct volume_origin){0};
    if (!json_is_object(ref))
        return 0;
    const bool snapshot = str_eq(kind, "VolumeSnapshot") && str_eq(jstr(ref, "apiGroup"), SNAP_GROUP);
    if (snapshot && !d->snapshot)
        return err_set(e, ERR_UNSUPPORTED,
                       "CSI driver does not support snapshot restore: plugin CREATE_DELETE_SNAPSHOT capability is not "
                       "reported");
    if (!snapshot && !d->clones)
        return err_set(e, ERR_UNSUPPORTED,
                       "CSI driver does not support clone operations: plugin CLONE_VOLUME capability is not reported");
    const int rc = snapshot ? from_snapshot(l, claim, name, d, out, e) : from_claim(l, claim, name, d, out, e);
    out->set = rc == 0;
    return rc < 0 ? err_wrap(e, "error getting handle for DataSource Type %s by Name %s", kind, name) : 0;
}

/* -- a claim that is being cloned stays -- */

int clone_protect(struct loop *l, const json_t *source, struct err *e)
{
    return modify(l, "external-provisioner", RES.persistentvolumeclaims, source, "", edit_finalizer_add,
                  (void *)FIN_CLAIM_CLONING, e);
}

int clone_release(struct loop *l, const json_t *source, struct err *e)
{
    if (is_source_in_use(l, "PersistentVolumeClaim", obj_ns(source), obj_name(source)))
        return 0;
    return modify(l, "external-provisioner", RES.persistentvolumeclaims, source, "", edit_finalizer_remove,
                  (void *)FIN_CLAIM_CLONING, e);
}
