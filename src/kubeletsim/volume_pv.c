/* volume_pv.c - volumes behind a claim: from claim to volume to attachment; staging once a node, publishing once a pod.
 *
 *     claim --volumeName--> PV --csi--> VolumeAttachment --attached--> device --stage--> globalmount --bind--> pod
 *
 * DESIGN: in-tree cloud sources are seen through their CSI migration, so there is one path for disks. Staging is
 * counted per node and volume: the first pod stages, the last one that leaves unstages; who finds it under way waits.
 * Different volumes do not wait for each other. fsGroup is applied after the bind, as the kubelet does.
 *
 * INVARIANTS: k->staged has an entry while somebody uses the volume or is about to; `staged` of a volume_run is true
 * exactly while it counts as a user.
 *
 * LOCK: k->stage_mu guards the list; it is not held while a driver works (`busy` is the claim on the entry). Source:
 * desired_state_of_world_populator.go, csi_attacher.go, csi_mounter.go, csi-translation-lib aws_ebs.go. */
#include "kubeletsim/volumes_int.h"

#include "base/sha256.h"
#include "control/objects.h"
#include "volume/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- following the claim (loop thread) -- */

__attribute__((format(printf, 4, 5))) static int claim_error(const struct pod_run *p, const char *claim, struct err *e,
                                                             const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_CONFLICT, "error processing PVC %s/%s: %s", p->ns, claim, why);
}

static struct sobj *bound_claim(struct pod_run *p, const char *claim, bool ephemeral, struct err *e)
{
    _auto_sobj_ struct sobj *pvc = reg_read(p->k->conf.registry, RES.persistentvolumeclaims, p->ns, claim);
    if (!pvc)
        claim_error(p, claim, e, "failed to fetch PVC from API server: persistentvolumeclaims \"%s\" not found", claim);
    else if (ephemeral && !owned_by_uid(pvc->tree, p->uid))
        claim_error(p, claim, e, "PVC %s/%s was not created for pod %s/%s (pod is not owner)", p->ns, claim, p->ns,
                    p->name);
    else if (jat(pvc->tree, "metadata.deletionTimestamp") && !p->adopted)
        claim_error(p, claim, e, "PVC is being deleted");
    else if (!str_eq(jstr(pvc->tree, "status.phase"), "Bound") || str_empty(jstr(pvc->tree, "spec.volumeName")))
        claim_error(p, claim, e, "PVC is not bound");
    else
        return TAKE(pvc);
    return NULL;
}

static struct sobj *bound_volume(struct pod_run *p, const struct sobj *pvc, struct err *e)
{
    const char *name = jstr_or(pvc->tree, "spec.volumeName", "");
    _auto_sobj_ struct sobj *pv = reg_read(p->k->conf.registry, RES.persistentvolumes, "", name);
    if (!pv)
        claim_error(p, pvc->name, e, "failed to fetch PV %s from API server: persistentvolumes \"%s\" not found", name,
                    name);
    else if (!str_eq(jstr(pv->tree, "spec.claimRef.uid"), jstr(pvc->tree, "metadata.uid")))
        claim_error(p, pvc->name, e,
                    "found PV object %s but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim",
                    name);
    else
        return TAKE(pv);
    return NULL;
}

/* The attachment of a volume to a node has a name that both sides can work out. */
static int await_attachment(struct pod_run *p, struct volume_run *v, const char *driver, const char *handle)
{
    char name[ATTACHMENT_NAME_LEN];
    attachment_name(handle, driver, pod_node(p), name);
    _auto_sobj_ struct sobj *va = reg_read(p->k->conf.registry, RES.volumeattachments, "", name);
    bool attached = va && jbool(va->tree, "status.attached", false);
    snprintf(v->device, sizeof v->device, "%s",
             attached ? jstr_or(va->tree, "status.attachmentMetadata.devicePath", "") : "");
    return attached ? 0 : 1;
}

static int plan_csi(struct pod_run *p, struct volume_run *v)
{
    const char *name = jstr_or(v->source, "driver", ""), *handle = jstr_or(v->source, "volumeHandle", "");
    v->driver = csi_driver_by_name(name);
    if (!v->driver)
        return 0; /* csi_mount says so, with the event that a node without the driver gives */
    v->unique = xasprintf("kubernetes.io/csi/%s^%s", name, handle);
    return v->driver->attach_required ? await_attachment(p, v, name, handle) : 0;
}

