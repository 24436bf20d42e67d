/* pv_bind.c - the writes of a binding, each on its own and repeatable: PV.claimRef, PV phase, claim.volumeName, claim
 * status.
 *
 * INVARIANTS: 1. a volume is promised (claimRef with uid) before its claim names it; 2. the annotation
 * bound-by-controller stands on the side the controller filled in, never on a side the user wrote; 3. phases move along
 * the tables of volume/phase.c. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* Most looks at an object find everything done: that is asked of the stored version, without the copy an edit needs. */
static int write_unless(struct loop *l, const struct resource *res, const json_t *obj, const char *sub,
                        bool (*done)(const json_t *now, const void *arg), edit_fn edit, void *arg, struct err *e)
{
    _auto_sobj_ struct sobj *now = reg_read(loop_registry(l), res, obj_ns(obj), obj_name(obj));
    if (!now || done(now->tree, arg))
        return 0;
    return modify(l, WHO, res, obj, sub, edit, arg, e);
}

/* -- the volume's side -- */

static bool promised(const json_t *pv, const void *claim)
{
    return pv_owned_by_claim(pv, claim);
}

static int edit_claim_ref(json_t *pv, void *arg, struct err *e)
{
    const json_t *claim = arg;
    bool known = pv_is_for_claim(pv, claim);
    if (jat(pv, "spec.claimRef") && !known)
        return err_set(e, ERR_CONFLICT, "volume \"%s\" was bound to another claim meanwhile", obj_name(pv));
    if (promised(pv, claim))
        return 0;
    json_object_set_new(jat(pv, "spec"), "claimRef", object_reference(claim));
    if (!known)
        jset_map(pv, "metadata.annotations", ANN_BOUND_BY_CONTROLLER, "yes");
    return 1;
}

struct phase_edit {
    enum pv_phase phase;
    const char *message; /* "" for none */
    char now[TIME_TEXT_LEN];
    bool moved;
};

static bool in_phase(const json_t *pv, const void *arg)
{
    const struct phase_edit *p = arg;
    return jstr(pv, "status.phase") && pv_phase(pv) == p->phase &&
           str_eq(jstr_or(pv, "status.message", ""), p->message);
}

static int edit_pv_phase(json_t *pv, void *arg, struct err *e)
{
    (void)e;
    struct phase_edit *p = arg;
    int phase = (int)pv_phase(pv);
    if (in_phase(pv, p))
        return 0;
    if (phase != (int)p->phase || !jstr(pv, "status.phase")) {
        sm_move(&pv_sm, &phase, (int)p->phase);
        jset_str(pv, "status.phase", pv_phase_name(p->phase));
        jset_str(pv, "status.lastPhaseTransitionTime", p->now);
        p->moved = true;
    }
    if (*p->message)
        jset_str(pv, "status.message", p->message);
    else
        jdel(pv, "status.message");
    return 1;
}

int put_pv_phase(struct loop *l, const json_t *pv, enum pv_phase phase, const char *message, const char *reason,
                 struct err *e)
{
    struct phase_edit p = {.phase = phase, .message = message};
    now_text(loop_clock(l), p.now);
    if (write_unless(l, RES.persistentvolumes, pv, "status", in_phase, edit_pv_phase, &p, e) < 0)
        return -1;
    if (p.moved && reason)
        loop_event(l, pv, EVENT_WARNING, reason, "%s", message);
    return 0;
}

static int edit_unbind(json_t *pv, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    if (!jat(pv, "spec.claimRef"))
        return 0;
    if (!jmap(pv, "metadata.annotations", ANN_BOUND_BY_CONTROLLER)) {
        if (!jstr(pv, "spec.claimRef.uid"))
            return 0;
        jdel(pv, "spec.claimRef.uid"); /* the user's own pre-binding stays */
        return 1;
    }
    jdel(pv, "spec.claimRef");
    json_t *annotations = jat(pv, "metadata.annotations");
    json_object_del(annotations, ANN_BOUND_BY_CONTROLLER);
    if (!json_object_size(annotations))
        jdel(pv, "metadata.annotations");
    return 1;
}

