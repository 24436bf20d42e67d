/* provisioner.c - the external provisioners: volumes made for claims, and deleted after them.
 *
 * DESIGN: one loop plays every provisioner of the table in csi/provisioners.c. A claim whose storage-provisioner
 * annotation names one (and, for WaitForFirstConsumer, whose node is chosen) is handed to the driver on a worker; when
 * that ends, the PV with its claimRef is written here and the binder does the rest. A Released volume with policy
 * Delete goes the way back: driver first, object after.
 *
 *     claim (annotated) --offload create--> PV pvc-<uid>           PV Released --offload remove--> finalizer off,
 * object deleted
 *
 * INVARIANTS: 1. one job a claim or volume at a time; 2. create is repeated with the same name, so a job that ran but
 * was not written down is found again by the driver; 3. after a failure the claim waits: 1 s doubling to 5 min for CSI
 * drivers, 15 s to 1000 s for the others. THREADS: all state belongs to the loop thread; a job owns its references.
 * Source: sig-storage-lib-external-provisioner controller.go, external-provisioner. */
#include "binder/snapshot_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

struct state {
    struct flights jobs;
};

struct job {
    struct machine *machine;
    const struct csi_provisioner *prov;
    struct sobj *claim, *sc, *node; /* owned; node may be NULL */
    json_t *class;                  /* owned: sc as the driver understands it */
    struct sobj *attributes;        /* owned: the claim's VolumeAttributesClass, or NULL */
    json_t *place;                  /* owned: stands for a node where the class names a place without one; or NULL */
    struct sobj *pv;                /* of a deletion; owned */
    char *name, *key;               /* owned */
    struct volume_origin origin;
    struct csi_volume made;
    struct err err;
    int rc;
};

static void job_free(struct job *j)
{
    sobj_unref(j->claim);
    sobj_unref(j->sc);
    sobj_unref(j->node);
    sobj_unref(j->attributes);
    json_decref(j->class);
    json_decref(j->place);
    sobj_unref(j->pv);
    csi_volume_release(&j->made);
    volume_origin_release(&j->origin);
    free(j->name);
    free(j->key);
    free(j);
}

static void tell(struct loop *l, const struct csi_provisioner *p, const json_t *obj, enum event_type type,
                 const char *reason, const char *text)
{
    struct event_source src = {.component = p->identity, .host = ""};
    control_event(loop_control(l), &src, obj, "", type, reason, "%s", text);
}

static int64_t after_job(struct loop *l, const struct job *j, bool ok)
{
    struct state *s = loop_state(l);
    bool csi = !j->prov->driver->plain;
    return flight_end(l, &s->jobs, j->key, ok, csi ? 1000 : 15000, csi ? 300000 : 1000000);
}

/* -- making -- */

static const char *fstype_of(const json_t *class)
{
    const char *old = csi_parameter(jat(class, "parameters"), "fstype");
    const char *given = old ? old : jmap(class, "parameters", CSI_PARAMETERS "fstype");
    return given ? given : "";
}

static void create_work(void *arg)
{
    struct job *j = arg;
    const json_t *claim = j->claim->tree;
    struct csi_create req = {
        .name = j->name,
        .bytes = claim_request(claim),
        .parameters = jat(j->class, "parameters"),
        .mutable = j->attributes ? jat(j->attributes->tree, "parameters") : NULL,
        .access_modes = jat(claim, "spec.accessModes"),
        .fstype = fstype_of(j->class),
        .volume_mode = claim_mode(claim),
        .claim_ns = j->claim->ns,
        .claim_name = j->claim->name,
        .claim_notes = jat(claim, "metadata.annotations"),
        .class_notes = jat(j->sc->tree, "metadata.annotations"),
        .node = j->node ? j->node->tree : j->place,
        .class_name = j->sc->name,
        .snapshot = j->origin.snapshot[0] ? j->origin.snapshot : NULL,
        .source = j->origin.source[0] ? j->origin.source : NULL,
    };
    j->rc = j->prov->driver->create(j->prov->driver, j->machine, &req, &j->made, &j->err);
}

