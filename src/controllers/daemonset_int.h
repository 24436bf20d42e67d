/* daemonset_int.h - one round over one DaemonSet, shared by the daemonset_*.c files. */
#ifndef STOWAGE_CONTROLLERS_DAEMONSET_INT_H
#define STOWAGE_CONTROLLERS_DAEMONSET_INT_H

#include "controllers/revisions_int.h"

#define LABEL_GENERATION "pod-template-generation"
#define ANN_GENERATION   "deprecated.daemonset.template.generation"

struct daemons {
    struct loop *l;
    const json_t *set;
    struct revisions revisions;
    const char *hash;           /* of the newest template; borrowed from revisions */
    struct objlist nodes, pods; /* pods stand by the name of their node */
    json_t *sample;             /* a pod as it would be made now, for no node yet; owned */
    int64_t min_ready, now_ns;
    bool changed; /* a pod was made or deleted in this round */
};

/* -- daemonset_pods.c: where pods belong, and what they look like -- */
/* Should a pod of this set be on the node; may one that is there stay? */
bool daemon_fits(const struct daemons *d, const json_t *node, bool *out_may_stay);
/* A pod of the template, with its labels and tolerations. Returns new. */
json_t *daemon_sample(const struct daemons *d);
/* Sorts d->pods. */
void daemons_sort(struct daemons *d);
/* The pods of a node: d->pods.trees[*out_first … *out_first + n - 1]. Returns n. */
size_t daemons_on(const struct daemons *d, const char *node, size_t *out_first);
/* The node a pod is on, or made for; "" if none. */
const char *daemon_node(const json_t *pod);
bool daemon_is_new(const struct daemons *d, const json_t *pod);
bool daemon_available(const struct daemons *d, const json_t *pod);
int daemon_make(struct daemons *d, const char *node, struct err *e);
int daemon_remove(struct daemons *d, const json_t *pod, struct err *e);

#endif
