/* wire.h - packing of requests and replies between the API process, the node helper and the nodes.
 *
 * Both ends are the same program on the same machine, so the form is plain: little fixed fields in host order, texts
 * with their length and a NUL so that a reader may borrow them. A reader never goes past the end: it notes `bad` and
 * gives zeros, and the receiver refuses the message once, at the end. */
#ifndef STOWAGE_SYS_WIRE_H
#define STOWAGE_SYS_WIRE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void wire_u32(struct buf *b, uint32_t v);
void wire_i64(struct buf *b, int64_t v);
void wire_str(struct buf *b, const char *s); /* NULL stays NULL */
void wire_blob(struct buf *b, const void *data, size_t len);
void wire_strv(struct buf *b, const char *const *v); /* NULL-terminated; NULL stays NULL */

struct wire_in {
    const char *at, *end;
    bool bad;
};
struct wire_in wire_reader(const void *data, size_t len);
uint32_t wire_get_u32(struct wire_in *in);
int64_t wire_get_i64(struct wire_in *in);
bool wire_get_bool(struct wire_in *in);
const char *wire_get_str(struct wire_in *in);               /* borrows from the message; may be NULL */
const char *wire_need_str(struct wire_in *in);              /* never NULL: "" then */
const void *wire_get_blob(struct wire_in *in, size_t *len); /* borrows */
const char **wire_get_strv(struct wire_in *in);             /* returns new vector of borrowed texts, or NULL */

/* An error as the head of every reply. */
void wire_err(struct buf *b, const struct err *e);
void wire_get_err(struct wire_in *in, struct err *out);

#endif