static void create_failed(struct loop *l, struct job *j)
{
    _auto_free_ char *text =
        xasprintf("failed to provision volume with StorageClass \"%s\": %s", j->sc->name, j->err.msg);
    tell(l, j->prov, j->claim->tree, EVENT_WARNING, "ProvisioningFailed", text);
    loop_enqueue_after(l, j->claim->ns, j->claim->name, after_job(l, j, false));
}

static void create_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    if (j->rc < 0) {
        create_failed(l, j);
        job_free(j);
        return;
    }
    json_t *pv = pv_build(l, j->claim->tree, j->sc->tree, j->prov, &j->made);
    if (j->attributes)
        jset_str(pv, "spec.volumeAttributesClassName", j->attributes->name);
    struct err e = ERR_INIT;
    int rc = reg_make(loop_registry(l), j->prov->identity, RES.persistentvolumes, "", pv, NULL, &e);
    bool ok = rc == 0 || e.code == ERR_ALREADY_EXISTS;
    int64_t wait = after_job(l, j, ok);
    if (rc == 0) {
        _auto_free_ char *text = xasprintf("Successfully provisioned volume %s", j->name);
        tell(l, j->prov, j->claim->tree, EVENT_NORMAL, "ProvisioningSucceeded", text);
    } else if (!ok) {
        _auto_free_ char *text =
            xasprintf("Error creating provisioned PV object for claim %s/%s: %s. Deleting the volume.", j->claim->ns,
                      j->claim->name, e.msg);
        tell(l, j->prov, j->claim->tree, EVENT_WARNING, "ProvisioningFailed", text);
        loop_enqueue_after(l, j->claim->ns, j->claim->name, wait);
    }
    job_free(j);
}

static bool takes_pods(const json_t *node)
{
    return !json_array_size(jat(node, "spec.taints")) && !jbool(node, "spec.unschedulable", false);
}

/* Some node where the class allows volumes, although no pod has chosen: the first that takes pods. */
static struct sobj *any_node(struct loop *l, const json_t *sc)
{
    _auto_objlist_ struct objlist nodes = {0};
    objlist_load(&nodes, loop_registry(l), RES.nodes->bucket, NULL);
    struct sobj *second_best = NULL;
    for (size_t i = 0; i < nodes.len; i++) {
        if (!class_allows_node(sc, nodes.trees[i]))
            continue;
        if (takes_pods(nodes.trees[i]))
            return sobj_ref(nodes.items[i]);
        second_best = second_best ? second_best : nodes.items[i];
    }
    return sobj_ref(second_best);
}

/* What the first of the allowed topologies says, as the labels of a node there. Returns new. */
static json_t *allowed_place(const json_t *sc)
{
    json_t *node = json_object();
    size_t i;
    json_t *requirement;
    json_array_foreach(jat(json_array_get(jat(sc, "allowedTopologies"), 0), "matchLabelExpressions"), i, requirement)
    {
        const char *value = json_string_value(json_array_get(jat(requirement, "values"), 0));
        if (value)
            jset_map(node, "metadata.labels", jstr_or(requirement, "key", ""), value);
    }
    return node;
}

/* Where a volume is made that waits for no pod. */
static void choose_place(struct loop *l, struct job *j)
{
    bool limited = json_array_size(jat(j->class, "allowedTopologies")) > 0;
    if (limited || j->prov->driver->any_node)
        j->node = any_node(l, j->class);
    if (limited && !j->node)
        j->place = allowed_place(j->class);
}

static int edit_reschedule(json_t *claim, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    json_t *annotations = jat(claim, "metadata.annotations");
    return annotations && json_object_del(annotations, ANN_SELECTED_NODE) == 0 ? 1 : 0;
}

