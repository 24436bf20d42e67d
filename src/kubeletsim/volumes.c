/* volumes.c - a pod's volumes: from its spec to directories on the node, and back to nothing.
 *
 *     named by a container -> planned -> (attached) -> touched -> mounted -> unmounted
 *
 * DESIGN: volumes_plan() (loop thread, no blocking) resolves each volume that a container uses into a struct
 * volume_run: which plugin, which source, which path; claims are followed to their volume and, if the driver needs it,
 * to its attachment. The mount, refresh and unmount jobs (workers) then run the plugin of each; one that fails does not
 * keep the others from trying. A volume is planned anew until its mounting was tried: from then on it stays as it is,
 * so that what was begun can be undone.
 *
 * INVARIANTS: what is touched is unmounted before the pod's directory goes; unmounting runs the list backwards.
 *
 * THREADS: see each function's section. Source: desired_state_of_world_populator.go, operation_generator.go.
 *
 * How to add a volume type: volume_plugins.c. */
#include "kubeletsim/volumes_int.h"

#include "base/buf.h"
#include "volume/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the list (loop thread) -- */

static void volume_reset(struct volume_run *v)
{
    char *name = v->name;
    bool block = v->block;
    free(v->spec_name);
    free(v->unique);
    free(v->failure);
    json_decref(v->source);
    json_decref(v->pv);
    *v = (struct volume_run){.name = name, .block = block};
}

void volumes_release(struct pod_run *p)
{
    for (size_t i = 0; i < p->volume_count; i++) {
        volume_reset(&p->volumes[i]);
        free(p->volumes[i].name);
    }
    free(p->volumes);
    p->volumes = NULL;
    p->volume_count = 0;
}

const struct volume_run *volume_by_name(const struct pod_run *p, const char *name)
{
    for (size_t i = 0; i < p->volume_count; i++)
        if (str_eq(p->volumes[i].name, name))
            return &p->volumes[i];
    return NULL;
}

static bool names_volume(const json_t *list, const char *name)
{
    size_t i;
    const json_t *m;
    json_array_foreach(list, i, m)
    {
        if (str_eq(jstr(m, "name"), name))
            return true;
    }
    return false;
}

/* Only volumes that a container uses are mounted. */
static void list_volumes(struct pod_run *p)
{
    const json_t *list = jat(pod_tree(p), "spec.volumes"), *spec;
    size_t i;
    p->volumes = xcalloc(json_array_size(list) + 1, sizeof *p->volumes);
    json_array_foreach(list, i, spec)
    {
        const char *name = jstr_or(spec, "name", "");
        bool mounts = false, devices = false;
        for (size_t c = 0; c < p->container_count; c++) {
            mounts = mounts || names_volume(json_object_get(p->containers[c].spec, "volumeMounts"), name);
            devices = devices || names_volume(json_object_get(p->containers[c].spec, "volumeDevices"), name);
        }
        if (mounts || devices)
            p->volumes[p->volume_count++] = (struct volume_run){.name = xstrdup(name), .block = devices};
    }
}

/* -- planning (loop thread) -- */

static void set_path(const struct pod_run *p, struct volume_run *v)
{
    char dir[PATH_LEN];
    pod_dir(p, dir);
    if (str_eq(v->plugin->key, "hostPath"))
        snprintf(v->path, sizeof v->path, "%s", jstr_or(v->source, "path", "/"));
    else if (v->block)
        snprintf(v->path, sizeof v->path, "%.600s/volumeDevices/%s/%.255s", dir, v->plugin->dir, v->spec_name);
    else
        snprintf(v->path, sizeof v->path, "%.600s/volumes/%s/%.255s%s", dir, v->plugin->dir, v->spec_name,
                 str_eq(v->plugin->key, "csi") ? "/mount" : "");
}

/* An in-tree type that a CSI driver serves now. */
static bool is_migrated(const json_t *spec)
{
    _auto_json_ json_t *csi = source_to_csi(spec);
    return csi != NULL;
}

