/* snapshot_content.c - the csi-snapshotter: what a VolumeSnapshotContent stands for is made, looked up and deleted.
 *
 *      content with a volumeHandle   --driver's snapshot-->  status: snapshotHandle, creationTime, restoreSize,
 * readyToUse content with a snapshotHandle --driver's look-up -->  the same deletion: policy Delete and the snapshot's
 * own end (or nobody bound): driver's remove_snapshot, then the finalizer
 *
 * DESIGN: the driver's work is a job on a worker; its name for the snapshot ("snapshot-<uid>") makes a repeated call
 * find the first one's result, so a restart in the middle loses nothing.
 *
 * INVARIANTS: one job a content at a time; a failed one backs off from 1 s to 5 min. THREADS: the loop thread; a job
 * owns its reference. Source: external-snapshotter pkg/sidecar-controller. */
#include "binder/snapshot_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 300000

struct job {
    struct machine *machine;
    const struct csi_driver *driver;
    struct sobj *content; /* owned */
    json_t *parameters;   /* owned, or NULL */
    char *key;            /* owned */
    struct csi_snapshot made;
    struct err err;
    int rc;
};

static void job_free(struct job *j)
{
    sobj_unref(j->content);
    json_decref(j->parameters);
    free(j->key);
    free(j);
}

static struct job *job_new(struct loop *l, struct sobj *content, const struct csi_driver *d)
{
    const struct binder_env *env = loop_env(l);
    if (!flight_begin(l, loop_state(l), content->name))
        return NULL;
    struct job *j = xcalloc(1, sizeof *j);
    *j =
        (struct job){.machine = env->machine, .driver = d, .content = sobj_ref(content), .key = xstrdup(content->name)};
    return j;
}

static void job_end(struct loop *l, struct job *j, bool ok)
{
    const int64_t wait = flight_end(l, loop_state(l), j->key, ok, RETRY_MIN_MS, RETRY_MAX_MS);
    if (wait)
        loop_enqueue_after(l, "", j->content->name, wait);
    job_free(j);
}

static void component_of(const struct csi_driver *d, char out[300])
{
    snprintf(out, 300, "csi-snapshotter %s", d->name);
}

static int edit(struct loop *l, const struct job *j, const char *sub, edit_fn fn, void *arg, struct err *e)
{
    char who[300];
    component_of(j->driver, who);
    return modify(l, who, RES.volumesnapshotcontents, j->content->tree, sub, fn, arg, e);
}

/* -- taking, and looking up -- */

static void take_work(void *arg)
{
    struct job *j = arg;
    const json_t *content = j->content->tree;
    const char *volume = jstr(content, "spec.source.volumeHandle");
    const char *uid = jstr_or(content, "spec.volumeSnapshotRef.uid", "");
    _auto_free_ char *name = xasprintf("snapshot-%s", uid);
    if (volume)
        j->rc = j->driver->snapshot(j->driver, j->machine, volume, name, j->parameters, &j->made, &j->err);
    else
        j->rc = j->driver->snapshot_get(j->driver, j->machine, jstr_or(content, "spec.source.snapshotHandle", ""),
                                        &j->made, &j->err);
}

static int edit_taken(json_t *content, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    json_t *status = json_pack("{s:s, s:b}", "snapshotHandle", j->made.handle, "readyToUse", j->made.ready);
    if (j->made.created_ns > 0)
        json_object_set_new(status, "creationTime", json_integer(j->made.created_ns));
    if (j->made.bytes > 0)
        json_object_set_new(status, "restoreSize", json_integer(j->made.bytes));
    json_object_set_new(content, "status", status);
    return 1;
}

static int edit_unmark_created(json_t *content, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    json_t *annotations = jat(content, "metadata.annotations");
    if (!annotations || json_object_del(annotations, ANN_BEING_CREATED) < 0)
        return 0;
    if (json_object_size(annotations) == 0)
        json_object_del(jat(content, "metadata"), "annotations");
    return 1;
}

static void take_failed(struct loop *l, struct job *j)
{
    char who[300];
    struct err e = ERR_INIT;
    component_of(j->driver, who);
    const bool taking = jstr(j->content->tree, "spec.source.volumeHandle");
    _auto_free_ char *text =
        taking ? xasprintf("Failed to create snapshot: failed to take snapshot of the volume %s: \"%s\"",
                           jstr_or(j->content->tree, "spec.source.volumeHandle", ""), j->err.msg)
               : xasprintf("Failed to check and update snapshot content: failed to get snapshot status %s: \"%s\"",
                           jstr_or(j->content->tree, "spec.source.snapshotHandle", ""), j->err.msg);
    snapshot_trouble(l, who, RES.volumesnapshotcontents, j->content->tree,
                     taking ? "SnapshotCreationFailed" : "SnapshotContentCheckandUpdateFailed", text, &e);
}

