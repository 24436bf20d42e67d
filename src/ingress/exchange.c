/* exchange.c - one client's connection: request after request, each led to the pod its rule says.
 *
 *      read a head -> rule -> (own answer | dial a pod -> head, body -> its head, body) -> next, or the end
 *
 * A pod's connection serves one request. Requests and answers that could be understood in two ways end it (http.c). An
 * upgrade (WebSocket) makes of both connections one pipe. Answers of our own have ingress-nginx' words.
 *
 * THREADS: each connection has its own. Source: nginx' proxy module, ingress-nginx. */
#include "ingress/exchange_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingress/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS 5000
#define IDLE_MS    75000 /* keep-alive */

struct exchange {
    struct ingress *in;
    struct io client;
    struct head request, answer;
    const char *address; /* the client's */
    char host[256];
    bool tls, keep;
    struct table *first; /* a reference: its certificates live at least as long as the session that uses one */
};

/* ---- answers of our own ---- */

static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {308, "Permanent Redirect"},    {400, "Bad Request"}, {404, "Not Found"},
    {414, "Request-URI Too Large"}, {502, "Bad Gateway"}, {503, "Service Temporarily Unavailable"},
    {504, "Gateway Time-out"},
};

static void answer_self(struct exchange *x, int code, const char *location)
{
    const char *reason = "";
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].code == code)
            reason = reasons[i].reason;
    _auto_free_ char *page =
        xasprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n"
                  "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
                  code, reason, code, reason);
    const bool head = x->request.first[0] && str_eq(x->request.first[0], "HEAD");
    if (io_print(&x->client,
                 "HTTP/1.1 %d %s\r\nContent-Type: text/html\r\nContent-Length: %zu\r\nConnection: %s\r\n%s%s%s\r\n%s",
                 code, reason, strlen(page), x->keep ? "keep-alive" : "close", location ? "Location: " : "",
                 location ? location : "", location ? "\r\n" : "", head ? "" : page) < 0)
        x->keep = false;
}

/* ---- what goes on ---- */

