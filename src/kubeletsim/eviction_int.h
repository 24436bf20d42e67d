/* eviction_int.h - what a node does when it runs low: signals and thresholds, whom it evicts, in which words. Private
 * to kubeletsim.
 *
 * How to add a signal: a row in signals[] (eviction_rules.c), and its observation. */
#ifndef STOWAGE_KUBELETSIM_EVICTION_INT_H
#define STOWAGE_KUBELETSIM_EVICTION_INT_H

#include "kubeletsim/stats_int.h"

enum pressure { PRESSURE_MEMORY, PRESSURE_DISK, PRESSURE_MAX };
enum signal_kind {
    SIGNAL_MEMORY,
    SIGNAL_NODEFS,
    SIGNAL_NODEFS_INODES,
    SIGNAL_IMAGEFS,
    SIGNAL_IMAGEFS_INODES,
    SIGNAL_KINDS
};
struct signal_def {
    const char *name;     /* "nodefs.available" */
    const char *resource; /* "ephemeral-storage", as events name it */
    enum pressure pressure;
    int percent;   /* the hard threshold, of the capacity; or */
    int64_t bytes; /* absolute */
};
extern const struct signal_def signals[SIGNAL_KINDS];

struct observation {
    int64_t available, capacity; /* capacity 0: not measured */
};
/* -- eviction_rules.c: pure -- */
void signals_observe(const struct node_stats *s, int64_t memory_capacity, struct observation out[SIGNAL_KINDS]);
int64_t signal_threshold(enum signal_kind kind, const struct observation *o);
bool signal_met(enum signal_kind kind, const struct observation *o);
/* The pods of a measurement, the first to be evicted first. Returns a new array of `s->pod_count` indexes into
 * s->pods; `specs` are their objects, in the order of s->pods. */
size_t *eviction_rank(const struct node_stats *s, const json_t *const *specs, enum signal_kind kind);
/* Why a pod is evicted: for what the node lacks, with the same in annotations for the event; for a limit of its own
 * (NULL: it keeps all its limits). Return new. */
char *eviction_message(const struct pod_stats *p, const json_t *spec, enum signal_kind kind,
                       const struct observation *o, json_t *annotations);
char *eviction_limit_message(const struct pod_stats *p, const json_t *spec);
bool pod_is_critical(const json_t *pod);

/* -- eviction.c -- */
struct eviction; /* of a node */
void eviction_free(struct eviction *ev);
/* The last measurement, or NULL; k->mu is held. */
const struct node_stats *node_stats_locked(const struct node_run *n);
bool node_has_pressure(const struct node_run *n, enum pressure pressure);
/* May the node take this pod now? If not, *out_message is new ("The node had condition: [DiskPressure]. "). */
bool eviction_admits(const struct node_run *n, const json_t *pod, char **out_message);
extern const struct loop_def eviction_loop_def;

/* -- evict.c: one pod -- */
/* annotations: of the event, if it is for its node's sake; NULL: for its own. */
void pod_evict(struct pod_run *p, const char *message, const json_t *annotations);
void pod_reject(struct pod_run *p, const char *reason, const char *message);

/* -- image_gc.c -- */
struct image_gc { /* of a node */
    int64_t next; /* mono ms */
    bool failed;  /* the last time */
};
struct image_gc_result {
    bool due; /* to be set before */
    int64_t wanted, freed;
};
bool image_gc_due(struct kubelet *k, struct image_gc *state);
void images_in_use(struct kubelet *k, struct strlist *out); /* names and ids */
/* Worker. `all`: whatever is not used goes. What imagefs looks like afterwards is in `s`. */
void image_gc_run(struct kubelet *k, const char *node, struct node_stats *s, struct strlist *used, bool all,
                  struct image_gc_result *r);
void image_gc_tell(struct kubelet *k, const struct node_run *n, struct image_gc *state,
                   const struct image_gc_result *r);

#endif
