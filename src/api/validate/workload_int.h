/* workload_int.h - what the rules of all workloads share: selectors, templates, amounts that may be percentages. */
#ifndef STOWAGE_API_VALIDATE_WORKLOAD_INT_H
#define STOWAGE_API_VALIDATE_WORKLOAD_INT_H

#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

#define SPEC   FIELD(NULL, "spec")
#define STATUS FIELD(NULL, "status")

/* Whether a workload's selector matches its template is judged by each kind in its own words and order. */
struct label_selector;
/* A selector that is there, is well formed, and not empty ("empty selector is invalid for <kind>"). Returns the parsed
 * selector (new), or NULL when it is broken. */
struct label_selector *workload_selector(const struct change *c, const json_t *spec, const char *kind);
/* spec.template: its labels match, unless the selector is {}. */
void workload_labels_match(const struct change *c, const json_t *spec, const struct label_selector *selector);
/* spec.template: pods restart always and have no deadline. `kind` is the name in the message. */
void workload_always_restarts(const struct change *c, const json_t *spec, const char *kind);
void workload_selector_immutable(const struct change *c, const char *spec_type);

/* A whole number or a percentage: not negative; its value; not above 100%. */
void v_int_or_percent(struct field_errors *errs, const struct vpath *p, const json_t *v);
bool int_or_percent_is_zero(const json_t *v);
void v_percent_max(struct field_errors *errs, const struct vpath *p, const json_t *v);

/* Counts of a status are not negative. */
void status_nonnegative(const struct change *c, const char *const *counts);
/* No count of `within` is above status.<of>; "cannot be greater than <what>". */
void status_within(const struct change *c, const char *const *within, const char *of, const char *what);
void status_collisions(const struct change *c);

/* The status of a replica set or replication controller. */
void replica_counts_check(const struct change *c);

#endif
