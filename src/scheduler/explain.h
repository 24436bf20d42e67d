/* explain.h - why a pod has no node (or would get which): the scheduler's own filters, asked without acting.
 *
 *     {"refused": text or null            before any node is looked at (a claim that is missing, unbound …)
 *      "nodes": [{"name", "fits", "chosen",
 *                 "reasons": [...]        of the filter that refuses, as the event counts them
 *                 "also": [...]}]         what later filters would have refused besides
 *      "message": what the FailedScheduling event says; or null
 *      "changes": [{"text", "command"}]    what would make a node take it} */
#ifndef STOWAGE_SCHEDULER_EXPLAIN_H
#define STOWAGE_SCHEDULER_EXPLAIN_H

#include "registry/registry.h"

/* Returns new. Any thread: it reads one snapshot after the other and keeps nothing. */
json_t *scheduler_explain(struct registry *r, const json_t *pod);

#endif
