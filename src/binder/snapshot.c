/* snapshot.c - the snapshot controller: from a VolumeSnapshot to its content and back.
 *
 *      snapshot --class, finalizers--> content made (dynamic) or bound (pre-provisioned) --(snapshot_content.c)-->
 * status copied from the content: creationTime, readyToUse, restoreSize, error deletion: the content is marked, and
 * removed with it if its policy is Delete; then the finalizers go
 *
 * DESIGN: level-triggered: each look does the next step, whatever was done before; a step that cannot be done leaves
 * its reason in status.error, once, and is tried again. The claim that is being photographed keeps a finalizer until no
 * snapshot of it is under way.
 *
 * THREADS: the loop thread. Source: external-snapshotter pkg/common-controller/snapshot_controller.go. */
#include "binder/snapshot_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define COMPONENT "snapshot-controller"

/* -- shared with the other loops about snapshots -- */

struct sobj *read_snapshot(struct loop *l, const char *ns, const char *name)
{
    return str_empty(name) ? NULL : reg_read(loop_registry(l), RES.volumesnapshots, ns, name);
}

struct sobj *read_content(struct loop *l, const char *name)
{
    return str_empty(name) ? NULL : reg_read(loop_registry(l), RES.volumesnapshotcontents, "", name);
}

bool is_source_in_use(struct loop *l, const char *kind, const char *ns, const char *name)
{
    _auto_objlist_ struct objlist claims = {0};
    objlist_load(&claims, loop_registry(l), RES.persistentvolumeclaims->bucket, ns);
    for (size_t i = 0; i < claims.len; i++)
        if (str_empty(jstr(claims.trees[i], "spec.volumeName")) &&
            str_eq(jstr(claims.trees[i], "spec.dataSource.kind"), kind) &&
            str_eq(jstr(claims.trees[i], "spec.dataSource.name"), name))
            return true;
    return false;
}

struct trouble {
    const char *message;
    char now[TIME_TEXT_LEN];
};

static int edit_trouble(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const struct trouble *t = arg;
    if (str_eq(jstr(obj, "status.error.message"), t->message))
        return 0;
    json_t *status = json_object_get(obj, "status");
    if (!json_is_object(status)) {
        status = json_object();
        json_object_set_new(obj, "status", status);
    }
    json_object_set_new(status, "error", json_pack("{s:s, s:s}", "time", t->now, "message", t->message));
    json_object_set_new(status, "readyToUse", json_false());
    return 1;
}

static void tell(struct loop *l, const char *component, const json_t *obj, enum event_type type, const char *reason,
                 const char *text)
{
    struct event_source src = {.component = component, .host = ""};
    control_event(loop_control(l), &src, obj, "", type, reason, "%s", text);
}

int snapshot_trouble(struct loop *l, const char *component, const struct resource *res, const json_t *obj,
                     const char *reason, const char *message, struct err *e)
{
    struct trouble t = {.message = message};
    if (!str_eq(jstr(obj, "status.error.message"), message)) {
        now_text(loop_clock(l), t.now);
        if (modify(l, component, res, obj, "status", edit_trouble, &t, e) < 0)
            return -1;
        tell(l, component, obj, EVENT_WARNING, reason, message);
    }
    return err_set(e, ERR_CONFLICT, "%s", message);
}

__attribute__((format(printf, 4, 6))) static int trouble(struct loop *l, const json_t *snap, const char *reason,
                                                         const char *fmt, struct err *e, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, e);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return snapshot_trouble(l, COMPONENT, RES.volumesnapshots, snap, reason, text, e);
}

/* -- the class -- */

static int edit_class(json_t *snap, void *arg, struct err *e)
{
    (void)e;
    jset_str(snap, "spec.volumeSnapshotClassName", arg);
    return 1;
}

/* The volume behind the snapshot's claim. New reference, or NULL. */
static struct sobj *volume_of(struct loop *l, const json_t *snap)
{
    _auto_sobj_ struct sobj *claim = read_claim(l, obj_ns(snap), jstr(snap, "spec.source.persistentVolumeClaimName"));
    return claim ? read_pv_of(l, claim->tree) : NULL;
}

