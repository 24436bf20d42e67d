/* attacher.c - the external attacher of our CSI drivers: does what VolumeAttachments ask.
 *
 * DESIGN: finalizers first (on the volume and on the attachment), then the driver's publish on a worker, then the
 * status with the device path. Device names are the driver's affair. A deleted attachment is unpublished before its
 * finalizer goes.
 *
 * After a restart the machine has no disks attached while stored attachments say so: every attachment seen for the
 * first time in this process is published again, under the device name it had. Source: external-attacher
 * csi_handler.go. THREADS: state on the loop thread; a job owns its references. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define NODE_ID_ANN "csi.alpha.kubernetes.io/node-id"
#define VOLUME_KEY  "pv" /* namespace part of keys that name volumes */

struct state {
    struct flights jobs;
    struct seen published; /* attachments that are live on the machine */
};

struct job {
    struct machine *machine;
    const struct csi_driver *driver;
    struct sobj *va, *pv; /* owned; pv is NULL if the volume is in the attachment itself, or gone */
    char device[64];
    struct err err;
    int rc;
};

static void job_free(struct job *j)
{
    sobj_unref(j->va);
    sobj_unref(j->pv);
    free(j);
}

static const char *node_of(const json_t *va)
{
    return jstr_or(va, "spec.nodeName", "");
}

static const char *device_of(const json_t *va)
{
    return jstr(va, "status.attachmentMetadata.devicePath");
}

/* The volume's handle at its driver: of the PV, or of the spec inside. NULL: there is no such volume (any more). */
static const char *handle_of(const struct job *j, char buf[VOLUME_HANDLE_LEN])
{
    if (j->pv)
        return pv_handle(j->pv->tree, buf);
    return jstr(j->va->tree, "spec.source.inlineVolumeSpec.csi.volumeHandle");
}

/* -- attaching -- */

static int edit_attached(json_t *va, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    if (jbool(va, "status.attached", false) && str_eq(device_of(va) ? device_of(va) : "", j->device))
        return 0;
    jset_bool(va, "status.attached", true);
    if (j->device[0])
        jset_map(va, "status.attachmentMetadata", "devicePath", j->device);
    jdel(va, "status.attachError");
    return 1;
}

struct failure {
    const char *field, *message;
    char now[TIME_TEXT_LEN];
};

static int edit_error(json_t *va, void *arg, struct err *e)
{
    (void)e;
    const struct failure *f = arg;
    jset(va, f->field, json_pack("{s:s, s:s}", "time", f->now, "message", f->message));
    return 1;
}

static void finish(struct loop *l, const struct job *j, bool ok)
{
    struct state *s = loop_state(l);
    int64_t wait = flight_end(l, &s->jobs, j->va->name, ok, 1000, 300000);
    if (wait)
        loop_enqueue_after(l, "", j->va->name, wait);
}

static void tell_failure(struct loop *l, const struct job *j, const char *field)
{
    struct failure f = {.field = field, .message = j->err.msg};
    struct err e = ERR_INIT;
    now_text(loop_clock(l), f.now);
    modify(l, "external-attacher", RES.volumeattachments, j->va->tree, "status", edit_error, &f, &e);
}

static bool reads_only(const json_t *pv)
{
    const json_t *modes = jat(pv, "spec.accessModes");
    return jbool(pv, "spec.csi.readOnly", false) ||
           (json_array_size(modes) == 1 && jarr_has(pv, "spec.accessModes", "ReadOnlyMany"));
}

static void publish_work(void *arg)
{
    struct job *j = arg;
    const bool read_only = j->pv && reads_only(j->pv->tree);
    char buf[VOLUME_HANDLE_LEN];
    const char *handle = handle_of(j, buf);
    snprintf(j->device, sizeof j->device, "%s", device_of(j->va->tree) ? device_of(j->va->tree) : "");
    j->rc = j->driver->publish(j->driver, j->machine, handle ? handle : "", node_of(j->va->tree), read_only, j->device,
                               sizeof j->device, &j->err);
}

