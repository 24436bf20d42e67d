/* status.h - metav1.Status objects and field errors, worded as apimachinery's api/errors and util/validation/field. */
#ifndef STOWAGE_API_STATUS_H
#define STOWAGE_API_STATUS_H

#include "api/resource.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

/* -- field errors, as field.ErrorList -- */
enum field_err {
    FE_REQUIRED,
    FE_INVALID,
    FE_NOT_SUPPORTED,
    FE_FORBIDDEN,
    FE_DUPLICATE,
    FE_NOT_FOUND,
    FE_TOO_LONG,
    FE_TOO_MANY,
    FE_TYPE_INVALID,
    FE_INTERNAL,
};
struct field_error {
    enum field_err type;
    char *field;   /* owned: "spec.containers[0].name" */
    char *message; /* owned: the part after "field: " */
};
struct field_errors {
    struct field_error *items;
    size_t len, cap;
};
#define _auto_field_errors_ __attribute__((cleanup(field_errors_release)))
void field_errors_release(struct field_errors *l);
/* Generic: value_text is already formatted as Go would (see go_value_write) or NULL. */
void fe_add(struct field_errors *l, enum field_err type, const char *field, const char *value_text, const char *detail);
void fe_required(struct field_errors *l, const char *field, const char *detail); /* detail "" for none */
void fe_invalid_str(struct field_errors *l, const char *field, const char *value,
                    const char *detail); /* value is %q-quoted */
void fe_invalid_int(struct field_errors *l, const char *field, long long value, const char *detail);
void fe_invalid_json(struct field_errors *l, const char *field, const json_t *value,
                     const char *detail); /* Go %#v-like */
/* The value as Go's %#v shows it, for fe_add(): strings quoted, map[string]string{"a":"b"}, []string{"x"}, null. */
void go_value_write(struct buf *out, const json_t *v);
/* The value as Go's %v shows it: map[a:1 b:[x y]]. */
void go_plain_write(struct buf *out, const json_t *v);
void fe_not_supported(struct field_errors *l, const char *field, const char *value,
                      const char *const *valid /* NULL-terminated; sorted by caller */);
void fe_forbidden(struct field_errors *l, const char *field, const char *detail);
void fe_duplicate(struct field_errors *l, const char *field, const char *value);
void fe_not_found(struct field_errors *l, const char *field, const char *value);
void fe_too_long(struct field_errors *l, const char *field, int max);
void fe_too_many(struct field_errors *l, const char *field, int got, int max);

/* -- Status bodies; all return new -- */
json_t *status_failure(enum err_code code, const char *message,
                       json_t *take_details /* may be NULL: then no details member */);
/* From an err: reason and code by its row; details {} or with name/group/kind where the resource is given and the real
 * server gives them. ERR_INTERNAL: "Internal error occurred: why" is an InternalError, other texts get no reason (plain
 * Go errors). */
json_t *status_from_err(const struct err *e, const struct resource *r, const char *name);
json_t *status_not_found(const struct resource *r, const char *name);
json_t *status_already_exists(const struct resource *r, const char *name);
json_t *status_conflict(const struct resource *r, const char *name,
                        const char *why); /* "Operation cannot be fulfilled on …" */
json_t *status_invalid(const char *group, const char *kind, const char *name, const struct field_errors *errs);
json_t *status_forbidden(const struct resource *r, const char *name, const char *why);
/* {"kind":"Status",…,"status":"Success","details":{…}} as DELETE gives for kinds that do not return the object. */
json_t *status_deleted(const struct resource *r, const char *name, const char *uid);
/* Fills e from a Status (code and message). Returns -1. */
int status_to_err(const json_t *status, struct err *e);

#endif