int unbind_volume(struct loop *l, const json_t *pv, struct err *e)
{
    if (modify(l, WHO, RES.persistentvolumes, pv, "", edit_unbind, NULL, e) < 0)
        return -1;
    return put_pv_phase(l, pv, PV_AVAILABLE, "", NULL, e);
}

/* -- the claim's side -- */

static bool names_volume(const json_t *claim, const void *volume)
{
    return str_eq(jstr(claim, "spec.volumeName"), volume) && jmap(claim, "metadata.annotations", ANN_BIND_COMPLETED);
}

static int edit_volume_name(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    bool changed = false;
    if (!str_eq(jstr(claim, "spec.volumeName"), arg)) {
        jset_str(claim, "spec.volumeName", arg);
        jset_map(claim, "metadata.annotations", ANN_BOUND_BY_CONTROLLER, "yes");
        changed = true;
    }
    if (!jmap(claim, "metadata.annotations", ANN_BIND_COMPLETED)) {
        jset_map(claim, "metadata.annotations", ANN_BIND_COMPLETED, "yes");
        changed = true;
    }
    return changed;
}

struct status_edit {
    enum claim_phase phase;
    const json_t *pv;
};

static bool shows_volume(const json_t *claim, const void *arg)
{
    const struct status_edit *s = arg;
    if (!jstr(claim, "status.phase") || claim_phase(claim) != s->phase)
        return false;
    if (!s->pv)
        return !jat(claim, "status.accessModes") && !jat(claim, "status.capacity");
    return jat(claim, "status.capacity") &&
           json_equal(jat(claim, "status.accessModes"), jat(s->pv, "spec.accessModes"));
}

static int edit_claim_status(json_t *claim, void *arg, struct err *e)
{
    (void)e;
    const struct status_edit *s = arg;
    if (shows_volume(claim, s))
        return 0;
    int phase = (int)claim_phase(claim);
    bool first = phase != (int)s->phase;
    sm_move(&claim_sm, &phase, (int)s->phase);
    jset_str(claim, "status.phase", claim_phase_name(s->phase));
    const char *attributes = jstr(claim, "spec.volumeAttributesClassName");
    if (first && s->phase == CLAIM_BOUND && attributes) /* afterwards it is the resizer's to say */
        jset_str(claim, "status.currentVolumeAttributesClassName", attributes);
    if (!s->pv) {
        jdel(claim, "status.accessModes");
        jdel(claim, "status.capacity");
    } else {
        jset(claim, "status.accessModes", json_deep_copy(jat(s->pv, "spec.accessModes")));
        if (first || !jat(claim, "status.capacity")) /* later it grows with the file system, not with the volume */
            jset(claim, "status.capacity", json_deep_copy(jat(s->pv, "spec.capacity")));
    }
    return 1;
}

int put_claim_status(struct loop *l, const json_t *claim, enum claim_phase phase, const json_t *pv, struct err *e)
{
    struct status_edit s = {phase, pv};
    return write_unless(l, RES.persistentvolumeclaims, claim, "status", shows_volume, edit_claim_status, &s, e);
}

int promise_volume(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    if (write_unless(l, RES.persistentvolumes, pv, "", promised, edit_claim_ref, (void *)claim, e) < 0)
        return -1;
    return put_pv_phase(l, pv, PV_BOUND, "", NULL, e);
}

int bind_volume(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    if (promise_volume(l, pv, claim, e) < 0 || write_unless(l, RES.persistentvolumeclaims, claim, "", names_volume,
                                                            edit_volume_name, (void *)obj_name(pv), e) < 0)
        return -1;
    return put_claim_status(l, claim, CLAIM_BOUND, pv, e);
}