/* The provisioner that must make this claim's volume now, or NULL. */
static const struct csi_provisioner *should_make(struct loop *l, const json_t *claim, struct sobj **out_sc)
{
    const char *asked = jmap(claim, "metadata.annotations", ANN_PROVISIONER);
    asked = asked ? asked : jmap(claim, "metadata.annotations", ANN_BETA_PROVISIONER);
    if (!asked || !str_empty(jstr(claim, "spec.volumeName")) || obj_deleting(claim))
        return NULL;
    struct sobj *sc = read_class(l, claim_class(claim));
    const struct csi_provisioner *p = sc ? csi_provisioner(jstr_or(sc->tree, "provisioner", "")) : NULL;
    bool ours = p && p->driver && str_eq(provisioner_csi_name(p->provisioner), asked);
    if (ours && (!class_waits(sc->tree) || jmap(claim, "metadata.annotations", ANN_SELECTED_NODE))) {
        *out_sc = sc;
        return p;
    }
    sobj_unref(sc);
    return NULL;
}

/* What a provisioner refuses before it asks its driver. */
static int check_wish(const struct csi_provisioner *p, const json_t *claim, const json_t *sc, struct err *e)
{
    bool csi = !p->driver->plain;
    const json_t *selector = jat(claim, "spec.selector");
    if (selector && !json_is_null(selector))
        return err_set(e, ERR_INVALID,
                       csi ? "claim Selector is not supported" : "claim.Spec.Selector is not supported");
    const char *key = csi ? csi_unknown_parameter(sc) : NULL;
    if (key)
        return err_set(e, ERR_INVALID,
                       "failed to strip CSI Parameters of prefixed keys: found unknown parameter key \"%s\" with "
                       "reserved namespace " CSI_PARAMETERS,
                       key);
    if (csi && csi_parameter(jat(sc, "parameters"), "fstype") && jmap(sc, "parameters", CSI_PARAMETERS "fstype"))
        return err_set(e, ERR_INVALID,
                       "fstype specified in parameters with both \"fstype\" and \"" CSI_PARAMETERS "fstype\" keys");
    return 0;
}

/* Does the claim ask for contents that neither a snapshot nor another claim has? Then somebody else fills a volume. */
static bool is_for_populator(const struct csi_provisioner *p, const json_t *claim)
{
    const json_t *ref = jat(claim, "spec.dataSourceRef");
    const char *kind = jstr_or(ref, "kind", ""), *group = jstr_or(ref, "apiGroup", "");
    bool ours = (str_eq(kind, "VolumeSnapshot") && str_eq(group, SNAP_GROUP)) ||
                (str_eq(kind, "PersistentVolumeClaim") && !*group);
    return !p->driver->plain && *kind && !ours;
}

/* What the volume is made from, if the claim says so; a claim that is cloned is kept until that is over. */
static int find_origin(struct loop *l, struct job *j)
{
    if (j->prov->driver->plain)
        return 0; /* these provisioners do not look at it */
    if (volume_origin_find(l, j->claim->tree, j->prov->driver, &j->origin, &j->err) < 0)
        return -1;
    return j->origin.clone_of ? clone_protect(l, j->origin.clone_of->tree, &j->err) : 0;
}

/* The class of attributes that the claim names. Where the feature is off no claim has one. */
static int find_attributes(struct loop *l, struct job *j)
{
    const struct resource *classes = resource_by_plural("storage.k8s.io", "v1beta1", "volumeattributesclasses");
    const char *name = jstr(j->claim->tree, "spec.volumeAttributesClassName"), *driver = j->prov->driver->name;
    if (str_empty(name) || !classes || j->prov->driver->plain)
        return 0;
    if (!j->prov->driver->modify)
        return err_set(&j->err, ERR_UNSUPPORTED, "CSI driver does not support VolumeAttributesClass");
    j->attributes = reg_read(loop_registry(l), classes, "", name);
    if (!j->attributes)
        return err_set(&j->err, ERR_NOT_FOUND, "volumeattributesclasses.storage.k8s.io \"%s\" not found", name);
    const char *its = jstr_or(j->attributes->tree, "driverName", "");
    return str_eq(its, driver)
               ? 0
               : err_set(&j->err, ERR_INVALID,
                         "VAC %s referenced in PVC is for driver %s which does not match driver name %s", name, its,
                         driver);
}

