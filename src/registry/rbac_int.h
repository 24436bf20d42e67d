/* rbac_int.h - what the files of rbac/ share, and admission of roles. */
#ifndef STOWAGE_REGISTRY_RBAC_INT_H
#define STOWAGE_REGISTRY_RBAC_INT_H

#include "registry/rbac.h"
#include "registry/registry_int.h"

bool list_has(const json_t *list, const char *s);
bool resource_matches(const json_t *resources, const char *resource, const char *sub);
bool path_matches(const char *pattern, const char *path);
/* The role that a binding of this namespace names; NULL if there is none. Returns a new reference. */
struct sobj *role_of(struct snapshot *snap, const json_t *ref, const char *ns);
/* What rbac_each_rule() missed, as the authorizer says it: one by itself, more between brackets. */
void rbac_missing_text(struct buf *out, const struct strlist *missing);

#endif
