/* pod_gates.c - scheduling gates, and what may change while they hold a pod back: where it may run, only narrower.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation (validateNodeSelectorMutation,
 * validateNodeAffinityMutation). */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

static const json_t *required_terms(const json_t *spec)
{
    return jat(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
}

void pod_gates_check(const struct change *c, const struct vpath *spec_path)
{
    const struct vpath *p = FIELD(spec_path, "schedulingGates");
    size_t i, j;
    json_t *gate, *old;
    json_array_foreach(vget(vget(c->obj, "spec"), "schedulingGates"), i, gate)
    {
        bool known = false;
        json_array_foreach(vget(vget(c->old, "spec"), "schedulingGates"), j, old) known =
            known || strcmp(vstr(old, "name"), vstr(gate, "name")) == 0;
        if (known)
            continue;
        _auto_free_ char *detail =
            xasprintf("only deletion is allowed, but found new scheduling gate '%s'", vstr(gate, "name"));
        v_forbidden(c->errs, FIELD(ITEM(p, i), "name"), detail);
    }
}

static void selector_check(const struct change *c, const struct vpath *p)
{
    const json_t *now = vget(vget(c->obj, "spec"), "nodeSelector");
    const char *key;
    json_t *value;
    json_object_foreach(vget(vget(c->old, "spec"), "nodeSelector"), key, value)
    {
        const json_t *kept = vget(now, key);
        if (kept != NULL && json_equal(kept, value))
            continue;
        v_invalid_go(c->errs, p, go_map_text(now),
                     "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
        return;
    }
}

/* Does `now` begin with all of `before`? */
static bool begins_with(const json_t *now, const json_t *before)
{
    for (size_t i = 0; i < json_array_size(before); i++) {
        if (!go_equal("core.v1.NodeSelectorRequirement", json_array_get(now, i), json_array_get(before, i)))
            return false;
    }
    return true;
}

static bool term_only_grew(const json_t *now, const json_t *before)
{
    static const char *const members[] = {"matchExpressions", "matchFields"};
    size_t had = 0, has = 0;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        had += json_array_size(vget(before, members[i]));
        has += json_array_size(vget(now, members[i]));
        if (!begins_with(vget(now, members[i]), vget(before, members[i])))
            return false;
    }
    return had > 0 || has == 0; /* an empty term matches nothing; a requirement would widen it */
}

static void affinity_check(const struct change *c, const struct vpath *p)
{
    static const char type[] = "core.v1.NodeSelectorTerm";
    const json_t *now = required_terms(vget(c->obj, "spec")), *before = required_terms(vget(c->old, "spec"));
    const struct vpath *required = FIELD(p, "requiredDuringSchedulingIgnoredDuringExecution");
    const struct vpath *terms = FIELD(required, "nodeSelectorTerms");
    size_t n = json_array_size(before);
    if (n > 0 && json_array_size(now) != n) {
        v_invalid_go(c->errs, terms, go_list_text(type, now),
                     "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!term_only_grew(json_array_get(now, i), json_array_get(before, i)))
            v_invalid_go(c->errs, ITEM(terms, i), go_struct_text(type, json_array_get(now, i)),
                         "only additions are allowed (no mutations or deletions)");
    }
}

void pod_gated_changes_check(const struct change *c, const struct vpath *spec_path)
{
    selector_check(c, FIELD(spec_path, "nodeSelector"));
    affinity_check(c, FIELD(FIELD(spec_path, "affinity"), "nodeAffinity"));
}

void pod_gated_restore(json_t *spec, const json_t *before)
{
    const json_t *old = vget(before, "affinity");
    vrestore(spec, before, "nodeSelector");
    if (old == NULL &&
        json_object_size(vget(spec, "affinity")) == (vhas(vget(spec, "affinity"), "nodeAffinity") ? 1 : 0)) {
        json_object_del(spec, "affinity");
        return;
    }
    json_t *affinity = vhas(spec, "affinity") ? json_copy(vget(spec, "affinity")) : json_object();
    vrestore(affinity, old, "nodeAffinity");
    json_object_set_new(spec, "affinity", affinity);
}
