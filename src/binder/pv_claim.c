/* pv_claim.c - what the binder does for one claim.
 *
 * An unbound claim: bind it to the volume that fits; else give it the default class; else wait for a pod, hand it to a
 * provisioner, or say that there is nothing for it. A bound claim: check that its volume is still there and still its
 * own. A Lost claim stays Lost though a volume of that name comes back and is bound to it: only without its
 * bind-completed annotation is it taken for a claim that may be bound. That is how the real controller was seen to
 * behave. */
#include "binder/binder_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* -- provisioning: here only the request; the provisioner does the work -- */

static int edit_provisioner(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    if (str_eq(jmap(claim, "metadata.annotations", ANN_PROVISIONER), arg) &&
        str_eq(jmap(claim, "metadata.annotations", ANN_BETA_PROVISIONER), arg))
        return 0;
    jset_map(claim, "metadata.annotations", ANN_BETA_PROVISIONER, arg);
    jset_map(claim, "metadata.annotations", ANN_PROVISIONER, arg);
    return 1;
}

static int request_volume(struct loop *l, const json_t *claim, struct err *e)
{
    const char *class_name = claim_class(claim);
    _auto_sobj_ struct sobj *sc = read_class(l, class_name);
    if (!sc) {
        loop_event(l, claim, EVENT_WARNING, "ProvisioningFailed", "storageclass.storage.k8s.io \"%s\" not found",
                   class_name);
        return put_claim_status(l, claim, CLAIM_PENDING, NULL, e);
    }
    const char *provisioner = jstr_or(sc->tree, "provisioner", "");
    if (provisioner_is_unknown_intree(provisioner)) {
        loop_event(l, claim, EVENT_WARNING, "ProvisioningFailed", "no volume plugin matched name: %s", provisioner);
        return 0;
    }
    const char *name = provisioner_csi_name(provisioner);
    if (modify(l, WHO, RES.persistentvolumeclaims, claim, "", edit_provisioner, (void *)name, e) < 0)
        return -1;
    if (str_starts(provisioner, "kubernetes.io/") && str_eq(name, provisioner)) {
        if (json_is_object(jat(claim, "spec.dataSource")) || json_is_object(jat(claim, "spec.dataSourceRef"))) {
            loop_event(l, claim, EVENT_WARNING, "ProvisioningFailed",
                       "plugin \"%s\" is not a CSI plugin. Only CSI plugin can provision a claim with a datasource",
                       provisioner);
            return 0;
        }
        loop_event(l, claim, EVENT_WARNING, "ProvisioningFailed",
                   "Failed to create provisioner: provisioning in volume plugin \"%s\" is disabled", provisioner);
        return 0;
    }
    loop_event(
        l, claim, EVENT_NORMAL, "ExternalProvisioning",
        "Waiting for a volume to be created either by the external provisioner '%s' or manually by the system "
        "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
        "registered.",
        name);
    return 0;
}

/* -- waiting for a pod -- */

static void tell_waiting(struct loop *l, const json_t *claim)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, obj_ns(claim));
    _auto_strlist_ struct strlist names = {0};
    for (size_t i = 0; i < pods.len; i++)
        if (str_empty(jstr(pods.trees[i], "spec.nodeName")) && !pod_terminal(pods.trees[i]) &&
            pod_uses_claim(pods.trees[i], obj_name(claim)))
            strlist_add(&names, pods.items[i]->name);
    if (names.len == 0) {
        loop_event(l, claim, EVENT_NORMAL, "WaitForFirstConsumer",
                   "waiting for first consumer to be created before binding");
        return;
    }
    _auto_free_ char *list = strlist_join(&names, ",");
    loop_event(l, claim, EVENT_NORMAL, "WaitForPodScheduled", "waiting for pod%s %s to be scheduled",
               names.len > 1 ? "s" : "", list);
}

/* -- the default class, given later -- */

static int edit_class(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    if (claim_has_class(claim))
        return 0;
    jset_str(claim, "spec.storageClassName", arg);
    return 1;
}

/* 1: the claim got a class and will come back; 0: none to give. */
static int give_default_class(struct loop *l, const json_t *claim, struct err *e)
{
    if (claim_has_class(claim))
        return 0;
    _auto_objlist_ struct objlist classes = {0};
    objlist_load(&classes, loop_registry(l), RES.storageclasses->bucket, NULL);
    const json_t *sc = class_pick_default(classes.trees, classes.len);
    if (!sc)
        return 0;
    if (modify(l, WHO, RES.persistentvolumeclaims, claim, "", edit_class, (void *)obj_name(sc), e) < 0)
        return -1;
    return 1;
}

/* -- unbound claims -- */

struct choice {
    struct loop *l;
    struct pv_query query;
    struct sobj *found;   /* owned */
    struct strlist stale; /* volumes that are no longer what the index says */
};

