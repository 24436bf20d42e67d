/* validate.h - rules beyond the schema, one function a kind, worded exactly as Kubernetes pkg/apis/<group>/validation.
 *
 * How to add a kind's rules: a file in validate/ with the two functions, and a row in the table of validate/validate.c.
 */
#ifndef STOWAGE_API_VALIDATE_H
#define STOWAGE_API_VALIDATE_H

#include "api/resource.h"
#include "api/status.h"
#include "base/str.h"

/* A decoded and defaulted object about to be created. */
void validate_create(const struct resource *r, const json_t *obj, struct field_errors *errs);
/* obj is the new state, old what is stored. `sub` is "" for the main resource, or "status", … */
void validate_update(const struct resource *r, const char *sub, const json_t *obj, const json_t *old,
                     struct field_errors *errs);
/* Warnings a valid object earns ("metadata.name: this is used in the Pod's hostname…"). old is NULL on create. */
void validate_warnings(const struct resource *r, const json_t *obj, const json_t *old, struct strlist *warnings);

/* Shared by kinds and by admission; each returns NULL if fine, else the detail text (static or in `scratch`). */
const char *check_dns1123_label(const char *s);
const char *check_dns1123_subdomain(const char *s);
const char *check_dns1035_label(const char *s);
const char *check_qualified_name(const char *s);
const char *check_label_value(const char *s);
const char *check_config_key(const char *s);

#endif
