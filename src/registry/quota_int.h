/* quota_int.h - what objects use of a namespace's quotas, and how a quota keeps count.
 *
 * usage (quota_usage.c) is a pure function of an object; charging and recounting (quota.c) hold quota_mu. */
#ifndef STOWAGE_REGISTRY_QUOTA_INT_H
#define STOWAGE_REGISTRY_QUOTA_INT_H

#include "registry/registry_int.h"

#include "api/quantity.h"

/* Amounts by resource name: "pods", "requests.storage", "gold.storageclass.storage.k8s.io/requests.storage". */
struct amounts {
    struct amount {
        char *name; /* owned */
        struct quantity q;
    } * items;
    size_t len, cap;
};
#define _auto_amounts_ __attribute__((cleanup(amounts_release)))
void amounts_release(struct amounts *a);
void amounts_add(struct amounts *a, const char *name, const struct quantity *q);
const struct quantity *amounts_get(const struct amounts *a, const char *name); /* NULL if absent */
void amounts_sort(struct amounts *a);                                          /* by name */

/* -- quota_usage.c -- */
/* Adds all that `obj` uses, in every name it is known by. A pod that ended, or whose grace is over, is only counted as
 * an object. */
void usage_add(const struct resource *res, const json_t *obj, int64_t now_ns, struct amounts *out);
/* Requests or limits of a whole pod: containers, init containers, overhead. `list` is "requests" or "limits". */
void pod_resources_add(const json_t *pod, const char *list, struct amounts *out);
/* Do the quota's scopes take this object? Only pods have any. */
bool quota_scopes_take(const json_t *quota, const struct resource *res, const json_t *obj);
/* The buckets whose objects may use `name`: fills out with at most `max`, returns how many; 0 for a name nobody uses.
 */
size_t usage_sources(const char *name, const struct resource **out, size_t max);

/* -- quota.c -- */
/* Checks what the op is about to commit against all quotas, and charges it. Holds quota_mu until op_end() if there are
 * any. Fails the op when one is exceeded. */
int quota_charge(struct op *op, const json_t *obj, const json_t *old);
/* At the end of an op that charged: what was not committed is given back. */
void quota_settle(struct op *op);

#endif
