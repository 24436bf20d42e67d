/* proto_wire.c - see proto_wire.h. Every length is checked against what is left. THREADS: pure. */
#include "api/proto_wire.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

bool wire_varint(struct wire *w, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && w->p < w->end; shift += 7) {
        uint8_t b = *w->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool fixed(struct wire *w, size_t n, uint64_t *out)
{
    if ((size_t)(w->end - w->p) < n)
        return false;
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | w->p[i];
    w->p += n;
    *out = v;
    return true;
}

static bool bytes(struct wire *w, struct wire *out)
{
    uint64_t n = 0;
    if (!wire_varint(w, &n) || n > (uint64_t)(w->end - w->p))
        return false;
    *out = (struct wire){w->p, w->p + n};
    w->p += n;
    return true;
}

int wire_next(struct wire *w, struct wire_field *out, struct err *e)
{
    if (w->p >= w->end)
        return 0;
    uint64_t tag = 0;
    if (!wire_varint(w, &tag))
        return err_set(e, ERR_BAD_REQUEST, "unexpected EOF");
    struct wire_field f = {.number = (uint32_t)(tag >> 3)};
    bool ok = false;
    switch (tag & 7) {
    case WIRE_VARINT:
        ok = wire_varint(w, &f.value);
        break;
    case WIRE_FIXED64:
        f.is_fixed64 = true;
        ok = fixed(w, 8, &f.value);
        break;
    case WIRE_FIXED32:
        ok = fixed(w, 4, &f.value);
        break;
    case WIRE_BYTES:
        f.is_bytes = true;
        ok = bytes(w, &f.bytes);
        break;
    default:
        return err_set(e, ERR_BAD_REQUEST, "proto: illegal wireType %u", (unsigned)(tag & 7));
    }
    if (f.number == 0)
        return err_set(e, ERR_BAD_REQUEST, "proto: illegal tag 0 (wire type %u)", (unsigned)(tag & 7));
    if (!ok)
        return err_set(e, ERR_BAD_REQUEST, "unexpected EOF");
    *out = f;
    return 1;
}

void wire_put_varint(struct buf *out, uint64_t v)
{
    char b[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        b[n++] = (char)(v | 0x80);
    b[n++] = (char)v;
    buf_add(out, b, n);
}

void wire_put_uint(struct buf *out, uint32_t number, uint64_t v)
{
    wire_put_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
    wire_put_varint(out, v);
}

void wire_put_bytes(struct buf *out, uint32_t number, const void *data, size_t n)
{
    wire_put_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
    wire_put_varint(out, n);
    buf_add(out, data, n);
}

void wire_put_string(struct buf *out, uint32_t number, const char *s)
{
    if (s)
        wire_put_bytes(out, number, s, strlen(s));
}

size_t wire_open(struct buf *out, uint32_t number)
{
    wire_put_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
    return out->len;
}

void wire_close(struct buf *out, size_t opened)
{
    char b[10];
    size_t n = 0;
    for (uint64_t v = out->len - opened;; v >>= 7) {
        b[n++] = (char)(v >= 0x80 ? v | 0x80 : v);
        if (v < 0x80)
            break;
    }
    size_t body = out->len - opened;
    buf_reserve(out, n);
    memmove(out->data + opened + n, out->data + opened, body);
    memcpy(out->data + opened, b, n);
    out->len += n;
    out->data[out->len] = '\0';
}
