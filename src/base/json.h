/* json.h - reading and editing jansson trees by dotted path.
 *
 * Paths are "spec.claimRef.name"; a key that itself has dots (labels, annotations) is reached with json_get(obj,key).
 * Readers never fail: a missing or wrongly typed member gives NULL, 0, or the default. Trees from the store are frozen:
 * only the read functions may be used on them; json_clone() first. */
#ifndef STOWAGE_BASE_JSON_H
#define STOWAGE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* -- reading; all borrow -- */
json_t *jat(const json_t *obj, const char *path);      /* NULL if absent */
const char *jstr(const json_t *obj, const char *path); /* NULL if absent or no string */
const char *jstr_or(const json_t *obj, const char *path, const char *dflt);
int64_t jint(const json_t *obj, const char *path, int64_t dflt);
bool jbool(const json_t *obj, const char *path, bool dflt);
/* The string value of member `key` of the object at `path` (for labels and annotations), or NULL. */
const char *jmap(const json_t *obj, const char *path, const char *key);
/* Does the array at `path` have this string? */
bool jarr_has(const json_t *obj, const char *path, const char *s);

/* The first object of the array at `path` whose `member` is this string, or NULL. */
json_t *jfind(const json_t *obj, const char *path, const char *member, const char *s);

/* -- editing; values are taken, missing parents are made -- */
void jset(json_t *obj, const char *path, json_t *take_value);
void jset_str(json_t *obj, const char *path, const char *s);
void jset_int(json_t *obj, const char *path, int64_t v);
void jset_bool(json_t *obj, const char *path, bool v);
void jset_map(json_t *obj, const char *path, const char *key, const char *value);
void jdel(json_t *obj, const char *path);
/* Returns the object (array) at `path`, made if absent. Borrows. */
json_t *jmake_obj(json_t *obj, const char *path);
json_t *jmake_arr(json_t *obj, const char *path);
bool jarr_add_unique(json_t *arr, const char *s);
bool jarr_remove(json_t *arr, const char *s);

/* A copy whose objects and arrays are its own; scalars are shared, as nothing changes one in place. A fraction of the
 * price of jansson's deep copy, which remembers every container on its way to find loops: trees that were decoded have
 * none. NULL gives NULL. Returns new. */
json_t *json_clone(const json_t *j);

/* json_equal() for two versions of one tree: what they share, or have in the same place, is not looked up. */
bool json_same(const json_t *a, const json_t *b);

/* The members of an object that another one has not, or has with another value, without copying them. Returns new. */
json_t *json_unlike(const json_t *obj, const json_t *other);

/* Compact JSON as Go writes it (HTML characters escaped), appended. */
struct buf;
void json_write(struct buf *out, const json_t *j);
/* Returns new text, compact. */
char *json_text(const json_t *j);

#endif
