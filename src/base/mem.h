/* mem.h - allocation and cleanup attributes.
 *
 * Small allocations abort on failure (BUG-free code is simpler than code that pretends to survive it); every size
 * that comes from a user is bounded before it gets here. Cleanup attributes are the default way to release. */
#ifndef STOWAGE_BASE_MEM_H
#define STOWAGE_BASE_MEM_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
/* Returns new text. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void free_cleanup(void *pp); /* of a T**: frees *pp */
void close_cleanup(int *fd); /* closes if >= 0 */
void fclose_cleanup(FILE **f);
void json_cleanup(json_t **j); /* json_decref */

#define _auto_free_   __attribute__((cleanup(free_cleanup)))
#define _auto_close_  __attribute__((cleanup(close_cleanup)))
#define _auto_file_   __attribute__((cleanup(fclose_cleanup)))
#define _auto_json_   __attribute__((cleanup(json_cleanup)))
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _unused_      __attribute__((unused))

/* Takes the value out of an auto variable: `return TAKE(p);` */
#define TAKE(p)                                                                                                        \
    __extension__({                                                                                                    \
        __typeof__(p) take_ = (p);                                                                                     \
        (p) = NULL;                                                                                                    \
        take_;                                                                                                         \
    })
#define TAKE_FD(fd)                                                                                                    \
    __extension__({                                                                                                    \
        int take_ = (fd);                                                                                              \
        (fd) = -1;                                                                                                     \
        take_;                                                                                                         \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

/* Our own fault: prints where and aborts. Never reachable from a user's input. */
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
void bug_at(const char *file, int line, const char *fmt, ...) __attribute__((noreturn, format(printf, 3, 4)));

#endif
