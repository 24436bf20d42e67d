/* modify.c - attributes of volumes that change while they are in use: the external resizer's other half.
 *
 *      spec.volumeAttributesClassName != status.currentVolumeAttributesClassName
 *        -> modifyVolumeStatus InProgress, ModifyingVolume -> (driver) modify -> both names in volume and claim
 *        -> Pending while the class is not there; Infeasible when the driver says that it cannot be
 *
 * Only with the feature gate VolumeAttributesClass. THREADS: the loop thread; a job owns its references.
 * Source: external-resizer pkg/modifycontroller. */
#include "binder/binder_int.h"

#include "api/feature.h"
#include "api/resource.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHO_MODIFIER "external-resizer"
#define STATUS       "status.modifyVolumeStatus"
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 300000

struct job {
    struct machine *machine;
    const struct csi_driver *driver;
    struct sobj *claim, *pv, *class; /* owned */
    char *key;                       /* owned */
    char now[TIME_TEXT_LEN];
    struct err err;
    int rc;
};

static void job_free(struct job *j)
{
    sobj_unref(j->claim);
    sobj_unref(j->pv);
    sobj_unref(j->class);
    free(j->key);
    free(j);
}

__attribute__((format(printf, 6, 7))) static void tell(struct loop *l, const char *driver, const json_t *claim,
                                                       enum event_type type, const char *reason, const char *fmt, ...)
{
    char component[300], text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(component, sizeof component, "external-resizer %s", driver);
    struct event_source src = {.component = component, .host = ""};
    control_event(loop_control(l), &src, claim, "", type, reason, "%s", text);
}

/* -- what is written -- */

static void drop_conditions(json_t *claim)
{
    json_t *list = jat(claim, "status.conditions");
    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *type = jstr(json_array_get(list, i), "type");
        if (str_eq(type, "ModifyingVolume") || str_eq(type, "ModifyVolumeError"))
            json_array_remove(list, i);
    }
    if (list && json_array_size(list) == 0)
        json_object_del(jat(claim, "status"), "conditions");
}

static void put(json_t *claim, const char *target, const char *state, const char *condition, const char *message,
                const char *now)
{
    json_object_set_new(jat(claim, "status"), "modifyVolumeStatus",
                        json_pack("{s:s, s:s}", "targetVolumeAttributesClassName", target, "status", state));
    drop_conditions(claim);
    if (condition)
        json_array_append_new(jmake_arr(claim, "status.conditions"),
                              json_pack("{s:s, s:s, s:n, s:s, s:s}", "type", condition, "status", "True",
                                        "lastProbeTime", "lastTransitionTime", now, "message", message));
}

static int edit_pending(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const char *target = arg;
    if (str_eq(jstr(claim, STATUS ".status"), "Pending") &&
        str_eq(jstr(claim, STATUS ".targetVolumeAttributesClassName"), target))
        return 0;
    put(claim, target, "Pending", NULL, NULL, NULL);
    return 1;
}

static int edit_begin(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    put(claim, j->class->name, "InProgress", "ModifyingVolume", "ModifyVolume operation in progress.", j->now);
    return 1;
}

static int edit_infeasible(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    _auto_free_ char *text = xasprintf("ModifyVolume failed with error%s. Waiting for retry.", j->err.msg);
    put(claim, j->class->name, "Infeasible", "ModifyVolumeError", text, j->now);
    return 1;
}

static int edit_done(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    jset_str(claim, "status.currentVolumeAttributesClassName", j->class->name);
    json_object_del(jat(claim, "status"), "modifyVolumeStatus");
    drop_conditions(claim);
    return 1;
}

static int edit_volume(json_t *pv, void *arg, struct err *e)
{
    (void)e;
    const struct job *j = arg;
    jset_str(pv, "spec.volumeAttributesClassName", j->class->name);
    return 1;
}

static int edit_claim(struct loop *l, const json_t *claim, edit_fn edit, void *arg, struct err *e)
{
    return modify(l, WHO_MODIFIER, RES.persistentvolumeclaims, claim, "status", edit, arg, e);
}

/* -- the job -- */

static void modify_work(void *arg)
{
    struct job *j = arg;
    j->rc = j->driver->modify(j->driver, j->machine, j->pv->tree, jat(j->class->tree, "parameters"), &j->err);
}

static bool is_infeasible(const struct err *err)
{
    return strstr(err->msg, "code = InvalidArgument") || strstr(err->msg, "code = OutOfRange") ||
           strstr(err->msg, "code = NotFound");
}

