/* wire.c - see wire.h. THREADS: pure. */
#include "sys/wire.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_NULL UINT32_MAX

void wire_u32(struct buf *b, uint32_t v)
{
    buf_add(b, &v, sizeof v);
}

void wire_i64(struct buf *b, int64_t v)
{
    buf_add(b, &v, sizeof v);
}

void wire_blob(struct buf *b, const void *data, size_t len)
{
    wire_u32(b, (uint32_t)len);
    if (len)
        buf_add(b, data, len);
}

void wire_str(struct buf *b, const char *s)
{
    if (!s) {
        wire_u32(b, WIRE_NULL);
        return;
    }
    wire_blob(b, s, strlen(s) + 1);
}

void wire_strv(struct buf *b, const char *const *v)
{
    if (!v) {
        wire_u32(b, WIRE_NULL);
        return;
    }
    uint32_t n = 0;
    while (v[n])
        n++;
    wire_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        wire_str(b, v[i]);
}

struct wire_in wire_reader(const void *data, size_t len)
{
    const char *at = data ? data : "";
    return (struct wire_in){at, at + (data ? len : 0), false};
}

static const char *take(struct wire_in *in, size_t n)
{
    if (in->bad || (size_t)(in->end - in->at) < n) {
        in->bad = true;
        return NULL;
    }
    const char *p = in->at;
    in->at += n;
    return p;
}

uint32_t wire_get_u32(struct wire_in *in)
{
    uint32_t v = 0;
    const char *p = take(in, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

int64_t wire_get_i64(struct wire_in *in)
{
    int64_t v = 0;
    const char *p = take(in, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

bool wire_get_bool(struct wire_in *in)
{
    return wire_get_u32(in) != 0;
}

const void *wire_get_blob(struct wire_in *in, size_t *len)
{
    const uint32_t n = wire_get_u32(in);
    const char *p = take(in, n);
    *len = p ? n : 0;
    return p;
}

const char *wire_get_str(struct wire_in *in)
{
    const uint32_t n = wire_get_u32(in);
    if (n == WIRE_NULL)
        return NULL;
    const char *p = take(in, n);
    if (p && (n == 0 || p[n - 1] != '\0')) {
        in->bad = true;
        return NULL;
    }
    return p;
}

const char *wire_need_str(struct wire_in *in)
{
    const char *s = wire_get_str(in);
    return s ? s : "";
}

const char **wire_get_strv(struct wire_in *in)
{
    const uint32_t n = wire_get_u32(in);
    if (n == WIRE_NULL)
        return NULL;
    if (n > (size_t)(in->end - in->at) / sizeof(uint32_t)) { /* each text takes at least its length */
        in->bad = true;
        return NULL;
    }
    const char **v = xcalloc((size_t)n + 1, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = wire_need_str(in);
    return v;
}

void wire_err(struct buf *b, const struct err *e)
{
    wire_u32(b, (uint32_t)e->code);
    wire_u32(b, (uint32_t)e->sys_errno);
    wire_str(b, e->code == ERR_OK ? "" : e->msg);
}

void wire_get_err(struct wire_in *in, struct err *out)
{
    const uint32_t code = wire_get_u32(in);
    out->code = code < ERR_MAX ? (enum err_code)code : ERR_INTERNAL;
    out->sys_errno = (int)wire_get_u32(in);
    snprintf(out->msg, sizeof out->msg, "%s", wire_need_str(in));
}
