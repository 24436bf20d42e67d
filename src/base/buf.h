/* buf.h - a growing byte buffer, always NUL-terminated one byte past `len`.
 *
 * `BUF_INIT` or a zeroed struct is a valid empty buffer. Bounded by its user, never by itself. */
#ifndef STOWAGE_BASE_BUF_H
#define STOWAGE_BASE_BUF_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* owned; NULL while empty and never written */
    size_t len;
    size_t cap;
};

#define BUF_INIT                                                                                                       \
    (struct buf)                                                                                                       \
    {                                                                                                                  \
        0                                                                                                              \
    }
#define _auto_buf_ __attribute__((cleanup(buf_release)))

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
/* Makes room for `n` more bytes and returns the write position. */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *data, size_t n);
void buf_adds(struct buf *b, const char *s);
static inline void buf_addc(struct buf *b, char c)
{
    if (b->cap - b->len < 2) /* the NUL, too */
        buf_reserve(b, 1);
    b->data[b->len] = c;
    b->data[++b->len] = '\0';
}
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list ap);
/* Go's %q: double quotes with Go escapes. */
void buf_add_quoted(struct buf *b, const char *s, size_t n);
/* One word of a shell, in single quotes. */
void buf_add_shell_word(struct buf *b, const char *word);
/* The character at the start of a text that is not empty, and whether Go would print it as it is (strconv.IsPrint).
 * Returns its bytes; a byte that is no UTF-8 counts as one printable U+FFFD, as in Go's range. */
size_t utf8_next(const char *s, size_t left, uint32_t *out_char, bool *out_printable);
/* A stranger's text: what cannot be seen (but line breaks and tabs), and bytes that are no UTF-8, become U+FFFD. */
void buf_add_visible(struct buf *b, const char *s, size_t n);
/* JSON string literal, quotes included, escaped as Go's encoding/json does (with <, > and & as \u00XX). */
void buf_add_json_string(struct buf *b, const char *s, size_t n);
/* Removes `n` bytes at the front. */
void buf_consume(struct buf *b, size_t n);
/* Never NULL. Borrowed until the next change. */
const char *buf_str(const struct buf *b);
/* Gives the text away (never NULL) and leaves the buffer empty. Takes ownership out. */
char *buf_steal(struct buf *b, size_t *out_len);

#endif
