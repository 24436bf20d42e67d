/* budget.c - the condition DisruptionAllowed of a PodDisruptionBudget; see budget.h. THREADS: pure functions. */
#include "registry/budget.h"

#include "base/json.h"
#include "base/str.h"

#define CONDITION "DisruptionAllowed"

/* The condition in the list, made if there is none. Borrows. */
static json_t *condition_in(json_t *status)
{
    json_t *list = jmake_arr(status, "conditions"), *c;
    size_t i;
    json_array_foreach(list, i, c)
    {
        if (str_eq(jstr(c, "type"), CONDITION))
            return c;
    }
    c = json_pack("{ss}", "type", CONDITION);
    json_array_append_new(list, c);
    return c;
}

void budget_condition(json_t *status, const char *state, const char *reason, const char *message, const char *now)
{
    json_t *c = condition_in(status);
    if (!str_eq(jstr(c, "status"), state))
        jset_str(c, "lastTransitionTime", now);
    jset_str(c, "status", state);
    jset_int(c, "observedGeneration", jint(status, "observedGeneration", 0));
    jset_str(c, "reason", reason);
    jset_str(c, "message", message);
}

void budget_tell_allowed(json_t *status, const char *now)
{
    if (jint(status, "disruptionsAllowed", 0) > 0)
        budget_condition(status, "True", "SufficientPods", "", now);
    else
        budget_condition(status, "False", "InsufficientPods", "", now);
}
