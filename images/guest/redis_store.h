/* redis_store.h - what the guest's redis keeps: keys with strings, lists, sets or hashes, and its files. */
#ifndef STOWAGE_GUEST_REDIS_STORE_H
#define STOWAGE_GUEST_REDIS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct text {
    char *data; /* owned; a NUL behind the end */
    size_t len;
};
enum kind { KIND_STRING = 0, KIND_LIST = 1, KIND_SET = 2, KIND_HASH = 4 }; /* as a dump numbers them */
struct key {
    struct key *next;
    struct text name;
    enum kind kind;
    struct text *items; /* of a hash: field, value, field, value, … */
    size_t count;
    int64_t expires; /* ms since 1970; 0 = never */
};

extern struct key *redis_keys;
int64_t redis_now_ms(void);
struct text text_of(const char *data, size_t len);
bool text_is(const struct text *t, const char *s);
struct key *redis_find(const struct text *name); /* NULL: not there, or over */
struct key *redis_make(const struct text *name, enum kind kind);
bool redis_delete(const struct text *name);
void redis_clear(void);
/* Inserts before item `at`. */
void key_insert(struct key *k, size_t at, const char *data, size_t len);
void key_remove(struct key *k, size_t at, size_t n);

/* dump.rdb, in redis' own format without compression. 0 or -1. */
int redis_save(const char *path);
int redis_load(const char *path);

#endif
