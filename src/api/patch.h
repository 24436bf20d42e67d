/* patch.h - JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386), strategic merge, server-side apply, field ownership.
 * All return new trees and leave their inputs alone. Error texts and codes are the real server's. */
#ifndef STOWAGE_API_PATCH_H
#define STOWAGE_API_PATCH_H

#include "api/resource.h"
#include "api/schema.h"
#include "base/err.h"

#include <jansson.h>

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

int patch_json(const json_t *doc, const json_t *ops, json_t **out, struct err *e);
int patch_merge(const json_t *doc, const json_t *patch, json_t **out, struct err *e);
int patch_strategic(const struct schema_type *t, const json_t *doc, const json_t *patch, json_t **out, struct err *e);

/* -- metadata.managedFields -- */
struct manage_ctx {
    const struct resource *res;
    const char *manager;     /* fieldManager, else the User-Agent up to '/' */
    const char *subresource; /* "" or "status" */
    const char *now;         /* metav1.Time text */
};
/* After a create or update: `obj` (new) gets its managedFields recomputed from what changed against `old` (NULL on
 * create). */
void managed_update(const struct manage_ctx *ctx, const json_t *old, json_t *obj);
/* Server-side apply of `applied`, as the client sent it, onto live (NULL: create). On conflict: CONFLICT and
 * *out_status the full Status. *out has its managedFields and still has to be decoded and defaulted (emptied containers
 * are null in it). */
int managed_apply(const struct manage_ctx *ctx, const json_t *live, const json_t *applied, bool force, json_t **out,
                  json_t **out_status, struct err *e);

#endif