/* 1: the default was written, and brings the snapshot here again; 0: it has a class. */
static int choose_class(struct loop *l, const json_t *snap, struct err *e)
{
    _auto_objlist_ struct objlist classes = {0};
    _auto_sobj_ struct sobj *pv = volume_of(l, snap);
    const char *driver = pv ? pv_driver(pv->tree) : NULL, *found = NULL;
    unsigned count = 0;
    if (jstr(snap, "spec.volumeSnapshotClassName"))
        return 0;
    objlist_load(&classes, loop_registry(l), RES.volumesnapshotclasses->bucket, NULL);
    for (size_t i = 0; i < classes.len; i++) {
        const char *mark = jmap(classes.trees[i], "metadata.annotations", ANN_DEFAULT_SNAPSHOT_CLASS);
        if (!str_eq(mark, "true") || !str_eq(jstr(classes.trees[i], "driver"), driver))
            continue;
        count++;
        found = classes.items[i]->name;
    }
    if (count == 1)
        return modify(l, COMPONENT, RES.volumesnapshots, snap, "", edit_class, (void *)found, e) < 0 ? -1 : 1;
    if (count > 1)
        return trouble(l, snap, "SetDefaultSnapshotClassFailed",
                       "Failed to set default snapshot class with error %u default snapshot classes were found", e,
                       count);
    return trouble(l, snap, "SetDefaultSnapshotClassFailed", "Failed to set default snapshot class with error %s", e,
                   "cannot find default snapshot class");
}

static struct sobj *class_of(struct loop *l, const json_t *snap, struct err *e)
{
    const char *name = jstr_or(snap, "spec.volumeSnapshotClassName", "");
    struct sobj *class = reg_read(loop_registry(l), RES.volumesnapshotclasses, "", name);
    if (!class)
        trouble(l, snap, "GetSnapshotClassFailed",
                "Failed to get snapshot class with error failed to retrieve snapshot class %s from the informer: "
                "\"volumesnapshotclass.snapshot.storage.k8s.io \\\"%s\\\" not found\"",
                e, name, name);
    return class;
}

/* -- the content of a snapshot to be taken -- */

static int edit_protect(json_t *snap, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    if (jstr(snap, "metadata.deletionTimestamp"))
        return 0;
    const bool a = finalizer_add(snap, FIN_SNAPSHOT_SOURCE), b = finalizer_add(snap, FIN_SNAPSHOT_BOUND);
    return a || b ? 1 : 0;
}

static int edit_unprotect(json_t *snap, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    const bool a = finalizer_remove(snap, FIN_SNAPSHOT_SOURCE), b = finalizer_remove(snap, FIN_SNAPSHOT_BOUND);
    return a || b ? 1 : 0;
}

static json_t *content_of(const json_t *snap, const json_t *class, const json_t *pv)
{
    json_t *ref = object_reference(snap);
    json_object_set_new(ref, "apiVersion", json_string(SNAP_GROUP "/v1"));
    char buf[VOLUME_HANDLE_LEN];
    const char *handle = pv_handle(pv, buf);
    json_t *content =
        json_pack("{s:s, s:s, s:{s:[s]}, s:{s:s, s:s, s:{s:s}, s:s, s:s, s:o}}", "apiVersion", SNAP_GROUP "/v1", "kind",
                  "VolumeSnapshotContent", "metadata", "finalizers", FIN_CONTENT_BOUND, "spec", "deletionPolicy",
                  jstr_or(class, "deletionPolicy", "Delete"), "driver", jstr_or(class, "driver", ""), "source",
                  "volumeHandle", handle ? handle : "", "sourceVolumeMode", pv_mode(pv), "volumeSnapshotClassName",
                  obj_name(class), "volumeSnapshotRef", ref);
    jset(content, "metadata.name", json_sprintf("snapcontent-%s", obj_uid(snap)));
    return content;
}

