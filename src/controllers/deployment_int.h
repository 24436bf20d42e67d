/* deployment_int.h - one round over one Deployment, shared by the three deployment_*.c files. */
#ifndef STOWAGE_CONTROLLERS_DEPLOYMENT_INT_H
#define STOWAGE_CONTROLLERS_DEPLOYMENT_INT_H

#include "controllers/controllers_int.h"

#define HASH_LABEL   "pod-template-hash"
#define ANN_REVISION "deployment.kubernetes.io/revision"
#define ANN_HISTORY  "deployment.kubernetes.io/revision-history"
#define ANN_DESIRED  "deployment.kubernetes.io/desired-replicas"
#define ANN_MAX      "deployment.kubernetes.io/max-replicas"

struct rollout {
    struct loop *l;
    struct sobj *obj;           /* the Deployment as last read or written; owned */
    const json_t *d;            /* obj->tree */
    struct objlist sets;        /* its ReplicaSets, oldest first, as last read or written */
    int new_at;                 /* the set of the current template, or -1 */
    int64_t replicas;           /* spec.replicas */
    int64_t surge, unavailable; /* resolved against replicas */
    bool rolling;               /* RollingUpdate, not Recreate */
};

/* -- deployment_sets.c -- */
int64_t rs_size(const json_t *rs); /* spec.replicas */
int64_t sets_size(const struct rollout *r);
const json_t *new_set(const struct rollout *r);
bool is_new(const struct rollout *r, size_t i);
/* Finds the set of the current template (makes it if `create`), keeps its revision and annotations right. */
int sync_new_set(struct rollout *r, bool create, struct err *e);
/* Sets the size (and the two size annotations) of set i, with its event. 1 if the size changed. */
int scale_set(struct rollout *r, size_t i, int64_t size, struct err *e);
/* How large the new set may be now. */
int64_t new_set_size(const struct rollout *r, int64_t now);
/* Deletes old empty sets beyond spec.revisionHistoryLimit. */
int drop_old_sets(struct rollout *r, struct err *e);

/* -- deployment_status.c -- */
json_t *condition_new(const char *type, bool truth, const char *reason, const char *now, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Edits status.conditions: takes `cond`; same status and reason leave the old one alone. */
void condition_put(json_t *obj, json_t *take_cond);
/* Writes an edited copy (taken) through the status subresource and makes it the rollout's current object. */
int put_deployment_status(struct rollout *r, json_t *take_next, struct err *e);
/* Counts, Available and Progressing. */
int sync_rollout_status(struct rollout *r, struct err *e);
/* Counts and Available only (paused, scaling, being deleted). */
int sync_status(struct rollout *r, struct err *e);
/* The Progressing condition says whether the rollout is paused. */
int sync_paused_condition(struct rollout *r, struct err *e);
bool rollout_complete(const struct rollout *r, const json_t *status);

#endif
