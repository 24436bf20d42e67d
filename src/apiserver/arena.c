/* arena.c - see arena_int.h.
 *
 * DESIGN: bump allocation; what does not fit goes to blocks of its own from the heap, in a list that arena_reset()
 * frees.
 * THREADS: an arena belongs to the thread that serves the request. */
#include "apiserver/arena_int.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16 * 1024, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    _Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a)
{
    a->more = NULL;
    a->at = a->first;
    a->end = a->first + sizeof a->first;
}

void arena_reset(struct arena *a)
{
    while (a->more) {
        struct arena_block *b = a->more;
        a->more = b->next;
        free(b);
    }
    arena_init(a);
}

static char *align_up(char *p)
{
    return p + (-(size_t)p & (ALIGN - 1));
}

void *arena_alloc(struct arena *a, size_t n)
{
    char *p = align_up(a->at);
    if (p <= a->end && n <= (size_t)(a->end - p)) {
        a->at = p + n;
        return p;
    }
    size_t size = n > BLOCK / 4 ? n : BLOCK;
    struct arena_block *b = xmalloc(sizeof *b + size);
    b->next = a->more;
    a->more = b;
    if (size == BLOCK) { /* a big piece gets its own block and leaves the current one in use */
        a->at = b->data + n;
        a->end = b->data + size;
    }
    return b->data;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        BUG("a format that cannot be printed: %s", fmt);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}