/* 0: resolved; 1: an attachment is awaited; -1: cannot be (cause in e). */
static int plan_one(struct pod_run *p, const json_t *spec, struct volume_run *v, struct err *e)
{
    const json_t *claim = json_object_get(spec, "persistentVolumeClaim");
    int rc = 0;
    if (claim) {
        v->read_only = jbool(claim, "readOnly", false);
        rc = claim_plan(p, jstr_or(claim, "claimName", ""), false, v, e);
    } else if (json_object_get(spec, "ephemeral")) {
        _auto_free_ char *name = xasprintf("%s-%s", p->name, v->name);
        rc = claim_plan(p, name, true, v, e);
    } else if (is_migrated(spec)) {
        rc = inline_disk_plan(p, spec, v, e);
    } else {
        v->spec_name = xstrdup(v->name);
        rc = volume_pick(v, spec, e);
    }
    if (rc >= 0)
        set_path(p, v);
    return rc;
}

struct plan {
    struct strlist unmounted, unattached, failed, causes;
    bool waiting;
};

static void plan_release(struct plan *plan)
{
    strlist_release(&plan->unmounted);
    strlist_release(&plan->unattached);
    strlist_release(&plan->failed);
    strlist_release(&plan->causes);
}

static const json_t *spec_by_name(const struct pod_run *p, const char *name)
{
    size_t i;
    const json_t *spec;
    json_array_foreach(jat(pod_tree(p), "spec.volumes"), i, spec)
    {
        if (str_eq(jstr(spec, "name"), name))
            return spec;
    }
    return NULL;
}

static void plan_volume(struct pod_run *p, struct volume_run *v, struct plan *plan)
{
    struct err cause = ERR_INIT;
    volume_reset(v);
    int rc = plan_one(p, spec_by_name(p, v->name), v, &cause);
    if (!v->spec_name)
        v->spec_name = xstrdup(v->name);
    if (rc < 0) {
        strlist_add(&plan->failed, v->name);
        strlist_add(&plan->causes, cause.msg);
    }
    plan->waiting = plan->waiting || rc > 0;
}

int volumes_plan(struct pod_run *p, struct err *e)
{
    _cleanup_(plan_release) struct plan plan = {0};
    if (!p->volumes)
        list_volumes(p);
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        if (!v->touched)
            plan_volume(p, v, &plan);
        if (!v->mounted)
            strlist_add(&plan.unmounted, v->name);
        if (v->driver && v->driver->attach_required && !v->device[0])
            strlist_add(&plan.unattached, v->name);
    }
    if (plan.causes.len == 0)
        return plan.waiting ? 1 : 0;
    _auto_free_ char *unmounted = strlist_join(&plan.unmounted, " ");
    _auto_free_ char *unattached = strlist_join(&plan.unattached, " ");
    _auto_free_ char *failed = strlist_join(&plan.failed, " ");
    _auto_free_ char *causes = strlist_join(&plan.causes, "; ");
    return err_set(e, ERR_NOT_FOUND,
                   "Unable to attach or mount volumes: unmounted volumes=[%s], unattached volumes=[%s], failed to "
                   "process volumes=[%s]: %s",
                   unmounted, unattached, failed, causes);
}

void volumes_tell_failures(struct pod_run *p)
{
    for (size_t i = 0; i < p->volume_count; i++) {
        const struct volume_run *v = &p->volumes[i];
        bool mapping = v->block && !v->failed_at;
        const char *what = mapping        ? "MapVolume.SetUpDevice failed"
                           : v->failed_at ? v->failed_at
                                          : "MountVolume.SetUp failed";
        if (v->failure)
            kubelet_event(p->k, p, NULL, EVENT_WARNING, mapping ? "FailedMapVolume" : "FailedMount",
                          "%s for volume \"%s\" : %s", what, v->spec_name, v->failure);
    }
}