static int start_making(struct loop *l, struct sobj *claim, const struct csi_provisioner *p, struct sobj *take_sc,
                        struct err *e)
{
    struct state *s = loop_state(l);
    const struct binder_env *env = loop_env(l);
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine, .prov = p, .claim = sobj_ref(claim), .sc = take_sc};
    j->class = csi_class(take_sc->tree);
    j->name = xasprintf("pvc-%s", obj_uid(claim->tree));
    j->key = xasprintf("%s/%s", claim->ns, claim->name);
    const char *selected = jmap(claim->tree, "metadata.annotations", ANN_SELECTED_NODE);
    if (selected)
        j->node = reg_read(loop_registry(l), RES.nodes, "", selected);
    else
        choose_place(l, j);
    if (selected && !j->node) {
        int rc = modify(l, WHO, RES.persistentvolumeclaims, claim->tree, "", edit_reschedule, NULL, e);
        job_free(j);
        return rc;
    }
    if (!flight_begin(l, &s->jobs, j->key)) {
        job_free(j);
        return 0;
    }
    _auto_free_ char *text =
        xasprintf("External provisioner is provisioning volume for claim \"%s/%s\"", claim->ns, claim->name);
    tell(l, p, claim->tree, EVENT_NORMAL, "Provisioning", text);
    if (is_for_populator(p, claim->tree)) {
        loop_event(l, claim->tree, EVENT_NORMAL, "Provisioning",
                   "Assuming an external populator will provision the volume");
        after_job(l, j, true);
        job_free(j);
        return 0;
    }
    if (check_wish(p, claim->tree, j->class, &j->err) < 0 || find_attributes(l, j) < 0 || find_origin(l, j) < 0) {
        create_failed(l, j);
        job_free(j);
        return 0;
    }
    loop_offload(l, create_work, create_done, j);
    return 0;
}

static int sync_claim_job(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, name);
    struct sobj *sc = NULL;
    if (claim && finalizer_has(claim->tree, FIN_CLAIM_CLONING) && clone_release(l, claim->tree, e) < 0)
        return -1;
    const struct csi_provisioner *p = claim ? should_make(l, claim->tree, &sc) : NULL;
    if (!p)
        return 0;
    _auto_free_ char *pv_name = xasprintf("pvc-%s", obj_uid(claim->tree));
    _auto_sobj_ struct sobj *have = read_pv(l, pv_name);
    if (!have && str_eq(claim_mode(claim->tree), "Block") && p->driver->plain) {
        _auto_free_ char *text = xasprintf("%s does not support block volume provisioning", p->provisioner);
        tell(l, p, claim->tree, EVENT_WARNING, "ProvisioningFailed", text);
    } else if (!have) {
        return start_making(l, claim, p, sc, e);
    }
    sobj_unref(sc);
    return 0;
}

/* -- deleting -- */

static void remove_work(void *arg)
{
    struct job *j = arg;
    j->rc = j->prov->driver->remove(j->prov->driver, j->machine, j->pv->tree, &j->err);
}

static void remove_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    const json_t *pv = j->pv->tree;
    struct err e = ERR_INIT;
    if (j->rc == 0 && !obj_deleting(pv))
        j->rc = remove_object(l, j->prov->identity, RES.persistentvolumes, pv, &e);
    if (j->rc == 0)
        j->rc = modify(l, j->prov->identity, RES.persistentvolumes, pv, "", edit_finalizer_remove,
                       (void *)FIN_PROVISIONER, &e);
    else if (j->err.code != ERR_OK)
        tell(l, j->prov, pv, EVENT_WARNING, "VolumeFailedDelete", j->err.msg);
    int64_t wait = after_job(l, j, j->rc == 0);
    if (wait)
        loop_enqueue_after(l, "", j->pv->name, wait);
    job_free(j);
}

