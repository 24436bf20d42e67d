/* reply.c - from an answer to bytes and headers, see reply_int.h.
 *
 * DESIGN: every answer ends in queue_response(), after add_headers() gave it what all answers carry (Audit-Id,
 * Cache-Control, Content-Type, warnings); only what a connection has just been given is ready already (last_answer.c).
 * A body over 128 KiB is compressed if the client accepts gzip. Headers that never change are not built per request.
 *
 * What the real server does with an Accept header it cannot serve: the refusal itself comes as indented JSON.
 *
 * THREADS: on the HTTP thread of the request. */
#include "apiserver/reply_int.h"

#include "api/status.h"
#include "apiserver/gzip_int.h"
#include "apiserver/server_int.h"
#include "apiserver/tls_io_int.h"
#include "apiserver/view_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GZIP_OVER  ((size_t)128 * 1024)
#define GATHER_MAX ((size_t)8 * 1024) /* of a body; with its header still one record */

static const char *const object_types[] = {"application/json", "application/yaml",
                                           "application/vnd.kubernetes.protobuf", NULL};

/* -- headers -- */

static void add_header(struct MHD_Response *m, const char *name, const char *value)
{
    if (value)
        MHD_add_response_header(m, name, value);
}

static void add_quoted_header(struct request *rq, struct MHD_Response *m, const char *name, const char *value)
{
    if (value)
        MHD_add_response_header(m, name, arena_printf(&rq->arena, "\"%s\"", value));
}

/* Above 4096 bytes in all, each text is cut to 256. Control characters would break the header. */
static void add_warnings(struct request *rq, struct MHD_Response *m)
{
    size_t total = 0;
    for (size_t i = 0; i < rq->warnings.len; i++)
        total += strlen(rq->warnings.items[i]);
    for (size_t i = 0; i < rq->warnings.len; i++) {
        const char *text = rq->warnings.items[i];
        bool again = false;
        for (size_t k = 0; k < i && !again; k++)
            again = strcmp(rq->warnings.items[k], text) == 0;
        if (again)
            continue;
        _auto_buf_ struct buf b = BUF_INIT;
        buf_adds(&b, "299 - \"");
        size_t max = total > 4096 ? 256 : 4096;
        for (const char *p = text; *p && (size_t)(p - text) < max; p++) {
            if (*p == '"' || *p == '\\')
                buf_addc(&b, '\\');
            buf_addc(&b, (unsigned char)*p < ' ' || *p == 127 ? ' ' : *p);
        }
        buf_addc(&b, '"');
        MHD_add_response_header(m, "Warning", buf_str(&b));
    }
}

static void add_headers(struct request *rq, const struct reply *r, struct MHD_Response *m)
{
    if (!m)
        BUG("no memory for a response");
    add_header(m, "Audit-Id", rq->audit_id);
    add_header(m, "Cache-Control", r->cache ? r->cache : "no-cache, private");
    add_header(m, "Content-Type", r->type);
    add_quoted_header(rq, m, "ETag", r->etag);
    add_header(m, "Vary", r->vary);
    add_header(m, "Location", r->location);
    add_header(m, "Retry-After", r->retry_after);
    add_header(m, "Expires", r->expires);
    if (r->nosniff)
        add_header(m, "X-Content-Type-Options", "nosniff");
    for (const struct reply_header *h = r->more; h && h->name; h++)
        add_header(m, h->name, h->value);
    if (rq->warnings.len)
        add_warnings(rq, m);
}

static void queue_response(struct request *rq, unsigned http, struct MHD_Response *m)
{
    rq->replied = true;
    rq->result = MHD_queue_response(rq->mhd, http, m);
    if (http >= 500)
        atomic_fetch_add_explicit(&rq->srv->errors, 1, memory_order_relaxed);
}