static void take_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct err e = ERR_INIT;
    bool ok = j->rc == 0 && edit(l, j, "status", edit_taken, j, &e) == 0 &&
              edit(l, j, "", edit_unmark_created, NULL, &e) == 0;
    if (j->rc < 0)
        take_failed(l, j);
    job_end(l, j, ok && j->made.ready);
}

static int edit_mark_created(json_t *content, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    const bool added = finalizer_add(content, FIN_CONTENT_BOUND);
    if (!jstr(content, "spec.source.volumeHandle") || jmap(content, "metadata.annotations", ANN_BEING_CREATED))
        return added;
    jset_map(content, "metadata.annotations", ANN_BEING_CREATED, "yes");
    return 1;
}

static int take(struct loop *l, struct sobj *content, const struct csi_driver *d, struct err *e)
{
    struct job *j = job_new(l, content, d);
    if (!j)
        return 0;
    _auto_sobj_ struct sobj *class = reg_read(loop_registry(l), RES.volumesnapshotclasses, "",
                                              jstr_or(content->tree, "spec.volumeSnapshotClassName", ""));
    const json_t *parameters = class ? jat(class->tree, "parameters") : NULL;
    j->parameters = parameters ? json_deep_copy(parameters) : NULL;
    if (edit(l, j, "", edit_mark_created, NULL, e) < 0) {
        job_end(l, j, false);
        return -1;
    }
    loop_offload(l, take_work, take_done, j);
    return 0;
}

/* -- deleting -- */

static void remove_work(void *arg)
{
    struct job *j = arg;
    const char *handle = jstr(j->content->tree, "status.snapshotHandle");
    if (!handle)
        handle = jstr(j->content->tree, "spec.source.snapshotHandle");
    j->rc = handle ? j->driver->remove_snapshot(j->driver, j->machine, handle, &j->err) : 0;
}

static void remove_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct err e = ERR_INIT;
    char who[300];
    component_of(j->driver, who);
    if (j->rc < 0) {
        struct event_source src = {.component = who, .host = ""};
        control_event(loop_control(l), &src, j->content->tree, "", EVENT_WARNING, "SnapshotDeleteError", "%s",
                      "Failed to delete snapshot");
    }
    const bool ok = j->rc == 0 && edit(l, j, "", edit_finalizer_remove, (void *)FIN_CONTENT_BOUND, &e) == 0;
    job_end(l, j, ok);
}

/* A content whose snapshot is still there waits for that to go first. */
static bool may_go(const json_t *content)
{
    return str_empty(jstr(content, "spec.volumeSnapshotRef.uid")) ||
           jmap(content, "metadata.annotations", ANN_BEING_DELETED);
}

static int delete_content(struct loop *l, struct sobj *content, const struct csi_driver *d, struct err *e)
{
    if (!finalizer_has(content->tree, FIN_CONTENT_BOUND) || !may_go(content->tree))
        return 0;
    if (!str_eq(jstr(content->tree, "spec.deletionPolicy"), "Delete"))
        return modify(l, "csi-snapshotter", RES.volumesnapshotcontents, content->tree, "", edit_finalizer_remove,
                      (void *)FIN_CONTENT_BOUND, e);
    flight_forgive(loop_state(l), content->name); /* that it could not be had does not hold up its end */
    struct job *j = job_new(l, content, d);
    if (j)
        loop_offload(l, remove_work, remove_done, j);
    return 0;
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)ns;
    _auto_sobj_ struct sobj *content = read_content(l, name);
    const struct csi_driver *d = content ? csi_driver_by_name(jstr_or(content->tree, "spec.driver", "")) : NULL;
    if (!d || !d->snapshot || !d->snapshot_get || !d->remove_snapshot)
        return 0;
    if (obj_deleting(content->tree))
        return delete_content(l, content, d, e);
    if (jbool(content->tree, "status.readyToUse", false))
        return 0;
    return take(l, content, d, e);
}

static const struct loop_watch watches[] = {{"volumesnapshotcontents." SNAP_GROUP, NULL}, {NULL, NULL}};

const struct loop_def snapshot_content_loop = {
    .name = "csi-snapshotter",
    .component = "csi-snapshotter",
    .watches = watches,
    .state_size = sizeof(struct flights),
    .stop = flights_stop,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
