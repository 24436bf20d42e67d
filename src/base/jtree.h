/* jtree.h - JSON values as trees: what everything here passes about.
 *
 * The names and rules are jansson's, which C programmers know; the trees beneath are made for this house, where one
 * process holds a hundred thousand objects and copies one for every write: short strings lie in their node, objects are
 * arrays of members in order of insertion with a hash only from INDEXED_FROM members on, keys are shared between copies
 * (those of the schemas by all objects: json_key_keep()), and so are scalars, which never change once made.
 *
 * Ownership: a *_new function takes its value, even when it fails; getters borrow; makers return new. NULL is accepted
 * everywhere and is no value. THREADS: counts are atomic, so a tree that nobody changes may be read, shared and
 * released by any thread. json_freeze() says so, and debug builds refuse to change such a tree.
 *
 * Source of the interface: jansson 2.14, https://jansson.readthedocs.io/en/2.14/apiref.html. */
#ifndef STOWAGE_BASE_JTREE_H
#define STOWAGE_BASE_JTREE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h> /* free(), for the texts made here */

#define JANSSON_H /* its header may not come beside this one */

typedef enum {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_INTEGER,
    JSON_REAL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
} json_type;

typedef struct json_t {
    uint8_t type; /* json_type */
    bool frozen;
    uint32_t refs;
} json_t;

typedef long long json_int_t;
#define JSON_INTEGER_FORMAT "lld"

#define json_typeof(j)     ((json_type)(j)->type)
#define json_is_object(j)  ((j) && json_typeof(j) == JSON_OBJECT)
#define json_is_array(j)   ((j) && json_typeof(j) == JSON_ARRAY)
#define json_is_string(j)  ((j) && json_typeof(j) == JSON_STRING)
#define json_is_integer(j) ((j) && json_typeof(j) == JSON_INTEGER)
#define json_is_real(j)    ((j) && json_typeof(j) == JSON_REAL)
#define json_is_number(j)  (json_is_integer(j) || json_is_real(j))
#define json_is_true(j)    ((j) && json_typeof(j) == JSON_TRUE)
#define json_is_false(j)   ((j) && json_typeof(j) == JSON_FALSE)
#define json_is_boolean(j) (json_is_true(j) || json_is_false(j))
#define json_is_null(j)    ((j) && json_typeof(j) == JSON_NULL)
#define json_boolean_value json_is_true
#define json_boolean(b)    ((b) ? json_true() : json_false())

/* -- references -- */
#define JSON_FOREVER UINT32_MAX /* the count of what is never freed */
void json_delete(json_t *j);
static inline json_t *json_incref(json_t *j)
{
    if (j && j->refs != JSON_FOREVER)
        __atomic_add_fetch(&j->refs, 1, __ATOMIC_RELAXED);
    return j;
}
static inline void json_decref(json_t *j)
{
    if (!j)
        return;
    uint32_t refs = __atomic_load_n(&j->refs, __ATOMIC_ACQUIRE);
    if (refs == JSON_FOREVER)
        return;
    /* Who holds the only reference cannot be raced for it. */
    if (refs == 1 || __atomic_sub_fetch(&j->refs, 1, __ATOMIC_ACQ_REL) == 0)
        json_delete(j);
}

/* -- scalars -- */
json_t *json_true(void);
json_t *json_false(void);
json_t *json_null(void);
json_t *json_integer(json_int_t v);
json_t *json_real(double v); /* NULL unless finite */
json_int_t json_integer_value(const json_t *j);
double json_real_value(const json_t *j);
double json_number_value(const json_t *j);
/* NULL for what is no UTF-8; _nocheck trusts the caller. */
json_t *json_string(const char *s);
json_t *json_stringn(const char *s, size_t n);
json_t *json_string_nocheck(const char *s);
json_t *json_stringn_nocheck(const char *s, size_t n);
json_t *json_sprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *json_string_value(const json_t *j); /* NULL if it is none */
size_t json_string_length(const json_t *j);
/* Over the text it was made with, which was not shorter; only while nobody else knows the string. */
void json_string_overwrite(json_t *j, const char *s, size_t n);

/* -- arrays -- */
json_t *json_array(void);
size_t json_array_size(const json_t *j);
json_t *json_array_get(const json_t *j, size_t i);
int json_array_set_new(json_t *j, size_t i, json_t *take_v);
int json_array_append_new(json_t *j, json_t *take_v);
int json_array_insert_new(json_t *j, size_t i, json_t *take_v);
int json_array_remove(json_t *j, size_t i);
int json_array_clear(json_t *j);
int json_array_extend(json_t *j, json_t *other);
static inline int json_array_set(json_t *j, size_t i, json_t *v)
{
    return json_array_set_new(j, i, json_incref(v));
}
static inline int json_array_append(json_t *j, json_t *v)
{
    return json_array_append_new(j, json_incref(v));
}
static inline int json_array_insert(json_t *j, size_t i, json_t *v)
{
    return json_array_insert_new(j, i, json_incref(v));
}
#define json_array_foreach(array, index, value)                                                                        \
    for ((index) = 0; (index) < json_array_size(array) && ((value) = json_array_get(array, index)); (index)++)

