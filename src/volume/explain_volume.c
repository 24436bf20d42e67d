/* explain_volume.c - why a volume is as it is: whose it is, why nobody takes it, what keeps it from going.
 *
 * DESIGN: as explain_claim.c: the first situation of the table that holds tells. A free volume also says of each
 * waiting claim why it does not take it, by the same rules. THREADS: pure. */
#include "volume/explain_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct view {
    const json_t *pv;
    const struct explain_world *w;
    const char *name, *policy;
    const char *claim_ns, *claim_name; /* of its claimRef; "" if none */
    const json_t *claim;               /* the one its claimRef means (name, and uid if there is one), or NULL */
};

/* -- who waits, and what each thinks of the volume -- */

static bool is_suitor(const json_t *claim)
{
    return str_empty(jstr(claim, "spec.volumeName")) && !obj_deleting(claim);
}

static json_t *judge_for(const json_t *claim, const json_t *pv)
{
    _auto_query_ struct pv_query q;
    pv_query_init(&q, claim, NULL, false);
    json_t *told = candidate_explain(&q, pv);
    _auto_free_ char *name =
        xasprintf("%s/%s", jstr_or(claim, "metadata.namespace", ""), jstr_or(claim, "metadata.name", ""));
    jset_str(told, "name", name);
    return told;
}

static json_t *suitors(const json_t *pv, const struct explain_world *w)
{
    json_t *out = json_array();
    for (size_t i = 0; i < w->claims.len; i++)
        if (is_suitor(w->claims.items[i]))
            json_array_append_new(out, judge_for(w->claims.items[i], pv));
    return out;
}

/* With one claim waiting it is clear what it is about. */
static const json_t *only_suitor(const struct explain_world *w)
{
    const json_t *only = NULL;
    for (size_t i = 0; i < w->claims.len; i++) {
        if (!is_suitor(w->claims.items[i]))
            continue;
        if (only)
            return NULL;
        only = w->claims.items[i];
    }
    return only;
}

/* -- the situations -- */

static bool holds_data(const struct view *v)
{
    return v->claim && claim_fully_bound(v->claim) && str_eq(jstr(v->claim, "spec.volumeName"), v->name);
}

static bool is_terminating(const struct view *v)
{
    return obj_deleting(v->pv);
}

static void tell_terminating(const struct view *v, struct story *s)
{
    buf_adds(&s->because, "It is being deleted, but its finalizers keep it.");
    if (holds_data(v)) {
        buf_addf(&s->waits, "claim %s/%s to be deleted: a volume that is bound stays", v->claim_ns, v->claim_name);
        _auto_free_ char *command = xasprintf("kubectl delete pvc -n %s %s", v->claim_ns, v->claim_name);
        advise(s->changes, command, "Delete the claim (its pods first), if its data may go.");
        return;
    }
    s->actor = "controller";
    buf_adds(&s->waits, "those who hold it to let go");
}

static bool is_bound(const struct view *v)
{
    return pv_phase(v->pv) == PV_BOUND;
}

static void tell_bound(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "Claim %s/%s has it.", v->claim_ns, v->claim_name);
}

static bool is_failed(const struct view *v)
{
    return pv_phase(v->pv) == PV_FAILED;
}

static void tell_failed(const struct view *v, struct story *s)
{
    const char *message = jstr_or(v->pv, "status.message", "no message");
    buf_addf(&s->because, "Its claim is gone, and the %s it asked for went wrong: %s", v->policy, message);
    buf_adds(&s->waits, pv_reclaim(v->pv).what == RECLAIM_RECYCLE
                            ? "the next try, and somebody to put right what that one needs"
                            : "somebody to decide about it: a next try would say the same");
    _auto_free_ char *free_it = xasprintf("kubectl patch pv %s -p '{\"spec\":{\"claimRef\":null}}'", v->name);
    _auto_free_ char *drop = xasprintf("kubectl delete pv %s", v->name);
    advise(s->changes, free_it, "To use it again: clean its data yourself, then remove its claimRef.");
    advise(s->changes, drop, "Or delete it, and what holds its data by hand.");
}

static bool is_released(const struct view *v)
{
    return pv_phase(v->pv) == PV_RELEASED;
}

static void tell_kept(const struct view *v, struct story *s)
{
    buf_adds(&s->because, " Its policy is Retain: the data is kept, and no claim gets it until you say so.");
    buf_adds(&s->waits, "you to decide about its data");
    _auto_free_ char *free_it = xasprintf("kubectl patch pv %s -p '{\"spec\":{\"claimRef\":null}}'", v->name);
    _auto_free_ char *drop = xasprintf("kubectl delete pv %s", v->name);
    advise(s->changes, free_it, "To give it, data and all, to the next claim that fits: remove its claimRef.");
    advise(s->changes, drop, "Or delete it.");
}

