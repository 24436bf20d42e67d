/* str.h - small text helpers and string lists. */
#ifndef STOWAGE_BASE_STR_H
#define STOWAGE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_empty(const char *s);             /* NULL or "" */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Has the path a part ".."? */
bool path_climbs(const char *path);
/* Decimal, whole text, no sign surprises. */
bool str_to_u64(const char *s, uint64_t *out);
bool str_to_i64(const char *s, int64_t *out);
/* FNV-1a; stable over runs and machines. */
uint32_t str_hash32(const void *data, size_t n);
uint64_t str_hash64(const void *data, size_t n);

/* Slips of the finger from one word to the other: letters left out, put in, changed, or two swapped. Words longer than
 * STR_SLIPS_MAX are that far from any. */
#define STR_SLIPS_MAX 40
size_t str_slips(const char *a, const char *b);

struct strlist {
    char **items; /* owned */
    size_t len;
    size_t cap;
};
#define _auto_strlist_ __attribute__((cleanup(strlist_release)))
void strlist_release(struct strlist *l);
void strlist_add(struct strlist *l, const char *s); /* copies */
void strlist_take(struct strlist *l, char *s);      /* takes */
void strlist_addf(struct strlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strlist_has(const struct strlist *l, const char *s);
void strlist_sort(struct strlist *l);
/* Splits at each `sep`; empty parts are kept. */
void strlist_split(struct strlist *l, const char *s, char sep);
/* Returns new text. */
char *strlist_join(const struct strlist *l, const char *sep);

#endif
