/* statefulset_pods.c - a pod of a StatefulSet: its name, its labels, its claims, and who owns those.
 *
 * A claim is named <template>-<set>-<ordinal>, so a pod that comes again finds it again. By default claims have no
 * owner and stay. Where the retention policy says Delete, the owner is whatever their end hangs on: the set
 * (whenDeleted), or once their pod is scaled away the pod (whenScaled); garbage collection does the rest. While a claim
 * still belongs to an earlier pod of the same name it is about to go, and the new pod waits for that. Source:
 * pkg/controller/statefulset/{stateful_pod_control,stateful_set_utils}.go. */
#include "controllers/statefulset_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* -- names -- */

int64_t pod_ordinal(const json_t *set, const json_t *pod)
{
    const char *name = obj_name(pod), *parent = obj_name(set);
    size_t len = strlen(parent);
    uint64_t n = 0;
    if (strncmp(name, parent, len) != 0 || name[len] != '-' || !str_to_u64(name + len + 1, &n) || n > INT32_MAX)
        return -1;
    return (int64_t)n;
}

bool ordinal_wanted(const struct stateful *s, int64_t ordinal)
{
    return ordinal >= s->start && ordinal < s->start + s->count;
}

static char *claim_name(const struct stateful *s, const json_t *template_, int64_t ordinal)
{
    return xasprintf("%s-%s-%lld", obj_name(template_), obj_name(s->set), (long long)ordinal);
}

static const json_t *claim_templates(const struct stateful *s)
{
    return jat(s->set, "spec.volumeClaimTemplates");
}

/* -- events -- */

static void pod_event(struct stateful *s, const char *verb, const char *pod, const struct err *why)
{
    const char *set = obj_name(s->set);
    bool create = str_eq(verb, "create");
    if (why->code == ERR_OK)
        loop_event(s->l, s->set, EVENT_NORMAL, create ? "SuccessfulCreate" : "SuccessfulDelete",
                   "%s Pod %s in StatefulSet %s successful", verb, pod, set);
    else
        loop_event(s->l, s->set, EVENT_WARNING, create ? "FailedCreate" : "FailedDelete",
                   "%s Pod %s in StatefulSet %s failed error: %s", verb, pod, set, why->msg);
}

static void claim_event(struct stateful *s, const char *claim, const char *pod, const struct err *why)
{
    const char *set = obj_name(s->set);
    if (why->code == ERR_OK)
        loop_event(s->l, s->set, EVENT_NORMAL, "SuccessfulCreate", "create Claim %s Pod %s in StatefulSet %s success",
                   claim, pod, set);
    else
        loop_event(s->l, s->set, EVENT_WARNING, "FailedCreate",
                   "create Claim %s for Pod %s in StatefulSet %s failed error: %s", claim, pod, set, why->msg);
}

/* -- claims -- */

static json_t *build_claim(const struct stateful *s, const json_t *template_, const char *name)
{
    json_t *claim = json_deep_copy(template_);
    json_object_del(claim, "status");
    jset_str(claim, "kind", "PersistentVolumeClaim");
    jset_str(claim, "apiVersion", "v1");
    jset_str(claim, "metadata.name", name);
    jset_str(claim, "metadata.namespace", obj_ns(s->set));
    const char *key;
    json_t *value;
    json_object_foreach(jat(s->set, "spec.selector.matchLabels"), key, value)
        jset_map(claim, "metadata.labels", key, json_string_value(value));
    return claim;
}

static int make_claim(struct stateful *s, const json_t *template_, int64_t ordinal, const char *pod, struct err *e)
{
    _auto_free_ char *name = claim_name(s, template_, ordinal);
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(s->l), RES.persistentvolumeclaims, obj_ns(s->set), name);
    if (have)
        return jstr(have->tree, "metadata.deletionTimestamp")
                   ? err_set(e, ERR_CONFLICT, "pvc %s is being deleted", name)
                   : 0;
    struct err why = ERR_INIT;
    int rc = reg_make(loop_registry(s->l), WHO, RES.persistentvolumeclaims, obj_ns(s->set),
                      build_claim(s, template_, name), NULL, &why);
    if (rc < 0 && why.code == ERR_ALREADY_EXISTS)
        return 0;
    claim_event(s, name, pod, &why);
    return rc < 0 ? err_set(e, why.code, "failed to create PVC %s: %s", name, why.msg) : 0;
}

static int make_claims(struct stateful *s, int64_t ordinal, const char *pod, struct err *e)
{
    size_t i;
    json_t *template_;
    json_array_foreach(claim_templates(s), i, template_)
    {
        if (make_claim(s, template_, ordinal, pod, e) < 0)
            return -1;
    }
    return 0;
}