/* Fields that are about one connection alone, or that we say anew. */
static bool stays_here(const struct head *h, const char *name)
{
    static const char *const always[] = {"Connection",
                                         "Keep-Alive",
                                         "Proxy-Connection",
                                         "TE",
                                         "Trailer",
                                         "Upgrade",
                                         "Expect",
                                         "X-Forwarded-For",
                                         "X-Forwarded-Host",
                                         "X-Forwarded-Port",
                                         "X-Forwarded-Proto",
                                         "X-Real-IP",
                                         "X-Forwarded-Scheme",
                                         "X-Scheme",
                                         "X-Request-ID"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (strcasecmp(always[i], name) == 0)
            return true;
    return head_has(h, "Connection", name);
}

static bool wants_upgrade(const struct head *h)
{
    return head_has(h, "Connection", "upgrade") && head_get(h, "Upgrade");
}

static int send_request(struct exchange *x, struct io *pod, const char *target)
{
    const struct head *h = &x->request;
    _auto_buf_ struct buf out = BUF_INIT;
    buf_addf(&out, "%s %s HTTP/1.1\r\n", h->first[0], target);
    for (size_t i = 0; i < h->count; i++)
        if (!stays_here(h, h->fields[i].name))
            buf_addf(&out, "%s: %s\r\n", h->fields[i].name, h->fields[i].value);
    const char *scheme = x->tls ? "https" : "http";
    buf_addf(&out,
             "X-Real-IP: %s\r\nX-Forwarded-For: %s\r\nX-Forwarded-Host: %s\r\nX-Forwarded-Port: %d\r\n"
             "X-Forwarded-Proto: %s\r\nX-Forwarded-Scheme: %s\r\nX-Scheme: %s\r\n",
             x->address, x->address, x->host, ingress_port(x->in, x->tls), scheme, scheme, scheme);
    if (wants_upgrade(h))
        buf_addf(&out, "Connection: upgrade\r\nUpgrade: %s\r\n\r\n", head_get(h, "Upgrade"));
    else
        buf_adds(&out, "Connection: close\r\n\r\n");
    return io_write(pod, out.data, out.len);
}

static int send_answer(struct exchange *x, int code, const struct body *body)
{
    const struct head *h = &x->answer;
    _auto_buf_ struct buf out = BUF_INIT;
    buf_addf(&out, "HTTP/1.1 %d %s\r\n", code, h->first[2]);
    for (size_t i = 0; i < h->count; i++) {
        static const char *const own[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade"};
        bool skip = false;
        for (size_t o = 0; o < ARRAY_LEN(own); o++)
            skip = skip || strcasecmp(own[o], h->fields[i].name) == 0;
        if (!skip)
            buf_addf(&out, "%s: %s\r\n", h->fields[i].name, h->fields[i].value);
    }
    if (body->framing == BODY_UNTIL_END)
        x->keep = false;
    if (code == 101)
        buf_addf(&out, "Connection: upgrade\r\nUpgrade: %s\r\n\r\n",
                 head_get(h, "Upgrade") ? head_get(h, "Upgrade") : "");
    else if (code >= 200)
        buf_addf(&out, "Connection: %s\r\n\r\n", x->keep ? "keep-alive" : "close");
    else
        buf_adds(&out, "\r\n");
    return io_write(&x->client, out.data, out.len);
}

/* The pod's answers until the last one. 0; -1: it said nothing usable and the client has heard nothing yet. */
static int relay_answer(struct exchange *x, struct io *pod)
{
    for (;;) {
        struct body body;
        uint64_t code;
        if (head_read(pod, &x->answer, IO_SILENCE_MS) != 1 || !str_starts(x->answer.first[0], "HTTP/1.") ||
            !str_to_u64(x->answer.first[1], &code) || code < 100 || code > 599 ||
            body_of_answer(&x->answer, (int)code, x->request.first[0], &body) < 0)
            return -1;
        if (send_answer(x, (int)code, &body) < 0 || body_copy(pod, &x->client, &body) < 0)
            x->keep = false;
        if (code == 101) {
            io_splice(&x->client, pod);
            x->keep = false;
        }
        if (code >= 200 || code == 101)
            return 0;
    }
}

/* ---- one request ---- */

/* "10.244.0.5:80" */
static int dial(struct exchange *x, const json_t *targets)
{
    char ip[64];
    uint64_t port;
    const char *at = json_string_value(json_array_get(targets, ingress_turn(x->in) % json_array_size(targets)));
    const char *colon = at ? strrchr(at, ':') : NULL;
    if (!colon || (size_t)(colon - at) >= sizeof ip || !str_to_u64(colon + 1, &port) || port > 65535)
        return -1;
    memcpy(ip, at, (size_t)(colon - at));
    ip[colon - at] = '\0';
    return ingress_dial(x->in, ip, (uint16_t)port);
}

/* Leads it to a pod. The code of an answer that we have to give, or 0. */
static int lead(struct exchange *x, const struct route *r, const char *target, const struct body *body)
{
    struct io *pod = xmalloc(sizeof *pod);
    int code = 0;
    io_init(pod, dial(x, r->targets), ingress_stop_fd(x->in));
    if (pod->fd < 0)
        code = 502;
    else if (io_await_connect(pod, CONNECT_MS) < 0)
        code = errno == ETIMEDOUT ? 504 : 502;
    else if (send_request(x, pod, target) < 0)
        code = 502;
    if (code == 0 && head_has(&x->request, "Expect", "100-continue"))
        io_print(&x->client, "HTTP/1.1 100 Continue\r\n\r\n");
    if (code == 0 && body_copy(&x->client, pod, body) < 0)
        x->keep = false; /* the pod may have answered before it had heard all */
    if (code == 0 && relay_answer(x, pod) < 0)
        code = errno == ETIMEDOUT ? 504 : 502;
    if (code && body->framing != BODY_NONE)
        x->keep = false; /* nobody reads the rest of it */
    io_release(pod);
    free(pod);
    return code;
}

/* The host without its port; of a target in absolute form that of the target. */
static void read_host(struct exchange *x, const char **target)
{
    const char *host = head_get(&x->request, "Host");
    const char *scheme = strstr(*target, "://");
    if ((*target)[0] != '/' && scheme) {
        host = scheme + 3;
        *target = host + strcspn(host, "/");
        if (!**target)
            *target = "/";
    }
    snprintf(x->host, sizeof x->host, "%.*s", host ? (int)strcspn(host, "/:") : 0, host ? host : "");
}

static void serve_one(struct exchange *x, const struct table *t)
{
    struct body body;
    const char *target = x->request.first[1];
    const bool newer = str_eq(x->request.first[2], "HTTP/1.1");
    x->keep = newer ? !head_has(&x->request, "Connection", "close") : head_has(&x->request, "Connection", "keep-alive");
    if (!str_starts(x->request.first[2], "HTTP/1.") || body_of_request(&x->request, &body) < 0 ||
        (newer && !head_get(&x->request, "Host"))) {
        x->keep = false;
        answer_self(x, 400, NULL);
        return;
    }
    read_host(x, &target);
    _auto_free_ char *path = xstrndup(target, strcspn(target, "?"));
    const char *query = target + strlen(path);
    const struct certificate *cert = table_certificate(t, x->host);
    const struct route *r = table_route(t, x->host, path);
    if (!x->tls && r && cert && cert->redirect) {
        const unsigned port = ingress_port(x->in, true);
        _auto_free_ char *at = port == 443 ? xstrdup("") : xasprintf(":%u", port);
        _auto_free_ char *location = xasprintf("https://%s%s%s", x->host, at, target);
        x->keep = x->keep && body.framing == BODY_NONE;
        answer_self(x, 308, location);
        return;
    }
    _auto_free_ char *rewritten = r ? route_rewrite(r, path) : NULL;
    _auto_free_ char *asked = xasprintf("%s%s", rewritten ? rewritten : path, query);
    const bool nobody = !r || !json_array_size(r->targets);
    if (nobody)
        x->keep = x->keep && body.framing == BODY_NONE;
    const int code = !r ? 404 : nobody ? 503 : lead(x, r, asked, &body);
    if (code)
        answer_self(x, code, NULL);
}

/* ---- TLS ---- */

/* The certificate of the host that the client names; before anything is agreed on. */
static int choose_certificate(gnutls_session_t session)
{
    struct exchange *x = gnutls_session_get_ptr(session);
    char name[256];
    size_t len = sizeof name;
    unsigned type = 0;
    const bool named = gnutls_server_name_get(session, name, &len, &type, 0) == 0 && type == GNUTLS_NAME_DNS;
    const struct certificate *c = named ? table_certificate(x->first, name) : NULL;
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c && c->credentials ? c->credentials : ingress_fake(x->in));
    return 0;
}

static int handshake(struct exchange *x)
{
    static const gnutls_datum_t http = {(unsigned char *)(uintptr_t) "http/1.1", 8};
    int rc = gnutls_init(&x->client.tls, GNUTLS_SERVER | GNUTLS_NONBLOCK);
    if (rc < 0) {
        x->client.tls = NULL;
        return -1;
    }
    gnutls_set_default_priority(x->client.tls);
    gnutls_alpn_set_protocols(x->client.tls, &http, 1, 0);
    gnutls_session_set_ptr(x->client.tls, x);
    gnutls_handshake_set_post_client_hello_function(x->client.tls, choose_certificate);
    gnutls_transport_set_int(x->client.tls, x->client.fd);
    for (;;) {
        rc = gnutls_handshake(x->client.tls);
        if (rc == 0)
            return 0;
        if (gnutls_error_is_fatal(rc) || io_await(&x->client, gnutls_record_get_direction(x->client.tls)) < 0)
            return -1;
    }
}

void exchange_run(struct ingress *in, int take_fd, bool tls, const char *client)
{
    struct exchange *x = xcalloc(1, sizeof *x);
    x->in = in;
    x->address = client;
    x->tls = tls;
    io_init(&x->client, take_fd, ingress_stop_fd(in));
    x->first = ingress_table(in);
    x->keep = !tls || handshake(x) == 0;
    while (x->keep) {
        const int got = head_read(&x->client, &x->request, IDLE_MS);
        if (got < 1) {
            x->keep = false;
            if (got < 0 && (errno == EBADMSG || errno == EMSGSIZE))
                answer_self(x, errno == EBADMSG ? 400 : 414, NULL);
            break;
        }
        struct table *t = ingress_table(in);
        serve_one(x, t);
        ingress_table_drop(in, t);
    }
    io_release(&x->client);
    ingress_table_drop(in, x->first);
    free(x);
}
