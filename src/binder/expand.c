/* expand.c - claims that grow: the controller that says so, and the external resizer that does it.
 *
 *     request > status.capacity -> ExternalExpanding
 *       -> ControllerResizeInProgress -> (driver) disk grown -> PV capacity -> NodeResizePending -> (kubelet)
 * filesystem grown, status.capacity
 *       -> (block volumes, and file servers, whose nodes have nothing to do) status.capacity at once
 *
 * A failed expansion is tried again for the size that was asked for when it began, until the driver's error is final:
 * then what the claim asks for counts, so that a user may ask for less (recovery). An error that no retry can mend
 * marks the claim ControllerResizeInfeasible, and only a new request, or a long time, tries again.
 *
 * INVARIANTS: one job a claim at a time; each write can be repeated, so a restart between two of them goes on where it
 * stopped. THREADS: the loop thread; a job owns its references.
 * Source: pkg/controller/volume/expand; external-resizer pkg/controller/expand_and_recover.go. */
#include "binder/binder_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHO_RESIZER   "external-resizer"
#define IN_PROGRESS   "ControllerResizeInProgress"
#define INFEASIBLE    "ControllerResizeInfeasible"
#define NODE_PENDING  "NodeResizePending"
#define WAIT_TEXT     "Waiting for user to (re-)start a pod to finish file system resize of volume on node."
#define STATUSES      "status.allocatedResourceStatuses"
#define RETRY_MIN_MS  1000
#define RETRY_MAX_MS  300000
#define INFEASIBLE_MS 300000 /* until an infeasible one is tried again all the same */

static const char *const resize_conditions[] = {"Resizing", "FileSystemResizePending", "ControllerResizeError",
                                                "NodeResizeError"};

static void text_of(int64_t bytes, char out[QUANTITY_TEXT_LEN])
{
    struct quantity q;
    quantity_from_bytes(bytes, &q);
    quantity_format(&q, out);
}

static int64_t status_bytes(const json_t *claim)
{
    return quantity_bytes(jmap(claim, "status.capacity", "storage"), 0);
}

static bool wants_more(const json_t *claim)
{
    return claim_phase(claim) == CLAIM_BOUND && claim_request(claim) > status_bytes(claim) && status_bytes(claim) > 0;
}

static const char *resize_status(const json_t *claim)
{
    return jmap(claim, STATUSES, "storage");
}

/* -- the controller: only the event -- */

/* Only the user's change of the request, not our own writes of the status. */
static void map_request(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED && wants_more(ev->obj->tree) &&
        !(ev->prev && same_member(ev->prev->tree, ev->obj->tree, "spec.resources")))
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

/* The resizer that a migrated volume is handed over to. */
static int edit_resizer(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    if (str_eq(jmap(claim, "metadata.annotations", ANN_RESIZER), arg))
        return 0;
    jset_map(claim, "metadata.annotations", ANN_RESIZER, arg);
    return 1;
}

static int hand_over(struct loop *l, const json_t *claim, const json_t *pv, struct err *e)
{
    loop_event(l, claim, EVENT_NORMAL, "ExternalExpanding",
               "CSI migration enabled for %s; waiting for external resizer to expand the pvc", pv_intree_plugin(pv));
    return modify(l, WHO, RES.persistentvolumeclaims, claim, "", edit_resizer, (void *)pv_driver(pv), e);
}

static int reconcile_expand(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, name);
    _auto_sobj_ struct sobj *pv = claim && wants_more(claim->tree) ? read_pv_of(l, claim->tree) : NULL;
    if (!pv)
        return 0;
    if (pv_is_migrated(pv->tree))
        return hand_over(l, claim->tree, pv->tree, e);
    loop_event(l, claim->tree, EVENT_NORMAL, "ExternalExpanding",
               "waiting for an external controller to expand this PVC");
    return 0;
}

/* -- the resizer: its job -- */

