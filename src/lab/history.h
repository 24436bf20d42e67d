/* history.h - what became of objects since a step began, not only what is there at its end.
 *
 * DESIGN: nobody watches meanwhile. A server keeps what happened for some time (ours for a lab: a day) and tells it to
 * a watch that begins in the past; so only the revision at which the step began is noted, in the folder for scripts,
 * and that lives as long as the cluster. Of objects that must stay the same the uid is noted, too, and is never
 * forgotten. THREADS: as the env's. */
#ifndef STOWAGE_LAB_HISTORY_H
#define STOWAGE_LAB_HISTORY_H

#include "lab/env.h"

/* The step begins now: what its checks will want to know is noted. */
int history_begin(struct lab_env *env, const json_t *step, struct err *e);
/* What was noted. Returns new; NOT_FOUND: no step was begun. */
json_t *history_began(const struct lab_env *env, struct err *e);
/* Of what a check calls {"of", "namespace"}; NULL: it was not there. Borrowed from `began`. */
const char *history_uid(const json_t *began, const json_t *what);

/* All that became of some objects since: [{"type": "there"|"created"|"changed"|"deleted", "rv", "object"}], oldest
 * first; "there": as they were at the beginning. what: {"of": "pod/web" or "pod", "selector", "namespace"}. enough (may
 * be NULL) sees what is known after each event, and ends the watch by true. Returns new; EXPIRED: the server has
 * forgotten. */
json_t *history_of(struct lab_env *env, const json_t *what, bool (*enough)(void *arg, const json_t *events), void *arg,
                   struct err *e);

#endif
