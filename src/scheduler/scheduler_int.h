/* scheduler_int.h - one scheduling attempt, shared by the files of this folder.
 *
 * How to add a filter: a filter_fn, and a row in plugins.c, which says when it has nothing to say and what may change
 * its mind. How to add a score: a row in score.c. */
#ifndef STOWAGE_SCHEDULER_SCHEDULER_INT_H
#define STOWAGE_SCHEDULER_SCHEDULER_INT_H

#include "control/control.h"
#include "control/objects.h"
#include "scheduler/cache_int.h"
#include "scheduler/domains_int.h"
#include "volume/volume.h"

#define WHO "kube-scheduler"

/* -- the attempt -- */
#define MAX_CLAIMS      64
#define MAX_CONSTRAINTS 16
struct pod_claim {
    const json_t *claim;
    const json_t *volume; /* bound to it, or NULL */
    const json_t *sc;     /* class, or NULL */
    bool bound;
};

/* filter_pod.c: how many pods stand in which domain for (or against) the newcomer. */
struct affinity_state {
    struct domains wanted, unwanted; /* pods that its required terms mean */
    struct domains refused;          /* domains where a pod stands whose anti-affinity means it */
};

/* filter_spread.c: one constraint of the pod, its domains counted. */
struct constraint {
    const json_t *json;              /* or NULL: one of the defaults */
    const char *key;                 /* of the topology */
    struct label_selector *selector; /* owned */
    struct matches *memo;            /* of the cache */
    int64_t max_skew, min_domains;
    bool hard, honor_affinity, honor_taints, by_host, by_zone, counts_itself;
    struct domains counts;
    int64_t least; /* of the counts */
};
struct spread_state {
    struct constraint hard[MAX_CONSTRAINTS], soft[MAX_CONSTRAINTS];
    size_t hard_len, soft_len;
    bool by_default; /* the soft ones are the cluster's, not the pod's */
};

struct attempt {
    struct loop *l; /* NULL when only asking */
    const json_t *pod;
    struct pod_info *me;                 /* what the pod asks; owned reference */
    struct world world;                  /* borrowed from the cache */
    struct cache *cache;                 /* borrowed */
    struct pod_claim claims[MAX_CLAIMS]; /* unbound ones by size, smallest first */
    size_t claim_count;
    uint32_t silent;      /* filters that have nothing to say about this pod, by row */
    uint32_t refused;     /* filters that refused a node */
    uint64_t serial;      /* of this attempt, for memos */
    struct suits *suits;  /* of the cache: nodes that its node affinity allows; NULL: all */
    struct strlist *only; /* nodes that its affinity names; owned. NULL: all */
    struct affinity_state affinity;
    struct spread_state spread;
};