struct job {
    struct machine *machine;
    const struct csi_driver *driver;
    struct sobj *claim, *pv;                                /* owned */
    char *key;                                              /* owned */
    char asked[QUANTITY_TEXT_LEN], made[QUANTITY_TEXT_LEN]; /* what the claim wants; what its volume has then */
    int64_t asked_bytes;
    struct csi_grown grown;
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

__attribute__((format(printf, 5, 6))) static void tell(struct loop *l, const struct job *j, enum event_type type,
                                                       const char *reason, const char *fmt, ...)
{
    char component[300], text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(component, sizeof component, "external-resizer %s", j->driver->name);
    struct event_source src = {.component = component, .host = ""};
    control_event(loop_control(l), &src, j->claim->tree, "", type, reason, "%s", text);
}

/* -- what it writes -- */

static void drop_conditions(json_t *claim)
{
    json_t *list = jat(claim, "status.conditions");
    for (size_t i = json_array_size(list); i-- > 0;)
        for (size_t k = 0; k < ARRAY_LEN(resize_conditions); k++)
            if (str_eq(jstr(json_array_get(list, i), "type"), resize_conditions[k])) {
                json_array_remove(list, i);
                break;
            }
    if (list && json_array_size(list) == 0)
        json_object_del(jat(claim, "status"), "conditions");
}

static void put_condition(json_t *claim, const char *type, const char *message, const char *now)
{
    json_t *cond = (json_t *)condition_get(claim, type);
    if (!cond) {
        cond = json_pack("{s:s, s:s, s:n, s:s}", "type", type, "status", "True", "lastProbeTime", "lastTransitionTime",
                         now);
        json_array_append_new(jmake_arr(claim, "status.conditions"), cond);
    }
    if (*message)
        jset_str(cond, "message", message);
}

static int edit_begin(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    jset_map(claim, "status.allocatedResources", "storage", j->asked);
    jset_map(claim, STATUSES, "storage", IN_PROGRESS);
    drop_conditions(claim);
    put_condition(claim, "Resizing", "", j->now);
    return 1;
}

static int edit_pv_size(json_t *pv, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    if (pv_capacity(pv) >= j->grown.bytes)
        return 0;
    if (!jmap(pv, "metadata.annotations", ANN_PRE_RESIZE_CAPACITY))
        jset_map(pv, "metadata.annotations", ANN_PRE_RESIZE_CAPACITY, jmap(pv, "spec.capacity", "storage"));
    jset_map(pv, "spec.capacity", "storage", j->made);
    return 1;
}

static int edit_node_pending(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    jset_map(claim, STATUSES, "storage", NODE_PENDING);
    put_condition(claim, "FileSystemResizePending", WAIT_TEXT, j->now);
    return 1;
}

static int edit_finished(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    json_t *statuses = jat(claim, STATUSES);
    jset_map(claim, "status.capacity", "storage", j->made);
    drop_conditions(claim);
    json_object_del(statuses, "storage");
    if (statuses && json_object_size(statuses) == 0)
        json_object_del(jat(claim, "status"), "allocatedResourceStatuses");
    return 1;
}

static int edit_failed(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    _auto_free_ char *text = xasprintf("failed to expand pvc with %s", j->err.msg);
    put_condition(claim, "ControllerResizeError", text, j->now);
    return 1;
}

static int edit_infeasible(json_t *claim, void *arg, struct err *e)
{
    jset_map(claim, STATUSES, "storage", INFEASIBLE);
    return edit_failed(claim, arg, e);
}

static int edit_forget_size(json_t *pv, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    json_t *annotations = jat(pv, "metadata.annotations");
    if (!annotations || json_object_del(annotations, ANN_PRE_RESIZE_CAPACITY) < 0)
        return 0;
    if (json_object_size(annotations) == 0)
        json_object_del(jat(pv, "metadata"), "annotations");
    return 1;
}

static int edit_claim(struct loop *l, struct job *j, edit_fn edit, struct err *e)
{
    return modify(l, WHO_RESIZER, RES.persistentvolumeclaims, j->claim->tree, "status", edit, j, e);
}

/* -- how it ends -- */

/* The gRPC code that a driver's error names. */
static bool names_code(const struct err *err, const char *const *codes)
{
    const char *at = strstr(err->msg, "code = ");
    for (; at && *codes; codes++)
        if (str_starts(at + 7, *codes))
            return true;
    return false;
}

static bool is_final(const struct err *err)
{
    static const char *const open[] = {"Canceled",          "DeadlineExceeded", "Unavailable",
                                       "ResourceExhausted", "Aborted",          NULL};
    return !names_code(err, open);
}

static bool is_infeasible(const struct err *err)
{
    static const char *const codes[] = {"InvalidArgument", "OutOfRange", "NotFound", NULL};
    return names_code(err, codes);
}

static void expand_failed(struct loop *l, struct job *j)
{
    struct err e = ERR_INIT;
    tell(l, j, EVENT_WARNING, "VolumeResizeFailed", "resize volume \"%s\" by resizer \"%s\" failed: %s", j->pv->name,
         j->driver->name, j->err.msg);
    if (is_infeasible(&j->err))
        edit_claim(l, j, edit_infeasible, &e);
    else if (is_final(&j->err))
        edit_claim(l, j, edit_failed, &e);
}

static bool expand_succeeded(struct loop *l, struct job *j)
{
    struct err e = ERR_INIT;
    const bool on_node = j->grown.on_node && !str_eq(claim_mode(j->claim->tree), "Block");
    text_of(j->grown.bytes, j->made);
    if (modify(l, WHO_RESIZER, RES.persistentvolumes, j->pv->tree, "", edit_pv_size, j, &e) < 0 ||
        edit_claim(l, j, on_node ? edit_node_pending : edit_finished, &e) < 0)
        return false;
    if (on_node)
        tell(l, j, EVENT_NORMAL, "FileSystemResizeRequired", "Require file system resize of volume on node");
    else
        tell(l, j, EVENT_NORMAL, "VolumeResizeSuccessful", "Resize volume succeeded");
    return true;
}

static void expand_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    bool ok = j->rc == 0 && expand_succeeded(l, j);
    if (j->rc < 0)
        expand_failed(l, j);
    const int64_t least = j->rc < 0 && is_infeasible(&j->err) ? INFEASIBLE_MS : RETRY_MIN_MS;
    const int64_t wait = flight_end(l, loop_state(l), j->key, ok, least, RETRY_MAX_MS);
    if (wait)
        loop_enqueue_after(l, j->claim->ns, j->claim->name, wait);
    job_free(j);
}