static void publish_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct state *s = loop_state(l);
    struct err e = ERR_INIT;
    if (j->rc < 0)
        tell_failure(l, j, "status.attachError");
    else
        j->rc = modify(l, "external-attacher", RES.volumeattachments, j->va->tree, "status", edit_attached, j, &e);
    if (j->rc == 0)
        seen_first(&s->published, "%s", obj_uid(j->va->tree));
    finish(l, j, j->rc == 0);
    loop_enqueue(l, "", j->va->name); /* it may have been deleted meanwhile */
    job_free(j);
}

static int edit_claimed(json_t *va, void *arg, struct err *e)
{
    (void)e;
    const char *const *names = arg; /* finalizer, node id */
    bool changed = !obj_deleting(va) && finalizer_add(va, names[0]);
    if (!str_eq(jmap(va, "metadata.annotations", NODE_ID_ANN), names[1])) {
        jset_map(va, "metadata.annotations", NODE_ID_ANN, names[1]);
        changed = true;
    }
    return changed;
}

/* The id the driver knows the node by; false with a text when CSINode says the driver is not there. */
static bool node_id(struct loop *l, const char *driver, const char *node, char *out, size_t size)
{
    snprintf(out, size, "%s", node);
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.csinodes, "", node);
    if (!obj)
        return true;
    size_t i;
    json_t *row;
    json_array_foreach(jat(obj->tree, "spec.drivers"), i, row)
    {
        if (!str_eq(jstr(row, "name"), driver))
            continue;
        snprintf(out, size, "%s", jstr_or(row, "nodeID", node));
        return true;
    }
    return false;
}

static struct job *job_new(struct loop *l, const struct csi_driver *d, struct sobj *va, struct sobj *take_pv)
{
    const struct binder_env *env = loop_env(l);
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine, .driver = d, .va = sobj_ref(va), .pv = take_pv};
    return j;
}

/* Ends a job that never ran with an error the user sees. */
static int fail_attach(struct loop *l, struct job *j, const char *text)
{
    err_set(&j->err, ERR_INVALID, "%s", text);
    j->rc = -1;
    tell_failure(l, j, "status.attachError");
    finish(l, j, false);
    job_free(j);
    return 0;
}

static int attach(struct loop *l, const struct csi_driver *d, struct sobj *va, struct err *e)
{
    struct state *s = loop_state(l);
    const char *pv_name = jstr(va->tree, "spec.source.persistentVolumeName");
    struct sobj *pv = read_pv(l, pv_name);
    if ((pv_name && !pv) || !flight_begin(l, &s->jobs, va->name)) {
        sobj_unref(pv);
        return 0;
    }
    struct job *j = job_new(l, d, va, pv);
    char finalizer[300], id[300], text[600];
    attacher_finalizer(d->name, finalizer, sizeof finalizer);
    if (pv && obj_deleting(pv->tree)) {
        snprintf(text, sizeof text, "PersistentVolume \"%s\" is marked for deletion", pv->name);
        return fail_attach(l, j, text);
    }
    if (!node_id(l, d->name, node_of(va->tree), id, sizeof id)) {
        snprintf(text, sizeof text, "CSINode %s does not contain driver %s", node_of(va->tree), d->name);
        return fail_attach(l, j, text);
    }
    const char *names[] = {finalizer, id};
    if ((pv &&
         modify(l, "external-attacher", RES.persistentvolumes, pv->tree, "", edit_finalizer_add, finalizer, e) < 0) ||
        modify(l, "external-attacher", RES.volumeattachments, va->tree, "", edit_claimed, names, e) < 0) {
        finish(l, j, false);
        job_free(j);
        return -1;
    }
    char buf[VOLUME_HANDLE_LEN];
    if (!handle_of(j, buf))
        return fail_attach(l, j, "inline volume spec contains nil CSISource");
    loop_offload(l, publish_work, publish_done, j);
    return 0;
}

/* -- detaching -- */

static int edit_detached(json_t *va, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    if (!jbool(va, "status.attached", false))
        return 0;
    jset_bool(va, "status.attached", false);
    jdel(va, "status.attachmentMetadata");
    jdel(va, "status.detachError");
    return 1;
}