/* What must be there before a snapshot can be taken; the volume (new reference), or NULL. */
static struct sobj *volume_ready(struct loop *l, const json_t *snap, const json_t *class, struct err *e)
{
    static const char reason[] = "SnapshotContentCreationFailed";
    const char *name = jstr_or(snap, "spec.source.persistentVolumeClaimName", "");
    _auto_sobj_ struct sobj *claim = read_claim(l, obj_ns(snap), name);
    if (!claim) {
        trouble(l, snap, reason,
                "Failed to create snapshot content with error snapshot controller failed to update %s on API server: "
                "cannot get claim from snapshot",
                e, obj_name(snap));
        return NULL;
    }
    if (claim_phase(claim->tree) != CLAIM_BOUND) {
        trouble(l, snap, reason,
                "Failed to create snapshot content with error the PVC %s is not yet bound to a PV, will not attempt to "
                "take a snapshot",
                e, name);
        return NULL;
    }
    _auto_sobj_ struct sobj *pv = read_pv_of(l, claim->tree);
    const char *driver = pv ? pv_driver(pv->tree) : NULL;
    if (!driver) {
        trouble(l, snap, reason,
                "Failed to create snapshot content with error snapshotting non-CSI volumes is not supported, "
                "snapshot:%s/%s",
                e, obj_ns(snap), obj_name(snap));
        return NULL;
    }
    if (!str_eq(driver, jstr(class, "driver"))) {
        trouble(l, snap, reason,
                "Failed to create snapshot content with error the driver name %s of the snapshot class does not match "
                "the one of the volume, %s",
                e, jstr_or(class, "driver", ""), driver);
        return NULL;
    }
    if (modify(l, COMPONENT, RES.persistentvolumeclaims, claim->tree, "", edit_finalizer_add, (void *)FIN_CLAIM_SOURCE,
               e) < 0)
        return NULL;
    return TAKE(pv);
}

static int make_content(struct loop *l, const json_t *snap, struct err *e)
{
    const int chosen = choose_class(l, snap, e);
    if (chosen)
        return chosen < 0 ? -1 : 0;
    _auto_sobj_ struct sobj *class = class_of(l, snap, e);
    _auto_sobj_ struct sobj *pv = class ? volume_ready(l, snap, class->tree, e) : NULL;
    if (!pv)
        return -1;
    if (reg_make(loop_registry(l), COMPONENT, RES.volumesnapshotcontents, "", content_of(snap, class->tree, pv->tree),
                 NULL, e) < 0) {
        if (e->code != ERR_ALREADY_EXISTS)
            return trouble(l, snap, "CreateSnapshotContentFailed", "Failed to create snapshot content with error %s", e,
                           e->msg);
        err_clear(e);
        return 0;
    }
    _auto_free_ char *text =
        xasprintf("Waiting for a snapshot %s/%s to be created by the CSI driver.", obj_ns(snap), obj_name(snap));
    tell(l, COMPONENT, snap, EVENT_NORMAL, "CreatingSnapshot", text);
    return 0;
}

/* -- binding to a content that was there before -- */

static int edit_bind(json_t *content, void *arg, struct err *e)
{
    (void)e;
    const json_t *snap = arg;
    if (str_eq(jstr(content, "spec.volumeSnapshotRef.uid"), obj_uid(snap)))
        return 0;
    jset_str(content, "spec.volumeSnapshotRef.uid", obj_uid(snap));
    if (jstr(snap, "spec.volumeSnapshotClassName"))
        jset_str(content, "spec.volumeSnapshotClassName", jstr(snap, "spec.volumeSnapshotClassName"));
    return 1;
}

/* The content the user named, bound to this snapshot. New reference, or NULL with the reason. */
static struct sobj *bind_content(struct loop *l, const json_t *snap, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *content = read_content(l, name);
    if (!content) {
        trouble(l, snap, "SnapshotContentMissing", "%s", e, "VolumeSnapshotContent is missing");
        return NULL;
    }
    const char *uid = jstr(content->tree, "spec.volumeSnapshotRef.uid");
    if (!jstr(content->tree, "spec.source.snapshotHandle")) {
        trouble(l, snap, "SnapshotContentMismatch", "%s", e,
                "VolumeSnapshotContent is dynamically provisioned while expecting a pre-provisioned one");
        return NULL;
    }
    if (!str_eq(jstr(content->tree, "spec.volumeSnapshotRef.name"), obj_name(snap)) ||
        !str_eq(jstr(content->tree, "spec.volumeSnapshotRef.namespace"), obj_ns(snap)) ||
        (!str_empty(uid) && !str_eq(uid, obj_uid(snap)))) {
        trouble(l, snap, "SnapshotContentMisbound", "VolumeSnapshotContent [%s] is bound to a different snapshot", e,
                name);
        return NULL;
    }
    if (modify(l, COMPONENT, RES.volumesnapshotcontents, content->tree, "", edit_bind, (void *)snap, e) < 0)
        return NULL;
    return TAKE(content);
}