/* Of a volume that is attached still: the node. Returns new, or NULL. */
static char *attached_to(struct loop *l, const char *pv)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "spec.source.persistentVolumeName"), pv))
            return xstrdup(jstr_or(all.trees[i], "spec.nodeName", ""));
    return NULL;
}

/* A try that fails; the detachment brings the volume back at once. */
static void refuse_attached(struct loop *l, const struct csi_provisioner *p, const struct sobj *pv, const char *node)
{
    struct state *s = loop_state(l);
    _auto_free_ char *text = xasprintf("persistentvolume %s is still attached to node %s", pv->name, node);
    tell(l, p, pv->tree, EVENT_WARNING, "VolumeFailedDelete", text);
    loop_enqueue_after(l, "", pv->name, flight_end(l, &s->jobs, pv->name, false, 1000, 300000));
}

static const struct csi_provisioner *should_delete(const json_t *pv)
{
    const char *made_by = jmap(pv, "metadata.annotations", ANN_PROVISIONED_BY);
    const struct csi_provisioner *p = made_by ? csi_provisioner(made_by) : NULL;
    if (!p || !p->driver || !str_eq(jstr(pv, "spec.persistentVolumeReclaimPolicy"), "Delete"))
        return NULL;
    if (obj_deleting(pv)) /* with the finalizer the disk goes before the object, whoever deletes it */
        return finalizer_has(pv, FIN_PROVISIONER) && pv_phase(pv) != PV_BOUND ? p : NULL;
    return pv_phase(pv) == PV_RELEASED ? p : NULL;
}

static int sync_volume_job(struct loop *l, const char *name)
{
    struct state *s = loop_state(l);
    _auto_sobj_ struct sobj *pv = read_pv(l, name);
    const struct csi_provisioner *p = pv ? should_delete(pv->tree) : NULL;
    if (!p || !flight_begin(l, &s->jobs, name))
        return 0;
    _auto_free_ char *node = attached_to(l, name);
    if (node) {
        refuse_attached(l, p, pv, node);
        return 0;
    }
    const struct binder_env *env = loop_env(l);
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine, .prov = p, .pv = sobj_ref(pv), .key = xstrdup(name)};
    loop_offload(l, remove_work, remove_done, j);
    return 0;
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    return *ns ? sync_claim_job(l, ns, name, e) : sync_volume_job(l, name);
}

static void map_attachment(struct loop *l, const struct watch_event *ev)
{
    const char *pv = jstr(ev->obj->tree, "spec.source.persistentVolumeName");
    struct state *s = loop_state(l);
    if (ev->type != WATCH_DELETED || !pv)
        return;
    flight_forgive(&s->jobs, pv);
    loop_enqueue(l, "", pv);
}

/* Claims come by their annotation, not by their status; and those that are cloned, when a clone is made or gives up. */
static void map_claim(struct loop *l, const struct watch_event *ev)
{
    const json_t *claim = ev->obj->tree;
    if (str_eq(jstr(claim, "spec.dataSource.kind"), "PersistentVolumeClaim") &&
        (ev->type == WATCH_DELETED || !str_empty(jstr(claim, "spec.volumeName"))))
        loop_enqueue(l, ev->obj->ns, jstr_or(claim, "spec.dataSource.name", ""));
    if (ev->type != WATCH_DELETED && str_empty(jstr(ev->obj->tree, "spec.volumeName")))
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    flights_release(&s->jobs);
}

static const struct loop_watch watches[] = {{"persistentvolumeclaims", map_claim},
                                            {"persistentvolumes", NULL},
                                            {"volumeattachments.storage.k8s.io", map_attachment},
                                            {NULL, NULL}};

const struct loop_def provisioner_loop = {
    .name = "external-provisioner",
    .component = "external-provisioner",
    .watches = watches,
    .state_size = sizeof(struct state),
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
