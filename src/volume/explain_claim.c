/* explain_claim.c - why a claim is as it is.
 *
 * DESIGN: a table of situations in the order in which the binder would ask (pv_claim.c): the first that holds names the
 * verdict, says why, what is waited for and who must act, and advises. When you add a branch to the binder: a row here.
 * THREADS: pure. */
#include "volume/explain_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* -- finding -- */

const json_t *tree_in(const struct trees *t, const char *ns, const char *name)
{
    for (size_t i = 0; i < t->len; i++)
        if (str_eq(jstr(t->items[i], "metadata.name"), name) &&
            str_eq(jstr_or(t->items[i], "metadata.namespace", ""), ns))
            return t->items[i];
    return NULL;
}

const json_t *tree_named(const struct trees *t, const char *name)
{
    return tree_in(t, "", name);
}

bool pod_names_claim(const json_t *pod, const char *claim)
{
    size_t i;
    const json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        if (str_eq(jstr(volume, "persistentVolumeClaim.claimName"), claim))
            return true;
        if (!jat(volume, "ephemeral"))
            continue;
        _auto_free_ char *made = xasprintf("%s-%s", jstr_or(pod, "metadata.name", ""), jstr_or(volume, "name", ""));
        if (str_eq(made, claim))
            return true;
    }
    return false;
}

/* -- what the situations look at -- */

struct view {
    const json_t *claim;
    const struct explain_world *w;
    const char *ns, *name, *volume; /* volume: spec.volumeName, "" if none */
    const json_t *sc;               /* its class, or NULL */
    const json_t *pv;               /* the volume it names, or NULL */
    const json_t *candidates;
    const char *choice; /* of the candidates; or NULL */
    struct strlist users, unscheduled;
};

static void view_release(struct view *v)
{
    strlist_release(&v->users);
    strlist_release(&v->unscheduled);
}

static bool has_ended(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return str_eq(phase, "Succeeded") || str_eq(phase, "Failed");
}

static void find_users(struct view *v)
{
    for (size_t i = 0; i < v->w->pods.len; i++) {
        const json_t *pod = v->w->pods.items[i];
        if (!str_eq(jstr(pod, "metadata.namespace"), v->ns) || !pod_names_claim(pod, v->name))
            continue;
        if (!str_empty(jstr(pod, "spec.nodeName")))
            strlist_add(&v->users, jstr_or(pod, "metadata.name", ""));
        else if (!has_ended(pod))
            strlist_add(&v->unscheduled, jstr_or(pod, "metadata.name", ""));
    }
}

static bool by_name(const struct view *v)
{
    return *v->volume && !jmap(v->claim, "metadata.annotations", ANN_BIND_COMPLETED);
}

/* -- the situations -- */

static bool is_terminating(const struct view *v)
{
    return obj_deleting(v->claim);
}

static void tell_terminating(const struct view *v, struct story *s)
{
    _auto_free_ char *pods = strlist_join(&v->users, " ");
    buf_adds(&s->because,
             "It is being deleted, but a claim stays as long as a pod that has a node uses it, even one that "
             "has ended.");
    if (!v->users.len) {
        buf_adds(&s->waits, "its finalizers to be taken off");
        s->actor = "controller";
        return;
    }
    buf_addf(&s->waits, "the pods that use it to be deleted: %s", pods);
    _auto_free_ char *command = xasprintf("kubectl delete pod -n %s %s", v->ns, pods);
    advise(s->changes, command, "Delete the pods that use it (or what makes them: a Deployment, a StatefulSet).");
}

static bool is_lost(const struct view *v)
{
    return claim_phase(v->claim) == CLAIM_LOST;
}

static void tell_lost(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "It was bound to volume %s, which %s.", *v->volume ? v->volume : "(none any more)",
             !v->pv ? "is gone"
                    : (pv_is_for_claim(v->pv, v->claim) ? "was gone in between" : "belongs to another claim now"));
    buf_adds(&s->waits, "somebody to bring its volume back; a claim never leaves Lost by itself");
    _auto_free_ char *command = xasprintf("kubectl annotate pvc -n %s %s %s-", v->ns, v->name, ANN_BIND_COMPLETED);
    if (!v->pv)
        advise(s->changes, NULL, "Create volume %s again over the same disk.", v->volume);
    advise(s->changes, command, "Have it bound anew by taking off its %s annotation; or delete the claim.",
           ANN_BIND_COMPLETED);
}