/* -- objects: members in the order in which they came -- */
json_t *json_object(void);
size_t json_object_size(const json_t *j);
json_t *json_object_get(const json_t *j, const char *key);
json_t *json_object_getn(const json_t *j, const char *key, size_t n);
/* A member that is there keeps its place. -1 for a key that is no UTF-8 (_nocheck trusts the caller), or no value. */
int json_object_set_new(json_t *j, const char *key, json_t *take_v);
int json_object_setn_new(json_t *j, const char *key, size_t n, json_t *take_v);
int json_object_set_new_nocheck(json_t *j, const char *key, json_t *take_v);
int json_object_setn_new_nocheck(json_t *j, const char *key, size_t n, json_t *take_v);
int json_object_del(json_t *j, const char *key);
int json_object_clear(json_t *j);
int json_object_update(json_t *j, json_t *other);
int json_object_update_missing(json_t *j, json_t *other);
int json_object_update_recursive(json_t *j, json_t *other);
static inline int json_object_set(json_t *j, const char *key, json_t *v)
{
    return json_object_set_new(j, key, json_incref(v));
}
static inline int json_object_set_nocheck(json_t *j, const char *key, json_t *v)
{
    return json_object_set_new_nocheck(j, key, json_incref(v));
}
static inline int json_object_update_new(json_t *j, json_t *take_other)
{
    int rc = json_object_update(j, take_other);
    json_decref(take_other);
    return rc;
}
/* The place behind the next member, and its key; 0 and NULL at the end. Begin with 0. */
size_t json_object_next(const json_t *j, size_t at, const char **out_key);
/* The value of the member before that place. */
json_t *json_object_at(const json_t *j, size_t at);
/* The length of a key that came from an object. */
size_t json_key_length(const char *key);
/* Members may be replaced and removed meanwhile; members that are added may be seen or not. */
#define json_object_foreach(object, key, value) JSON_FOREACH_AT(object, key, value, JSON_PASTE(json_at_, __LINE__))
#define JSON_FOREACH_AT(object, key, value, at)                                                                        \
    for (size_t at = 0; ((at) = json_object_next(object, at, &(key))) > 0 && ((value) = json_object_at(object, at));)
#define JSON_PASTE(a, b)  JSON_PASTE2(a, b)
#define JSON_PASTE2(a, b) a##b

/* From now on all objects share this key, for the life of the process: for the names of a schema, at start-up. */
void json_key_keep(const char *key, size_t n);

/* -- whole trees -- */
bool json_equal(const json_t *a, const json_t *b);
json_t *json_copy(const json_t *j);      /* new at the top, and the same below */
json_t *json_deep_copy(const json_t *j); /* new objects and arrays; scalars are shared */
/* What of `take_new`, a changed copy, is still as in `old`, down to the order of members, becomes the very same again
 * (which others then see by comparing pointers). Returns old, or what was taken. */
json_t *json_reuse(json_t *take_new, const json_t *old);
/* Nobody changes it any more: debug builds stop who tries. What is frozen already is not entered. Returns `j`. */
json_t *json_freeze(json_t *j);

/* Formats: s (text), b n i I (json_int_t) f, o (taken) O (borrowed), {} of pairs, [], with blanks, commas and colons as
 * you like. NULL where text or a tree must be: the result is NULL; `?` after the letter makes it null, `*` nothing. */
json_t *json_pack(const char *fmt, ...);

/* -- text -- */
enum {
    JSON_REJECT_DUPLICATES = 1 << 0,
    JSON_DISABLE_EOF_CHECK = 1 << 1,
    JSON_DECODE_ANY = 1 << 2, /* else an object or array */
    JSON_ALLOW_NUL = 1 << 4,
};
typedef struct json_error_t {
    int line, column, position;
    char text[160];
} json_error_t;
/* NULL with *out_error (may be NULL) filled. */
json_t *json_loads(const char *text, size_t flags, json_error_t *out_error);
json_t *json_loadb(const char *text, size_t len, size_t flags, json_error_t *out_error);
json_t *json_loadfd(int fd, size_t flags, json_error_t *out_error);
json_t *json_load_file(const char *path, size_t flags, json_error_t *out_error);

#define JSON_INDENT(n) ((size_t)(n)&0x1F) /* that many blanks a level, a line a member */
enum {
    JSON_COMPACT = 1 << 5,
    JSON_SORT_KEYS = 1 << 7,
    JSON_ENCODE_ANY = 1 << 9, /* else an object or array */
};
/* Returns new text (free), or NULL. For what clients see there is json_write(), which escapes as Go does. */
char *json_dumps(const json_t *j, size_t flags);
int json_dumpfd(const json_t *j, int fd, size_t flags);
int json_dump_file(const json_t *j, const char *path, size_t flags);

#endif