int stateful_claims_make(struct stateful *s, const json_t *pod, struct err *e)
{
    return make_claims(s, pod_ordinal(s->set, pod), obj_name(pod), e);
}

/* -- who owns the claims -- */

static bool deletes(const struct stateful *s, const char *when)
{
    return str_eq(jmap(s->set, "spec.persistentVolumeClaimRetentionPolicy", when), "Delete");
}

/* The object the claim's end hangs on: the set, the pod (NULL while it does not exist yet), or nothing. */
static const json_t *wanted_owner(const struct stateful *s, const json_t *pod, int64_t ordinal)
{
    if (deletes(s, "whenScaled") && !ordinal_wanted(s, ordinal))
        return pod;
    return deletes(s, "whenDeleted") ? s->set : NULL;
}

/* A reference to the set, or to a pod of this name: ours to set and to take. */
static bool is_our_reference(const struct stateful *s, const json_t *ref, const char *pod)
{
    const char *kind = jstr_or(ref, "kind", ""), *name = jstr_or(ref, "name", "");
    return (str_eq(kind, "StatefulSet") && str_eq(name, obj_name(s->set))) ||
           (str_eq(kind, "Pod") && str_eq(name, pod));
}

struct owning {
    const struct stateful *s;
    const json_t *owner; /* may be NULL */
    const char *pod;
};

static int edit_owner(json_t *claim, void *arg, struct err *e)
{
    const struct owning *o = arg;
    const json_t *refs = jat(claim, "metadata.ownerReferences");
    _auto_json_ json_t *next = json_array();
    (void)e;
    for (size_t i = 0; i < json_array_size(refs); i++) {
        json_t *ref = json_array_get(refs, i);
        if (!is_our_reference(o->s, ref, o->pod)) {
            if (jbool(ref, "controller", false))
                return 0; /* somebody else's claim */
            json_array_append(next, ref);
        }
    }
    if (o->owner)
        json_array_append_new(next, controller_ref(o->owner));
    if (json_equal(next, refs) || (json_array_size(next) == 0 && json_array_size(refs) == 0))
        return 0;
    if (json_array_size(next) > 0)
        jset(claim, "metadata.ownerReferences", json_deep_copy(next));
    else
        jdel(claim, "metadata.ownerReferences");
    return 1;
}

/* `pod` may be NULL for one that is about to be made. */
static int own_claims(struct stateful *s, const json_t *pod, int64_t ordinal, const char *pod_name, struct err *e)
{
    struct owning o = {.s = s, .owner = wanted_owner(s, pod, ordinal), .pod = pod_name};
    size_t i;
    json_t *template_;
    json_array_foreach(claim_templates(s), i, template_)
    {
        _auto_free_ char *name = claim_name(s, template_, ordinal);
        if (reg_modify(loop_registry(s->l), WHO, RES.persistentvolumeclaims, obj_ns(s->set), name, "", edit_owner, &o,
                       e) < 0 &&
            e->code != ERR_NOT_FOUND)
            return err_wrap(e, "could not update claim %s for retention policy ownerRefs", name);
        err_clear(e);
    }
    return 0;
}

int stateful_claims_own(struct stateful *s, const json_t *pod, struct err *e)
{
    return own_claims(s, pod, pod_ordinal(s->set, pod), obj_name(pod), e);
}

/* Does a claim of this ordinal still belong to a pod that is gone? Then it goes too. */
static bool claims_stale(struct stateful *s, int64_t ordinal, const char *pod)
{
    size_t i;
    json_t *template_;
    if (!deletes(s, "whenScaled"))
        return false;
    json_array_foreach(claim_templates(s), i, template_)
    {
        _auto_free_ char *name = claim_name(s, template_, ordinal);
        _auto_sobj_ struct sobj *claim =
            reg_read(loop_registry(s->l), RES.persistentvolumeclaims, obj_ns(s->set), name);
        const json_t *refs = claim ? jat(claim->tree, "metadata.ownerReferences") : NULL;
        for (size_t k = 0; k < json_array_size(refs); k++) {
            const json_t *ref = json_array_get(refs, k);
            if (str_eq(jstr(ref, "kind"), "Pod") && str_eq(jstr(ref, "name"), pod))
                return true;
        }
    }
    return false;
}

/* -- pods -- */

static void put_identity(json_t *pod, const char *name, int64_t ordinal)
{
    char index[24];
    snprintf(index, sizeof index, "%lld", (long long)ordinal);
    jset_map(pod, "metadata.labels", LABEL_POD_NAME, name);
    jset_map(pod, "metadata.labels", LABEL_POD_INDEX, index);
}

