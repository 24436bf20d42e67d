/* request.c - the life of a request, see request_int.h.
 *
 *     request_begin() -> (body) -> route_request() -> reply_*() -> request_end()
 *                                    |        ^
 *                                    v        |  deadline, request_wake(), server stops
 *                                  ASLEEP: request_sleep() .. request_awake()
 *
 * THREADS: the connection's own HTTP thread; request_wake() from any. */
#include "apiserver/request_int.h"

#include "apiserver/server_int.h"
#include "apiserver/upgrade_int.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEEP_BODY = 16 * 1024, MANAGER_MAX = 128 };

void request_init(struct request *rq)
{
    arena_init(&rq->arena);
}

void request_release(struct request *rq)
{
    request_end(rq);
    buf_release(&rq->body);
    arena_reset(&rq->arena);
}

/* Unique, not secret: a generator of this thread, seeded once. (splitmix64) */
static uint64_t next_random(void)
{
    static _Thread_local uint64_t state;
    if (!state)
        random_bytes(&state, sizeof state);
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static char *put_hex(char *out, uint64_t v, int digits)
{
    for (int i = digits - 1; i >= 0; i--)
        *out++ = "0123456789abcdef"[v >> (4 * i) & 15];
    return out;
}

/* A UUID of version 4. */
static void make_audit_id(char *out)
{
    uint64_t a = next_random(), b = next_random();
    out = put_hex(out, a >> 32, 8);
    *out++ = '-';
    out = put_hex(out, a >> 16, 4);
    *out++ = '-';
    out = put_hex(out, (a & 0xfff) | 0x4000, 4);
    *out++ = '-';
    out = put_hex(out, (b >> 48 & 0x3fff) | 0x8000, 4);
    *out++ = '-';
    out = put_hex(out, b, 12);
    *out = '\0';
}

void request_begin(struct request *rq, struct MHD_Connection *mhd, const char *uri)
{
    request_end(rq);
    rq->mhd = mhd;
    char *raw = arena_strdup(&rq->arena, uri), *q = strchr(raw, '?');
    if (q)
        *q++ = '\0';
    rq->raw = raw;
    rq->raw_query = q;
    query_parse(&rq->arena, q ? arena_strdup(&rq->arena, q) : NULL, &rq->query);
    make_audit_id(rq->audit_id);
}

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t len, const char *value,
                                   size_t value_len)
{
    (void)kind;
    (void)value_len;
    struct request *rq = cls;
    if (rq->header_count < ARRAY_LEN(rq->headers))
        rq->headers[rq->header_count] = (struct header){name, value, len};
    rq->header_count++;
    return MHD_YES;
}

void request_note_headers(struct request *rq)
{
    rq->header_count = 0;
    MHD_get_connection_values_n(rq->mhd, MHD_HEADER_KIND, note_header, rq);
}

void request_take_audit_id(struct request *rq)
{
    const char *id = request_header(rq, "Audit-ID");
    if (!str_empty(id) && strlen(id) < sizeof rq->audit_id)
        snprintf(rq->audit_id, sizeof rq->audit_id, "%s", id);
}

/* Also before the first request and after an aborted one: makes everything as new. */
void request_end(struct request *rq)
{
    if (rq->asleep && rq->dropped)
        rq->dropped(rq);
    rq->dropped = NULL;
    create_abandon(rq);
    if (rq->has_sleeper) {
        waker_disarm(rq->srv->waker, &rq->wake);
        sleeper_release(&rq->sleeper);
    }
    upgrade_request_end(rq);
    json_decref(rq->user.extra);
    strlist_release(&rq->warnings);
    rq->warnings = (struct strlist){0};
    if (rq->body.cap > KEEP_BODY)
        buf_release(&rq->body);
    buf_clear(&rq->body);
    arena_reset(&rq->arena);
    rq->method = rq->raw = rq->raw_query = NULL;
    rq->query = (struct query){0};
    rq->target = (struct target){0};
    rq->res = NULL;
    rq->sub = NULL;
    rq->user = (struct user){0};
    rq->by_cookie = rq->by_link = rq->body_too_large = rq->begun = rq->keeps = rq->replied = rq->asleep =
        rq->has_sleeper = false;
    rq->discarded = rq->header_count = 0;
}

