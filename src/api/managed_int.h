/* managed_int.h - field ownership from the inside. Private to api.
 *
 * SETS. A set of field paths is a tree of JSON objects in the very form of FieldsV1, so nothing is converted: member
 * names are "f:NAME", `k:{"name":"x"}` or `v:"x"`; a node that is empty or has the member "." is itself in the set,
 * else it only leads to deeper ones. The empty set is NULL. The root is never in a set. */
#ifndef STOWAGE_API_MANAGED_INT_H
#define STOWAGE_API_MANAGED_INT_H

#include "api/patch.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

/* -- sets (managed_set.c); all return new trees or NULL -- */
json_t *fields_leaf(void);
bool fields_is_member(const json_t *node);
json_t *fields_union(const json_t *a, const json_t *b);
json_t *fields_minus(const json_t *a, const json_t *b);
json_t *fields_common(const json_t *a, const json_t *b);
/* Do they have a path in common? */
bool fields_meet(const json_t *a, const json_t *b);
/* Hangs `take_child` (may be NULL) under *node, made if need be. */
void fields_hang(json_t **node, const char *key, json_t *take_child);
/* Marks *node, made if need be, as a member of the set. */
void fields_mark(json_t **node);
/* A member of the set to hang others under: marked first, where the mark belongs, so that there is nothing to sort. At
 * the end a branch without others (NULL is fine) becomes a leaf. */
json_t *fields_branch(void);
void fields_branch_end(json_t *branch);
/* Brings all members into the order of structured-merge-diff, in place. */
void fields_sort(json_t *node);
/* Calls `each` for every path, in order: `.spec.containers[name="a"].image`. */
void fields_each(const json_t *set, void (*each)(const char *path, void *arg), void *arg);

/* -- shapes: how ownership sees a value (managed_shape.c) -- */
enum form { FORM_LEAF, FORM_STRUCT, FORM_MAP, FORM_SET, FORM_KEYED };
struct shape {
    enum form form;
    const struct schema_type *type;   /* FORM_STRUCT */
    const struct schema_field *field; /* the field it stands in; NULL for whole objects */
};
struct shape shape_of_type(const struct schema_type *t);
struct shape shape_of_field(const struct schema_field *f);
/* Of the elements of a list or map. */
struct shape shape_of_element(const struct shape *s);
/* Of member `key` of a struct or map. A member the schema does not know is a leaf. */
struct shape shape_of_member(const struct shape *s, const char *key);
/* The set member that names element `item` of a set or keyed list. Returns new. */
char *item_key(const struct shape *list, const json_t *item);
/* The keys of all elements of a list. Release with item_keys_free(). */
char **item_keys(const struct shape *list, const json_t *items);
void item_keys_free(char **keys, size_t count);
/* Position of `key` among keys[from..count), or -1. */
int item_keys_find(char *const *keys, size_t count, const char *key);
/* What Go writes for a field that has no value: {} null "" 0 false. NULL if Go leaves it out. Borrowed. */
const json_t *implied_value(const struct schema_field *f);
/* An object without content. Borrowed. */
const json_t *empty_object(void);

/* -- comparing and collecting (managed_diff.c) -- */
struct diff {
    json_t *changed; /* added or modified; owned, may be NULL */
    json_t *removed;
};
struct diff diff_values(const struct shape *s, const json_t *old, const json_t *new);
void diff_release(struct diff *d);
/* The paths a configuration names. */
json_t *fields_of(const struct shape *s, const json_t *value);
/* Takes out what this endpoint does not write: the status of the main resource, all but the status of /status.
 * Changes *set, frees it when empty. */
void fields_strip_foreign(const struct manage_ctx *ctx, json_t **set);
/* That, and what nobody ever owns: names, times, versions. */
void fields_strip(const struct manage_ctx *ctx, json_t **set);

/* -- merging (managed_merge.c); return new -- */
json_t *merge_values(const struct shape *s, const json_t *live, const json_t *applied);
json_t *remove_fields(const struct shape *s, const json_t *value, const json_t *set);
/* Removes from `merged` what this applier named last time and nobody names now. `owned`: union of all sets. */
json_t *prune_values(const struct shape *s, const json_t *merged, const json_t *last, const json_t *owned);
/* Is the applied configuration of the right shape? INTERNAL with the real server's text. */
int check_applied(const struct schema_type *t, const json_t *applied, struct err *e);

/* -- owners (managed_owners.c) -- */
struct owner {
    char *manager, *operation, *api_version, *subresource; /* owned; subresource NULL for the main resource */
    char *time;                                            /* owned, may be NULL */
    json_t *fields;                                        /* a reference: never changed, only replaced */
    json_t *entry; /* what it was read from, or NULL; written again as it is while it still says the same */
};
struct owners {
    struct owner *items;
    size_t len, cap;
    bool stored; /* they come from a stored object: well-formed, in order */
};
#define _auto_owners_ __attribute__((cleanup(owners_release)))
void owners_release(struct owners *l);
/* Reads metadata.managedFields (an array or NULL); malformed entries make the whole list empty. */
void owners_read(struct owners *l, const json_t *entries);
/* The same of an object that is stored, whose entries were written here. */
void owners_read_stored(struct owners *l, const json_t *entries);
/* The entry of this request and operation, made (without fields) if `make`. */
struct owner *owners_find(struct owners *l, const struct manage_ctx *ctx, const char *operation, bool make);
/* All owners but `except` lose these paths. */
void owners_lose(struct owners *l, const struct owner *except, const json_t *set);
void owners_drop_empty(struct owners *l);
/* At most 10 Update entries: the oldest become "ancient-changes". */
void owners_cap(struct owners *l);
/* Sorted entries as wire JSON; NULL if there are none. Returns new. */
json_t *owners_write(struct owners *l);

#endif
