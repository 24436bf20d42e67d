/* meta_int.h - object metadata: what the server sets, clears and keeps, whatever the kind. */
#ifndef STOWAGE_REGISTRY_META_INT_H
#define STOWAGE_REGISTRY_META_INT_H

#include "registry/registry_int.h"

/* The metadata object; made if absent. Borrows. */
json_t *meta_of(json_t *obj);
const char *meta_name(const json_t *obj);      /* "" if absent */
const char *meta_namespace(const json_t *obj); /* "" if absent */
bool meta_deleting(const json_t *obj);
bool meta_has_finalizers(const json_t *obj);

/* The request's namespace and the object's must agree; an empty one is filled. 400 else. */
int meta_check_namespace(struct op *op, json_t *obj);
/* The object's name, if given, must be the URL's. 400 else. */
int meta_check_name(struct op *op, const json_t *obj);

/* uid, creationTimestamp; clears what only the server sets. */
void meta_fill_new(struct op *op, json_t *obj);
/* base cut to 58 characters + 5 random ones. */
void meta_generate_name(json_t *obj);
/* Before an update: what the client may leave out, and what it cannot change. */
void meta_before_update(json_t *obj, const json_t *live);
/* Ready to be frozen: members in the schema's order, with room for resourceVersion. `res` is of the form stored. */
void meta_seal(const struct resource *res, json_t *obj);

void meta_finalizer_add(json_t *obj, const char *finalizer);
void meta_finalizer_remove(json_t *obj, const char *finalizer);
/* Copies member `key` of `from` to `to` (shared, not to be edited after), or removes it. */
void member_copy(json_t *to, const json_t *from, const char *key);
/* Equal, where an absent member and an empty one are the same. */
bool member_equal(const json_t *a, const json_t *b, const char *key);

#endif