static bool is_bound(const struct view *v)
{
    return claim_fully_bound(v->claim) && claim_phase(v->claim) == CLAIM_BOUND;
}

static void tell_bound(const struct view *v, struct story *s)
{
    const char *size = v->pv ? jmap(v->pv, "spec.capacity", "storage") : NULL;
    bool chosen = jmap(v->claim, "metadata.annotations", ANN_BOUND_BY_CONTROLLER) != NULL;
    bool made = v->pv && jmap(v->pv, "metadata.annotations", ANN_PROVISIONED_BY);
    buf_addf(&s->because, "It has volume %s (%s), %s.", v->volume, size ? size : "?",
             made ? "which was made for it" : (chosen ? "which fitted it best" : "which it asked for by name"));
}

static bool is_named_missing(const struct view *v)
{
    return by_name(v) && !v->pv;
}

static void tell_named_missing(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "It asks for volume %s by name, and there is none of that name.", v->volume);
    buf_addf(&s->waits, "volume %s to be created", v->volume);
    advise_new_volume(s->changes, v->claim);
    advise(s->changes, NULL, "Its name must be %s.", v->volume);
}

static bool is_named_taken(const struct view *v)
{
    return by_name(v) && jat(v->pv, "spec.claimRef") && !pv_is_for_claim(v->pv, v->claim);
}

/* What keeps the volume the claim names from it. */
static void advise_named(const struct view *v, struct story *s)
{
    _auto_query_ struct pv_query q;
    pv_query_init(&q, v->claim, NULL, false);
    _auto_json_ json_t *candidate = candidate_explain(&q, v->pv);
    advise_for(s->changes, v->claim, v->pv, candidate);
}

static void tell_named_taken(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "It asks for volume %s by name, and that one is claim %s/%s's.", v->volume,
             jstr_or(v->pv, "spec.claimRef.namespace", ""), jstr_or(v->pv, "spec.claimRef.name", ""));
    buf_addf(&s->waits, "volume %s to be given free", v->volume);
    advise_named(v, s);
}

static bool is_named_misfit(const struct view *v)
{
    char scratch[512];
    return by_name(v) && !pv_is_for_claim(v->pv, v->claim) && pv_mismatch(v->pv, v->claim, scratch, sizeof scratch);
}

static void tell_named_misfit(const struct view *v, struct story *s)
{
    char scratch[512];
    const char *why = pv_mismatch(v->pv, v->claim, scratch, sizeof scratch);
    buf_addf(&s->because, "It asks for volume %s by name, but cannot have it: %s.", v->volume, why ? why : "");
    buf_adds(&s->waits, "the claim and the volume to agree");
    advise_named(v, s);
}

static bool is_binding(const struct view *v)
{
    return *v->volume || v->choice;
}

static void tell_binding(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "Volume %s fits; the binder is about to bind them.", *v->volume ? v->volume : v->choice);
    buf_adds(&s->waits, "the binder's next look");
}

static const json_t *default_class(const struct view *v)
{
    return claim_has_class(v->claim) ? NULL : class_pick_default(v->w->classes.items, v->w->classes.len);
}

static bool is_getting_class(const struct view *v)
{
    return default_class(v) != NULL;
}

static void tell_getting_class(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "It names no class, so it is given the default one, %s.",
             jstr_or(default_class(v), "metadata.name", ""));
    buf_adds(&s->waits, "the binder's next look");
}

static void advise_near(const struct view *v, struct story *s)
{
    const json_t *first = json_array_get(v->candidates, 0);
    const json_t *pv = first ? tree_named(&v->w->pvs, jstr_or(first, "name", "")) : NULL;
    bool bound = pv && pv_phase(pv) == PV_BOUND;
    if (!pv || bound || !advise_for(s->changes, v->claim, pv, first))
        advise_new_volume(s->changes, v->claim);
}

static bool is_without_class(const struct view *v)
{
    return !*claim_class(v->claim);
}

static void tell_without_class(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "No volume fits it, and nobody makes one, because it %s.",
             claim_has_class(v->claim) ? "asks for no class (storageClassName: \"\")"
                                       : "names no class and no class is the default");
    buf_adds(&s->waits, "a volume that fits");
    advise_near(v, s);
    if (claim_has_class(v->claim) || !v->w->classes.len)
        return;
    _auto_strlist_ struct strlist names = {0};
    for (size_t i = 0; i < v->w->classes.len; i++)
        strlist_add(&names, jstr_or(v->w->classes.items[i], "metadata.name", ""));
    _auto_free_ char *list = strlist_join(&names, ", ");
    advise(s->changes, NULL, "Or name a class that makes volumes; there %s: %s.", names.len > 1 ? "are" : "is", list);
}

