/* client.c - see client.h.
 *
 * DESIGN: a kept connection that the server closed meanwhile is noticed before the request is sent, or when nothing of
 * an answer came; then the request is sent once more on a fresh one. A call whose body was not read to its end closes
 * the connection: what is left of it is nobody's answer. */
#include "client/client_int.h"

#include "api/decode.h"
#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int client_open(const struct access *a, struct client **out, struct err *e)
{
    struct client *c = xcalloc(1, sizeof *c);
    c->cancel = -1;
    if (remote_init(&c->remote, a, e) < 0) {
        free(c);
        return -1;
    }
    c->token = a->token ? xstrdup(a->token) : NULL;
    c->ns = xstrdup(a->ns ? a->ns : "default");
    c->agent = xstrdup("stowage");
    *out = c;
    return 0;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    conn_close(c->conn);
    remote_release(&c->remote);
    free(c->token);
    free(c->ns);
    free(c->agent);
    free(c->identity);
    json_decref(c->refusal);
    free(c);
}

void client_cleanup(struct client **c)
{
    client_free(*c);
}

const char *client_namespace(const struct client *c)
{
    return c->ns;
}

void client_set_namespace(struct client *c, const char *ns)
{
    free(c->ns);
    c->ns = xstrdup(ns);
}

void client_set_cancel(struct client *c, int fd)
{
    c->cancel = fd;
}

void client_set_agent(struct client *c, const char *agent)
{
    free(c->agent);
    c->agent = xstrdup(agent);
}

static int add_identity(struct buf *out, const char *header, const char *value, struct err *e)
{
    if (!*value || strpbrk(value, "\r\n"))
        return err_set(e, ERR_BAD_REQUEST, "\"%s\" is no name of a user or group", value);
    buf_addf(out, "%s: %s\r\n", header, value);
    return 0;
}

int client_set_identity(struct client *c, const char *user, const struct strlist *groups, struct err *e)
{
    _auto_buf_ struct buf lines = BUF_INIT;
    if (add_identity(&lines, "Impersonate-User", user, e) < 0)
        return -1;
    for (size_t i = 0; groups && i < groups->len; i++)
        if (add_identity(&lines, "Impersonate-Group", groups->items[i], e) < 0)
            return -1;
    free(c->identity);
    c->identity = buf_steal(&lines, NULL);
    return 0;
}

void client_answer_release(struct client_answer *a)
{
    free(a->type);
    buf_release(&a->body);
    strlist_release(&a->warnings);
    *a = (struct client_answer){0};
}

void client_escape(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        const bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (plain || strchr("-._~", *p))
            buf_addc(out, (char)*p);
        else
            buf_addf(out, "%%%02X", *p);
    }
}

/* ---- one call ---- */

void client_head_bare(const struct client *c, const char *method, const char *path, struct buf *out)
{
    buf_addf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n", method, path, c->remote.authority, c->agent);
    if (c->token)
        buf_addf(out, "Authorization: Bearer %s\r\n", c->token);
    if (c->identity)
        buf_adds(out, c->identity);
}

void client_head(const struct client *c, const char *method, const char *path, struct buf *out)
{
    _auto_free_ char *whole = xasprintf("%s%s", c->remote.prefix, path);
    client_head_bare(c, method, whole, out);
}

static void write_request(const struct client *c, const struct client_request *rq, struct buf *out)
{
    client_head(c, rq->method ? rq->method : "GET", rq->path, out);
    buf_addf(out, "Accept: %s\r\n", rq->accept ? rq->accept : "application/json");
    if (rq->body)
        buf_addf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", rq->type ? rq->type : "application/json", rq->len);
    buf_adds(out, "\r\n");
    if (rq->body)
        buf_add(out, rq->body, rq->len);
}

static void drop(struct client *c)
{
    conn_close(c->conn);
    c->conn = NULL;
}

/* Sends the request and reads the head of the answer. */
static int exchange(struct client *c, const struct buf *request, int64_t deadline, struct head *h, struct err *e)
{
    if (c->conn && conn_stale(c->conn))
        drop(c);
    for (bool kept = c->conn;; kept = false) {
        if (!c->conn && conn_open(&c->remote, c->cancel, deadline, &c->conn, e) < 0)
            return -1;
        c->conn->cancel = c->cancel;
        if (conn_send(c->conn, request->data, request->len, deadline, e) == 0 &&
            answer_head_read(c->conn, deadline, h, e) == 0)
            return 0;
        drop(c);
        if (!kept || e->code != ERR_UNAVAILABLE)
            return -1;
        err_clear(e);
    }
}

static int gather(void *arg, const void *data, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, data, n);
    return 0;
}