/* Takes the response. */
static void send_response(struct request *rq, const struct reply *r, struct MHD_Response *m)
{
    add_headers(rq, r, m);
    queue_response(rq, r->http, m);
    MHD_destroy_response(m);
}

/* -- bodies -- */

static bool wants_gzip(const struct request *rq)
{
    const char *h = request_header(rq, "Accept-Encoding");
    for (const char *p = h; p && *p;) {
        p += strspn(p, " \t");
        size_t n = strcspn(p, ",");
        if (strncasecmp(p, "gzip", 4) == 0 && (n == 4 || p[4] == ';' || p[4] == ' '))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* The library hands header and body to TLS one by one. A connection that ends is closed before what was gathered could
 * wait for room in the socket. */
static void write_together(struct request *rq, size_t len)
{
    struct tls_io *tls = rq->conn->tls;
    if (!tls || len == 0 || strcmp(rq->method, "HEAD") == 0)
        return;
    if (rq->keeps && len <= GATHER_MAX)
        tls_io_gather(tls);
    else
        tls_io_join(tls);
}

void reply_buf(struct request *rq, const struct reply *r, struct buf *take)
{
    struct reply with = *r;
    bool gzip = take->len > GZIP_OVER && wants_gzip(rq);
    if (gzip)
        gzip_buf(take);
    size_t len = 0;
    char *text = buf_steal(take, &len);
    write_together(rq, len);
    struct MHD_Response *m = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (gzip) {
        add_header(m, "Content-Encoding", "gzip");
        with.vary = with.vary ? with.vary : "Accept-Encoding";
    }
    send_response(rq, &with, m);
}

void reply_static(struct request *rq, const struct reply *r, const char *text, size_t len)
{
    if (len > GZIP_OVER && wants_gzip(rq)) {
        struct buf copy = BUF_INIT;
        buf_add(&copy, text, len);
        reply_buf(rq, r, &copy);
        return;
    }
    write_together(rq, len);
    send_response(rq, r, MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
}

void reply_stream(struct request *rq, const struct reply *r, MHD_ContentReaderCallback read, void *take_arg,
                  MHD_ContentReaderFreeCallback free_arg)
{
    uint64_t size = r->sized ? r->length : MHD_SIZE_UNKNOWN;
    send_response(rq, r, MHD_create_response_from_callback(size, 32 * 1024, read, take_arg, free_arg));
}

void reply_text(struct request *rq, unsigned http, const char *text)
{
    struct buf b = BUF_INIT;
    buf_adds(&b, text);
    reply_buf(rq, &(struct reply){.http = http, .type = TYPE_TEXT}, &b);
}

void reply_no_page(struct request *rq)
{
    struct buf b = BUF_INIT;
    buf_adds(&b, "404 page not found\n");
    reply_buf(rq, &(struct reply){.http = 404, .type = TYPE_TEXT, .nosniff = true}, &b);
}

bool reply_pretty(const struct request *rq)
{
    const char *pretty = query_get(&rq->query, "pretty");
    if (pretty && *pretty) {
        static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
        for (const char *const *y = yes; *y; y++)
            if (strcmp(pretty, *y) == 0)
                return true;
        return false;
    }
    const char *agent = request_header(rq, "User-Agent");
    return agent && (str_starts(agent, "curl") || str_starts(agent, "Wget") || str_starts(agent, "Mozilla/5.0"));
}

static bool is_compact(const struct request *rq, const struct wanted *w)
{
    return w->encoding == ENCODE_JSON && !w->pretty && !reply_pretty(rq);
}

void reply_json(struct request *rq, unsigned http, const struct wanted *w, struct buf *take)
{
    struct reply r = {.http = http, .type = TYPE_JSON};
    if (w->encoding == ENCODE_YAML) {
        _auto_buf_ struct buf json = *take;
        *take = BUF_INIT;
        json_to_yaml(take, json.data, json.len);
        r.type = TYPE_YAML;
    } else if (!is_compact(rq, w)) {
        _auto_buf_ struct buf json = *take;
        *take = BUF_INIT;
        json_indent(take, json.data, json.len);
    } else {
        buf_addc(take, '\n');
    }
    reply_buf(rq, &r, take);
}

/* -- objects -- */

static void reply_as_table(struct request *rq, unsigned http, const struct wanted *w, const json_t *tree)
{
    struct err e = ERR_INIT;
    struct table_opts o = {.version = w->version, .now = clock_wall_ns(rq->srv->clock)};
    if (table_include(query_get(&rq->query, "includeObject"), &o.include, &e) < 0) {
        reply_err(rq, &e);
        return;
    }
    struct buf b = BUF_INIT;
    const char *rv = jstr(tree, "metadata.resourceVersion");
    const char *meta = rv ? arena_printf(&rq->arena, "{\"resourceVersion\":\"%s\"}", rv) : "{}";
    table_open(&b, rq->res, &o, meta, true);
    table_row(&b, rq->res, &o, tree);
    buf_adds(&b, "]}");
    reply_json(rq, http, w, &b);
}

static void reply_wrong_form(struct request *rq)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_NOT_ACCEPTABLE,
            "you requested PartialObjectMetadataList, but the requested object is not a list (*%s)", rq->res->go_kind);
    reply_err(rq, &e);
}

/* Tables and metadata exist for objects of the routed kind only; a Status, a Scale or a review comes as it is. */
static bool is_own_kind(const struct request *rq, const json_t *tree)
{
    return rq->res && rq->res->list_kind && str_eq(jstr(tree, "kind"), rq->res->kind);
}

/* What a connection keeps must be small, and fit the next request. */
static bool may_keep(const struct request *rq, unsigned http, const struct sobj *obj)
{
    return http == 200 && obj->len < GATHER_MAX && strcmp(rq->method, "GET") == 0 && rq->warnings.len == 0;
}

/* An object's own text, as compact JSON. */
static void reply_stored(struct request *rq, const struct sobj *obj)
{
    struct last_answer *last = &rq->conn->last;
    struct MHD_Response *m = last_answer_again(last, obj, rq->audit_id);
    write_together(rq, obj->len + 1);
    if (m) {
        queue_response(rq, 200, m);
        return;
    }
    char *text = xmalloc(obj->len + 1);
    memcpy(text, obj->bytes, obj->len);
    text[obj->len] = '\n';
    m = MHD_create_response_from_buffer(obj->len + 1, text, MHD_RESPMEM_MUST_FREE);
    add_headers(rq, &(struct reply){.type = TYPE_JSON}, m);
    queue_response(rq, 200, m);
    last_answer_keep(last, obj, rq->audit_id, m);
}

/* `tree` as the client wants it; `obj` has its compact text, or is NULL. */
static void reply_in_form(struct request *rq, unsigned http, const json_t *tree, const struct sobj *obj)
{
    bool own = is_own_kind(rq, tree);
    struct wanted w;
    if (!reply_negotiate(rq, own ? OFFER_TABLE | OFFER_PARTIAL : 0, &w)) {
        return;
    }
    struct buf b = BUF_INIT;
    switch (w.form) {
    case FORM_TABLE:
        reply_as_table(rq, http, &w, tree);
        return;
    case FORM_PARTIAL:
        partial_write(&b, w.version, tree, false);
        break;
    case FORM_PARTIAL_LIST:
        reply_wrong_form(rq);
        return;
    default:
        if (obj && may_keep(rq, http, obj) && is_compact(rq, &w)) {
            reply_stored(rq, obj);
            return;
        }
        if (obj) {
            buf_reserve(&b, obj->len + 1);
            buf_add(&b, obj->bytes, obj->len);
        } else {
            json_write(&b, tree);
        }
    }
    reply_json(rq, http, &w, &b);
}

void reply_tree(struct request *rq, unsigned http, json_t *take)
{
    _auto_json_ json_t *tree = take;
    reply_in_form(rq, http, tree, NULL);
}

void reply_object(struct request *rq, unsigned http, const struct sobj *obj)
{
    if (rq->res && reg_view_converts(rq->res))
        reply_tree(rq, http, view_tree(rq->res, obj));
    else
        reply_in_form(rq, http, obj->tree, obj);
}

/* -- errors -- */

/* A Status goes out in any encoding; if the client can read none, as indented JSON. */
void reply_status(struct request *rq, json_t *take_status)
{
    _auto_json_ json_t *status = take_status;
    struct buf b = BUF_INIT;
    json_write(&b, status);
    unsigned http = (unsigned)jint(status, "code", 500);
    struct reply r = {.http = http, .type = TYPE_JSON};
    int64_t retry = jint(status, "details.retryAfterSeconds", 0);
    if (retry > 0)
        r.retry_after = arena_printf(&rq->arena, "%lld", (long long)retry);
    r.nosniff = http == 403;
    struct wanted w;
    _auto_buf_ struct buf json = b;
    b = BUF_INIT;
    if (accept_negotiate(request_header(rq, "Accept"), 0, &w) < 0) {
        json_indent(&b, json.data, json.len);
    } else if (w.encoding == ENCODE_YAML) {
        json_to_yaml(&b, json.data, json.len);
        r.type = TYPE_YAML;
    } else if (w.pretty || reply_pretty(rq)) {
        json_indent(&b, json.data, json.len);
    } else {
        buf_add(&b, json.data, json.len);
        buf_addc(&b, '\n');
    }
    reply_buf(rq, &r, &b);
}

void reply_err(struct request *rq, const struct err *e)
{
    reply_status(rq, status_failure(e->code, e->msg, NULL));
}

void reply_answer(struct request *rq, struct reg_answer *ans)
{
    if (ans->obj)
        reply_object(rq, (unsigned)ans->http, ans->obj);
    else if (str_eq(jstr(ans->body, "kind"), "Status") && str_eq(jstr(ans->body, "status"), "Failure"))
        reply_status(rq, json_incref(ans->body));
    else
        reply_tree(rq, (unsigned)ans->http, json_incref(ans->body));
}

void reply_not_found(struct request *rq)
{
    reply_status(rq, status_failure(ERR_NOT_FOUND, "the server could not find the requested resource", json_object()));
}

void reply_no_method(struct request *rq)
{
    reply_status(rq, status_failure(ERR_METHOD_NOT_ALLOWED,
                                    "the server does not allow this method on the requested resource", json_object()));
}

void reply_not_acceptable(struct request *rq, const char *const *types)
{
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, "406: Not Acceptable\n\nAvailable representations: ");
    for (const char *const *t = types; *t; t++)
        buf_addf(&b, "%s%s", t == types ? "" : ", ", *t);
    reply_status(rq, status_failure(ERR_NOT_ACCEPTABLE, buf_str(&b), json_object()));
}

void reply_not_negotiable(struct request *rq)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_NOT_ACCEPTABLE, "only the following media types are accepted: %s, %s, %s", object_types[0],
            object_types[1], object_types[2]);
    reply_err(rq, &e);
}

void reply_unsupported_media(struct request *rq)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_UNSUPPORTED_MEDIA,
            "the body of the request was in an unknown format - accepted media types include: %s, %s, %s",
            object_types[0], object_types[1], object_types[2]);
    reply_err(rq, &e);
}

void reply_plain_error(struct request *rq, const char *message)
{
    json_t *status = status_failure(ERR_INTERNAL, message, NULL);
    json_object_del(status, "reason");
    reply_status(rq, status);
}

bool reply_negotiate(struct request *rq, unsigned offers, struct wanted *out)
{
    if (accept_negotiate(request_header(rq, "Accept"), offers, out) == 0)
        return true;
    reply_not_negotiable(rq);
    return false;
}
