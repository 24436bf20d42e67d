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
 * events grow. The real one learns of a free volume or a new default class only then; here the change itself calls the
 * claim it could help (volume/waiting.c). Free volumes and waiting claims are kept sorted, so that neither many volumes
 * nor many claims make a look at one of them slower. And the writes of bindings that were decided one after the other
 * are made side by side (pv_group.c). Source: pkg/controller/volume/persistentvolume. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define RESYNC_MS 15000

/* -- what is kept sorted -- */

static int start(struct loop *l, struct err *e)
{
    (void)e;
    struct binding *b = loop_state(l);
    b->volumes = pv_index_new();
    b->waiting = claim_index_new();
    return 0;
}

static void stop(struct loop *l)
{
    struct binding *b = loop_state(l);
    pv_index_free(b->volumes);
    claim_index_free(b->waiting);
    flights_release(&b->recycling);
}

void binding_refresh(struct loop *l, const char *pv_name)
{
    struct binding *b = loop_state(l);
    _auto_sobj_ struct sobj *pv = read_pv(l, pv_name);
    if (pv)
        pv_index_put(b->volumes, pv->tree);
    else
        pv_index_drop(b->volumes, pv_name);
}

/* -- who is to look again -- */

static void enqueue_called(const char *ns, const char *name, void *arg)
{
    loop_enqueue(arg, ns, name);
}

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    struct binding *b = loop_state(l);
    if (ev->type == WATCH_DELETED) {
        claim_index_drop(b->waiting, ev->obj->ns, ev->obj->name);
    } else {
        claim_index_put(b->waiting, ev->obj->tree);
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
    }
    const char *pv = jstr(ev->obj->tree, "spec.volumeName");
    if (!str_empty(pv) &&
        (ev->type == WATCH_DELETED || !ev->prev || !same_member(ev->prev->tree, ev->obj->tree, "spec")))
        loop_enqueue(l, "", pv);
}

/* Free to any claim. */
static bool is_free(const json_t *pv)
{
    return pv_phase(pv) == PV_AVAILABLE && !jat(pv, "spec.claimRef") && !obj_deleting(pv);
}

/* Did this change make it free, or fit for others than before? */
static bool offers_more(const struct watch_event *ev)
{
    return is_free(ev->obj->tree) &&
           !(ev->prev && is_free(ev->prev->tree) && same_member(ev->prev->tree, ev->obj->tree, "spec") &&
             same_member(ev->prev->tree, ev->obj->tree, "metadata.labels") &&
             same_member(ev->prev->tree, ev->obj->tree, "metadata.annotations"));
}

static void map_volume(struct loop *l, const struct watch_event *ev)
{
    struct binding *b = loop_state(l);
    const json_t *pv = ev->obj->tree;
    const char *claim = jstr(pv, "spec.claimRef.name");
    if (claim)
        loop_enqueue(l, jstr_or(pv, "spec.claimRef.namespace", ""), claim);
    if (ev->type == WATCH_DELETED) {
        pv_index_drop(b->volumes, ev->obj->name);
        return;
    }
    pv_index_put(b->volumes, pv);
    loop_enqueue(l, "", ev->obj->name);
    if (ev->type == WATCH_ADDED || !ev->prev || !same_member(ev->prev->tree, pv, "spec"))
        claim_index_call_named(b->waiting, ev->obj->name, enqueue_called, l);
    if (!offers_more(ev))
        return;
    _auto_sobj_ struct sobj *sc = read_class(l, pv_class(pv));
    if (!sc || !class_waits(sc->tree)) /* else the scheduler chooses */
        claim_index_call(b->waiting, pv, enqueue_called, l);
}

static void map_class(struct loop *l, const struct watch_event *ev)
{
    struct binding *b = loop_state(l);
    if (ev->type == WATCH_DELETED)
        return;
    bool known = ev->prev != NULL;
    if (!known)
        claim_index_call_class(b->waiting, ev->obj->name, enqueue_called, l);
    if (class_is_default(ev->obj->tree) && !(known && class_is_default(ev->prev->tree)))
        claim_index_call_class(b->waiting, "", enqueue_called, l);
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
    const struct binding *b = loop_state(l);
    if (group_has_claim(&b->group, ns, name))
        group_write(l);
    _auto_sobj_ struct sobj *obj = *ns ? read_claim(l, ns, name) : read_pv(l, name);
    if (!obj)
        return 0;
    return *ns ? sync_claim(l, obj->tree, e) : sync_volume(l, obj->tree, e);
}

static void write_group(struct loop *l)
{
    group_write(l);
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
    .state_size = sizeof(struct binding),
    .start = start,
    .stop = stop,
    .reconcile = reconcile,
    .batch = GROUP_MAX,
    .batch_end = write_group,
    .max_backoff_ms = 15000,
    .resync_ms = RESYNC_MS,
};
