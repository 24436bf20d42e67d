/* proto_wire.h - private to api: the protobuf wire format, reading and writing. */
#ifndef STOWAGE_API_PROTO_WIRE_H
#define STOWAGE_API_PROTO_WIRE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    const uint8_t *p;
    const uint8_t *end;
};
/* One field: number, and either `value` (varint, fixed) or `bytes` (length-delimited, is_bytes). */
struct wire_field {
    uint32_t number;
    bool is_bytes;
    bool is_fixed64;
    uint64_t value;
    struct wire bytes;
};
/* 1: *out is the next field; 0: the end; -1 with e. */
int wire_next(struct wire *w, struct wire_field *out, struct err *e);
/* The next varint of a packed list; false at its end or when it is broken. */
bool wire_varint(struct wire *w, uint64_t *out);

void wire_put_varint(struct buf *out, uint64_t v);
void wire_put_uint(struct buf *out, uint32_t number, uint64_t v);
void wire_put_bytes(struct buf *out, uint32_t number, const void *data, size_t n);
void wire_put_string(struct buf *out, uint32_t number, const char *s); /* NULL: nothing */
/* Starts a nested message; wire_close() with what it returned writes its length. */
size_t wire_open(struct buf *out, uint32_t number);
void wire_close(struct buf *out, size_t opened);

#endif
