/* jtree_int.h - how JSON values lie in memory. Private to jtree/. */
#ifndef STOWAGE_BASE_JTREE_JTREE_INT_H
#define STOWAGE_BASE_JTREE_JTREE_INT_H

#include "base/jtree.h"

#include <stdint.h>

/* -- keys (key.c): shared by all members that copies have in common -- */
struct key {
    uint32_t refs; /* JSON_FOREVER: kept */
    uint32_t hash;
    uint32_t len;
    char text[];
};
uint32_t key_hash(const char *text, size_t n);
/* A kept one, or a new one. Returns new. */
struct key *key_of(const char *text, size_t n);
struct key *key_ref(struct key *k);
void key_unref(struct key *k);

/* -- values -- */
struct string {
    json_t json;
    uint32_t len;
    char text[];
};

struct integer {
    json_t json;
    json_int_t value;
};

struct real {
    json_t json;
    double value;
};

struct array {
    json_t json;
    size_t len, cap;
    json_t **items; /* owned */
};

/* A removed member has no key and keeps its place until the array of members is made anew. */
struct member {
    struct key *key; /* owned */
    json_t *value;   /* owned */
};

struct object {
    json_t json;
    uint32_t live;          /* members that are not removed */
    uint32_t used, cap;     /* of members[] */
    uint32_t signs;         /* a bit of every key in it: most keys that are not there are refused by this alone */
    struct member *members; /* owned */
    uint32_t *index;        /* owned, or NULL: the mask, then places + 1, hashed by key; 0 is free */
};

enum { INDEXED_FROM = 24 };

static inline struct object *object_of(const json_t *j)
{
    return (struct object *)(uintptr_t)j;
}
static inline struct array *array_of(const json_t *j)
{
    return (struct array *)(uintptr_t)j;
}

json_t json_head(json_type type);
/* BUG() in debug builds if the container is frozen. */
#ifndef NDEBUG
void json_check_thawed(const json_t *j);
#else
static inline void json_check_thawed(const json_t *j)
{
    (void)j;
}
#endif

/* object.c */
void object_release(struct object *o);
struct member *object_find(const struct object *o, const char *key, size_t n);
/* Takes both; the key must not be there. */
void object_append(struct object *o, struct key *take_key, json_t *take_value);
/* Shares keys and values with the original. */
json_t *object_copy(const struct object *from, json_t *(*value)(const json_t *v));

/* utf8.c */
bool utf8_valid(const char *s, size_t n);

#endif
