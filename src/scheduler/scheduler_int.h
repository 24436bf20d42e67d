/* scheduler_int.h - one scheduling attempt, shared by the files of this folder. */
#ifndef STOWAGE_SCHEDULER_SCHEDULER_INT_H
#define STOWAGE_SCHEDULER_SCHEDULER_INT_H

#include "control/control.h"
#include "control/objects.h"
#include "volume/volume.h"

#define WHO "kube-scheduler"

/* -- world.c: the cluster at the moment of the attempt -- */
struct node_info {
    const json_t *node;
    struct objlist pods; /* on it, still holding their resources */
    int64_t cpu, memory; /* requested: milli, bytes; with the defaults that scoring assumes */
};
struct world {
    struct objlist nodes, pods, claims, volumes, classes, csi_nodes, csi_drivers, capacities, namespaces;
    struct node_info *info; /* one a node; owned */
};
void world_load(struct world *w, struct registry *r);
void world_release(struct world *w);
const json_t *world_find(const struct objlist *l, const char *ns, const char *name);
/* What the pod asks of a resource: milli-units of cpu, whole units of anything else. */
int64_t pod_request(const json_t *pod, const char *resource);

/* -- the attempt -- */
#define MAX_CLAIMS 64
struct pod_claim {
    const json_t *claim;
    const json_t *volume; /* bound to it, or NULL */
    const json_t *sc;     /* class, or NULL */
    bool bound;
};
struct attempt {
    struct loop *l;
    const json_t *pod;
    struct world world;
    struct pod_claim claims[MAX_CLAIMS]; /* unbound ones by size, smallest first */
    size_t claim_count;
};

/* Why a node does not do. `final`: sending other pods away would not help. */
struct verdict {
    struct strlist reasons;
    bool final;
};
void refuse(struct verdict *v, bool final, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

typedef void (*filter_fn)(const struct attempt *a, const struct node_info *n, struct verdict *v);

/* -- filters, in the order they are asked (filter.c) -- */
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
/* scheduler.c: asks them in order until one refuses. `also`: goes on, and adds what the others would have said. */
void filter_node(const struct attempt *a, const struct node_info *n, struct verdict *v, struct strlist *also);

/* -- volumes.c -- */
/* Reads the pod's claims. 0, or 1 with the text why no node can do (borrowed from `text`). */
int claims_load(struct attempt *a, char *text, size_t size);
/* Tells the binder and the provisioners about the chosen node. *out_ready: every claim is bound, the pod may go. */
int claims_reserve(struct attempt *a, const json_t *node, bool *out_ready, struct err *e);

/* -- score.c -- */
/* The best of the nodes that passed (flags by index), -1 if none did. */
int pick_best(const struct attempt *a, const bool *fits);

/* -- report.c -- */
/* "0/2 nodes are available: 1 …, 1 …. preemption: …" from one verdict a node. Returns new. */
char *fit_error(const struct verdict *verdicts, size_t nodes);
/* The same when no node was looked at. */
char *fit_error_for_all(const char *why, size_t nodes);
int report_failure(struct attempt *a, const char *message, struct err *e);
void report_scheduled(struct attempt *a, const char *node);

#endif