static void unpublish_work(void *arg)
{
    struct job *j = arg;
    char buf[VOLUME_HANDLE_LEN];
    const char *handle = handle_of(j, buf);
    if (handle)
        j->rc = j->driver->unpublish(j->driver, j->machine, handle, node_of(j->va->tree), &j->err);
}

static void unpublish_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct state *s = loop_state(l);
    struct err e = ERR_INIT;
    char finalizer[300];
    attacher_finalizer(j->driver->name, finalizer, sizeof finalizer);
    if (j->rc < 0) {
        tell_failure(l, j, "status.detachError");
    } else {
        seen_forget(&s->published, "%s", obj_uid(j->va->tree));
        j->rc = modify(l, "external-attacher", RES.volumeattachments, j->va->tree, "status", edit_detached, NULL, &e);
        if (j->rc == 0)
            j->rc = modify(l, "external-attacher", RES.volumeattachments, j->va->tree, "", edit_finalizer_remove,
                           finalizer, &e);
    }
    finish(l, j, j->rc == 0);
    job_free(j);
}

static int detach(struct loop *l, const struct csi_driver *d, struct sobj *va)
{
    struct state *s = loop_state(l);
    char finalizer[300];
    attacher_finalizer(d->name, finalizer, sizeof finalizer);
    if (!finalizer_has(va->tree, finalizer) || !flight_begin(l, &s->jobs, va->name))
        return 0;
    struct job *j = job_new(l, d, va, read_pv(l, jstr(va->tree, "spec.source.persistentVolumeName")));
    loop_offload(l, unpublish_work, unpublish_done, j);
    return 0;
}

/* -- volumes: the attacher's finalizer goes when nothing is attached any more and the volume is being deleted -- */

static int sync_volume_finalizer(struct loop *l, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *pv = read_pv(l, name);
    const char *driver = pv ? pv_driver(pv->tree) : NULL;
    char finalizer[300];
    if (!driver || !obj_deleting(pv->tree))
        return 0;
    attacher_finalizer(driver, finalizer, sizeof finalizer);
    if (!finalizer_has(pv->tree, finalizer))
        return 0;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "spec.source.persistentVolumeName"), name))
            return 0;
    return modify(l, "external-attacher", RES.persistentvolumes, pv->tree, "", edit_finalizer_remove, finalizer, e);
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct state *s = loop_state(l);
    if (str_eq(ns, VOLUME_KEY))
        return sync_volume_finalizer(l, name, e);
    _auto_sobj_ struct sobj *va = reg_read(loop_registry(l), RES.volumeattachments, "", name);
    const struct csi_driver *d = va ? csi_driver_by_name(jstr_or(va->tree, "spec.attacher", "")) : NULL;
    if (!d || !d->publish)
        return 0;
    if (obj_deleting(va->tree))
        return detach(l, d, va);
    bool live = seen_has(&s->published, "%s", obj_uid(va->tree));
    return live && jbool(va->tree, "status.attached", false) ? 0 : attach(l, d, va, e);
}

static void map_volume(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED && obj_deleting(ev->obj->tree))
        loop_enqueue(l, VOLUME_KEY, ev->obj->name);
}

/* Errors we wrote ourselves must not defeat the back-off. */
static void map_attachment(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED)
        loop_enqueue(l, VOLUME_KEY, jstr_or(ev->obj->tree, "spec.source.persistentVolumeName", ""));
    else if (ev->type == WATCH_ADDED || (obj_deleting(ev->obj->tree) && !(ev->prev && obj_deleting(ev->prev->tree)))) {
        struct state *s = loop_state(l);
        flight_forgive(&s->jobs, ev->obj->name); /* that attaching failed does not hold up detaching */
        loop_enqueue(l, "", ev->obj->name);
    }
}

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    flights_release(&s->jobs);
    seen_release(&s->published);
}

static const struct loop_watch watches[] = {
    {"volumeattachments.storage.k8s.io", map_attachment}, {"persistentvolumes", map_volume}, {NULL, NULL}};

const struct loop_def attacher_loop = {
    .name = "external-attacher",
    .component = "external-attacher",
    .watches = watches,
    .state_size = sizeof(struct state),
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
