/* expand.c - claims that grow: the controller that says so, and the external resizer that does it.
 *
 *     claim request > status.capacity -> ExternalExpanding
 *       -> Resizing -> (driver) disk grown -> PV capacity -> FileSystemResizePending -> (kubelet) file system grown,
 * status.capacity
 *
 * Source: pkg/controller/volume/expand; external-resizer expand_and_recover.go. */
#include "binder/binder_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define RESIZING  "ControllerResizeInProgress"
#define PENDING   "NodeResizePending"
#define WAIT_TEXT "Waiting for user to (re-)start a pod to finish file system resize of volume on node."

static int64_t status_bytes(const json_t *claim)
{
    return quantity_bytes(jmap(claim, "status.capacity", "storage"), 0);
}

static bool wants_more(const json_t *claim)
{
    return claim_phase(claim) == CLAIM_BOUND && claim_request(claim) > status_bytes(claim) && status_bytes(claim) > 0;
}

/* Only the user's change of the request, not our own writes of the status. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED && wants_more(ev->obj->tree) &&
        !(ev->prev && same_member(ev->prev->tree, ev->obj->tree, "spec.resources")))
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

/* -- the controller: only the event -- */

static int reconcile_expand(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)e;
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, name);
    _auto_sobj_ struct sobj *pv = claim && wants_more(claim->tree) ? read_pv_of(l, claim->tree) : NULL;
    if (!pv)
        return 0;
    if (pv_is_migrated(pv->tree))
        loop_event(l, claim->tree, EVENT_NORMAL, "ExternalExpanding",
                   "CSI migration enabled for %s; waiting for external resizer to expand the pvc",
                   jmap(pv->tree, "metadata.annotations", ANN_PROVISIONED_BY)
                       ? jmap(pv->tree, "metadata.annotations", ANN_PROVISIONED_BY)
                       : "kubernetes.io/aws-ebs");
    else
        loop_event(l, claim->tree, EVENT_NORMAL, "ExternalExpanding",
                   "waiting for an external controller to expand this PVC");
    return 0;
}

/* -- the resizer -- */

struct job {
    struct machine *machine;
    const struct csi_driver *driver;
    struct sobj *claim, *pv; /* owned */
    char *key;               /* owned */
    char size[QUANTITY_TEXT_LEN];
    int64_t bytes;
    char now[TIME_TEXT_LEN];
    struct err err;
    int rc;
};

static void job_free(struct job *j)
{
    sobj_unref(j->claim);
    sobj_unref(j->pv);
    free(j->key);
    free(j);
}

static void tell(struct loop *l, const struct job *j, enum event_type type, const char *reason, const char *text)
{
    char component[300];
    snprintf(component, sizeof component, "external-resizer %s", j->driver->name);
    struct event_source src = {.component = component, .host = ""};
    control_event(loop_control(l), &src, j->claim->tree, "", type, reason, "%s", text);
}

static void put_condition(json_t *claim, const char *type, const char *message, const char *now)
{
    if (condition_get(claim, type))
        return;
    json_t *cond =
        json_pack("{s:s, s:s, s:n, s:s}", "type", type, "status", "True", "lastProbeTime", "lastTransitionTime", now);
    if (*message)
        jset_str(cond, "message", message);
    json_array_append_new(jmake_arr(claim, "status.conditions"), cond);
}

static int edit_resizing(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    jset_map(claim, "status.allocatedResources", "storage", j->size);
    jset_map(claim, "status.allocatedResourceStatuses", "storage", RESIZING);
    put_condition(claim, "Resizing", "", j->now);
    return 1;
}

static int edit_pending(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    jset_map(claim, "status.allocatedResourceStatuses", "storage", PENDING);
    put_condition(claim, "FileSystemResizePending", WAIT_TEXT, j->now);
    return 1;
}

static int edit_pv_size(json_t *pv, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    if (pv_capacity(pv) >= j->bytes)
        return 0;
    if (!jmap(pv, "metadata.annotations", ANN_PRE_RESIZE_CAPACITY))
        jset_map(pv, "metadata.annotations", ANN_PRE_RESIZE_CAPACITY, jmap(pv, "spec.capacity", "storage"));
    jset_map(pv, "spec.capacity", "storage", j->size);
    return 1;
}