int client_call(struct client *c, const struct client_request *rq, struct client_answer *out, struct err *e)
{
    const int64_t patience = rq->timeout_ms ? rq->timeout_ms : CLIENT_TIMEOUT_MS;
    const int64_t deadline = patience < 0 ? -1 : conn_now_ms() + patience;
    _auto_buf_ struct buf request = BUF_INIT;
    _auto_head_ struct head h = {0};
    _auto_client_answer_ struct client_answer a = {0};
    write_request(c, rq, &request);
    if (exchange(c, &request, deadline, &h, e) < 0)
        return -1;
    const bool stream = rq->take && h.status < 300;
    const int rc = body_read(c->conn, &h, deadline, stream ? rq->take : gather, stream ? rq->arg : &a.body, e);
    if (rc != 0 || h.close)
        drop(c);
    if (rc < 0)
        return -1;
    a.status = h.status;
    a.type = h.type ? TAKE(h.type) : xstrdup("");
    a.warnings = h.warnings;
    h.warnings = (struct strlist){0};
    *out = a;
    a = (struct client_answer){0};
    return 0;
}

/* ---- objects ---- */

int client_failure(const struct client_answer *a, struct err *e)
{
    _auto_json_ json_t *status = a->body.len ? json_loadb(a->body.data, a->body.len, 0, NULL) : NULL;
    if (str_eq(jstr(status, "kind"), "Status") && jstr(status, "message"))
        return status_to_err(status, e);
    static const struct {
        int status;
        enum err_code code;
    } codes[] = {{401, ERR_UNAUTHORIZED}, {403, ERR_FORBIDDEN}, {404, ERR_NOT_FOUND},
                 {400, ERR_BAD_REQUEST},  {409, ERR_CONFLICT},  {503, ERR_UNAVAILABLE}};
    enum err_code code = ERR_INTERNAL;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].status == a->status)
            code = codes[i].code;
    return err_set(e, code, "the server answered %d: %.200s", a->status, buf_str(&a->body));
}

json_t *client_take_refusal(struct client *c)
{
    return TAKE(c->refusal);
}

int client_json(struct client *c, const char *method, const char *path, const json_t *body, const char *type,
                json_t **out, struct err *e)
{
    _auto_client_answer_ struct client_answer a = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    if (body)
        json_write(&text, body);
    const struct client_request rq = {
        .method = method, .path = path, .type = type, .body = body ? buf_str(&text) : NULL, .len = text.len};
    if (client_call(c, &rq, &a, e) < 0)
        return -1;
    if (a.status >= 300)
        return client_failure(&a, e);
    return out ? json_parse(buf_str(&a.body), a.body.len, out, e) : 0;
}

/* ---- watches ---- */

struct watching {
    struct buf line;
    int (*on_event)(void *arg, const char *type, json_t *object, struct err *e);
    void *arg;
    int last;
};

static int one_event(struct watching *w, const char *text, size_t len, struct err *e)
{
    _auto_json_ json_t *event = NULL;
    if (len == 0)
        return 0;
    if (json_parse(text, len, &event, e) < 0)
        return err_wrap(e, "a watch's event");
    json_t *object = json_object_get(event, "object");
    if (str_eq(jstr(event, "type"), "ERROR"))
        return status_to_err(object, e);
    w->last = w->on_event(w->arg, jstr_or(event, "type", ""), object, e);
    return w->last;
}

static int take_lines(void *arg, const void *data, size_t n, struct err *e)
{
    struct watching *w = arg;
    buf_add(&w->line, data, n);
    size_t at = 0;
    for (const char *end; (end = memchr(w->line.data + at, '\n', w->line.len - at));
         at = (size_t)(end - w->line.data) + 1) {
        const int rc = one_event(w, w->line.data + at, (size_t)(end - w->line.data) - at, e);
        if (rc != 0)
            return rc < 0 ? -1 : 1;
    }
    buf_consume(&w->line, at);
    return 0;
}

int client_watch(struct client *c, const char *path, int64_t timeout_ms,
                 int (*on_event)(void *arg, const char *type, json_t *object, struct err *e), void *arg, struct err *e)
{
    struct watching w = {.on_event = on_event, .arg = arg};
    _auto_client_answer_ struct client_answer a = {0};
    const struct client_request rq = {
        .path = path, .timeout_ms = timeout_ms ? timeout_ms : -1, .take = take_lines, .arg = &w};
    int rc = client_call(c, &rq, &a, e);
    buf_release(&w.line);
    if (rc < 0 && e->code == ERR_TIMEOUT && timeout_ms > 0) {
        err_clear(e);
        return 0;
    }
    if (rc == 0 && a.status >= 300)
        rc = client_failure(&a, e);
    return rc < 0 ? -1 : w.last;
}
