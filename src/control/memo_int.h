/* memo_int.h - a bounded map from text to a value that forgets what was used least recently. Private to control. */
#ifndef STOWAGE_CONTROL_MEMO_INT_H
#define STOWAGE_CONTROL_MEMO_INT_H

#include <stddef.h>

struct memo;

/* `release` frees what a value of `value_size` bytes holds, not itself; may be NULL. */
struct memo *memo_new(size_t max, size_t value_size, void (*release)(void *value));
void memo_free(struct memo *m);
/* The value of the key, or NULL. */
void *memo_find(struct memo *m, const char *key);
/* The value of the key, made of zeros if there is none. Valid until the next memo_get() or memo_drop(). */
void *memo_get(struct memo *m, const char *key);
void memo_drop(struct memo *m, const char *key);
/* Visits every value, least recently used first; `visit` returns 1 to drop it. */
void memo_each(struct memo *m, int (*visit)(const char *key, void *value, void *arg), void *arg);

#endif
