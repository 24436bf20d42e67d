/* runner.h - a whole lab, played from its first step to its last and judged step by step. */
#ifndef STOWAGE_LAB_RUNNER_H
#define STOWAGE_LAB_RUNNER_H

#include "lab/play.h"

struct run_opts {
    bool solve; /* play each step's solution before its checks */
    /* Plays something else in each step instead of its solution, whatever came before; may be NULL. */
    void (*play)(void *arg, const json_t *step);
    const struct play_opts *solution; /* how its objects are changed; may be NULL */
    bool first_failure;               /* end with the first check that costs a point: its step is the report's last */
    bool unprepared;                  /* a step behind the first is judged also if it can not be prepared */
    /* After each step's solution, before its checks; may be NULL. */
    int (*solved)(void *arg, struct lab_env *env, const json_t *step, struct err *e);
    /* Told before each step and after each check; may be NULL. */
    void (*on_step)(void *arg, const json_t *step);
    void (*on_check)(void *arg, const json_t *row);
    void *arg;
};
/* The cluster is prepared first. Returns the report (check.h), NULL with `e`. A solution that fails ends the step: told
 * in the report as one check more that failed, the others are made all the same. */
json_t *lab_run(struct lab_env *env, const struct run_opts *opts, struct err *e);
/* Steps before its first is: set-up and faults. */
int lab_begin_step(struct lab_env *env, const json_t *step, struct err *e);
/* What of the lab can not be done in this cluster, a line each. */
void lab_obstacles(const struct lab_env *env, struct strlist *out);

#endif
