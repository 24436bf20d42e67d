/* pv_controller.c - the loop that binds claims and volumes.
 *
 * DESIGN: one loop, two kinds of keys: a key without namespace is a volume, one with a namespace is a claim. Each side
 * is synced by its own function (pv_claim.c, pv_volume.c); a binding is four writes in a fixed order (pv_bind.c), any
 * of which may fail: the next round takes up where it stopped.
 *
 *     claim created -> sync_claim -> match? -> PV.claimRef, PV Bound, claim.volumeName, claim Bound
 *                                 -> class?  -> provisioner annotation -> (provisioner makes a PV with claimRef) ->
 * bind
 *
 * Every 15 s all claims are looked at again, as the real controller does: that is what makes the counts of waiting
 * events grow. The real one learns of a free volume or a new default class only then; here the change itself brings the
 * claims it could help. Source: pkg/controller/volume/persistentvolume. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/str.h"

#define RESYNC_MS 15000

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED)
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
    const char *pv = jstr(ev->obj->tree, "spec.volumeName");
    if (!str_empty(pv) &&
        (ev->type == WATCH_DELETED || !ev->prev || !same_member(ev->prev->tree, ev->obj->tree, "spec")))
        loop_enqueue(l, "", pv);
}

/* Claims without a volume that ask for this class. */
static void enqueue_waiting(struct loop *l, const char *class_name, const char *volume)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.persistentvolumeclaims->bucket, NULL);
    for (size_t i = 0; i < all.len; i++) {
        const json_t *claim = all.trees[i];
        const char *wants = jstr(claim, "spec.volumeName");
        if (claim_fully_bound(claim)
                ? str_eq(wants, volume) && claim_phase(claim) == CLAIM_LOST
                : (str_empty(wants) ? str_eq(claim_class(claim), class_name) : str_eq(wants, volume)))
            loop_enqueue(l, all.items[i]->ns, all.items[i]->name);
    }
}

static void map_volume(struct loop *l, const struct watch_event *ev)
{
    const json_t *pv = ev->obj->tree;
    const char *claim = jstr(pv, "spec.claimRef.name");
    if (ev->type != WATCH_DELETED)
        loop_enqueue(l, "", ev->obj->name);
    if (claim)
        loop_enqueue(l, jstr_or(pv, "spec.claimRef.namespace", ""), claim);
    /* Status writes of a volume that was free before help nobody; new labels, another class or size may. */
    bool free_now = pv_phase(pv) == PV_AVAILABLE &&
                    !(ev->prev && pv_phase(ev->prev->tree) == PV_AVAILABLE && same_member(ev->prev->tree, pv, "spec") &&
                      same_member(ev->prev->tree, pv, "metadata.labels"));
    if (ev->type == WATCH_ADDED || ev->type == WATCH_DELETED || free_now)
        enqueue_waiting(l, pv_class(pv), ev->obj->name);
}

static void map_class(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED)
        return;
    enqueue_waiting(l, ev->obj->name, NULL);
    if (class_is_default(ev->obj->tree))
        enqueue_waiting(l, "", NULL);
}

/* The recycler's progress is its volume's. */
static void map_pod(struct loop *l, const struct watch_event *ev)
{
    static const char prefix[] = "recycler-for-";
    if (str_eq(ev->obj->ns, "default") && str_starts(ev->obj->name, prefix))
        loop_enqueue(l, "", ev->obj->name + sizeof prefix - 1);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *obj = *ns ? read_claim(l, ns, name) : read_pv(l, name);
    if (!obj)
        return 0;
    return *ns ? sync_claim(l, obj->tree, e) : sync_volume(l, obj->tree, e);
}

static const struct loop_watch watches[] = {{"persistentvolumeclaims", map_claim},
                                            {"persistentvolumes", map_volume},
                                            {"pods", map_pod},
                                            {"storageclasses.storage.k8s.io", map_class},
                                            {NULL, NULL}};

const struct loop_def pv_binder_loop = {
    .name = "pv-binder",
    .component = "persistentvolume-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 15000,
    .resync_ms = RESYNC_MS,
};
