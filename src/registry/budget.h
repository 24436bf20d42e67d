/* budget.h - what the door (evictions) and the disruption controller both say about a PodDisruptionBudget.
 * Source: pkg/apis/policy helpers, component-helpers/apps/poddisruptionbudget. */
#ifndef STOWAGE_REGISTRY_BUDGET_H
#define STOWAGE_REGISTRY_BUDGET_H

#include <jansson.h>

/* Writes one condition of `status` (edited), stamped with status.observedGeneration. The time of the last transition
 * moves only when `state` ("True", "False") changes. */
void budget_condition(json_t *status, const char *state, const char *reason, const char *message, const char *now);
/* The condition DisruptionAllowed after what status.disruptionsAllowed says. */
void budget_tell_allowed(json_t *status, const char *now);

#endif
