/* volume_pv.c - volumes behind a claim: from claim to volume to attachment; staging once a node, publishing once a pod.
 *
 *     claim --volumeName--> PV --csi--> VolumeAttachment --attached--> device --stage--> globalmount --bind--> pod
 * directory
 *
 * DESIGN: in-tree cloud sources are seen through their CSI migration, so there is one path for disks. Staging is
 * counted per node and volume under k->stage_mu; the last pod that leaves unstages. fsGroup is applied after the bind,
 * as the kubelet does. Source: desired_state_of_world_populator.go, csi_attacher.go, csi_mounter.go,
 * csi-translation-lib aws_ebs.go. */
#include "kubeletsim/volumes_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EBS_DRIVER "ebs.csi.aws.com"

/* -- following the claim (loop thread) -- */

static int claim_volume(struct pod_run *p, const char *claim, struct sobj **out_pv, const char **out_mode,
                        struct err *e)
{
    struct registry *r = p->k->conf.registry;
    _auto_sobj_ struct sobj *pvc = reg_read(r, RES.persistentvolumeclaims, p->ns, claim);
    if (!pvc)
        return err_set(
            e, ERR_NOT_FOUND,
            "error processing PVC %s/%s: failed to fetch PVC from API server: persistentvolumeclaims \"%s\" not found",
            p->ns, claim, claim);
    const char *name = jstr_or(pvc->tree, "spec.volumeName", "");
    if (!str_eq(jstr(pvc->tree, "status.phase"), "Bound") || !*name)
        return err_set(e, ERR_CONFLICT, "error processing PVC %s/%s: PVC is not bound", p->ns, claim);
    struct sobj *pv = reg_read(r, RES.persistentvolumes, "", name);
    if (!pv)
        return err_set(
            e, ERR_NOT_FOUND,
            "error processing PVC %s/%s: failed to fetch PV %s from API server: persistentvolumes \"%s\" not found",
            p->ns, claim, name, name);
    if (!str_eq(jstr(pv->tree, "spec.claimRef.uid"), jstr(pvc->tree, "metadata.uid"))) {
        sobj_unref(pv);
        return err_set(
            e, ERR_CONFLICT,
            "error processing PVC %s/%s: found PV object %s but it has a nil pv.Spec.ClaimRef indicating it is not "
            "yet bound to the claim",
            p->ns, claim, name);
    }
    *out_mode = str_eq(jstr(pvc->tree, "spec.volumeMode"), "Block") ? "Block" : "Filesystem";
    *out_pv = pv;
    return 0;
}

/* awsElasticBlockStore as the migration sees it: {"csi": …}. Returns new. */
static json_t *ebs_to_csi(const json_t *source)
{
    const char *id = jstr_or(source, "volumeID", "");
    const char *slash = str_starts(id, "aws://") ? strrchr(id, '/') : NULL;
    json_t *csi = json_pack("{s:s, s:s}", "driver", EBS_DRIVER, "volumeHandle", slash ? slash + 1 : id);
    jset_str(csi, "fsType", jstr_or(source, "fsType", "ext4"));
    if (jbool(source, "readOnly", false))
        jset_bool(csi, "readOnly", true);
    return json_pack("{s:o}", "csi", csi);
}

struct attachment_find {
    const char *pv, *node, *handle;
    char device[64];
    bool attached;
};

static int visit_attachment(struct sobj *obj, void *arg)
{
    struct attachment_find *f = arg;
    const json_t *t = obj->tree;
    const char *pv = jstr(t, "spec.source.persistentVolumeName");
    const char *inline_handle = jstr(t, "spec.source.inlineVolumeSpec.csi.volumeHandle");
    bool same = f->pv ? str_eq(pv, f->pv) : str_eq(inline_handle, f->handle);
    if (!same || !str_eq(jstr(t, "spec.nodeName"), f->node) || !jbool(t, "status.attached", false))
        return 0;
    f->attached = true;
    snprintf(f->device, sizeof f->device, "%s", jstr_or(t, "status.attachmentMetadata.devicePath", ""));
    return 1;
}

static int await_attachment(struct pod_run *p, struct volume_run *v, const char *pv_name, const char *handle)
{
    struct attachment_find f = {.pv = pv_name, .node = pod_node(p), .handle = handle};
    struct snapshot *snap = reg_snapshot(p->k->conf.registry);
    snapshot_scan(snap, RES.volumeattachments->bucket, NULL, NULL, NULL, visit_attachment, &f);
    snapshot_unref(snap);
    snprintf(v->device, sizeof v->device, "%s", f.device);
    return f.attached ? 0 : 1;
}

static int plan_csi(struct pod_run *p, struct volume_run *v, const char *pv_name, struct err *e)
{
    const char *name = jstr_or(v->source, "driver", ""), *handle = jstr_or(v->source, "volumeHandle", "");
    v->driver = csi_driver_by_name(name);
    if (!v->driver)
        return 0; /* csi_mount says so, with the event that a node without the driver gives */
    (void)e;
    v->unique = xasprintf("kubernetes.io/csi/%s^%s", name, handle);
    return v->driver->attach_required ? await_attachment(p, v, pv_name, handle) : 0;
}