static void expand_work(void *arg)
{
    struct job *j = arg;
    j->rc = j->driver->expand(j->driver, j->machine, j->pv->tree, j->asked_bytes, &j->grown, &j->err);
}

/* -- whether and how far -- */

/* The size to grow to now; 0: nothing is to do here, the node has the word or nobody. */
static int64_t next_size(const json_t *claim, const json_t *pv)
{
    const char *status = resize_status(claim);
    const int64_t asked = claim_request(claim);
    const int64_t begun = quantity_bytes(jmap(claim, "status.allocatedResources", "storage"), 0);
    if (status && str_starts(status, "Node"))
        return 0;
    const bool under_way = str_eq(status, IN_PROGRESS) && !condition_get(claim, "ControllerResizeError");
    return under_way && begun > 0 && pv_capacity(pv) < asked ? begun : asked;
}

static struct job *job_new(struct loop *l, struct sobj *claim, struct sobj *pv, const struct csi_driver *d,
                           int64_t bytes)
{
    const struct binder_env *env = loop_env(l);
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine, .driver = d, .claim = sobj_ref(claim), .pv = sobj_ref(pv)};
    j->key = xasprintf("%s/%s", claim->ns, claim->name);
    j->asked_bytes = bytes;
    text_of(j->asked_bytes, j->asked);
    if (bytes == claim_request(claim->tree)) /* as the user wrote it */
        snprintf(j->asked, sizeof j->asked, "%s", jmap(claim->tree, "spec.resources.requests", "storage"));
    now_text(loop_clock(l), j->now);
    return j;
}

static int begin(struct loop *l, struct sobj *claim, struct sobj *pv, const struct csi_driver *d, int64_t bytes,
                 struct err *e)
{
    struct job *j = job_new(l, claim, pv, d, bytes);
    if (!flight_begin(l, loop_state(l), j->key)) {
        job_free(j);
        return 0;
    }
    if (edit_claim(l, j, edit_begin, e) < 0) {
        flight_end(l, loop_state(l), j->key, false, RETRY_MIN_MS, RETRY_MAX_MS);
        job_free(j);
        return -1;
    }
    tell(l, j, EVENT_NORMAL, "Resizing", "External resizer is resizing volume %s", pv->name);
    loop_offload(l, expand_work, expand_done, j);
    return 0;
}

static int reconcile_resize(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, name);
    _auto_sobj_ struct sobj *pv = claim ? read_pv_of(l, claim->tree) : NULL;
    const struct csi_driver *d = pv && pv_driver(pv->tree) ? csi_driver_by_name(pv_driver(pv->tree)) : NULL;
    if (!d || !d->expand)
        return 0;
    if (wants_more(claim->tree)) {
        const int64_t bytes = next_size(claim->tree, pv->tree);
        return bytes ? begin(l, claim, pv, d, bytes, e) : 0;
    }
    if (jmap(pv->tree, "metadata.annotations", ANN_PRE_RESIZE_CAPACITY) && status_bytes(claim->tree) > 0)
        return modify(l, WHO_RESIZER, RES.persistentvolumes, pv->tree, "", edit_forget_size, NULL, e);
    return 0;
}

/* A new request does not wait for what the last one earned; a size that was reached may have another behind it. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    const json_t *was = ev->prev ? ev->prev->tree : NULL, *now = ev->obj->tree;
    const bool asked = !was || !same_member(was, now, "spec.resources");
    if (ev->type == WATCH_DELETED || !(asked || !same_member(was, now, "status.capacity")))
        return;
    if (was && asked) {
        _auto_free_ char *key = xasprintf("%s/%s", ev->obj->ns, ev->obj->name);
        flight_forgive(loop_state(l), key);
    }
    loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

static const struct loop_watch request_watches[] = {{"persistentvolumeclaims", map_request}, {NULL, NULL}};
static const struct loop_watch claim_watches[] = {{"persistentvolumeclaims", map_claim}, {NULL, NULL}};

const struct loop_def expand_loop = {
    .name = "volume-expand", .component = "volume_expand", .watches = request_watches, .reconcile = reconcile_expand};

const struct loop_def resizer_loop = {
    .name = WHO_RESIZER,
    .component = WHO_RESIZER,
    .watches = claim_watches,
    .state_size = sizeof(struct flights),
    .stop = flights_stop,
    .reconcile = reconcile_resize,
    .max_backoff_ms = 30000,
};
