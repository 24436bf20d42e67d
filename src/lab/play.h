/* play.h - actions: what sets a lab up, breaks it, and solves it. */
#ifndef STOWAGE_LAB_PLAY_H
#define STOWAGE_LAB_PLAY_H

#include "lab/env.h"

/* In order; the first that fails ends it. `action` (may be NULL) gives what is done instead of an action, new, or NULL:
 * nothing. `edit` (may be NULL) sees each object before it is sent and may change it; one that it empties is not sent.
 */
struct play_opts {
    json_t *(*action)(void *arg, const json_t *action);
    void (*edit)(void *arg, json_t *object);
    void *arg;
};
int play_actions(struct lab_env *env, const json_t *actions, const struct play_opts *opts, struct err *e);
/* What the cluster needs before the first step: disks, objects, the lab's own set-up. */
int play_cluster(struct lab_env *env, struct err *e);
/* One object, as `kubectl apply --server-side` has it. */
int play_object(struct lab_env *env, const json_t *object, const char *ns, struct err *e);

#endif