/* Devices are told of, once; filesystems are not. */
void volumes_tell_mapped(struct pod_run *p)
{
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        if (!v->block || !v->mounted || v->told)
            continue;
        v->told = true;
        kubelet_event(p->k, p, NULL, EVENT_NORMAL, "SuccessfulMountVolume",
                      "MapVolume.MapPodDevice succeeded for volume \"%s\" globalMapPath \"%s/volumeDevices/%s/dev\"",
                      v->spec_name, STAGING_DIR, v->spec_name);
        kubelet_event(
            p->k, p, NULL, EVENT_NORMAL, "SuccessfulMountVolume",
            "MapVolume.MapPodDevice succeeded for volume \"%s\" volumeMapPath \"%s/pods/%s/volumeDevices/%s\"",
            v->spec_name, ROOT_DIR, p->uid, v->plugin->dir);
    }
}

/* -- jobs (workers) -- */

/* The earliest time at which a token in a volume wants to be renewed. */
static void note_renewal(struct pod_run *p, const struct volume_run *v)
{
    int64_t seconds = project_renewal(v->plugin->key, v->source);
    int64_t due = kubelet_mono(p->k) + seconds * 1000;
    if (seconds > 0 && (!p->token_due || due < p->token_due))
        p->token_due = due;
}

/* What is asked of a volume behind a claim before it is touched. */
static int check_volume(struct pod_run *p, struct volume_run *v, struct err *e)
{
    if (!v->pv)
        return 0;
    _auto_sobj_ struct sobj *node = reg_read(p->k->conf.registry, RES.nodes, "", pod_node(p));
    if (node && !pv_node_fits(v->pv, node->tree)) {
        v->failed_at = "MountVolume.NodeAffinity check failed";
        return err_set(e, ERR_INVALID, "no matching NodeSelectorTerms");
    }
    if (str_eq(v->plugin->key, "hostPath") && json_array_size(jat(v->pv, "spec.mountOptions"))) {
        v->failed_at = "MountVolume.MountOptionSupport check failed";
        return err_set(e, ERR_INVALID, "mount options are not supported for this volume type");
    }
    return 0;
}

static bool mount_one(struct pod_run *p, struct volume_run *v)
{
    struct err e = ERR_INIT;
    free(v->failure);
    v->failure = NULL;
    v->failed_at = NULL;
    if (check_volume(p, v, &e) == 0) {
        v->touched = true;
        v->mounted = v->plugin->mount(p, v, &e) == 0;
    }
    if (!v->mounted)
        v->failure = xstrdup(e.msg);
    else if (v->plugin->projected)
        note_renewal(p, v);
    return v->mounted;
}

void volumes_mount(struct job *j)
{
    struct pod_run *p = j->pod;
    for (size_t i = 0; i < p->volume_count; i++)
        if (!p->volumes[i].mounted && !mount_one(p, &p->volumes[i]))
            j->ok = false;
}

/* Writes what changed; a vanished object leaves the last content, as in reality. Tokens are fetched only when due. */
void volumes_refresh(struct job *j)
{
    struct pod_run *p = j->pod;
    bool tokens = p->token_due && kubelet_mono(p->k) >= p->token_due;
    if (tokens)
        p->token_due = 0;
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        struct err e = ERR_INIT;
        if (!v->mounted || !v->plugin->projected)
            continue;
        if (write_projected(p, v, &e) < 0)
            kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedMount",
                          "MountVolume.SetUp failed for volume \"%s\" : %s", v->spec_name, e.msg);
        if (tokens)
            note_renewal(p, v);
    }
}

int volumes_unmount(struct pod_run *p, struct err *e)
{
    for (size_t i = p->volume_count; i-- > 0;) {
        struct volume_run *v = &p->volumes[i];
        if (v->touched && v->plugin->unmount && v->plugin->unmount(p, v, e) < 0)
            return err_wrap(e, "UnmountVolume.TearDown failed for volume \"%s\"", v->spec_name);
        v->touched = v->mounted = false;
    }
    return 0;
}