static bool is_class_missing(const struct view *v)
{
    return !v->sc;
}

static void tell_class_missing(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "No volume of class %s fits it, and there is no class of that name to make one.",
             claim_class(v->claim));
    buf_adds(&s->waits, "a volume of that class, or the class");
    advise_near(v, s);
    advise(s->changes, "kubectl get storageclass", "Or make the claim anew with a class that exists.");
}

static bool waits_for_consumer(const struct view *v)
{
    return class_waits(v->sc) && !jmap(v->claim, "metadata.annotations", ANN_SELECTED_NODE);
}

static bool is_waiting_for_pod(const struct view *v)
{
    return waits_for_consumer(v) && !v->unscheduled.len;
}

/* A pod that names its node itself: no scheduler ever says where the volume is to be. */
static void tell_waiting_in_vain(const struct view *v, struct story *s)
{
    const char *pod = v->users.items[0];
    const json_t *tree = tree_in(&v->w->pods, v->ns, pod);
    const char *node = jstr_or(tree, "spec.nodeName", "");
    buf_addf(&s->because,
             "Its class %s binds when the scheduler places a pod that uses the claim, but %s names its node itself "
             "(spec.nodeName): the scheduler never looks at it.",
             claim_class(v->claim), pod);
    buf_adds(&s->waits, "a pod that the scheduler places");
    _auto_free_ char *command =
        provisioner_is_unknown_intree(jstr_or(v->sc, "provisioner", ""))
            ? NULL
            : xasprintf("kubectl annotate pvc -n %s %s %s=%s", v->ns, v->name, ANN_SELECTED_NODE, node);
    if (command)
        advise(s->changes, command, "Say in the scheduler's place that the volume is to be made for %s.", node);
    advise(s->changes, NULL, "%sake the pod anew without nodeName; a nodeSelector leads it to %s as well.",
           command ? "Or m" : "M", node);
}

static void tell_waiting_for_pod(const struct view *v, struct story *s)
{
    if (v->users.len) {
        tell_waiting_in_vain(v, s);
        return;
    }
    buf_addf(&s->because,
             "Its class %s binds only when a pod uses the claim, so that the volume is where the pod will run "
             "(WaitForFirstConsumer).",
             claim_class(v->claim));
    buf_adds(&s->waits, "the first pod that uses it");
    advise(s->changes, NULL,
           "Create a pod with a volume whose persistentVolumeClaim.claimName is %s. Nothing is wrong.", v->name);
}

static bool is_waiting_for_scheduler(const struct view *v)
{
    return waits_for_consumer(v);
}

static void tell_waiting_for_scheduler(const struct view *v, struct story *s)
{
    _auto_free_ char *pods = strlist_join(&v->unscheduled, ", ");
    buf_addf(&s->because, "Its class %s binds when its pod has a node, and the scheduler has found none yet for %s.",
             claim_class(v->claim), pods);
    buf_addf(&s->waits, "the scheduler to place pod %s", pods);
    _auto_free_ char *command = xasprintf("stowage why pod/%s -n %s", v->unscheduled.items[0], v->ns);
    advise(s->changes, command, "See why the pod has no node.");
}

static bool makes_nothing(const struct view *v)
{
    return provisioner_is_unknown_intree(jstr_or(v->sc, "provisioner", ""));
}

static void tell_makes_nothing(const struct view *v, struct story *s)
{
    buf_addf(&s->because, "No volume of class %s fits it, and provisioner %s makes none.", claim_class(v->claim),
             jstr_or(v->sc, "provisioner", ""));
    buf_adds(&s->waits, "a volume that fits");
    advise_near(v, s);
}

static bool is_waiting_for_provisioner(const struct view *v _unused_)
{
    return true;
}