static void modify_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct err e = ERR_INIT;
    bool ok = j->rc == 0 && modify(l, WHO_MODIFIER, RES.persistentvolumes, j->pv->tree, "", edit_volume, j, &e) == 0 &&
              edit_claim(l, j->claim->tree, edit_done, j, &e) == 0;
    if (ok)
        tell(l, j->driver->name, j->claim->tree, EVENT_NORMAL, "VolumeModifySuccessful",
             "external resizer modified volume %s with vac %s successfully", j->pv->name, j->class->name);
    if (j->rc < 0) {
        tell(l, j->driver->name, j->claim->tree, EVENT_WARNING, "VolumeModifyFailed", "%s", j->err.msg);
        if (is_infeasible(&j->err))
            edit_claim(l, j->claim->tree, edit_infeasible, j, &e);
    }
    const int64_t wait = flight_end(l, loop_state(l), j->key, ok, RETRY_MIN_MS, RETRY_MAX_MS);
    if (wait)
        loop_enqueue_after(l, j->claim->ns, j->claim->name, wait);
    job_free(j);
}

static int begin(struct loop *l, struct sobj *claim, struct sobj *pv, struct sobj *class, const struct csi_driver *d,
                 struct err *e)
{
    const struct binder_env *env = loop_env(l);
    _auto_free_ char *key = xasprintf("%s/%s", claim->ns, claim->name);
    if (!flight_begin(l, loop_state(l), key))
        return 0;
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine,
                      .driver = d,
                      .claim = sobj_ref(claim),
                      .pv = sobj_ref(pv),
                      .class = sobj_ref(class),
                      .key = TAKE(key)};
    now_text(loop_clock(l), j->now);
    if (edit_claim(l, claim->tree, edit_begin, j, e) < 0) {
        flight_end(l, loop_state(l), j->key, false, RETRY_MIN_MS, RETRY_MAX_MS);
        job_free(j);
        return -1;
    }
    tell(l, d->name, claim->tree, EVENT_NORMAL, "VolumeModify", "external resizer is modifying volume %s with vac %s",
         pv->name, class->name);
    loop_offload(l, modify_work, modify_done, j);
    return 0;
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    const struct resource *classes = resource_by_plural("storage.k8s.io", "v1beta1", "volumeattributesclasses");
    _auto_sobj_ struct sobj *claim = classes ? read_claim(l, ns, name) : NULL;
    const char *want = claim ? jstr(claim->tree, "spec.volumeAttributesClassName") : NULL;
    if (str_empty(want) || claim_phase(claim->tree) != CLAIM_BOUND ||
        str_eq(want, jstr(claim->tree, "status.currentVolumeAttributesClassName")))
        return 0;
    _auto_sobj_ struct sobj *pv = read_pv_of(l, claim->tree);
    const struct csi_driver *d = pv && pv_driver(pv->tree) ? csi_driver_by_name(pv_driver(pv->tree)) : NULL;
    if (!d || !d->modify)
        return 0;
    _auto_sobj_ struct sobj *class = reg_read(loop_registry(l), classes, "", want);
    if (class && str_eq(jstr(class->tree, "driverName"), d->name))
        return begin(l, claim, pv, class, d, e);
    if (!str_eq(jstr(claim->tree, STATUS ".targetVolumeAttributesClassName"), want))
        tell(l, d->name, claim->tree, EVENT_WARNING, "VolumeModifyFailed", "VAC %s does not exist.", want);
    return edit_claim(l, claim->tree, edit_pending, (void *)want, e);
}

/* A claim whose wish or binding changed; its own status writes are not news. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    const json_t *was = ev->prev ? ev->prev->tree : NULL, *now = ev->obj->tree;
    if (!feature_on(FEATURE_VOLUME_ATTRIBUTES_CLASS) || ev->type == WATCH_DELETED ||
        (was && same_member(was, now, "spec") && same_member(was, now, "status.phase")))
        return;
    _auto_free_ char *key = xasprintf("%s/%s", ev->obj->ns, ev->obj->name);
    flight_forgive(loop_state(l), key);
    loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

/* A class that appears is what some claims wait for. */
static void map_class(struct loop *l, const struct watch_event *ev)
{
    _auto_objlist_ struct objlist claims = {0};
    objlist_load(&claims, loop_registry(l), RES.persistentvolumeclaims->bucket, NULL);
    for (size_t i = 0; i < claims.len; i++)
        if (str_eq(jstr(claims.trees[i], "spec.volumeAttributesClassName"), ev->obj->name))
            loop_enqueue(l, claims.items[i]->ns, claims.items[i]->name);
}

static const struct loop_watch watches[] = {
    {"persistentvolumeclaims", map_claim}, {"volumeattributesclasses.storage.k8s.io", map_class}, {NULL, NULL}};

const struct loop_def modifier_loop = {
    .name = "volume-modify",
    .component = WHO_MODIFIER,
    .watches = watches,
    .state_size = sizeof(struct flights),
    .stop = flights_stop,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
