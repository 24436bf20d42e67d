/* rbac.h - may somebody do something? Roles and bindings as the authorizer reads them.
 *
 * Source: plugin/pkg/auth/authorizer/rbac, pkg/registry/rbac/validation. THREADS: any. */
#ifndef STOWAGE_REGISTRY_RBAC_H
#define STOWAGE_REGISTRY_RBAC_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct registry;
struct strlist;

struct who {
    const char *name;
    const char *const *groups; /* NULL-terminated, or NULL */
};

struct access {
    const char *verb;
    bool is_resource;
    const char *group, *resource, *sub, *ns, *name; /* resources; "" where there is none */
    const char *path;                               /* everything else */
};

/* A member of system:masters? He may do everything, whatever roles there are. */
bool rbac_is_master(const struct who *w);
/* May he? `out_why` (or NULL) gets the reason that an access review tells: the binding that allows it, or the roles
 * that were not found; "" when there is nothing to tell. */
bool rbac_allows(struct registry *r, const struct who *w, const struct access *a, struct buf *out_why);

/* What made a rule somebody's. */
struct rbac_grant {
    const json_t *binding, *subject, *rule; /* borrowed */
};
/* Visits the rules that are his in this namespace ("": only those for the whole cluster); non-zero from `visit` ends it
 * and is returned. `missing` (or NULL) gets the names of roles that bindings name and that are not there, as
 * "role" or "clusterrole", a blank, the name. */
int rbac_each_rule(struct registry *r, const struct who *w, const char *ns,
                   int (*visit)(const struct rbac_grant *g, void *arg), void *arg, struct strlist *missing);

/* The rules that a role with an aggregationRule shall have: those of the roles it selects, by name, each once.
 * Returns new. */
json_t *rbac_gather(struct registry *r, const json_t *cluster_role);

/* Makes the roles and bindings every cluster has, those that are not there. */
int rbac_bootstrap(struct registry *r, struct err *e);

#endif
