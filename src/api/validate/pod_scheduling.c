/* pod_scheduling.c - where a pod may run: affinity, tolerations, spreading over a topology.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation. */
#include "api/validate/pod_int.h"

#define REQUIRED_TERMS  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED_TERMS "preferredDuringSchedulingIgnoredDuringExecution"

/* -- affinity -- */

static void weight_check(struct field_errors *errs, const struct vpath *p, const json_t *term)
{
    int64_t weight = vint(term, "weight");
    if (weight <= 0 || weight > 100)
        v_invalid_int(errs, FIELD(p, "weight"), weight, "must be in the range 1-100");
}

static void node_affinity_check(struct field_errors *errs, const struct vpath *p, const json_t *affinity)
{
    const struct vpath *preferred = FIELD(p, PREFERRED_TERMS);
    size_t i;
    json_t *term;
    if (vhas(affinity, REQUIRED_TERMS))
        v_node_selector(errs, FIELD(p, REQUIRED_TERMS), vget(affinity, REQUIRED_TERMS), false);
    json_array_foreach(vget(affinity, PREFERRED_TERMS), i, term)
    {
        const struct vpath *at = ITEM(preferred, i);
        weight_check(errs, at, term);
        v_node_selector_term(errs, FIELD(at, "preference"), vget(term, "preference"), true);
    }
}

static void pod_term_check(struct field_errors *errs, const struct vpath *p, const json_t *term)
{
    const json_t *namespaces = vget(term, "namespaces");
    v_label_selector(errs, FIELD(p, "labelSelector"), vget(term, "labelSelector"));
    v_label_selector(errs, FIELD(p, "namespaceSelector"), vget(term, "namespaceSelector"));
    for (size_t i = 0; i < json_array_size(namespaces); i++)
        v_name(errs, FIELD(p, "namespace"), vitem(namespaces, i), rule_label);
    if (vstr(term, "topologyKey")[0] == '\0')
        v_required(errs, FIELD(p, "topologyKey"), "can not be empty");
    v_name(errs, FIELD(p, "topologyKey"), vstr(term, "topologyKey"), rule_qualified);
}

static void pod_affinity_check(struct field_errors *errs, const struct vpath *p, const json_t *affinity)
{
    const struct vpath *required = FIELD(p, REQUIRED_TERMS), *preferred = FIELD(p, PREFERRED_TERMS);
    size_t i;
    json_t *term;
    json_array_foreach(vget(affinity, REQUIRED_TERMS), i, term) pod_term_check(errs, ITEM(required, i), term);
    json_array_foreach(vget(affinity, PREFERRED_TERMS), i, term)
    {
        const struct vpath *at = ITEM(preferred, i);
        weight_check(errs, at, term);
        pod_term_check(errs, FIELD(at, "podAffinityTerm"), vget(term, "podAffinityTerm"));
    }
}

void v_affinity(struct field_errors *errs, const struct vpath *p, const json_t *affinity)
{
    if (vhas(affinity, "nodeAffinity"))
        node_affinity_check(errs, FIELD(p, "nodeAffinity"), vget(affinity, "nodeAffinity"));
    pod_affinity_check(errs, FIELD(p, "podAffinity"), vget(affinity, "podAffinity"));
    pod_affinity_check(errs, FIELD(p, "podAntiAffinity"), vget(affinity, "podAntiAffinity"));
}

/* -- taints and tolerations -- */

void v_taint_effect(struct field_errors *errs, const struct vpath *p, const char *effect, bool allow_empty)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    if (!(allow_empty && effect[0] == '\0'))
        v_choice(errs, p, effect, effects);
}

