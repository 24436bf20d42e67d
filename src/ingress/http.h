/* http_int.h - heads of requests and answers, and the bodies behind them. HTTP/1.1. Also what the API
 * server's proxy speaks to pods. */
#ifndef STOWAGE_INGRESS_HTTP_H
#define STOWAGE_INGRESS_HTTP_H

#include "base/buf.h"
#include "ingress/io.h"

#include <stdint.h>

#define HEAD_MAX   IO_BUFFER
#define FIELDS_MAX 100

struct field {
    const char *name, *value; /* borrow from the head */
};
struct head {
    char text[HEAD_MAX + 1];
    const char *first[3]; /* the words of the first line: method, target, version; or version, code, reason */
    struct field fields[FIELDS_MAX];
    size_t count;
};
/* How the end of a body is known. */
enum framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_END };
struct body {
    enum framing framing;
    uint64_t length;
};

/* 1 = a head, 0 = the other end has closed before one began, -1 = malformed or broken (errno EBADMSG: malformed;
 * EMSGSIZE: too long). */
int head_read(struct io *io, struct head *h, int timeout_ms);
const char *head_get(const struct head *h, const char *name); /* the first of that name, or NULL */
/* Is the word in the list that the field is? */
bool head_has(const struct head *h, const char *name, const char *word);
/* Of a request, or of the answer `code` to `method`. -1: it contradicts itself. */
int body_of_request(const struct head *h, struct body *out);
int body_of_answer(const struct head *h, int code, const char *method, struct body *out);
/* Carries a body; its framing stays. 0, or -1: `from` or `to` broke. */
int body_copy(struct io *from, struct io *to, const struct body *b);
/* The same, but of chunks only what is in them. */
int body_unwrap(struct io *from, struct io *to, const struct body *b);

#endif