static void expand_work(void *arg)
{
    struct job *j = arg;
    j->rc = j->driver->expand(j->driver, j->machine, j->pv->tree, j->bytes, &j->err);
}

static void expand_failed(struct loop *l, struct job *j)
{
    _auto_free_ char *text =
        xasprintf("resize volume \"%s\" by resizer \"%s\" failed: %s", j->pv->name, j->driver->name, j->err.msg);
    tell(l, j, EVENT_WARNING, "VolumeResizeFailed", text);
}

static void expand_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct err e = ERR_INIT;
    bool ok =
        j->rc == 0 && modify(l, "external-resizer", RES.persistentvolumes, j->pv->tree, "", edit_pv_size, j, &e) == 0 &&
        modify(l, "external-resizer", RES.persistentvolumeclaims, j->claim->tree, "status", edit_pending, j, &e) == 0;
    if (j->rc < 0)
        expand_failed(l, j);
    else if (ok)
        tell(l, j, EVENT_NORMAL, "FileSystemResizeRequired", "Require file system resize of volume on node");
    int64_t wait = flight_end(l, loop_state(l), j->key, ok, 1000, 300000);
    if (wait)
        loop_enqueue_after(l, j->claim->ns, j->claim->name, wait);
    job_free(j);
}

static int reconcile_resize(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, name);
    if (!claim || !wants_more(claim->tree))
        return 0;
    struct sobj *pv = read_pv_of(l, claim->tree);
    const struct csi_driver *d = pv && pv_driver(pv->tree) ? csi_driver_by_name(pv_driver(pv->tree)) : NULL;
    _auto_free_ char *key = xasprintf("%s/%s", ns, name);
    const char *phase = jmap(claim->tree, "status.allocatedResourceStatuses", "storage");
    bool grown = pv && pv_capacity(pv->tree) >= claim_request(claim->tree) && str_eq(phase, PENDING);
    if (!d || !d->expand || grown || !flight_begin(l, loop_state(l), key)) {
        sobj_unref(pv);
        return 0;
    }
    const struct binder_env *env = loop_env(l);
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine, .driver = d, .claim = sobj_ref(claim), .pv = pv, .key = TAKE(key)};
    const int64_t gib = INT64_C(1) << 30;
    j->bytes = (claim_request(claim->tree) + gib - 1) / gib * gib;
    struct quantity size;
    quantity_from_bytes(j->bytes, &size);
    quantity_format(&size, j->size);
    now_text(loop_clock(l), j->now);
    if (modify(l, "external-resizer", RES.persistentvolumeclaims, claim->tree, "status", edit_resizing, j, e) < 0) {
        flight_end(l, loop_state(l), j->key, false, 1000, 300000);
        job_free(j);
        return -1;
    }
    _auto_free_ char *text = xasprintf("External resizer is resizing volume %s", j->pv->name);
    tell(l, j, EVENT_NORMAL, "Resizing", text);
    loop_offload(l, expand_work, expand_done, j);
    return 0;
}

static int start(struct loop *l, struct err *e)
{
    (void)e;
    loop_set_state(l, xcalloc(1, sizeof(struct flights)));
    return 0;
}

static void stop(struct loop *l)
{
    struct flights *f = loop_state(l);
    if (f)
        flights_release(f);
    free(f);
    loop_set_state(l, NULL);
}

static const struct loop_watch watches[] = {{"persistentvolumeclaims", map_claim}, {NULL, NULL}};

const struct loop_def expand_loop = {
    .name = "volume-expand", .component = "volume_expand", .watches = watches, .reconcile = reconcile_expand};

const struct loop_def resizer_loop = {
    .name = "external-resizer",
    .component = "external-resizer",
    .watches = watches,
    .start = start,
    .stop = stop,
    .reconcile = reconcile_resize,
    .max_backoff_ms = 30000,
};
