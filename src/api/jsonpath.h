/* jsonpath.h - kubectl's JSONPath templates: {.items[*].metadata.name}, {range .items[*]}…{end}, filters, slices,
 * unions.
 *
 * Source: k8s.io/client-go util/jsonpath and the Kubernetes page on JSONPath support. THREADS: pure. */
#ifndef STOWAGE_API_JSONPATH_H
#define STOWAGE_API_JSONPATH_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Appends what the template gives for the tree. missing_ok: a member that is not there gives nothing, as `kubectl get`
 * has it, not an error ("x is not found"). Errors: BAD_REQUEST. */
int jsonpath_print(const char *template_text, const json_t *root, bool missing_ok, struct buf *out, struct err *e);

/* What one path gives: ".spec.nodeName", "{.spec.nodeName}" or "spec.nodeName". Returns new array (its members are
 * borrowed values, referenced). */
int jsonpath_find(const char *path, const json_t *root, bool missing_ok, json_t **out_array, struct err *e);

#endif