/* A pv_visit_fn: the index proposes, the stored volume and the rules decide. */
static bool consider(const char *name, void *arg)
{
    struct choice *c = arg;
    struct sobj *pv = read_pv(c->l, name);
    if (pv && pv_judge(&c->query, pv->tree) != PV_NO) {
        c->found = pv;
        return true;
    }
    if (!pv || jat(pv->tree, "spec.claimRef"))
        strlist_add(&c->stale, name);
    sobj_unref(pv);
    return false;
}

/* The volume for the claim, or NULL. New reference. */
static struct sobj *choose_volume(struct loop *l, const json_t *claim, bool waits)
{
    const struct binding *b = loop_state(l);
    struct choice c = {.l = l};
    pv_query_init(&c.query, claim, NULL, waits);
    pv_index_search(b->volumes, &c.query, consider, &c);
    for (size_t i = 0; i < c.stale.len; i++)
        binding_refresh(l, c.stale.items[i]);
    strlist_release(&c.stale);
    pv_query_release(&c.query);
    return c.found;
}

static int bind_and_note(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    int rc = bind_volume(l, pv, claim, e);
    binding_refresh(l, obj_name(pv));
    return rc;
}

static int sync_free_choice(struct loop *l, const json_t *claim, struct err *e)
{
    struct binding *b = loop_state(l);
    _auto_sobj_ struct sobj *sc = read_class(l, claim_class(claim));
    bool waits = sc && class_waits(sc->tree);
    group_write_free(l);
    _auto_sobj_ struct sobj *pv = choose_volume(l, claim, waits);
    if (pv)
        return group_bind(l, pv->tree, claim, e);
    claim_index_put(b->waiting, claim); /* it may have been called for a volume that another one got */
    int given = give_default_class(l, claim, e);
    if (given != 0)
        return given < 0 ? -1 : 0;
    if (waits && !jmap(claim, "metadata.annotations", ANN_SELECTED_NODE))
        tell_waiting(l, claim);
    else if (*claim_class(claim))
        return request_volume(l, claim, e);
    else
        loop_event(l, claim, EVENT_NORMAL, "FailedBinding",
                   "no persistent volumes available for this claim and no storage class is set");
    return put_claim_status(l, claim, CLAIM_PENDING, NULL, e);
}

static int sync_named_volume(struct loop *l, const json_t *claim, struct err *e)
{
    char scratch[512];
    _auto_sobj_ struct sobj *pv = read_pv_of(l, claim);
    if (!pv)
        return put_claim_status(l, claim, CLAIM_PENDING, NULL, e);
    if (pv_is_for_claim(pv->tree, claim))
        return bind_and_note(l, pv->tree, claim, e);
    if (jat(pv->tree, "spec.claimRef")) {
        loop_event(l, claim, EVENT_WARNING, "FailedBinding", "volume \"%s\" already bound to a different claim.",
                   pv->name);
        return put_claim_status(l, claim, CLAIM_PENDING, NULL, e);
    }
    const char *why = pv_mismatch(pv->tree, claim, scratch, sizeof scratch);
    if (!why)
        return bind_and_note(l, pv->tree, claim, e);
    loop_event(l, claim, EVENT_WARNING, "VolumeMismatch", "Cannot bind to requested volume \"%s\": %s", pv->name, why);
    return put_claim_status(l, claim, CLAIM_PENDING, NULL, e);
}

/* -- bound claims -- */

static int lose(struct loop *l, const json_t *claim, const char *reason, const char *message, struct err *e)
{
    bool news = claim_phase(claim) != CLAIM_LOST;
    if (put_claim_status(l, claim, CLAIM_LOST, NULL, e) < 0)
        return -1;
    if (news)
        loop_event(l, claim, EVENT_WARNING, reason, "%s", message);
    return 0;
}

static int sync_bound(struct loop *l, const json_t *claim, struct err *e)
{
    if (str_empty(jstr(claim, "spec.volumeName")))
        return lose(l, claim, "ClaimLost",
                    "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!", e);
    _auto_sobj_ struct sobj *pv = read_pv_of(l, claim);
    if (!pv)
        return lose(l, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!", e);
    if (!jat(pv->tree, "spec.claimRef") || pv_is_for_claim(pv->tree, claim))
        return claim_phase(claim) == CLAIM_LOST ? promise_volume(l, pv->tree, claim, e)
                                                : bind_and_note(l, pv->tree, claim, e);
    return lose(l, claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly", e);
}

int sync_claim(struct loop *l, const json_t *claim, struct err *e)
{
    bool bound = jmap(claim, "metadata.annotations", ANN_BIND_COMPLETED) != NULL;
    if (!bound && str_empty(jstr(claim, "spec.volumeName")))
        return sync_free_choice(l, claim, e);
    const struct binding *b = loop_state(l);
    if (group_has_volume(&b->group, jstr_or(claim, "spec.volumeName", "")))
        group_write(l);
    if (bound)
        return sync_bound(l, claim, e);
    return sync_named_volume(l, claim, e);
}