/* Why a node does not do. `final`: sending other pods away would not help. */
struct verdict {
    struct strlist reasons;
    bool final;
    bool outside; /* not looked at: the pod names other nodes */
    unsigned by;  /* row of the filter */
};
void verdicts_free(struct verdict *v, size_t n);
void refuse(struct verdict *v, bool final, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* -- attempt.c -- */
void attempt_begin(struct attempt *a, struct loop *l, struct cache *c, struct sobj *pod);
void attempt_end(struct attempt *a);
/* What must be known before nodes are asked. 0, or 1 with why no node can do in `text`. */
int attempt_prepare(struct attempt *a, char *text, size_t size);
/* Asks the nodes, until enough of them fit, and returns the index of the best; or -1, with one verdict a node in
 * *out_verdicts (new: verdicts_free()). */
int attempt_find(struct attempt *a, struct verdict **out_verdicts);
/* Asks the filters in order until one refuses. `also`: goes on, and adds what the others would have said. */
void filter_node(const struct attempt *a, const struct node_info *n, struct verdict *v, struct strlist *also);
/* As filter_node(), with the pods that were promised the node counted as there. */
void filter_node_promised(struct attempt *a, const struct node_info *n, struct verdict *v);
/* A pod comes to, or leaves, a node in this attempt's imagination. */
void attempt_imagine(struct attempt *a, struct node_info *n, struct pod_info *p, int by);

/* -- plugins.c: the filters, in the order they are asked -- */
typedef void (*filter_fn)(const struct attempt *a, const struct node_info *n, struct verdict *v);
/* What happened; bits. */
enum wake {
    WAKE_NODE = 1,        /* added, or its labels, taints or room changed */
    WAKE_NODE_GONE = 2,   /* or its labels changed: domains differ */
    WAKE_POD_CAME = 4,    /* bound, or its labels changed */
    WAKE_POD_GONE = 8,    /* or ended */
    WAKE_CLAIM = 16,      /* one of the pod's own */
    WAKE_STORAGE = 32,    /* a volume, a class, a driver's limits or room */
    WAKE_ITSELF = 64,     /* the pod was edited */
    WAKE_NAMESPACE = 128, /* labels */
};
struct plugin {
    const char *name; /* of the real one */
    filter_fn filter;
    bool (*silent)(const struct attempt *a); /* has it nothing to say about this pod? NULL: it always may */
    uint32_t wakes;                          /* enum wake */
    bool local; /* depends on the pod and the node alone: a changed node is asked before the pod is woken */
};
extern const struct plugin sched_plugins[];
extern const size_t sched_plugins_len;

void filter_unschedulable(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_taints(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_affinity(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_ports(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_resources(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_disks(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_exclusive_claims(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_volume_limits(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_volumes(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_zones(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_spread(const struct attempt *a, const struct node_info *n, struct verdict *v);
void filter_pod_affinity(const struct attempt *a, const struct node_info *n, struct verdict *v);

/* -- filter_node.c -- */
bool affinity_allows(const struct attempt *a, const struct node_info *n);
bool taints_allow(const struct attempt *a, const struct node_info *n);
/* Taints of PreferNoSchedule that it does not tolerate. */
int64_t taints_disliked(const struct attempt *a, const struct node_info *n);
/* The nodes that its required affinity names by metadata.name, or NULL: any. Returns new (strlist). *out_conflict: it
 * names none that could be. */
struct strlist *affinity_names(const json_t *pod, bool *out_conflict);

/* -- filter_pod.c -- */
void affinity_prepare(struct attempt *a);
void affinity_count(struct attempt *a, const struct node_info *n, const struct pod_info *p, int by);
void affinity_release(struct affinity_state *s);
/* Does the term (of `owner`) mean the pod? */
bool term_means(const struct attempt *a, const struct pod_term *t, const struct pod_info *owner,
                const struct pod_info *p);

/* -- filter_spread.c -- */
void spread_prepare(struct attempt *a);
/* The cluster's own soft constraints, for a pod that has none. */
void spread_defaults(struct attempt *a);
void spread_count(struct attempt *a, const struct node_info *n, const struct pod_info *p, int by);
void spread_release(struct spread_state *s);
/* The node's domain, or NULL. */
const char *spread_domain(const struct constraint *c, const struct node_info *n);
/* Does the node count for the constraint at all? */
bool spread_includes(const struct attempt *a, const struct constraint *c, const struct node_info *n);

/* -- volumes.c -- */
/* Reads the pod's claims. 0, or 1 with the text why no node can do (borrowed from `text`). */
int claims_load(struct attempt *a, char *text, size_t size);
/* Tells the binder and the provisioners about the chosen node. *out_ready: every claim is bound, the pod may go. */
int claims_reserve(struct attempt *a, const json_t *node, bool *out_ready, struct err *e);
/* Of a pod that was given a node: how far its claims are. FAILED: why, in `text`. */
enum claims_state { CLAIMS_WAIT, CLAIMS_READY, CLAIMS_FAILED };
enum claims_state claims_bound(const struct attempt *a, const json_t *node, char *text, size_t size);

/* -- score.c, score_pod.c -- */
/* The nodes that passed, by their places in the cache's array, in the order in which they were asked. */
struct fitting {
    size_t *at; /* owned */
    size_t len;
};
/* The place of the best of them (ties go to the first), -1 if none passed. */
int pick_best(struct attempt *a, const struct fitting *f);
/* Fills a number from 0 to 100 for each node that passed. False: all would be the same. */
typedef bool (*score_fn)(struct attempt *a, const struct fitting *f, int64_t *out);
bool score_spread(struct attempt *a, const struct fitting *f, int64_t *out);
bool score_pod_affinity(struct attempt *a, const struct fitting *f, int64_t *out);

/* -- preempt.c -- */
/* Which pods of less priority would have to go, and from where. */
struct preemption {
    const char *node;          /* borrowed from the cache; NULL: none would help */
    struct pod_info **victims; /* owned references */
    size_t len;
    int violations; /* of disruption budgets */
    bool keep;      /* what was promised to the pod stands */
    char *text;     /* owned: "preemption: …" as the FitError ends, NULL when there is a node */
};
/* Verdicts: NULL when no node was looked at. */
void preempt_plan(struct attempt *a, const struct verdict *verdicts, struct preemption *out);
/* Sends them away. */
int preempt_act(struct attempt *a, const struct preemption *p, struct err *e);
void preemption_release(struct preemption *p);

/* -- report.c -- */
/* The FailedScheduling text. `refused`: why no node was looked at, else one verdict a node. Returns new. */
char *fit_error(const struct attempt *a, const char *refused, const struct verdict *verdicts,
                const struct preemption *p);
/* "0/2 nodes are available: 2 x." from texts, one a node. Returns new. */
char *nodes_text(size_t nodes, const struct strlist *texts);
/* reason: of the condition, "Unschedulable" or "SchedulerError". nominated: the node promised; "" takes a promise back,
 * NULL leaves it. */
int report_failure(struct attempt *a, const char *reason, const char *message, const char *nominated, struct err *e);
void report_scheduled(struct loop *l, const json_t *pod, const char *node);
void report_preempted(struct attempt *a, const json_t *victim, const char *node);

#endif