int claim_plan(struct pod_run *p, const char *claim, bool ephemeral, struct volume_run *v, struct err *e)
{
    _auto_sobj_ struct sobj *pvc = bound_claim(p, claim, ephemeral, e);
    _auto_sobj_ struct sobj *pv = pvc ? bound_volume(p, pvc, e) : NULL;
    if (!pv)
        return -1;
    const char *mode = str_eq(jstr(pvc->tree, "spec.volumeMode"), "Block") ? "Block" : "Filesystem";
    if (v->block != str_eq(mode, "Block"))
        return err_set(e, ERR_INVALID, "volume %s has volumeMode %s, but is specified in %s", v->name, mode,
                       v->block ? "volumeDevices" : "volumeMounts");
    v->spec_name = xstrdup(pv->name);
    v->pv = json_deep_copy(pv->tree);
    _auto_json_ json_t *csi = pv_to_csi(v->pv);
    if (csi)
        json_object_update(json_object_get(v->pv, "spec"), csi);
    if (volume_pick(v, json_object_get(v->pv, "spec"), e) < 0)
        return -1;
    if (str_eq(v->plugin->key, "local"))
        v->unique = xasprintf("kubernetes.io/local-volume/%s", v->spec_name);
    return str_eq(v->plugin->key, "csi") ? plan_csi(p, v) : 0;
}

int inline_disk_plan(struct pod_run *p, const json_t *volume, struct volume_run *v, struct err *e)
{
    _auto_json_ json_t *spec = source_to_csi(volume);
    v->spec_name = xasprintf("%s-%s", jstr_or(spec, "csi.driver", ""), jstr_or(spec, "csi.volumeHandle", ""));
    if (volume_pick(v, spec, e) < 0)
        return -1;
    v->pv = json_pack("{s:{s:s}, s:O}", "metadata", "name", v->spec_name, "spec", spec);
    return plan_csi(p, v);
}

/* -- staging, counted (workers) -- */

static struct staged **staged_link(struct kubelet *k, int node, const char *unique)
{
    struct staged **at = &k->staged;
    while (*at && ((*at)->node != node || !str_eq((*at)->unique, unique)))
        at = &(*at)->next;
    return at;
}

/* The entry, busy with us; waits while others are. Returns with the lock released. */
static struct staged *staged_enter(struct kubelet *k, int node, const char *unique)
{
    pthread_mutex_lock(&k->stage_mu);
    struct staged *s;
    while ((s = *staged_link(k, node, unique)) && s->busy)
        pthread_cond_wait(&k->stage_free, &k->stage_mu);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        *s = (struct staged){.node = node, .unique = xstrdup(unique), .next = k->staged};
        k->staged = s;
    }
    s->busy = true;
    pthread_mutex_unlock(&k->stage_mu);
    return s;
}

static void staged_leave(struct kubelet *k, struct staged *s)
{
    pthread_mutex_lock(&k->stage_mu);
    s->busy = false;
    if (s->users == 0) {
        *staged_link(k, s->node, s->unique) = s->next;
        free(s->unique);
        free(s);
    }
    pthread_cond_broadcast(&k->stage_free);
    pthread_mutex_unlock(&k->stage_mu);
}

/* plugins/kubernetes.io/csi/<driver>/<sha256 of the handle>/globalmount */
static void staging_path(const struct volume_run *v, char out[PATH_LEN])
{
    const char *handle = jstr_or(v->source, "volumeHandle", "");
    struct sha256 s;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&s);
    sha256_add(&s, handle, strlen(handle));
    sha256_hex(&s, hex);
    snprintf(out, PATH_LEN, STAGING_DIR "/%.200s/%s/globalmount", v->driver->name, hex);
}

/* The mount point, never what is mounted there. Takes `target` apart. */
static void staging_remove(struct pod_run *p, char *target)
{
    struct machine *m = p->k->m;
    struct err busy = ERR_INIT;
    *strrchr(target, '/') = '\0';
    m->ops->remove_all(m, pod_node(p), target, &busy);
}

/* Its only mode is ReadWriteOncePod. The scheduler sees to it too, but not for pods that name their node. */
static bool is_for_one_pod(const struct volume_run *v)
{
    const json_t *modes = jat(v->pv, "spec.accessModes");
    return json_array_size(modes) == 1 && str_eq(json_string_value(json_array_get(modes, 0)), "ReadWriteOncePod");
}

/* Staged by its first user; a device is there already and only counted. */
static int stage_first(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char target[PATH_LEN];
    if (v->block)
        return 0;
    staging_path(v, target);
    if (v->driver->stage(v->driver, p->k->m, pod_node(p), v->pv, v->device, target, e) == 0)
        return 0;
    struct err lost = ERR_INIT;
    if (v->driver->unstage) /* what failed may have taken effect all the same */
        v->driver->unstage(v->driver, p->k->m, pod_node(p), target, &lost);
    staging_remove(p, target);
    if (v->driver->attach_required) /* the others have no NodeStageVolume: theirs is a part of publishing */
        v->failed_at = "MountVolume.MountDevice failed";
    return -1;
}

