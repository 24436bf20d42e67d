/* registry.h - the one door to objects.
 *
 * Every write, whoever makes it (kubectl, REPL, a controller, the kubelet, the grader), takes the same path:
 *
 *     bytes -> decode + schema -> default -> prepare -> validate -> admit -> store commit -> watch log -> watchers
 *
 * Functions here speak trees; the API server hands bytes to reg_*_bytes variants through `struct reg_body`. Results
 * come in a `struct reg_answer`: the HTTP status, and either the object (a shared, frozen version) or a body of its own
 * (a Status, a Scale). On failure the functions return -1, fill `e` (code and message, for loops) and put the complete
 * Status in ans->body (for clients).
 *
 * THREADS: safe from any thread. Nothing here blocks except on the journal. */
#ifndef STOWAGE_REGISTRY_REGISTRY_H
#define STOWAGE_REGISTRY_REGISTRY_H

#include "api/decode.h"
#include "api/patch.h"
#include "api/resource.h"
#include "api/selector.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

struct registry;
struct node_ops;
struct token_ops;

struct registry_conf {
    struct store *store;       /* borrows */
    const struct clock *clock; /* borrows */
    const char *service_cidr;  /* "10.96.0.0/12" */
    const char *pod_cidr;      /* "10.244.0.0/16" */
};
struct registry *registry_new(const struct registry_conf *conf);
void registry_free(struct registry *r);
struct store *registry_store(struct registry *r);
const struct clock *registry_clock(struct registry *r);
/* The kubelet and the authenticator fill these in at start-up, before any request. Borrowed. */
void registry_set_node_ops(struct registry *r, const struct node_ops *ops, void *self);
const struct node_ops *registry_node_ops(struct registry *r, void **out_self);
void registry_set_token_ops(struct registry *r, const struct token_ops *ops, void *self);

/* Who asks, and how. Zeroed + user is a valid context. */
struct reg_ctx {
    const char *user;          /* "kubernetes-admin", "system:kube-scheduler", … */
    const char *const *groups; /* NULL-terminated, or NULL */
    const char *manager;       /* field manager (already resolved from fieldManager or User-Agent) */
    bool dry_run;
    bool loop; /* one of our own control loops: trusted, field validation off, no managedFields cost if false */
    enum field_validation fields;
    struct strlist *warnings; /* collected here when not NULL */
    struct reg_later *later;  /* reg_create() may leave the journal to reg_create_end(); NULL: it waits */
};

/* A write whose object waits for the journal (store_put_begin()). The caller sets the upper half. */
struct reg_later {
    void (*told)(void *arg); /* as store_put_begin() wants it */
    void *arg;

    struct store_write *write; /* owned; set when something was left to do */
    char *name;                /* owned with it; of a create */
};

struct reg_body {
    const void *bytes; /* a request body … */
    size_t len;
    enum media media;
    json_t *tree; /* … or a tree (taken) */
};

struct reg_answer {
    int http;         /* 200, 201, 202, 404, … */
    struct sobj *obj; /* new reference, or NULL */
    json_t *body;     /* owned: Status, Scale, dry-run result …; NULL when obj says it all */
};
void reg_answer_release(struct reg_answer *a);
#define _auto_answer_ __attribute__((cleanup(reg_answer_release)))

struct reg_target {
    const struct resource *res;
    const char *ns;   /* "" for cluster scope */
    const char *name; /* "" for the collection */
    const char *sub;  /* "" or the subresource */
};

int reg_get(struct registry *r, const struct reg_target *t, struct reg_answer *ans, struct err *e);
/* With ctx->later and ctx->later->write set on return, nothing has been decided: reg_create_end() answers. */
int reg_create(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, struct reg_body *body,
               struct reg_answer *ans, struct err *e);
int reg_create_end(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, struct reg_answer *ans,
                   struct err *e);
int reg_update(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, struct reg_body *body,
               struct reg_answer *ans, struct err *e);
int reg_patch(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t, enum patch_type type,
              bool force, struct reg_body *body, struct reg_answer *ans, struct err *e);

struct reg_delete_opts {
    int64_t grace_seconds;   /* -1: the kind's default */
    const char *propagation; /* NULL, "Background", "Foreground", "Orphan" */
    const char *uid;         /* preconditions, or NULL */
    const char *resource_version;
};
#define REG_DELETE_DEFAULT ((struct reg_delete_opts){.grace_seconds = -1})
/* Parses a DeleteOptions body and/or the query (already split). */
int reg_delete(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t,
               const struct reg_delete_opts *o, struct reg_answer *ans, struct err *e);

