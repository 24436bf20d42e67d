/* cache_int.h - the cluster as the scheduler knows it: nodes with what runs on them, kept by what watches bring.
 * Private to scheduler.
 *
 * A pod that was just bound is counted before the watch tells so, as is one that was given a node and waits for its
 * volumes ("assumed"). Every change of a node gives it a new generation, which memos compare: an
 * attempt costs what changed since the last one, not what there is. */
#ifndef STOWAGE_SCHEDULER_CACHE_INT_H
#define STOWAGE_SCHEDULER_CACHE_INT_H

#include "api/selector.h"
#include "base/str.h"
#include "control/objects.h"

#define HOST_KEY "kubernetes.io/hostname"
#define ZONE_KEY "topology.kubernetes.io/zone"

/* -- podinfo.c: what a pod asks, read once -- */
struct extended {
    const char *name; /* borrowed from the object */
    int64_t amount;
};
struct room {
    int64_t cpu, memory, storage; /* milli, bytes, bytes */
    struct extended *more;        /* owned */
    size_t more_len;
};
struct host_port {
    const char *ip, *protocol;
    int64_t port;
};
/* One term of pod (anti-)affinity. */
struct pod_term {
    struct label_selector *selector, *spaces; /* owned; spaces: of namespaces, or NULL */
    const json_t *names;                      /* of namespaces; NULL: none are named */
    const char *key;
    int64_t weight; /* preferred ones; against: negative */
};
struct pod_terms {
    struct pod_term *items; /* owned */
    size_t len;
};
struct pod_info {
    unsigned refs;
    struct sobj *o; /* owned reference */
    const json_t *pod, *labels;
    const char *ns, *name;
    struct room ask;
    int64_t some_cpu, some_memory; /* as `ask`, with what scoring assumes of containers that ask nothing */
    int64_t priority;
    bool picky;              /* has a node selector or required node affinity */
    struct host_port *ports; /* owned */
    size_t ports_len;
    struct pod_terms near, apart, prefer; /* required affinity, required anti-affinity, preferred of both */
};
struct pod_info *pod_info_new(struct sobj *pod);
struct pod_info *pod_info_ref(struct pod_info *p);
void pod_info_unref(struct pod_info *p);
/* The labelSelector of a term or spread constraint, with the pod's own values for its matchLabelKeys and
 * mismatchLabelKeys. Returns new, NULL without one. */
json_t *selector_with_keys(const json_t *term, const json_t *labels);
/* What the node's allocatable says of the resource in the same units. */
int64_t resource_amount(const char *resource, const char *quantity);
int64_t room_extended(const struct room *a, const char *name);
void room_release(struct room *a);
/* Returns new. */
struct extended *room_more_copy(const struct room *a);

/* -- nodes.c -- */
/* A list of taints that some nodes share; what an attempt found out about it is kept for its other nodes. */
struct taint_set {
    char *text;
    json_t *taints;
    uint64_t serial;     /* the attempt that asked */
    const json_t *first; /* the first it does not tolerate, or NULL */
    int64_t disliked;    /* PreferNoSchedule not tolerated */
    struct taint_set *next;
};
struct node_image {
    uint64_t name; /* hash */
    int64_t bytes;
};
struct node_pods {
    struct pod_info **items; /* owned references */
    const json_t **trees;    /* items[i]->pod */
    size_t len, cap;
};
struct node_info {
    char *name;     /* owned */
    struct sobj *o; /* owned reference; NULL: only pods are known */
    const json_t *node, *labels;
    struct node_pods pods; /* on it, still holding their resources */
    uint64_t generation;
    const char *host, *zone; /* labels; zone: interned */
    size_t at;               /* in the cache's array */
    uint64_t labelled;       /* generation of the node object itself */
    uint64_t peopled;        /* generation of what selectors may ask of its pods: who, labels, whether they go */
    bool cordoned;
    struct taint_set *taints; /* NULL: none */
    struct room room, used;   /* allocatable, requested */
    int64_t max_pods;
    int64_t some_cpu, some_memory; /* requested, with what scoring assumes */
    struct node_image *images;     /* owned */
    size_t images_len;
    size_t with_terms, with_apart; /* pods that have terms at all; required anti-affinity */
};
void node_info_add(struct node_info *n, struct pod_info *p);
bool node_info_remove(struct node_info *n, const char *ns, const char *name);
/* The pod on it, or NULL. */
const struct pod_info *node_info_pod(const struct node_info *n, const char *ns, const char *name);
/* A copy to imagine with; shares the pods. Returns new: node_info_free(). */
struct node_info *node_info_copy(const struct node_info *n);
void node_info_free(struct node_info *n);

/* -- cache.c -- */
/* Lists that are read as they are; loaded anew before an attempt that needs them when something in them changed. */
struct world {
    struct objlist claims, volumes, classes, csi_nodes, csi_drivers, capacities, attachments, namespaces;
};
/* A waiting pod that has been promised a node. */
struct nominee {
    struct pod_info *pod; /* owned reference */
    char *node;           /* owned */
};
struct matches;
struct suits;
struct cache {
    struct registry *registry;  /* borrowed */
    struct node_info **nodes;   /* owned; by name */
    size_t len, cap, present;   /* present: those that have a node */
    uint64_t generation, shape; /* shape: grows when nodes come or go */
    uint64_t serial;            /* of attempts */
    size_t begin;               /* where the next attempt looks first */
    size_t with_terms, with_apart;
    struct nominee *nominees; /* owned */
    size_t nominees_len;
    struct taint_set *taint_sets; /* owned */
    struct strlist zones;         /* names that nodes share */
    struct world world;
    bool storage_stale, attachments_stale, namespaces_stale;
    struct matches *memos; /* owned */
    struct suits *suits;   /* owned */
};
void cache_init(struct cache *c, struct registry *r);
void cache_release(struct cache *c);
/* Reads everything: for who asks once, without watches. */
void cache_load(struct cache *c);
/* The object as it is now, or was when it went (`gone`). */
void cache_node(struct cache *c, struct sobj *node, bool gone);
void cache_pod(struct cache *c, struct sobj *pod, bool gone);
void cache_assume(struct cache *c, struct pod_info *p, const char *node);
void cache_forget(struct cache *c, const char *ns, const char *name, const char *node);
void cache_nominate(struct cache *c, struct pod_info *p, const char *node /* NULL: no more */);
struct node_info *cache_find(const struct cache *c, const char *name);
void cache_read_storage(struct cache *c);
void cache_read_namespaces(struct cache *c);
const json_t *world_find(const struct objlist *l, const char *ns, const char *name);
/* A pod on any node that uses the claim, or NULL. `as` stands for the node of its name, as it may be imagined. */
const json_t *cache_claim_user(const struct cache *c, const json_t *claim, const struct node_info *as);
/* -- matches.c: how many pods of `ns` on each node a selector means, not counting those that are going -- */
/* `key` names the selector. The row is good until the cache changes. */
struct matches *matches_row(struct cache *c, const char *ns, const char *key);
int64_t matches_count(struct matches *m, const struct cache *c, size_t node, const struct label_selector *s);
void matches_free(struct matches *m);

/* -- suits.c: which nodes a node selector and required node affinity allow -- */
struct suits *suits_row(struct cache *c, const json_t *pod);
bool suits_node(struct suits *s, const struct node_info *n, const json_t *pod);
void suits_free(struct suits *s);

#endif