const char *request_header_n(const struct request *rq, const char *name, size_t len)
{
    if (rq->header_count > ARRAY_LEN(rq->headers))
        return MHD_lookup_connection_value(rq->mhd, MHD_HEADER_KIND, name);
    for (size_t i = 0; i < rq->header_count; i++)
        if (rq->headers[i].len == len && strcasecmp(rq->headers[i].name, name) == 0)
            return rq->headers[i].value;
    return NULL;
}

/* -- sleeping -- */

static int64_t wake_up(struct wake *wk, unsigned why)
{
    (void)why;
    struct request *rq = (struct request *)((char *)wk - offsetof(struct request, wake));
    sleeper_wake(&rq->sleeper, WOKE_TIMER);
    return WAKE_NEVER;
}

void request_doze(struct request *rq)
{
    if (rq->has_sleeper)
        sleeper_release(&rq->sleeper);
    rq->has_sleeper = true;
    sleeper_init(&rq->sleeper, &rq->srv->sleepers, rq->mhd);
    rq->wake = (struct wake){.fire = wake_up, .fd = -1};
}

void request_park(struct request *rq, void (*resume)(struct request *rq), void *arg)
{
    rq->asleep = true;
    rq->resume = resume;
    rq->resume_arg = arg;
    if (!sleeper_park(&rq->sleeper))
        request_awake(rq);
}

void request_sleep(struct request *rq, int64_t deadline_ms, void (*resume)(struct request *rq), void *arg)
{
    request_doze(rq);
    waker_arm(rq->srv->waker, &rq->wake, -1, 0, deadline_ms);
    request_park(rq, resume, arg);
}

bool request_woken(struct request *rq)
{
    return sleeper_reasons(&rq->sleeper) & (WOKE_DATA | WOKE_STOP);
}

void request_yield(struct request *rq)
{
    sleeper_wake(&rq->sleeper, WOKE_TIMER);
}

void request_wake(struct request *rq)
{
    sleeper_wake(&rq->sleeper, WOKE_DATA);
}

enum MHD_Result request_awake(struct request *rq)
{
    waker_disarm(rq->srv->waker, &rq->wake);
    rq->asleep = false;
    rq->resume(rq);
    return rq->result;
}

/* -- for the registry -- */

static const char *manager_name(struct request *rq)
{
    const char *m = query_get(&rq->query, "fieldManager");
    if (!str_empty(m))
        return m;
    const char *agent = request_header(rq, "User-Agent");
    if (str_empty(agent))
        return "unknown";
    size_t n = strcspn(agent, "/");
    return arena_strndup(&rq->arena, agent, n < MANAGER_MAX ? n : MANAGER_MAX);
}

static enum field_validation field_checks(const struct request *rq)
{
    const char *v = query_get(&rq->query, "fieldValidation");
    if (str_eq(v, "Strict"))
        return FIELDS_STRICT;
    return str_eq(v, "Ignore") ? FIELDS_IGNORE : FIELDS_WARN;
}

struct reg_ctx request_ctx(struct request *rq)
{
    return (struct reg_ctx){
        .user = rq->user.name,
        .groups = rq->user.groups,
        .manager = manager_name(rq),
        .dry_run = !str_empty(query_get(&rq->query, "dryRun")),
        .fields = field_checks(rq),
        .warnings = &rq->warnings,
    };
}

struct reg_target request_target(const struct request *rq)
{
    return (struct reg_target){
        .res = rq->res,
        .ns = rq->res->namespaced ? rq->target.ns : "",
        .name = rq->target.parts > 1 ? rq->target.name : "",
        .sub = rq->target.sub,
    };
}
