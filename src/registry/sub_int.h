/* sub_int.h - subresources and kinds that are not stored: one verb, one file, found by a table in sub.c. */
#ifndef STOWAGE_REGISTRY_SUB_INT_H
#define STOWAGE_REGISTRY_SUB_INT_H

#include "registry/registry_int.h"

/* Each answers true when the target is not a plain object, with the result in *out_rc. */
bool sub_create(struct op *op, struct reg_body *body, int *out_rc);
bool sub_get(struct op *op, int *out_rc);
bool sub_update(struct op *op, struct reg_body *body, int *out_rc);
bool sub_patch(struct op *op, enum patch_type type, bool force, struct reg_body *body, int *out_rc);

int binding_create(struct op *op, struct reg_body *body);
int eviction_create(struct op *op, struct reg_body *body);
int token_create(struct op *op, struct reg_body *body);
int review_create(struct op *op, struct reg_body *body);

int scale_get(struct op *op);
int scale_update(struct op *op, struct reg_body *body);
int scale_patch(struct op *op, enum patch_type type, bool force, struct reg_body *body);

/* Decodes a body that is not the target's own kind ("policy.v1.Eviction"). */
int sub_decode(struct op *op, const char *type, struct reg_body *body, json_t **out_tree);
/* {"kind":"Status",…,"status":"Success","code":201} */
int sub_answer_created(struct op *op);
/* Applies a patch of the given kind to `doc` (not apply); fails the op with the patch's own texts. */
int patch_apply_body(struct op *op, enum patch_type type, const struct schema_type *schema, const json_t *doc,
                     const struct reg_body *body, json_t **out);
/* A patched document that does not decode: 422 naming the whole of it. */
int patch_fail_decode(struct op *op, const json_t *doc);

#endif