/* The claims' volumes stand before the template's; one of the same name gives way. */
static void put_volumes(const struct stateful *s, json_t *pod, int64_t ordinal)
{
    const json_t *templates = claim_templates(s), *old = jat(pod, "spec.volumes");
    json_t *volumes = json_array();
    for (size_t i = 0; i < json_array_size(templates); i++) {
        const json_t *template_ = json_array_get(templates, i);
        _auto_free_ char *claim = claim_name(s, template_, ordinal);
        json_array_append_new(
            volumes, json_pack("{ss s{ss}}", "name", obj_name(template_), "persistentVolumeClaim", "claimName", claim));
    }
    for (size_t i = 0; i < json_array_size(old); i++) {
        json_t *volume = json_array_get(old, i);
        bool replaced = false;
        for (size_t k = 0; k < json_array_size(templates); k++)
            replaced |= str_eq(jstr(volume, "name"), obj_name(json_array_get(templates, k)));
        if (!replaced)
            json_array_append(volumes, volume);
    }
    if (json_array_size(volumes) > 0)
        jset(pod, "spec.volumes", volumes);
    else
        json_decref(volumes);
}

/* Below the partition pods keep the revision they had. */
static const char *revision_of_new_pod(const struct stateful *s, int64_t ordinal)
{
    const json_t *rolling = jat(s->set, "spec.updateStrategy.rollingUpdate");
    if (!str_eq(jstr(s->set, "spec.updateStrategy.type"), "RollingUpdate"))
        return s->update;
    int64_t kept = rolling ? jint(rolling, "partition", 0) : jint(s->set, "status.currentReplicas", 0);
    return ordinal < s->start + kept ? s->current : s->update;
}

static json_t *build_pod(const struct stateful *s, const char *name, int64_t ordinal)
{
    const char *revision = revision_of_new_pod(s, ordinal);
    const json_t *kept = revision_named(&s->revisions, revision);
    _auto_json_ json_t *template_ = kept ? revision_template(kept) : json_deep_copy(jat(s->set, "spec.template"));
    const char *service = jstr_or(s->set, "spec.serviceName", "");
    json_t *pod = pod_from_template(s->set, template_);
    jset_str(pod, "metadata.name", name);
    jset_map(pod, "metadata.labels", LABEL_REVISION, revision);
    put_identity(pod, name, ordinal);
    put_volumes(s, pod, ordinal);
    jset_str(pod, "spec.hostname", name);
    if (*service)
        jset_str(pod, "spec.subdomain", service);
    return pod;
}

int stateful_pod_make(struct stateful *s, int64_t ordinal, struct err *e)
{
    _auto_free_ char *name = xasprintf("%s-%lld", obj_name(s->set), (long long)ordinal);
    if (claims_stale(s, ordinal, name))
        return 1;
    int rc = make_claims(s, ordinal, name, e);
    if (rc == 0)
        rc = own_claims(s, NULL, ordinal, name, e);
    if (rc == 0)
        rc = reg_make(loop_registry(s->l), WHO, RES.pods, obj_ns(s->set), build_pod(s, name, ordinal), NULL, e);
    if (rc < 0 && e->code == ERR_ALREADY_EXISTS)
        return -1;
    pod_event(s, "create", name, e);
    return rc;
}

int stateful_pod_remove(struct stateful *s, const json_t *pod, struct err *e)
{
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.uid = obj_uid(pod);
    int rc = reg_remove(loop_registry(s->l), WHO, RES.pods, obj_ns(pod), obj_name(pod), &opts, e);
    if (rc < 0 && e->code == ERR_NOT_FOUND) {
        err_clear(e);
        return 0;
    }
    pod_event(s, "delete", obj_name(pod), e);
    return rc;
}

static int edit_identity(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    put_identity(pod, obj_name(pod), *(int64_t *)arg);
    return 1;
}

int stateful_pod_keep(struct stateful *s, const json_t *pod, struct err *e)
{
    int64_t ordinal = pod_ordinal(s->set, pod);
    if (stateful_claims_own(s, pod, e) < 0)
        return -1;
    if (str_eq(jmap(pod, "metadata.labels", LABEL_POD_NAME), obj_name(pod)) &&
        jmap(pod, "metadata.labels", LABEL_POD_INDEX))
        return 0;
    return reg_modify(loop_registry(s->l), WHO, RES.pods, obj_ns(pod), obj_name(pod), "", edit_identity, &ordinal, e);
}
