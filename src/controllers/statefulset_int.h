/* statefulset_int.h - one round over one StatefulSet, shared by the statefulset_*.c files. */
#ifndef STOWAGE_CONTROLLERS_STATEFULSET_INT_H
#define STOWAGE_CONTROLLERS_STATEFULSET_INT_H

#include "controllers/revisions_int.h"

#define LABEL_POD_NAME  "statefulset.kubernetes.io/pod-name"
#define LABEL_POD_INDEX "apps.kubernetes.io/pod-index"

struct stateful {
    struct loop *l;
    const json_t *set;
    const char *current, *update; /* names of revisions; borrowed from `revisions` */
    struct revisions revisions;
    struct objlist pods;  /* its pods as listed at the start of the round */
    const json_t **slots; /* those of them that are wanted, by ordinal - start; NULL: not there */
    int64_t start, count; /* of ordinals */
    int64_t min_ready, now_ns;
    bool parallel;
};

/* -- statefulset_pods.c: pods with an identity, and the claims that go with it -- */
/* The number at the end of a pod's name, or -1 when the pod is none of this set's. */
int64_t pod_ordinal(const json_t *set, const json_t *pod);
bool ordinal_wanted(const struct stateful *s, int64_t ordinal);
/* Makes the claims that are missing, then the pod, with their events. 1: a claim of an earlier pod must go first. */
int stateful_pod_make(struct stateful *s, int64_t ordinal, struct err *e);
int stateful_pod_remove(struct stateful *s, const json_t *pod, struct err *e);
int stateful_claims_make(struct stateful *s, const json_t *pod, struct err *e);
/* The pod's labels and its claims' owners are as they should be; writes what is not. */
int stateful_pod_keep(struct stateful *s, const json_t *pod, struct err *e);
int stateful_claims_own(struct stateful *s, const json_t *pod, struct err *e);

#endif
