/* settle.h - will anything still change in a cluster of ours? So a check that has not passed need not wait in vain.
 *
 * Settled is a cluster whose control loops have nothing to do, in which no version was written for a while (but for the
 * nodes' heartbeats): a short one for what only the API tells; a longer one for what runs in pods; and a long one while
 * some pod is on its way: starting, ending, not ready, waiting to be started again, or running to an end of its own.
 * A while is longer on a machine that many want to use (sys/crowd.h). THREADS: as env.h. */
#ifndef STOWAGE_CLI_SETTLE_H
#define STOWAGE_CLI_SETTLE_H

#include "lab/env.h"

struct settle {
    struct lab_env *env; /* borrowed; its host is ours */
    int64_t revision, objects;
    int64_t asked_ms, rested_ms;
};
/* The env asks it from here on. `s` must not move. */
void settle_watch(struct settle *s, struct lab_env *env);

#endif
