/* volume_grow.c - filesystems follow their disks: the kubelet's half of growing a claim.
 *
 *      PV capacity > claim status.capacity  ->  NodeResizeInProgress -> filesystem grown, while the pod writes
 *                                           ->  claim status.capacity = PV capacity, conditions gone
 *
 * DESIGN: looked at whenever something about a running pod or its claims changes (run.c), so also right after mounting:
 * a filesystem that grew at its mount finds here that nothing is left to do but to say so. Where the machine cannot
 * grow a mounted filesystem it is told once, the claim keeps waiting for its next mount, and nothing is tried in vain.
 *
 * THREADS: volumes_grow() on a worker, the rest on the loop thread.
 * Source: volume/util/operationexecutor node_expander.go, volume/util/resize_util.go. */
#include "kubeletsim/volumes_int.h"

#include "api/quantity.h"
#include "control/objects.h"
#include "volume/volume.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS  122000

#define STATUSES "status.allocatedResourceStatuses"

static const char *const resize_conditions[] = {"Resizing", "FileSystemResizePending", "ControllerResizeError",
                                                "NodeResizeError"};

static struct sobj *claim_of(const struct pod_run *p, const struct volume_run *v)
{
    return reg_read(p->k->conf.registry, RES.persistentvolumeclaims, p->ns, jstr_or(v->pv, "spec.claimRef.name", ""));
}

/* What the claim's volume should hold by now; 0 if its filesystem has it. */
static int64_t wanted(const struct pod_run *p, const struct volume_run *v)
{
    _auto_sobj_ struct sobj *claim = claim_of(p, v);
    _auto_sobj_ struct sobj *pv =
        claim ? reg_read(p->k->conf.registry, RES.persistentvolumes, "", jstr_or(v->pv, "metadata.name", "")) : NULL;
    const int64_t have = claim ? quantity_bytes(jmap(claim->tree, "status.capacity", "storage"), 0) : 0;
    return pv && have > 0 && pv_capacity(pv->tree) > have ? pv_capacity(pv->tree) : 0;
}

static bool can_grow(const struct volume_run *v)
{
    return v->mounted && v->driver && v->pv && !v->block && !v->read_only;
}

/* -- what is written to the claim -- */

static int edit_in_progress(json_t *claim, void *arg _unused_, struct err *e _unused_)
{
    jset_map(claim, STATUSES, "storage", "NodeResizeInProgress");
    return 1;
}

static int edit_pending(json_t *claim, void *arg _unused_, struct err *e _unused_)
{
    jset_map(claim, STATUSES, "storage", "NodeResizePending");
    return 1;
}

static void resize_finish(json_t *claim, const char *capacity)
{
    json_t *status = json_object_get(claim, "status");
    json_t *conditions = json_object_get(status, "conditions"), *statuses = jat(claim, STATUSES);
    jset_map(claim, "status.capacity", "storage", capacity);
    for (size_t i = json_array_size(conditions); i-- > 0;)
        for (size_t k = 0; k < ARRAY_LEN(resize_conditions); k++)
            if (str_eq(jstr(json_array_get(conditions, i), "type"), resize_conditions[k])) {
                json_array_remove(conditions, i);
                break;
            }
    if (conditions && json_array_size(conditions) == 0)
        json_object_del(status, "conditions");
    json_object_del(statuses, "storage");
    if (statuses && json_object_size(statuses) == 0)
        json_object_del(status, "allocatedResourceStatuses");
}

static int edit_finished(json_t *claim, void *arg, struct err *e _unused_)
{
    resize_finish(claim, arg);
    return 1;
}

static void write_claim(struct pod_run *p, const struct volume_run *v,
                        int (*edit)(json_t *claim, void *arg, struct err *e), void *arg)
{
    struct err lost = ERR_INIT; /* the claim is gone, or it is tried again with the next change */
    reg_modify(p->k->conf.registry, USER_AGENT, RES.persistentvolumeclaims, p->ns,
               jstr_or(v->pv, "spec.claimRef.name", ""), "status", edit, arg, &lost);
}

/* -- the job -- */

bool volumes_grow_due(struct pod_run *p)
{
    bool due = false;
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        const int64_t bytes = can_grow(v) ? wanted(p, v) : 0;
        v->grow_to = 0;
        if (bytes == 0 || bytes == v->grow_refused)
            continue;
        if (v->grow_at > kubelet_mono(p->k)) {
            pod_wake_at(p, v->grow_at);
            continue;
        }
        v->grow_to = bytes;
        due = true;
        write_claim(p, v, edit_in_progress, NULL);
    }
    return due;
}

void volumes_grow(struct job *j)
{
    struct pod_run *p = j->pod;
    struct machine *m = p->k->m;
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        struct err e = ERR_INIT;
        free(v->failure);
        v->failure = NULL;
        if (v->grow_to == 0 || !v->device[0] || m->ops->fs_grow(m, pod_node(p), v->device, v->path, &e) == 0)
            continue;
        v->failure = xasprintf("rpc error: code = Internal desc = Could not resize volume \"%s\" (\"%s\"): %s",
                               jstr_or(v->source, "volumeHandle", ""), v->device, e.msg);
        if (e.code == ERR_UNSUPPORTED)
            v->grow_refused = v->grow_to;
    }
}

static void grow_failed(struct pod_run *p, struct volume_run *v)
{
    kubelet_event(p->k, p, NULL, EVENT_WARNING, "VolumeResizeFailed",
                  "NodeExpandVolume.NodeExpandVolume failed for volume \"%s\" : %s", v->spec_name, v->failure);
    write_claim(p, v, edit_pending, NULL);
    v->grow_retry_ms = v->grow_retry_ms ? v->grow_retry_ms * 2 : RETRY_FIRST_MS;
    if (v->grow_retry_ms > RETRY_LAST_MS)
        v->grow_retry_ms = RETRY_LAST_MS;
    v->grow_at = kubelet_mono(p->k) + v->grow_retry_ms;
    free(v->failure);
    v->failure = NULL;
}

static void grow_done(struct pod_run *p, struct volume_run *v)
{
    const char *node = pod_node(p);
    struct event_source source = {.component = "kubelet", .host = node};
    char size[QUANTITY_TEXT_LEN];
    struct quantity bytes;
    quantity_from_bytes(v->grow_to, &bytes);
    quantity_format(&bytes, size);
    v->grow_retry_ms = 0;
    write_claim(p, v, edit_finished, size);
    _auto_sobj_ struct sobj *claim = claim_of(p, v);
    _auto_free_ char *text =
        xasprintf("MountVolume.NodeExpandVolume succeeded for volume \"%s\" %s", v->spec_name, node);
    kubelet_event(p->k, p, NULL, EVENT_NORMAL, "FileSystemResizeSuccessful", "%s", text);
    if (claim)
        control_event(p->k->control, &source, claim->tree, "", EVENT_NORMAL, "FileSystemResizeSuccessful", "%s", text);
}

void volumes_grown(struct pod_run *p, struct job *j _unused_)
{
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        if (v->grow_to == 0)
            continue;
        if (v->failure)
            grow_failed(p, v);
        else
            grow_done(p, v);
        v->grow_to = 0;
    }
}