/* -- status -- */

static int edit_status(json_t *snap, void *arg, struct err *e)
{
    (void)e;
    const json_t *content = arg, *from = jat(content, "status");
    _auto_json_ json_t *status = json_pack("{s:s, s:b}", "boundVolumeSnapshotContentName", obj_name(content),
                                           "readyToUse", jbool(from, "readyToUse", false));
    const json_t *size = jat(from, "restoreSize"), *trouble = jat(from, "error");
    const int64_t taken = jint(from, "creationTime", 0);
    if (taken > 0) {
        char time[TIME_TEXT_LEN];
        time_format(taken, time);
        jset_str(status, "creationTime", time);
    }
    if (size) {
        char text[QUANTITY_TEXT_LEN];
        struct quantity q;
        quantity_from_bytes(json_integer_value(size), &q);
        quantity_format(&q, text);
        jset_str(status, "restoreSize", text);
    }
    if (trouble)
        json_object_set_new(status, "error", json_deep_copy(trouble));
    if (json_equal(status, jat(snap, "status")))
        return 0;
    json_object_set(snap, "status", status);
    return 1;
}

static int follow_content(struct loop *l, const json_t *snap, const json_t *content, struct err *e)
{
    const bool was_taken = jstr(snap, "status.creationTime"), was_ready = jbool(snap, "status.readyToUse", false);
    if (!jat(content, "status") && jstr(snap, "status.boundVolumeSnapshotContentName"))
        return 0;
    if (modify(l, COMPONENT, RES.volumesnapshots, snap, "status", edit_status, (void *)content, e) < 0)
        return -1;
    if (!was_taken && jint(content, "status.creationTime", 0) > 0) {
        _auto_free_ char *text =
            xasprintf("Snapshot %s/%s was successfully created by the CSI driver.", obj_ns(snap), obj_name(snap));
        tell(l, COMPONENT, snap, EVENT_NORMAL, "SnapshotCreated", text);
    }
    if (!was_ready && jbool(content, "status.readyToUse", false)) {
        _auto_free_ char *text = xasprintf("Snapshot %s/%s is ready to use.", obj_ns(snap), obj_name(snap));
        tell(l, COMPONENT, snap, EVENT_NORMAL, "SnapshotReady", text);
    }
    return 0;
}

/* The claim need not be kept any longer once no snapshot of it is under way. */
static int release_claim(struct loop *l, const json_t *snap, struct err *e)
{
    const char *name = jstr(snap, "spec.source.persistentVolumeClaimName");
    _auto_sobj_ struct sobj *claim = read_claim(l, obj_ns(snap), name);
    _auto_objlist_ struct objlist all = {0};
    if (!claim || !finalizer_has(claim->tree, FIN_CLAIM_SOURCE))
        return 0;
    objlist_load(&all, loop_registry(l), RES.volumesnapshots->bucket, obj_ns(snap));
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "spec.source.persistentVolumeClaimName"), name) && !obj_deleting(all.trees[i]) &&
            !jbool(all.trees[i], "status.readyToUse", false))
            return 0;
    return modify(l, COMPONENT, RES.persistentvolumeclaims, claim->tree, "", edit_finalizer_remove,
                  (void *)FIN_CLAIM_SOURCE, e);
}

/* -- deleting -- */

static int edit_mark_deleted(json_t *content, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    if (jmap(content, "metadata.annotations", ANN_BEING_DELETED))
        return 0;
    jset_map(content, "metadata.annotations", ANN_BEING_DELETED, "yes");
    return 1;
}

static struct sobj *own_content(struct loop *l, const json_t *snap)
{
    _auto_free_ char *made = xasprintf("snapcontent-%s", obj_uid(snap));
    const char *named = jstr(snap, "spec.source.volumeSnapshotContentName");
    _auto_sobj_ struct sobj *content = read_content(l, named ? named : made);
    return content && str_eq(jstr(content->tree, "spec.volumeSnapshotRef.uid"), obj_uid(snap)) ? TAKE(content) : NULL;
}

