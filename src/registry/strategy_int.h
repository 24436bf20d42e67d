/* strategy_int.h - what a kind does differently on its way through the door: one row a bucket.
 *
 * Every member may be absent; an absent hook means "nothing special". `old` is what is stored and frozen.
 * Source: Kubernetes pkg/registry/<group>/<kind>/strategy.go.
 *
 * How to add a kind: only if it needs something of this; its hooks in strategy/<kind>.c, its row in strategy.c. */
#ifndef STOWAGE_REGISTRY_STRATEGY_INT_H
#define STOWAGE_REGISTRY_STRATEGY_INT_H

#include "registry/registry_int.h"

struct strategy {
    const char *bucket;
    const char *key_prefix;   /* in etcd, as conflict texts show it; NULL = the plural */
    bool returns_object;      /* DELETE answers the object, not a Status */
    bool no_garbage;          /* owner policies do not apply (events) */
    bool orphans;             /* DELETE without a policy leaves the dependents (jobs, replication controllers) */
    bool status_split;        /* main writes keep the stored status, writes to /status keep the stored rest */
    bool status_keeps_meta;   /* /status changes no labels, annotations, owners, finalizers either */
    bool status_keeps_labels; /* /status changes no labels */

    void (*convert)(json_t *obj); /* after decoding: what the round trip through the internal type does */
    void (*prepare_create)(struct op *op, json_t *obj);
    void (*prepare_update)(struct op *op, json_t *obj, const json_t *old);
    void (*prepare_status)(struct op *op, json_t *obj, const json_t *old);
    /* Does this update raise metadata.generation? NULL: spec differs, for resources whose row says `generation`. */
    bool (*bumps)(const json_t *obj, const json_t *old);
    /* Cluster-wide resources a write takes (addresses, ports); fails the op. old is NULL on create. */
    int (*allocate)(struct op *op, json_t *obj, const json_t *old);
    /* Graceful deletion: seconds, 0 at once; NULL = the kind knows none. asked < 0: nothing asked. */
    int64_t (*grace)(const json_t *obj, int64_t asked);
    /* A condition of its own for "no finalizers left: gone" (namespaces). */
    bool (*may_go)(const json_t *obj);
};

/* Never NULL. */
const struct strategy *strategy_of(const struct resource *res);
/* /registry/<prefix>/[ns/]name */
char *strategy_key(const struct strategy *st, const struct resource *res, const char *ns, const char *name);

/* -- hooks, by file -- */
void pod_prepare_create(struct op *op, json_t *obj);
void pod_prepare_update(struct op *op, json_t *obj, const json_t *old);
void pod_prepare_status(struct op *op, json_t *obj, const json_t *old);
void pod_convert(json_t *obj);
int64_t pod_grace(const json_t *obj, int64_t asked);

void claim_prepare_create(struct op *op, json_t *obj);
void claim_prepare_update(struct op *op, json_t *obj, const json_t *old);
void volume_prepare_create(struct op *op, json_t *obj);
void volume_prepare_status(struct op *op, json_t *obj, const json_t *old);
void attachment_prepare_create(struct op *op, json_t *obj);
void snapshot_prepare_create(struct op *op, json_t *obj);
bool driver_bumps(const json_t *obj, const json_t *old);

void namespace_prepare_create(struct op *op, json_t *obj);
void namespace_prepare_update(struct op *op, json_t *obj, const json_t *old);
bool namespace_may_go(const json_t *obj);
void node_convert(json_t *obj);

void service_prepare_create(struct op *op, json_t *obj);
void service_prepare_update(struct op *op, json_t *obj, const json_t *old);
void ingress_prepare_create(struct op *op, json_t *obj);
int service_allocate(struct op *op, json_t *obj, const json_t *old);

void deployment_prepare_create(struct op *op, json_t *obj);
bool deployment_bumps(const json_t *obj, const json_t *old);
void replicaset_prepare_create(struct op *op, json_t *obj);
void autoscaler_prepare_create(struct op *op, json_t *obj);
void budget_prepare_create(struct op *op, json_t *obj);
void statefulset_convert(json_t *obj);
void statefulset_prepare_create(struct op *op, json_t *obj);
void statefulset_prepare_update(struct op *op, json_t *obj, const json_t *old);
void daemonset_prepare_create(struct op *op, json_t *obj);
void daemonset_prepare_update(struct op *op, json_t *obj, const json_t *old);
bool daemonset_bumps(const json_t *obj, const json_t *old);
void job_prepare_create(struct op *op, json_t *obj);
void job_prepare_update(struct op *op, json_t *obj, const json_t *old);
void cronjob_prepare_create(struct op *op, json_t *obj);
void quota_prepare_create(struct op *op, json_t *obj);
void limitrange_prepare_create(struct op *op, json_t *obj);
bool slice_bumps(const json_t *obj, const json_t *old);

void secret_convert(json_t *obj);
void account_prepare_create(struct op *op, json_t *obj);
void account_prepare_update(struct op *op, json_t *obj, const json_t *old);

#endif