int claim_plan(struct pod_run *p, const char *claim, struct volume_run *v, struct err *e)
{
    _auto_sobj_ struct sobj *pv = NULL;
    const char *mode = NULL;
    if (claim_volume(p, claim, &pv, &mode, e) < 0)
        return -1;
    if (v->block != str_eq(mode, "Block"))
        return err_set(e, ERR_INVALID, "volume %s has volumeMode %s, but is specified in %s", v->name, mode,
                       v->block ? "volumeDevices" : "volumeMounts");
    v->spec_name = xstrdup(pv->name);
    v->pv = json_deep_copy(pv->tree);
    const json_t *ebs = jat(v->pv, "spec.awsElasticBlockStore");
    if (ebs) {
        _auto_json_ json_t *spec = ebs_to_csi(ebs);
        json_object_set(json_object_get(v->pv, "spec"), "csi", json_object_get(spec, "csi"));
    }
    if (volume_pick(v, json_object_get(v->pv, "spec"), e) < 0)
        return -1;
    return str_eq(v->plugin->key, "csi") ? plan_csi(p, v, pv->name, e) : 0;
}

int inline_ebs_plan(struct pod_run *p, const json_t *source, struct volume_run *v, struct err *e)
{
    _auto_json_ json_t *spec = ebs_to_csi(source);
    v->spec_name = xasprintf("%s-%s", EBS_DRIVER, jstr_or(spec, "csi.volumeHandle", ""));
    if (volume_pick(v, spec, e) < 0)
        return -1;
    v->pv = json_pack("{s:{s:s}, s:O}", "metadata", "name", v->spec_name, "spec", spec);
    return plan_csi(p, v, NULL, e);
}

/* -- staging, counted (workers) -- */

static struct staged *staged_find(struct kubelet *k, int node, const char *unique)
{
    for (struct staged *s = k->staged; s; s = s->next)
        if (s->node == node && str_eq(s->unique, unique))
            return s;
    return NULL;
}

static void staging_path(const struct volume_run *v, char out[PATH_LEN])
{
    const char *handle = jstr_or(v->source, "volumeHandle", "");
    snprintf(out, PATH_LEN, STAGING_DIR "/%.200s/%016llx/globalmount", v->driver->name,
             (unsigned long long)str_hash64(handle, strlen(handle)));
}

static int stage(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct kubelet *k = p->k;
    char target[PATH_LEN];
    int rc = 0;
    staging_path(v, target);
    pthread_mutex_lock(&k->stage_mu);
    struct staged *s = staged_find(k, p->node, v->unique);
    if (!s)
        rc = v->driver->stage(v->driver, k->m, pod_node(p), v->pv, v->device, target, e);
    if (rc == 0 && !s) {
        s = xcalloc(1, sizeof *s);
        *s = (struct staged){p->node, 0, xstrdup(v->unique), k->staged};
        k->staged = s;
    }
    if (rc == 0) {
        s->users++;
        v->staged = true;
    }
    pthread_mutex_unlock(&k->stage_mu);
    return rc;
}

static void unstage(struct pod_run *p, struct volume_run *v)
{
    struct kubelet *k = p->k;
    struct err e = ERR_INIT;
    char target[PATH_LEN];
    staging_path(v, target);
    pthread_mutex_lock(&k->stage_mu);
    for (struct staged **at = &k->staged; *at; at = &(*at)->next) {
        struct staged *s = *at;
        if (s->node != p->node || !str_eq(s->unique, v->unique))
            continue;
        if (--s->users == 0) {
            if (v->driver->unstage)
                v->driver->unstage(v->driver, k->m, pod_node(p), target, &e);
            *strrchr(target, '/') = '\0';
            k->m->ops->remove_all(k->m, pod_node(p), target, &e); /* the mount point; never what is mounted there */
            *at = s->next;
            free(s->unique);
            free(s);
        }
        break;
    }
    v->staged = false;
    pthread_mutex_unlock(&k->stage_mu);
}

/* -- publishing (workers) -- */

static int apply_fs_group(struct pod_run *p, struct volume_run *v, struct err *e)
{
    int64_t gid = jint(pod_tree(p), "spec.securityContext.fsGroup", -1);
    struct machine *m = p->k->m;
    if (gid < 0 || v->read_only || v->block)
        return 0;
    return m->ops->chown_tree(m, pod_node(p), v->path, (uint32_t)gid, false, e);
}

int csi_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = p->k->m;
    char target[PATH_LEN];
    if (!v->driver)
        return err_set(
            e, ERR_UNSUPPORTED,
            "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name %s not found in the list of "
            "registered CSI drivers",
            jstr_or(v->source, "driver", ""));
    if (v->block) { /* the device itself goes into the container */
        snprintf(v->path, sizeof v->path, "%s", v->device);
        return 0;
    }
    if (!v->staged && stage(p, v, e) < 0)
        return -1;
    staging_path(v, target);
    if (m->ops->bind(m, pod_node(p), target, v->path, v->read_only, e) < 0)
        return -1;
    return apply_fs_group(p, v, e);
}

void csi_unmount(struct pod_run *p, struct volume_run *v)
{
    struct err e = ERR_INIT;
    struct machine *m = p->k->m;
    if (!v->block)
        m->ops->unmount(m, pod_node(p), v->path, &e);
    if (v->staged)
        unstage(p, v);
}

int local_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = p->k->m;
    struct stat st;
    struct err absent = ERR_INIT;
    const char *path = jstr_or(v->source, "path", "");
    if (m->ops->stat(m, pod_node(p), path, &st, &absent) < 0)
        return err_set(
            e, ERR_NOT_FOUND,
            "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -o bind %s %s\nOutput: mount: "
            "%s: special device %s does not exist.\n",
            path, v->path, v->path, path);
    if (m->ops->bind(m, pod_node(p), path, v->path, v->read_only, e) < 0)
        return -1;
    return apply_fs_group(p, v, e);
}
