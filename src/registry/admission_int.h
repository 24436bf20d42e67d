/* admission_int.h - admission: rules about more than one object, between decoding and storing.
 *
 * A plug-in is a file in admission/ with two functions and a row in admission.c; rows run in order. mutate() may edit
 * a->obj; validate() may not. Each returns 0, or -1 with the op failed.
 * Source: apiserver admission chain and plugin/pkg/admission. */
#ifndef STOWAGE_REGISTRY_ADMISSION_INT_H
#define STOWAGE_REGISTRY_ADMISSION_INT_H

#include "registry/registry_int.h"

enum admit_verb { ADMIT_CREATE = 1, ADMIT_UPDATE = 2, ADMIT_DELETE = 4 };
struct admit {
    enum admit_verb verb;
    const char *sub;
    json_t *obj;       /* NULL for ADMIT_DELETE */
    const json_t *old; /* NULL for ADMIT_CREATE */
};
int admission_mutate(struct op *op, struct admit *a);
int admission_validate(struct op *op, struct admit *a);

int admit_namespace(struct op *op, struct admit *a);
int admit_service_account(struct op *op, struct admit *a);
int admit_pod_security(struct op *op, struct admit *a);
int admit_node_taint(struct op *op, struct admit *a);
int admit_priority(struct op *op, struct admit *a);
int admit_priority_class(struct op *op, struct admit *a);
int admit_tolerations(struct op *op, struct admit *a);
int admit_default_class(struct op *op, struct admit *a);
int admit_ingress_class(struct op *op, struct admit *a);
int admit_protection(struct op *op, struct admit *a);
int admit_runtime_class(struct op *op, struct admit *a);
int admit_definition(struct op *op, struct admit *a); /* definitions.c */
int admit_claim_resize(struct op *op, struct admit *a);
int admit_limit_defaults(struct op *op, struct admit *a);
int admit_limits(struct op *op, struct admit *a);
int admit_quota(struct op *op, struct admit *a);
int admit_role(struct op *op, struct admit *a);
int admit_role_binding(struct op *op, struct admit *a);

#endif
