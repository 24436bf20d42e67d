/* pv_bind.c - the writes of a binding, each on its own and repeatable: PV.claimRef, PV phase, claim.volumeName, claim
 * status. Of many pairs each of the four is made for all of them before the next.
 *
 * INVARIANTS: 1. a volume is promised (claimRef with uid) before its claim names it; 2. the annotation
 * bound-by-controller stands on the side the controller filled in, never on a side the user wrote; 3. phases move along
 * the tables of volume/phase.c. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

typedef bool (*done_fn)(const json_t *now, const void *arg);

/* Most looks at an object find everything done: that is asked of the stored version, without the copy an edit needs. */
static bool is_done(struct loop *l, const struct resource *res, const json_t *obj, done_fn done, const void *arg)
{
    _auto_sobj_ struct sobj *now = reg_read(loop_registry(l), res, obj_ns(obj), obj_name(obj));
    return !now || done(now->tree, arg);
}

static int write_unless(struct loop *l, const struct resource *res, const json_t *obj, const char *sub, done_fn done,
                        edit_fn edit, void *arg, struct err *e)
{
    return is_done(l, res, obj, done, arg) ? 0 : modify(l, WHO, res, obj, sub, edit, arg, e);
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

/* -- the four, for one pair or many -- */

/* What is written for a pair. */
struct binding_edit {
    const struct pair *pair;
    struct phase_edit phase;
    struct status_edit status;
    bool failed;
};

static void *arg_claim(struct binding_edit *b)
{
    return b->pair->claim;
}

static void *arg_phase(struct binding_edit *b)
{
    return &b->phase;
}

static void *arg_name(struct binding_edit *b)
{
    return (void *)obj_name(b->pair->pv);
}

static void *arg_status(struct binding_edit *b)
{
    return &b->status;
}

static const struct step {
    bool of_claim; /* else of the volume */
    const char *sub;
    done_fn done;
    edit_fn edit;
    void *(*arg)(struct binding_edit *b);
} steps[] = {
    {false, "", promised, edit_claim_ref, arg_claim},
    {false, "status", in_phase, edit_pv_phase, arg_phase},
    {true, "", names_volume, edit_volume_name, arg_name},
    {true, "status", shows_volume, edit_claim_status, arg_status},
};
enum { STEPS_PROMISE = 2, STEPS_BIND = ARRAY_LEN(steps) };

/* For all of them that have not failed. */
static int make_step(struct loop *l, const struct step *step, struct binding_edit *all, size_t n, struct err *e)
{
    const struct resource *res = step->of_claim ? RES.persistentvolumeclaims : RES.persistentvolumes;
    _auto_free_ struct reg_edit *edits = xcalloc(n, sizeof *edits);
    _auto_free_ bool **failed = xcalloc(n, sizeof *failed);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *obj = step->of_claim ? all[i].pair->claim : all[i].pair->pv;
        void *arg = step->arg(&all[i]);
        if (all[i].failed || is_done(l, res, obj, step->done, arg))
            continue;
        failed[len] = &all[i].failed;
        edits[len++] = (struct reg_edit){
            .res = res, .ns = obj_ns(obj), .name = obj_name(obj), .sub = step->sub, .edit = step->edit, .arg = arg};
    }
    if (modify_all(l, WHO, edits, len) == 0)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (edits[i].rc < 0)
            *e = edits[i].err;
        *failed[i] = edits[i].rc < 0;
    }
    return -1;
}

static int make_steps(struct loop *l, const struct pair *pairs, size_t n, size_t count, struct err *e)
{
    int rc = 0;
    _auto_free_ struct binding_edit *all = xcalloc(n, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        all[i].pair = &pairs[i];
        all[i].phase = (struct phase_edit){.phase = PV_BOUND, .message = ""};
        all[i].status = (struct status_edit){CLAIM_BOUND, pairs[i].pv};
        now_text(loop_clock(l), all[i].phase.now);
    }
    for (size_t i = 0; i < count; i++)
        if (make_step(l, &steps[i], all, n, e) < 0)
            rc = -1;
    return rc;
}

int bind_volumes(struct loop *l, const struct pair *pairs, size_t n, struct err *e)
{
    return make_steps(l, pairs, n, STEPS_BIND, e);
}

int promise_volume(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    const struct pair pair = {(json_t *)pv, (json_t *)claim};
    return make_steps(l, &pair, 1, STEPS_PROMISE, e);
}

int bind_volume(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    const struct pair pair = {(json_t *)pv, (json_t *)claim};
    return make_steps(l, &pair, 1, STEPS_BIND, e);
}

/* Unless somebody has promised it meanwhile. */
static int edit_available(json_t *pv, void *arg, struct err *e)
{
    return str_empty(jstr(pv, "spec.claimRef.uid")) ? edit_pv_phase(pv, arg, e) : 0;
}

int make_available(struct loop *l, json_t *const pvs[], size_t n, struct err *e)
{
    _auto_free_ struct reg_edit *edits = xcalloc(n, sizeof *edits);
    struct phase_edit phase = {.phase = PV_AVAILABLE, .message = ""};
    now_text(loop_clock(l), phase.now);
    for (size_t i = 0; i < n; i++)
        edits[i] = (struct reg_edit){.res = RES.persistentvolumes,
                                     .ns = "",
                                     .name = obj_name(pvs[i]),
                                     .sub = "status",
                                     .edit = edit_available,
                                     .arg = &phase};
    if (modify_all(l, WHO, edits, n) == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (edits[i].rc < 0)
            *e = edits[i].err;
    return -1;
}
