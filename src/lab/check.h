/* check.h - checks: is the cluster as the lab wants it? Each judgement explains itself.
 *
 * How to add a kind of check: its fields in format.c, a function in a file check_<kind>.c, a row in check.c. */
#ifndef STOWAGE_LAB_CHECK_H
#define STOWAGE_LAB_CHECK_H

#include "lab/env.h"

struct check_result {
    bool passed;
    struct buf expected, observed; /* what a failure shows, side by side */
    struct buf look;               /* where to look */
    int64_t ms;                    /* how long it took */
};
void check_result_release(struct check_result *r);

/* Once, now. -1: it could not be judged at all (`e` says why). */
int check_once(struct lab_env *env, const json_t *check, struct check_result *out, struct err *e);
/* Until it passes or its patience is over; patience_ms -1: the check's own, of which the env
 * leaves so many percent. What cannot be judged at the deadline has
 * failed, with the reason as what was observed; -1 is only returned for what never can be here. */
int check_await(struct lab_env *env, const json_t *check, int64_t patience_ms, struct check_result *out, struct err *e);
/* NULL, or why this check can not be made in this cluster. Borrowed. */
const char *check_impossible(const struct lab_env *env, const json_t *check);

/* The checks of one step: {"name", "title", "points", "of", "checks": [{"name", "passed", "points", "of", "expected",
 * "observed", "look", "ms"}]}. told (may be NULL) sees each row. Returns new, or NULL. */
json_t *check_step(struct lab_env *env, const json_t *step, void (*told)(void *arg, const json_t *row), void *arg,
                   struct err *e);
/* Steps (borrowed) to a report: {"lab", "title", "score", "points", "of", "steps"}; score is of 100. Returns new. */
json_t *check_report(const struct lab *lab, json_t *steps);
/* Did every check pass, those that count nothing too? */
bool check_all_passed(const json_t *report);

/* Is that the answer? Case, spaces and a full stop do not matter. */
bool quiz_same(const json_t *answer, const char *given);
/* Is it a number, however it is written ("3", "3.0")? */
bool quiz_number(const char *text, double *out);

#endif
