/* rollout_state.h - how far a rollout is, and what came before: pure. */
#ifndef STOWAGE_KUBECTL_VERBS_ROLLOUT_STATE_H
#define STOWAGE_KUBECTL_VERBS_ROLLOUT_STATE_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Appends the line that `rollout status` prints of a Deployment, DaemonSet or StatefulSet. 1: done; 0: not yet; -1: it
 * will never be. revision: that must be the running one, 0: any. */
int rollout_state(const json_t *object, int64_t revision, struct buf *out, struct err *e);

/* One revision of what an object was: a ReplicaSet's or a ControllerRevision's. */
struct revision {
    int64_t number;
    const json_t *object;   /* borrowed from the list */
    const json_t *template; /* borrowed */
};
struct rollout_past {
    struct revision *items; /* owned; in order of their numbers */
    size_t len;
};
void rollout_past_release(struct rollout_past *r);
#define _auto_rollout_past_ __attribute__((cleanup(rollout_past_release)))
/* Those of `list` that the object owns. */
void rollout_past_of(const json_t *object, const json_t *list, struct rollout_past *out);
/* The one of that number; 0: the last but one. NULL: none. */
const struct revision *rollout_past_find(const struct rollout_past *r, int64_t number);
/* Two pod templates, but for the hash in their labels and what a patch says of itself. */
bool template_equal(const json_t *a, const json_t *b);
/* As `rollout history` lists them; why a revision came is an annotation. */
void rollout_past_print(const struct rollout_past *r, struct buf *out);

#endif
