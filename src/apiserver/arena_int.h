/* arena_int.h - memory that lives as long as one request and is never freed piece by piece.
 *
 * The first bytes come from a block inside the connection, so an ordinary request allocates nothing. */
#ifndef STOWAGE_APISERVER_ARENA_INT_H
#define STOWAGE_APISERVER_ARENA_INT_H

#include <stddef.h>

struct arena_block;
struct arena {
    char *at, *end;
    struct arena_block *more; /* owned; newest first */
    char first[4096];
};

void arena_init(struct arena *a);
/* Forgets everything; keeps nothing but the first block. */
void arena_reset(struct arena *a);

/* Aligned for any type; not zeroed. */
void *arena_alloc(struct arena *a, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