static int delete_snapshot(struct loop *l, const json_t *snap, struct err *e)
{
    if (!finalizer_has(snap, FIN_SNAPSHOT_SOURCE) && !finalizer_has(snap, FIN_SNAPSHOT_BOUND))
        return release_claim(l, snap, e);
    if (is_source_in_use(l, "VolumeSnapshot", obj_ns(snap), obj_name(snap))) {
        tell(l, COMPONENT, snap, EVENT_WARNING, "SnapshotDeletePending", "Snapshot is being used to restore a PVC");
        return 0; /* that claim's volume brings it here again */
    }
    _auto_sobj_ struct sobj *content = own_content(l, snap);
    if (content) {
        const bool with_it = str_eq(jstr(content->tree, "spec.deletionPolicy"), "Delete");
        if (modify(l, COMPONENT, RES.volumesnapshotcontents, content->tree, "", edit_mark_deleted, NULL, e) < 0)
            return -1;
        if (with_it && !obj_deleting(content->tree))
            return remove_object(l, COMPONENT, RES.volumesnapshotcontents, content->tree, e);
        if (with_it)
            return 0; /* its end brings the snapshot here again */
    }
    if (modify(l, COMPONENT, RES.volumesnapshots, snap, "", edit_unprotect, NULL, e) < 0)
        return -1;
    return release_claim(l, snap, e);
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *snap = read_snapshot(l, ns, name);
    if (!snap)
        return 0;
    if (obj_deleting(snap->tree))
        return delete_snapshot(l, snap->tree, e);
    if (modify(l, COMPONENT, RES.volumesnapshots, snap->tree, "", edit_protect, NULL, e) < 0)
        return -1;
    const char *named = jstr(snap->tree, "spec.source.volumeSnapshotContentName");
    _auto_sobj_ struct sobj *content = named ? bind_content(l, snap->tree, named, e) : own_content(l, snap->tree);
    if (content)
        return follow_content(l, snap->tree, content->tree, e) < 0 ? -1 : release_claim(l, snap->tree, e);
    if (named)
        return -1;
    if (jbool(snap->tree, "status.readyToUse", false))
        return trouble(l, snap->tree, "SnapshotContentMissing", "%s", e, "VolumeSnapshotContent is missing");
    return make_content(l, snap->tree, e);
}

static void map_content(struct loop *l, const struct watch_event *ev)
{
    const char *name = jstr(ev->obj->tree, "spec.volumeSnapshotRef.name");
    if (name)
        loop_enqueue(l, jstr_or(ev->obj->tree, "spec.volumeSnapshotRef.namespace", ""), name);
}

/* A claim that was bound, or has its volume now, may be what a snapshot waits for. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    const json_t *claim = ev->obj->tree;
    _auto_objlist_ struct objlist all = {0};
    if (ev->type != WATCH_DELETED && ev->prev && same_member(ev->prev->tree, claim, "status.phase") &&
        same_member(ev->prev->tree, claim, "spec.volumeName"))
        return;
    objlist_load(&all, loop_registry(l), RES.volumesnapshots->bucket, ev->obj->ns);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "spec.source.persistentVolumeClaimName"), ev->obj->name) ||
            str_eq(jstr(claim, "spec.dataSource.name"), all.items[i]->name))
            loop_enqueue(l, ev->obj->ns, all.items[i]->name);
}

static void map_class(struct loop *l, const struct watch_event *ev)
{
    _auto_objlist_ struct objlist all = {0};
    (void)ev;
    objlist_load(&all, loop_registry(l), RES.volumesnapshots->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (!jstr(all.trees[i], "status.boundVolumeSnapshotContentName"))
            loop_enqueue(l, all.items[i]->ns, all.items[i]->name);
}

static const struct loop_watch watches[] = {{"volumesnapshots." SNAP_GROUP, NULL},
                                            {"volumesnapshotcontents." SNAP_GROUP, map_content},
                                            {"volumesnapshotclasses." SNAP_GROUP, map_class},
                                            {"persistentvolumeclaims", map_claim},
                                            {NULL, NULL}};

const struct loop_def snapshot_loop = {
    .name = COMPONENT,
    .component = COMPONENT,
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
