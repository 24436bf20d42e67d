/* volumes.c - the claims of the pod at hand: read before the filters, reserved after a node is chosen.
 *
 * DESIGN: a pod waits for its claims here, not in the kubelet. A claim of a class with WaitForFirstConsumer is told its
 * node in two ways: a volume that exists gets the claim's name in its claimRef, one that must be made gets the node's
 * name in the claim's selected-node annotation. Both are plain writes; the binder and the provisioner act on them, and
 * the claim's change brings the pod back, which is bound to that node when everything else is; or loses it, when a
 * provisioner gave up (it takes its annotation away), or after ten minutes. Source: plugins/volumebinding. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

static int by_bound_and_size(const void *pa, const void *pb)
{
    const struct pod_claim *a = pa, *b = pb;
    if (a->bound != b->bound)
        return a->bound ? -1 : 1;
    int64_t x = claim_request(a->claim), y = claim_request(b->claim);
    return (x > y) - (x < y);
}

/* 1 with a text when the claim keeps the pod from every node. */
static int check_claim(struct attempt *a, const json_t *volume, const char *name, char *text, size_t size)
{
    bool ephemeral = jat(volume, "ephemeral") != NULL;
    const char *ns = obj_ns(a->pod);
    const json_t *claim = world_find(&a->world.claims, ns, name);
    struct pod_claim *c = &a->claims[a->claim_count];
    if (!claim && ephemeral)
        snprintf(text, size, "waiting for ephemeral volume controller to create the persistentvolumeclaim \"%s\"",
                 name);
    else if (!claim)
        snprintf(text, size, "persistentvolumeclaim \"%s\" not found", name);
    else if (claim_phase(claim) == CLAIM_LOST)
        snprintf(text, size, "persistentvolumeclaim \"%s\" bound to non-existent persistentvolume \"%s\"", name,
                 jstr_or(claim, "spec.volumeName", ""));
    else if (obj_deleting(claim))
        snprintf(text, size, "persistentvolumeclaim \"%s\" is being deleted", name);
    else if (ephemeral && !controlled_by(claim, a->pod))
        snprintf(text, size, "PVC %s/%s was not created for pod %s/%s (pod is not owner)", ns, name, ns,
                 obj_name(a->pod));
    else {
        const json_t *sc = world_find(&a->world.classes, "", claim_class(claim));
        *c = (struct pod_claim){.claim = claim, .sc = sc, .bound = claim_fully_bound(claim)};
        if (c->bound)
            c->volume = world_find(&a->world.volumes, "", jstr_or(claim, "spec.volumeName", ""));
        a->claim_count++;
        return 0;
    }
    return 1;
}

int claims_load(struct attempt *a, char *text, size_t size)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(a->pod, "spec.volumes"), i, volume)
    {
        char name[512];
        pod_volume_claim(a->pod, volume, name, sizeof name);
        if (*name && a->claim_count < MAX_CLAIMS && check_claim(a, volume, name, text, size))
            return 1;
    }
    qsort(a->claims, a->claim_count, sizeof *a->claims, by_bound_and_size);
    for (size_t c = 0; c < a->claim_count; c++) {
        const struct pod_claim *pc = &a->claims[c];
        bool waits = pc->sc && class_waits(pc->sc) && str_empty(jstr(pc->claim, "spec.volumeName"));
        if (!pc->bound && !waits) {
            snprintf(text, size, "pod has unbound immediate PersistentVolumeClaims");
            return 1;
        }
    }
    return 0;
}

/* -- reserve -- */

static int edit_claim_ref(json_t *pv, void *arg, struct err *e)
{
    const json_t *claim = arg;
    if (jat(pv, "spec.claimRef")) {
        if (!pv_is_for_claim(pv, claim))
            return err_set(e, ERR_CONFLICT, "volume \"%s\" was taken by another claim", obj_name(pv));
        if (!str_empty(jstr(pv, "spec.claimRef.uid")))
            return 0;
    } else {
        jset_map(pv, "metadata.annotations", ANN_BOUND_BY_CONTROLLER, "yes");
    }
    json_object_set_new(jat(pv, "spec"), "claimRef", object_reference(claim));
    return 1;
}

static int edit_selected_node(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    if (str_eq(jmap(claim, "metadata.annotations", ANN_SELECTED_NODE), arg))
        return 0;
    jset_map(claim, "metadata.annotations", ANN_SELECTED_NODE, arg);
    return 1;
}

int claims_reserve(struct attempt *a, const json_t *node, bool *out_ready, struct err *e)
{
    struct registry *r = loop_registry(a->l);
    const json_t *taken[MAX_CLAIMS];
    size_t taken_count = 0;
    bool ready = true;
    for (size_t i = 0; i < a->claim_count; i++) {
        const struct pod_claim *c = &a->claims[i];
        if (c->bound) {
            ready &= claim_phase(c->claim) == CLAIM_BOUND;
            continue;
        }
        ready = false;
        struct pv_match_opts opts = {
            .node = node, .delay_binding = true, .excluded = taken, .excluded_count = taken_count};
        const json_t *found = jmap(c->claim, "metadata.annotations", ANN_SELECTED_NODE)
                                  ? NULL
                                  : pv_pick(c->claim, a->world.volumes.trees, a->world.volumes.len, &opts);
        int rc = found ? reg_modify(r, WHO, RES.persistentvolumes, "", obj_name(found), "", edit_claim_ref,
                                    (void *)c->claim, e)
                       : reg_modify(r, WHO, RES.persistentvolumeclaims, obj_ns(c->claim), obj_name(c->claim), "",
                                    edit_selected_node, (void *)obj_name(node), e);
        if (found)
            taken[taken_count++] = found;
        if (rc < 0)
            return -1;
    }
    *out_ready = ready;
    return 0;
}

/* -- after that -- */

static bool is_promised(const struct attempt *a, const json_t *claim)
{
    for (size_t i = 0; i < a->world.volumes.len; i++)
        if (pv_owned_by_claim(a->world.volumes.trees[i], claim))
            return true;
    return false;
}

enum claims_state claims_bound(const struct attempt *a, const json_t *node, char *text, size_t size)
{
    enum claims_state state = CLAIMS_READY;
    for (size_t i = 0; i < a->claim_count; i++) {
        const struct pod_claim *c = &a->claims[i];
        const char *selected = jmap(c->claim, "metadata.annotations", ANN_SELECTED_NODE);
        if (c->volume && !pv_node_fits(c->volume, node)) {
            snprintf(text, size, "pv \"%s\" node affinity doesn't match node \"%s\": no matching NodeSelectorTerms",
                     obj_name(c->volume), obj_name(node));
            return CLAIMS_FAILED;
        }
        if (!c->bound && !str_eq(selected, obj_name(node)) && !is_promised(a, c->claim)) {
            snprintf(text, size, "provisioning failed for PVC \"%s\"", obj_name(c->claim));
            return CLAIMS_FAILED;
        }
        if (!c->bound || claim_phase(c->claim) != CLAIM_BOUND)
            state = CLAIMS_WAIT;
    }
    return state;
}