static void tell_released(const struct view *v, struct story *s)
{
    struct reclaim_plan plan = pv_reclaim(v->pv);
    buf_addf(&s->because, "Its claim %s/%s is gone%s.", v->claim_ns, v->claim_name,
             tree_in(&v->w->claims, v->claim_ns, v->claim_name) ? " (the one of that name now is another)" : "");
    if (plan.what == RECLAIM_KEEP) {
        tell_kept(v, s);
        return;
    }
    s->actor = plan.what == RECLAIM_EXTERNAL ? "provisioner" : "controller";
    buf_addf(&s->because, " Its policy is %s.", v->policy);
    if (plan.what == RECLAIM_EXTERNAL)
        buf_addf(&s->waits, "its provisioner %s to delete the disk", pv_driver(v->pv) ? pv_driver(v->pv) : "");
    else if (plan.what == RECLAIM_RECYCLE)
        buf_addf(&s->waits, "pod default/recycler-for-%s to empty it", v->name);
    else
        buf_adds(&s->waits, "the controller's next look");
}

static bool is_reserved(const struct view *v)
{
    return *v->claim_name != '\0';
}

static void tell_reserved(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "Its claimRef keeps it for claim %s/%s.", v->claim_ns, v->claim_name);
    if (!v->claim) {
        buf_adds(&s->waits, "that claim to be created");
        s->actor = "user";
        return;
    }
    _auto_query_ struct pv_query q;
    pv_query_init(&q, v->claim, NULL, false);
    _auto_json_ json_t *candidate = candidate_explain(&q, v->pv);
    buf_adds(&s->waits, "the claim to take it");
    advise_for(s->changes, v->claim, v->pv, candidate);
}

static bool is_free(const struct view *v _unused_)
{
    return true;
}

static void tell_free(const struct view *v, struct story *s)
{
    buf_adds(&s->because, pv_phase(v->pv) == PV_AVAILABLE ? "No claim has it." : "It was only just made.");
    buf_adds(&s->waits, "a claim that it fits");
    const json_t *claim = only_suitor(v->w);
    if (!claim)
        return;
    _auto_json_ json_t *told = judge_for(claim, v->pv);
    advise_for(s->changes, claim, v->pv, told);
}

static const struct situation {
    const char *verdict, *actor;
    bool (*holds)(const struct view *v);
    void (*tell)(const struct view *v, struct story *s);
} situations[] = {
    {"terminating", "user", is_terminating, tell_terminating},
    {"bound", "nobody", is_bound, tell_bound},
    {"failed", "admin", is_failed, tell_failed},
    {"released", "admin", is_released, tell_released},
    {"reserved", "binder", is_reserved, tell_reserved},
    {"free", "user", is_free, tell_free},
};

/* -- who holds it -- */

static json_t *finalizers(const json_t *pv)
{
    static const struct {
        const char *name;
        bool prefix;
        const char *text;
    } known[] = {
        {FIN_PV_PROTECTION, false, "the volume is bound to a claim"},
        {FIN_PROVISIONER, false, "the provisioner deletes the disk first"},
        {FIN_ATTACHER_PREFIX, true, "the disk is attached to a node"},
    };
    json_t *out = json_array();
    size_t i;
    const json_t *f;
    json_array_foreach(jat(pv, "metadata.finalizers"), i, f)
    {
        const char *name = json_string_value(f), *text = "whoever put it there takes it off";
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            if (known[k].prefix ? str_starts(name, known[k].name) : str_eq(name, known[k].name))
                text = known[k].text;
        json_array_append_new(out, json_pack("{s:s, s:s}", "name", name, "text", text));
    }
    return out;
}

json_t *explain_volume(const json_t *pv, const struct explain_world *w)
{
    struct view v = {.pv = pv,
                     .w = w,
                     .name = jstr_or(pv, "metadata.name", ""),
                     .policy = jstr_or(pv, "spec.persistentVolumeReclaimPolicy", "Retain"),
                     .claim_ns = jstr_or(pv, "spec.claimRef.namespace", ""),
                     .claim_name = jstr_or(pv, "spec.claimRef.name", "")};
    const json_t *claim = *v.claim_name ? tree_in(&w->claims, v.claim_ns, v.claim_name) : NULL;
    v.claim = claim && pv_is_for_claim(pv, claim) ? claim : NULL;
    size_t at = 0;
    while (!situations[at].holds(&v))
        at++;
    struct story s = {.actor = situations[at].actor, .changes = json_array()};
    situations[at].tell(&v, &s);
    bool free_to_all = str_eq(situations[at].verdict, "free");
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "kind", "PersistentVolume", "name",
                            v.name, "phase", pv_phase_name(pv_phase(pv)), "verdict", situations[at].verdict, "because",
                            buf_str(&s.because), "waitsFor", buf_str(&s.waits), "actor", s.actor, "candidates",
                            free_to_all ? suitors(pv, w) : json_array(), "changes", s.changes, "finalizers",
                            obj_deleting(pv) ? finalizers(pv) : json_array());
    buf_release(&s.because);
    buf_release(&s.waits);
    return out;
}
