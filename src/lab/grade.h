/* grade.h - one submission, played in a cluster and judged.
 *
 * The lab is played from its first step to its last as a student would meet it: set-up and faults of a step, then what
 * the submission has for it, then its checks. What the submission gets wrong is noted and costs what the checks say, no
 * more. THREADS: as env.h. */
#ifndef STOWAGE_LAB_GRADE_H
#define STOWAGE_LAB_GRADE_H

#include "lab/env.h"
#include "lab/plan.h"

struct script_end {
    const char *cut; /* why it was ended before its end; NULL: it was not */
    int64_t ms;      /* what it took of the submission's time */
};
struct grade_opts {
    int64_t timeout_ms; /* of all that the submission does */
    /* Runs one of its scripts, where it can do no harm. Returns its exit code, -1 with `e` when it could not be run;
     * `says` gets the last of what it wrote. May be NULL: scripts are not run. */
    int (*script)(void *self, const char *text, int64_t timeout_ms, struct script_end *out, struct buf *says,
                  struct err *e);
    void *self;
};
/* A report as check.h has it; its steps have "notes" (may be absent): what of the submission went wrong there,
 * [{"file", "says"}]. Returns new, or NULL with `e` when it is not the submission's fault. */
json_t *grade_submission(struct lab_env *env, const struct plan *plan, const struct grade_opts *o, struct err *e);
/* A report without points, for what could not be played; `why` is its "refused". Returns new. */
json_t *grade_refused(const struct lab *lab, const char *why);
/* A cluster that exists: only its checks, nothing is set up or played. Checks that nobody can make there fail. Returns
 * new, or NULL. */
json_t *grade_cluster(struct lab_env *env, const struct plan *plan, struct err *e);

#endif
