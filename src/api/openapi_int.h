/* openapi_int.h - private to api: the parts the OpenAPI documents are made of. */
#ifndef STOWAGE_API_OPENAPI_INT_H
#define STOWAGE_API_OPENAPI_INT_H

#include "api/resource.h"
#include "api/schema.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

enum dialect { OPENAPI_V2, OPENAPI_V3 };

#define OPENAPI_TITLE   "Kubernetes"
#define OPENAPI_VERSION "v1.32.13"

/* -- openapi_schema.c -- */

/* Adds the definition of `t` and of everything it reaches to `defs` (name -> definition). */
void openapi_define(json_t *defs, const struct schema_type *t, enum dialect d);
/* A small definition that no struct stands for: "io.k8s.apimachinery.pkg.apis.meta.v1.Patch", … */
void openapi_define_leaf(json_t *defs, const char *name, enum dialect d);
/* {"$ref": …} to a definition. Returns new. */
json_t *openapi_ref(const char *name, enum dialect d);
/* {"group": …, "kind": …, "version": …}. Returns new. */
json_t *openapi_gvk(const char *group, const char *version, const char *kind);

/* -- openapi_paths.c -- */

/* Adds the paths of a resource and its subresources to `paths`, and what they refer to to `defs`. */
void openapi_paths_add(json_t *paths, json_t *defs, const struct resource *r, enum dialect d);

/* -- openapi_proto.c -- */

/* A v2 document as gnostic's protobuf message openapi.v2.Document, appended. */
void openapi_proto_write(struct buf *out, const json_t *v2);

#endif