static void toleration_check(struct field_errors *errs, const struct vpath *p, const json_t *toleration)
{
    static const char *const operators[] = {"Equal", "Exists", NULL};
    const char *key = vstr(toleration, "key"), *op = vstr(toleration, "operator"), *value = vstr(toleration, "value");
    const char *effect = vstr(toleration, "effect");
    const struct vpath *op_at = FIELD(p, "operator");
    if (key[0] != '\0')
        v_name(errs, FIELD(p, "key"), key, rule_qualified);
    else if (strcmp(op, "Exists") != 0)
        v_invalid(errs, op_at, op,
                  "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (vhas(toleration, "tolerationSeconds") && strcmp(effect, "NoExecute") != 0)
        v_invalid(errs, FIELD(p, "effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (op[0] == '\0' || strcmp(op, "Equal") == 0) {
        _auto_free_ char *why = name_complaints(value, rule_label_value);
        if (why != NULL)
            v_invalid(errs, op_at, value, why);
    } else if (strcmp(op, "Exists") == 0) {
        if (value[0] != '\0')
            v_invalid(errs, op_at, value, "value must be empty when `operator` is 'Exists'");
    } else {
        v_unsupported(errs, op_at, op, operators);
    }
    v_taint_effect(errs, FIELD(p, "effect"), effect, true);
}

void v_tolerations(struct field_errors *errs, const struct vpath *p, const json_t *tolerations)
{
    size_t i;
    json_t *toleration;
    json_array_foreach(tolerations, i, toleration) toleration_check(errs, ITEM(p, i), toleration);
}

/* -- spreading -- */

static void min_domains_check(struct field_errors *errs, const struct vpath *p, const json_t *constraint)
{
    const char *action = vstr(constraint, "whenUnsatisfiable");
    const struct vpath *at = FIELD(p, "minDomains");
    int64_t domains = vint(constraint, "minDomains");
    if (!vhas(constraint, "minDomains"))
        return;
    if (domains <= 0)
        v_invalid_int(errs, at, domains, "must be greater than zero");
    if (strcmp(action, "DoNotSchedule") != 0) {
        _auto_free_ char *detail =
            xasprintf("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %s", action);
        v_invalid_int(errs, at, domains, detail);
    }
}

/* A later constraint of the same topology and action repeats this one. */
static void repeat_check(struct field_errors *errs, const struct vpath *p, const json_t *list, size_t i)
{
    const json_t *one = json_array_get(list, i);
    for (size_t j = i + 1; j < json_array_size(list); j++) {
        const json_t *other = json_array_get(list, j);
        if (strcmp(vstr(one, "topologyKey"), vstr(other, "topologyKey")) != 0 ||
            strcmp(vstr(one, "whenUnsatisfiable"), vstr(other, "whenUnsatisfiable")) != 0)
            continue;
        _auto_free_ char *text = xasprintf("{%s, %s}", vstr(one, "topologyKey"), vstr(one, "whenUnsatisfiable"));
        v_duplicate(errs, FIELD(p, "{topologyKey, whenUnsatisfiable}"), text);
        return;
    }
}

void v_topology_spread(struct field_errors *errs, const struct vpath *p, const json_t *constraints)
{
    static const char *const actions[] = {"DoNotSchedule", "ScheduleAnyway", NULL};
    static const char *const policies[] = {"Honor", "Ignore", NULL};
    size_t i;
    json_t *c;
    json_array_foreach(constraints, i, c)
    {
        const struct vpath *at = ITEM(p, i);
        if (vint(c, "maxSkew") <= 0)
            v_invalid_int(errs, FIELD(at, "maxSkew"), vint(c, "maxSkew"), "must be greater than zero");
        if (vstr(c, "topologyKey")[0] == '\0')
            v_required(errs, FIELD(at, "topologyKey"), "can not be empty");
        if (!one_of(vstr(c, "whenUnsatisfiable"), actions))
            v_unsupported(errs, FIELD(at, "whenUnsatisfiable"), vstr(c, "whenUnsatisfiable"), actions);
        repeat_check(errs, at, constraints, i);
        min_domains_check(errs, at, c);
        v_choice_opt(errs, at, c, "nodeAffinityPolicy", policies);
        v_choice_opt(errs, at, c, "nodeTaintsPolicy", policies);
        v_label_selector(errs, FIELD(at, "labelSelector"), vget(c, "labelSelector"));
    }
}