static void tell_waiting_for_provisioner(const struct view *v, struct story *s)
{
    const char *provisioner = jstr_or(v->sc, "provisioner", "");
    bool absent = v->w->provisions && !v->w->provisions(provisioner);
    buf_addf(&s->because, "No volume fits it; provisioner %s of class %s %s.", provisioner_csi_name(provisioner),
             claim_class(v->claim),
             absent ? "should make one, but no driver of that name runs here" : "is to make one");
    buf_adds(&s->waits, "the provisioner");
    if (!absent)
        return;
    s->actor = "admin";
    advise(s->changes, NULL, "Install the driver, or make the claim anew with a class whose provisioner runs here.");
    advise_near(v, s);
}

static const struct situation {
    const char *verdict, *actor;
    bool (*holds)(const struct view *v);
    void (*tell)(const struct view *v, struct story *s);
} situations[] = {
    {"terminating", "user", is_terminating, tell_terminating},
    {"lost", "admin", is_lost, tell_lost},
    {"bound", "nobody", is_bound, tell_bound},
    {"named-volume-missing", "admin", is_named_missing, tell_named_missing},
    {"named-volume-taken", "admin", is_named_taken, tell_named_taken},
    {"named-volume-misfit", "user", is_named_misfit, tell_named_misfit},
    {"binding", "binder", is_binding, tell_binding},
    {"getting-default-class", "binder", is_getting_class, tell_getting_class},
    {"no-volume-fits", "admin", is_without_class, tell_without_class},
    {"class-missing", "admin", is_class_missing, tell_class_missing},
    {"waits-for-pod", "user", is_waiting_for_pod, tell_waiting_for_pod},
    {"waits-for-scheduler", "scheduler", is_waiting_for_scheduler, tell_waiting_for_scheduler},
    {"no-volume-fits", "admin", makes_nothing, tell_makes_nothing},
    {"waits-for-provisioner", "provisioner", is_waiting_for_provisioner, tell_waiting_for_provisioner},
};

/* -- the whole -- */

static json_t *asks(const json_t *claim)
{
    char modes[MODE_SET_TEXT_LEN];
    const char *size = jmap(claim, "spec.resources.requests", "storage");
    access_mode_text(access_mode_set(jat(claim, "spec.accessModes")), modes);
    json_t *out =
        json_pack("{s:s, s:s, s:s}", "size", size ? size : "0", "accessModes", modes, "volumeMode", claim_mode(claim));
    if (claim_has_class(claim))
        jset_str(out, "class", claim_class(claim));
    if (!str_empty(jstr(claim, "spec.volumeName")))
        jset_str(out, "volumeName", jstr(claim, "spec.volumeName"));
    _auto_query_ struct pv_query q;
    pv_query_init(&q, claim, NULL, false);
    _auto_free_ char *selector = q.selector ? label_selector_text(q.selector) : NULL;
    if (selector)
        jset_str(out, "selector", selector);
    return out;
}

static const char *volume_of(const struct view *v)
{
    if (is_bound(v) || is_lost(v) || *v->volume)
        return *v->volume ? v->volume : NULL;
    return v->choice;
}

json_t *explain_claim(const json_t *claim, const struct explain_world *w)
{
    struct view v = {.claim = claim,
                     .w = w,
                     .ns = jstr_or(claim, "metadata.namespace", ""),
                     .name = jstr_or(claim, "metadata.name", ""),
                     .volume = jstr_or(claim, "spec.volumeName", "")};
    v.sc = *claim_class(claim) ? tree_named(&w->classes, claim_class(claim)) : NULL;
    v.pv = *v.volume ? tree_named(&w->pvs, v.volume) : NULL;
    find_users(&v);
    /* A claim that names its volume, or has it, chooses no more. */
    _auto_json_ json_t *candidates = *v.volume ? json_array() : candidates_explain(claim, w, v.sc && class_waits(v.sc));
    v.candidates = candidates;
    v.choice = candidates_choice(candidates);
    size_t at = 0;
    while (!situations[at].holds(&v))
        at++;
    struct story s = {.actor = situations[at].actor, .changes = json_array()};
    situations[at].tell(&v, &s);
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:s, s:s, s:s, s:O, s:o}", "kind", "PersistentVolumeClaim",
                  "namespace", v.ns, "name", v.name, "phase", claim_phase_name(claim_phase(claim)), "verdict",
                  situations[at].verdict, "volume", volume_of(&v), "asks", asks(claim), "because", buf_str(&s.because),
                  "waitsFor", buf_str(&s.waits), "actor", s.actor, "candidates", candidates, "changes", s.changes);
    buf_release(&s.because);
    buf_release(&s.waits);
    view_release(&v);
    return out;
}