/* What came with a DELETE: a DeleteOptions body, or the query. A body with content wins; then the query is ignored. */
struct reg_delete_query {
    const char *grace, *propagation, *orphan, *dry_run; /* texts of the query, NULL when absent */
};
/* Fills out_o and out_dry_run; texts in out_o live in *out_hold (the caller's to release, may be NULL). */
int reg_delete_options(const struct reg_body *body, const struct reg_delete_query *q, struct reg_delete_opts *out_o,
                       bool *out_dry_run, json_t **out_hold, struct reg_answer *ans, struct err *e);
/* DELETE of a collection: answers the list of the objects as they were (ans->body). Selectors may be NULL. */
int reg_delete_collection(struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t,
                          const struct label_selector *labels, const struct field_selector *fields,
                          const struct reg_delete_opts *o, struct reg_answer *ans, struct err *e);

/* A consistent list: scan it with snapshot_scan(res->bucket, ns). Kind-view conversion (events) is reg_view(). */
struct snapshot *reg_snapshot(struct registry *r);
/* The stored object as `res` shows it: returns a new reference to a tree (the stored one, or a converted copy for the
 * group that shares a bucket: events.k8s.io). Frozen either way. */
json_t *reg_view(const struct resource *res, const struct sobj *o);
/* Does reg_view() convert for this resource? If not, o->bytes may be sent as they are. */
bool reg_view_converts(const struct resource *res);

/* -- for loops: trees in, short errors out; no answers to carry about -- */
/* Returns a new reference or NULL. */
struct sobj *reg_read(struct registry *r, const struct resource *res, const char *ns, const char *name);
/* Takes the tree. out may be NULL. Manager and user are `who`. */
int reg_make(struct registry *r, const char *who, const struct resource *res, const char *ns, json_t *take_tree,
             struct sobj **out, struct err *e);
/* Changes an object in place; returns 1 to write it, 0 for no change, -1 to give up (fill e). */
typedef int (*edit_fn)(json_t *obj, void *arg, struct err *e);
/* Read-modify-write with retry on conflict: `edit` is given a private copy. sub: "" or "status". */
int reg_modify(struct registry *r, const char *who, const struct resource *res, const char *ns, const char *name,
               const char *sub, edit_fn edit, void *arg, struct err *e);
/* One of several changes that share a transaction of the journal. */
struct reg_edit {
    const struct resource *res;
    const char *ns, *name, *sub; /* borrowed */
    edit_fn edit;
    void *arg;
    /* set by reg_modify_all() */
    int rc; /* as of reg_modify() */
    struct err err;
};
/* reg_modify() for each, all of different objects; returns when all are written. -1: some failed. */
int reg_modify_all(struct registry *r, const char *who, struct reg_edit *edits, size_t n);
/* Writes `tree` (taken) if its metadata.resourceVersion is still the stored one. */
int reg_write(struct registry *r, const char *who, const struct resource *res, const char *sub, json_t *take_tree,
              struct sobj **out, struct err *e);
int reg_remove(struct registry *r, const char *who, const struct resource *res, const char *ns, const char *name,
               const struct reg_delete_opts *o, struct err *e);
/* Counts anew what a quota's namespace uses and writes its status. Gone or going: nothing to do. */
int reg_quota_recount(struct registry *r, const char *ns, const char *name, struct err *e);
/* POST pods/NAME/binding */
int reg_bind_pod(struct registry *r, const char *who, const char *ns, const char *pod, const char *node, struct err *e);

/* Makes what every cluster has: namespaces default, kube-system, kube-public, kube-node-lease (loops make the rest:
 * ServiceAccounts, kube-root-ca.crt), and the kubernetes Service and endpoints at host:port. Idempotent. */
int registry_bootstrap(struct registry *r, const char *api_host, int api_port, struct err *e);

/* One process-wide shorthand for the kinds of the house: RES.pods, RES.persistentvolumeclaims … */
struct resource_names {
    const struct resource *namespaces, *nodes, *pods, *persistentvolumes, *persistentvolumeclaims, *storageclasses,
        *volumeattachments, *volumesnapshots, *volumesnapshotcontents, *volumesnapshotclasses, *definitions,
        *csidrivers, *csinodes, *configmaps, *secrets, *services, *endpoints, *endpointslices, *events,
        *serviceaccounts, *deployments, *replicasets, *statefulsets, *daemonsets, *jobs, *cronjobs, *resourcequotas,
        *limitranges, *controllerrevisions, *leases, *poddisruptionbudgets, *ingresses, *ingressclasses,
        *networkpolicies, *priorityclasses, *autoscalers, *runtimeclasses, *replicationcontrollers, *roles,
        *clusterroles, *rolebindings, *clusterrolebindings;
};
extern struct resource_names RES; /* filled by registry_new() */

#endif
