/* policy.c - disruption budgets.
 *
 * THREADS: pure functions. Source: pkg/apis/policy/validation. */
#include "api/validate/kinds_int.h"

#define SPEC   FIELD(NULL, "spec")
#define STATUS FIELD(NULL, "status")

static void bound_check(const struct change *c, const json_t *spec, const char *member)
{
    const json_t *bound = vget(spec, member);
    if (bound == NULL)
        return;
    v_int_or_percent(c->errs, FIELD(SPEC, member), bound);
    v_percent_max(c->errs, FIELD(SPEC, member), bound);
}

static void spec_check(const struct change *c)
{
    static const char *const policies[] = {"AlwaysAllow", "IfHealthyBudget", NULL};
    const json_t *spec = vget(c->obj, "spec");
    if (vhas(spec, "minAvailable") && vhas(spec, "maxUnavailable"))
        v_invalid_go(c->errs, SPEC, go_struct_text("policy.v1.PodDisruptionBudgetSpec", spec),
                     "minAvailable and maxUnavailable cannot be both set");
    bound_check(c, spec, "minAvailable");
    bound_check(c, spec, "maxUnavailable");
    v_label_selector(c->errs, FIELD(SPEC, "selector"), vget(spec, "selector"));
    v_choice_opt(c->errs, SPEC, spec, "unhealthyPodEvictionPolicy", policies);
}

void budget_create(const struct change *c)
{
    spec_check(c);
}

void budget_update(const struct change *c)
{
    static const char *const counts[] = {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"};
    if (strcmp(c->sub, "status") != 0) {
        spec_check(c);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        v_nonnegative_field(c->errs, STATUS, vget(c->obj, "status"), counts[i]);
}