int volume_stage(struct pod_run *p, struct volume_run *v, volume_step *first, struct err *e)
{
    int rc = 0;
    v->failed_at = NULL;
    struct staged *s = staged_enter(p->k, p->node, v->unique);
    if (s->users == 0)
        rc = first(p, v, e);
    else if (is_for_one_pod(v))
        rc = err_set(e, ERR_CONFLICT,
                     "volume uses the ReadWriteOncePod access mode and is already in use by another pod");
    if (rc == 0) {
        s->users++;
        v->staged = true;
    }
    staged_leave(p->k, s);
    return rc;
}

unsigned volume_users(struct pod_run *p, const struct volume_run *v)
{
    struct staged *s = staged_enter(p->k, p->node, v->unique);
    const unsigned users = s->users;
    staged_leave(p->k, s);
    return users;
}

static int unstage_last(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char target[PATH_LEN];
    if (v->block)
        return 0;
    staging_path(v, target);
    if (v->driver->unstage && v->driver->unstage(v->driver, p->k->m, pod_node(p), target, e) < 0)
        return -1;
    staging_remove(p, target);
    return 0;
}

int volume_unstage(struct pod_run *p, struct volume_run *v, volume_step *last, struct err *e)
{
    struct staged *s = staged_enter(p->k, p->node, v->unique);
    const int rc = s->users == 1 ? last(p, v, e) : 0;
    if (rc == 0) {
        s->users--;
        v->staged = false;
    }
    staged_leave(p->k, s);
    return rc;
}

void volumes_lost(struct pod_run *p)
{
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        if (!v->staged)
            continue;
        struct staged *s = staged_enter(p->k, p->node, v->unique);
        s->users--;
        v->staged = false;
        staged_leave(p->k, s);
    }
}

/* -- publishing (workers) -- */

int bind_once(struct pod_run *p, const struct volume_run *v, const char *source, struct err *e)
{
    struct machine *m = p->k->m;
    if (m->ops->is_mounted(m, pod_node(p), v->path))
        return 0;
    const bool read_only = v->read_only || (v->pv && jarr_has(v->pv, "spec.mountOptions", "ro"));
    return m->ops->bind(m, pod_node(p), source, v->path, read_only, e);
}

/* May owners be changed in it? Its driver's object says so; by default only in what looks like a disk of its own. */
static bool takes_fs_group(struct pod_run *p, const struct volume_run *v)
{
    _auto_sobj_ struct sobj *object = reg_read(p->k->conf.registry, RES.csidrivers, "", v->driver->name);
    const char *policy = object ? jstr_or(object->tree, "spec.fsGroupPolicy", "") : "File";
    if (str_eq(policy, "File") || str_eq(policy, "None"))
        return str_eq(policy, "File");
    return !str_empty(jstr(v->source, "fsType")) && (jarr_has(v->pv, "spec.accessModes", "ReadWriteOnce") ||
                                                     jarr_has(v->pv, "spec.accessModes", "ReadWriteOncePod"));
}

int csi_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char target[PATH_LEN];
    if (!v->pv)
        return inline_csi_mount(p, v, e);
    if (!v->driver)
        return err_set(
            e, ERR_UNSUPPORTED,
            "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name %s not found in the list of "
            "registered CSI drivers",
            jstr_or(v->source, "driver", ""));
    if (v->driver->locate && v->driver->locate(v->driver, p->k->m, jstr_or(v->source, "volumeHandle", ""), pod_node(p),
                                               v->device, sizeof v->device, e) < 0)
        return -1;
    if (!v->staged && volume_stage(p, v, stage_first, e) < 0)
        return -1;
    if (v->block) { /* the device itself goes into the container */
        snprintf(v->path, sizeof v->path, "%s", v->device);
        return 0;
    }
    staging_path(v, target);
    if (bind_once(p, v, target, e) < 0)
        return -1;
    if (!takes_fs_group(p, v) || apply_fs_group(p, v, e) == 0)
        return 0;
    return err_wrap(e, "applyFSGroup failed for vol %s", jstr_or(v->source, "volumeHandle", ""));
}

int csi_unmount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    if (!v->pv)
        return inline_csi_unmount(p, v, e);
    if (!v->driver)
        return 0;
    if (!v->block && unmount_path(p, v, e) < 0)
        return -1;
    return v->staged ? volume_unstage(p, v, unstage_last, e) : 0;
}
