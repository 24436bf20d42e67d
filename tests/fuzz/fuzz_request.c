/* fuzz_request.c - the parts of a request that a stranger writes: path, query, Accept, Content-Type, continue token.
 * The input is their lines, in this order; a missing line is empty. */
#include "api/schema.h"
#include "apiserver/accept_int.h"
#include "apiserver/list_int.h"
#include "apiserver/view_int.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void route(struct arena *a, const char *path, const struct query *q)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct target t;
        target_parse(a, methods[i], path, q, &t);
        const struct resource *res = NULL;
        const struct subresource *sub = NULL;
        if (t.is_resource && target_route(&t, methods[i], &res, &sub) == ROUTE_OK && !res)
            abort();
    }
}

/* What is decoded encodes to something that decodes to the same. */
static void token(struct arena *a, const char *text)
{
    struct err e = ERR_INIT;
    struct continue_at at, again;
    if (continue_decode(a, text, true, false, &at, &e) < 0)
        return;
    for (const char *p = at.name; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            return; /* no name of ours */
    if (strpbrk(at.ns, "\"\\") || !*at.name)
        return;
    continue_decode(a, continue_encode(a, &at, false), true, false, &again, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready) {
        schema_init();
        resource_init();
        ready = true;
    }
    _auto_free_ char *text = xstrndup((const char *)data, size);
    char *lines[5];
    char *rest = text;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        lines[i] = rest;
        rest += strcspn(rest, "\n");
        if (*rest)
            *rest++ = '\0';
    }
    struct arena a;
    arena_init(&a);
    struct query q;
    query_parse(&a, lines[1], &q);
    struct err e = ERR_INIT;
    int64_t n = 0;
    query_int(&q, "limit", &n, &e);
    duration_ok(lines[1]);
    const char *path = url_decode(&a, lines[0], strlen(lines[0]), false);
    if (path)
        route(&a, path, &q);
    struct wanted w;
    accept_negotiate(lines[2], OFFER_TABLE | OFFER_PARTIAL, &w);
    enum media m;
    content_media(lines[3], &m);
    token(&a, lines[4]);
    _auto_buf_ struct buf out = BUF_INIT;
    json_indent(&out, text, strlen(text));
    arena_reset(&a);
    return 0;
}
