/* mutate_int.h - private to lab: near-misses that are made in the cluster. */
#ifndef STOWAGE_LAB_MUTATE_INT_H
#define STOWAGE_LAB_MUTATE_INT_H

#include "lab/mutate.h"

/* Whose identity matters: what lies on a volume, what a process has in memory. */
bool live_applies(const json_t *object);
/* Deletes it and makes it again, with what needs it. *out_done false: it is not there. */
int live_recreate(struct lab_env *env, const json_t *object, bool *out_done, struct err *e);

#endif
