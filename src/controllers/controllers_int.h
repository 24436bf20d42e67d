/* controllers_int.h - private to controllers: the loops behind the table, and what workload loops share. */
#ifndef STOWAGE_CONTROLLERS_CONTROLLERS_INT_H
#define STOWAGE_CONTROLLERS_CONTROLLERS_INT_H

#include "control/control.h"
#include "control/objects.h"
#include "controllers/controllers.h"

/* Field manager of everything written here, as the real one's. */
#define WHO "kube-controller-manager"

extern const struct loop_def replicaset_loop, replication_controller_loop, deployment_loop, namespace_loop,
    service_account_loop, root_ca_loop, endpoints_loop, endpointslice_loop, mirror_loop, load_balancer_loop,
    cluster_roles_loop, node_lifecycle_loop, node_monitor_loop, pod_gc_loop, disruption_loop;
extern const struct loop_def autoscaler_loop, statefulset_loop, daemonset_loop, job_loop, job_ttl_loop, cronjob_loop;
/* Watches every stored kind, so its watch list is built on first use. */
const struct loop_def *gc_loop(void);
/* Watches every kind that can be counted. */
const struct loop_def *quota_loop(void);

/* -- pods.c: pods of a template -- */
/* A pod of `owner` made from a template. Returns new. */
json_t *pod_from_template(const json_t *owner, const json_t *template_);
/* Makes that pod (taken) and says so in an event of the owner. */
int pod_make_from(struct loop *l, const json_t *owner, json_t *take_pod, struct err *e);
/* Makes one pod of spec.template for `owner` and says so in an event. */
int pod_make(struct loop *l, const json_t *owner, struct err *e);
int pod_remove(struct loop *l, const json_t *owner, const json_t *pod, struct err *e);
/* Sorts so that the pods to delete first come first. */
void pods_rank_for_deletion(struct objlist *pods);

/* -- claim.c: which objects belong to a controller -- */
/* Keeps in `list` what `owner` controls and its selector matches; adopts matching orphans, releases what no longer
 * matches. `res`: the kind of the listed objects. */
int claim_objects(struct loop *l, const json_t *owner, const struct resource *res, struct objlist *list, struct err *e);
/* Enqueues the controller of that kind that owns `obj`. */
void enqueue_controller(struct loop *l, const json_t *obj, const char *kind);

/* -- writes -- */
/* Writes status (an edited copy, taken) if it differs from `old`'s; 1 written, 0 equal. */
int write_status(struct loop *l, const struct resource *res, const json_t *old, json_t *take_new, struct err *e);
/* A count of a status that is left out when it is zero. */
void put_count(json_t *status, const char *field, int64_t n);
/* A number, or a percentage of `total`. */
int64_t int_or_percent(const json_t *v, int64_t total, bool round_up);
/* A short hash for names, in the server's safe alphabet; nothing but equality may be read into it. */
enum { HASH_LEN = 12 };
void tree_hash(const json_t *tree, int64_t collisions, char out[HASH_LEN]);

#endif
