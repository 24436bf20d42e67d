/* ask_http.c - an HTTP(S) request to a container, as the kubelet's probes and hooks make it.
 *
 * DESIGN: one request, one connection. Of the answer the head is read, and the body only where somebody is shown it.
 * A redirect is followed, ten times at most; a probe leaves its host for nobody, and says so in a warning. To a hook
 * any answer will do. Over TLS nothing is verified, as the kubelet does not either.
 *
 * THREADS: patient threads; touches only the action. Source: pkg/probe/http, lifecycle/handlers.go. */
#include "kubeletsim/probe_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX      (16 * 1024)
#define BODY_MAX      (10 * 1024)
#define REDIRECTS_MAX 10

struct talk {
    const struct action *a;
    int fd;
    int64_t deadline;
    gnutls_session_t tls; /* NULL: plain */
    gnutls_certificate_credentials_t creds;
};

/* Waits for the descriptor. False out of time. */
static bool ready(const struct talk *t, short what)
{
    for (;;) {
        struct pollfd p[2] = {{t->fd, what, 0}, {t->a->k->closing, POLLIN, 0}};
        int n = poll(p, 2, ask_left(t->deadline));
        if (n < 0 && errno == EINTR)
            continue;
        return n > 0 && !p[1].revents;
    }
}

/* -- TLS -- */

/* 0, or -1 out of time, or a GnuTLS error below that. */
static int tls_start(struct talk *t)
{
    gnutls_init(&t->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    gnutls_certificate_allocate_credentials(&t->creds);
    gnutls_set_default_priority(t->tls);
    gnutls_credentials_set(t->tls, GNUTLS_CRD_CERTIFICATE, t->creds);
    gnutls_transport_set_int(t->tls, t->fd);
    for (;;) {
        int rc = gnutls_handshake(t->tls);
        if (rc == GNUTLS_E_SUCCESS || (rc < 0 && gnutls_error_is_fatal(rc)))
            return rc;
        if (!ready(t, gnutls_record_get_direction(t->tls) ? POLLOUT : POLLIN))
            return -1;
    }
}

/* Returns new. */
static char *tls_text(const char *url, int rc)
{
    bool plain = rc == GNUTLS_E_UNEXPECTED_PACKET_LENGTH || rc == GNUTLS_E_UNEXPECTED_PACKET ||
                 rc == GNUTLS_E_UNSUPPORTED_VERSION_PACKET || rc == GNUTLS_E_RECORD_OVERFLOW;
    if (plain)
        return xasprintf("Get \"%s\": http: server gave HTTP response to HTTPS client", url);
    return xasprintf("Get \"%s\": remote error: tls: %s", url, gnutls_strerror(rc));
}

static void talk_end(struct talk *t)
{
    if (t->tls)
        gnutls_deinit(t->tls);
    if (t->creds)
        gnutls_certificate_free_credentials(t->creds);
    if (t->fd >= 0)
        close(t->fd);
}

/* As send() and recv() that do not block: the count, 0 at the end, -EAGAIN, or another negative number. */
static ssize_t talk_write(struct talk *t, const void *data, size_t n)
{
    ssize_t w = t->tls ? gnutls_record_send(t->tls, data, n) : send(t->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (w >= 0)
        return w;
    if (t->tls)
        return gnutls_error_is_fatal((int)w) ? -EPIPE : -EAGAIN;
    return errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t talk_read(struct talk *t, void *data, size_t n)
{
    ssize_t r = t->tls ? gnutls_record_recv(t->tls, data, n) : recv(t->fd, data, n, MSG_DONTWAIT);
    if (r >= 0)
        return r;
    if (t->tls)
        return gnutls_error_is_fatal((int)r) ? -EPIPE : -EAGAIN;
    return errno == EINTR ? -EAGAIN : -errno;
}

/* -- the exchange -- */

static void request_text(const struct action *a, const json_t *get, const struct url *at, struct buf *out)
{
    const char *agent = a->kind == ACTION_PROBE ? "kube-probe" : "kube-lifecycle";
    static const char *const usual[] = {"Host", "User-Agent", "Accept"};
    bool has[ARRAY_LEN(usual)] = {false};
    buf_addf(out, "GET %s HTTP/1.1\r\n", at->path);
    size_t i;
    const json_t *h;
    json_array_foreach(json_object_get(get, "httpHeaders"), i, h)
    {
        const char *name = jstr_or(h, "name", "");
        for (size_t u = 0; u < ARRAY_LEN(usual); u++)
            has[u] = has[u] || strcasecmp(name, usual[u]) == 0;
        buf_addf(out, "%s: %s\r\n", name, jstr_or(h, "value", ""));
    }
    if (!has[0])
        buf_addf(out, "Host: %s\r\n", at->authority);
    if (!has[1])
        buf_addf(out, "User-Agent: %s/1.32\r\n", agent);
    if (!has[2])
        buf_adds(out, "Accept: */*\r\n");
    buf_adds(out, "Connection: close\r\n\r\n");
}

/* The value of the field in the answer's head, up to its line's end; NULL: it has none. */
static const char *field_of(const struct buf *in, const char *name)
{
    const size_t n = strlen(name);
    const char *line = buf_str(in), *end = strstr(line, "\r\n\r\n");
    while ((line = strstr(line, "\r\n")) && end && line < end) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    }
    return NULL;
}

static bool send_all(struct talk *t, const struct buf *b)
{
    for (size_t at = 0; at < b->len;) {
        ssize_t n = talk_write(t, b->data + at, b->len - at);
        if (n == -EAGAIN && !ready(t, POLLOUT))
            return false;
        if (n < 0 && n != -EAGAIN)
            return true; /* the answer, or its absence, will say more */
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Reads more of the answer. 1, 0 at its end, -1 out of time. */
static int read_more(struct talk *t, struct buf *in)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = talk_read(t, chunk, sizeof chunk);
        if (n == -EAGAIN && ready(t, POLLIN))
            continue;
        if (n == -EAGAIN)
            return -1;
        if (n <= 0)
            return 0;
        buf_add(in, chunk, (size_t)n);
        return 1;
    }
}

/* Reads the head of the answer. 1, 0 at an early end, -1 out of time. */
static int read_head(struct talk *t, struct buf *in)
{
    int rc = 1;
    while (rc > 0 && in->len < HEAD_MAX && !strstr(buf_str(in), "\r\n\r\n"))
        rc = read_more(t, in);
    return rc < 0 ? -1 : in->len > 0;
}

/* Goes on to the end of the body, as far as one is shown it. */
static void read_body(struct talk *t, struct buf *in)
{
    const char *end = strstr(buf_str(in), "\r\n\r\n"), *length = end ? field_of(in, "Content-Length") : NULL;
    uint64_t most = BODY_MAX;
    _auto_free_ char *digits = length ? xstrndup(length, strcspn(length, "\r\n")) : NULL;
    if (digits && (!str_to_u64(digits, &most) || most > BODY_MAX))
        most = BODY_MAX;
    const size_t head = end ? (size_t)(end + 4 - buf_str(in)) : in->len;
    while (in->len < head + most && read_more(t, in) > 0)
        continue;
}

/* -- what it means -- */

static bool is_redirect(int code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* One request. The code of the answer, or -1: the action's text says why there is none. */
static int exchange(struct action *a, const json_t *get, const struct url *at, int64_t deadline, struct buf *in)
{
    static const char late[] = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    struct err e = ERR_INIT;
    int code = 0;
    _auto_free_ char *url = url_text(at);
    _auto_buf_ struct buf out = BUF_INIT;
    _cleanup_(talk_end) struct talk t = {.a = a, .fd = -1, .deadline = deadline};
    a->port = at->port;
    t.fd = ask_dial(a, at->host, &e);
    if (t.fd < 0) {
        _auto_free_ char *why = ask_dial_text(a, at->host, &e);
        a->text = xasprintf("Get \"%s\": %s", url, why);
        return -1;
    }
    fcntl(t.fd, F_SETFL, O_NONBLOCK); /* GnuTLS reads by itself */
    int rc = at->secure ? tls_start(&t) : 0;
    if (rc < -1) {
        a->text = tls_text(url, rc);
        return -1;
    }
    request_text(a, get, at, &out);
    rc = rc == 0 && send_all(&t, &out) ? read_head(&t, in) : -1;
    if (rc <= 0) {
        a->text = xasprintf("Get \"%s\": %s", url, rc == 0 ? "EOF" : late);
        return -1;
    }
    if (sscanf(buf_str(in), "HTTP/%*d.%*d %d", &code) != 1) {
        const size_t n = strcspn(buf_str(in), "\r\n");
        a->text =
            xasprintf("Get \"%s\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"%.*s\"",
                      url, (int)(n < 200 ? n : 200), buf_str(in));
        return -1;
    }
    if (code / 100 == 3)
        read_body(&t, in);
    return code;
}

static void judge(struct action *a, int code, const struct buf *answer)
{
    const char *body = strstr(buf_str(answer), "\r\n\r\n");
    a->outcome = a->kind != ACTION_PROBE || (code >= 200 && code < 300) ? ACTION_OK
                 : code >= 300 && code < 400                            ? ACTION_WARNED
                                                                        : ACTION_FAILED;
    if (a->outcome == ACTION_WARNED)
        a->text = xasprintf("Probe terminated redirects, Response body: %.*s", BODY_MAX, body ? body + 4 : "");
    if (a->outcome == ACTION_FAILED)
        a->text = xasprintf("HTTP probe failed with statuscode: %d", code);
}

/* Where the answer sends whoever asked. False: nowhere that we go. */
static bool next_of(const struct action *a, const struct url *at, int code, const struct buf *answer, struct url *out)
{
    const char *field = is_redirect(code) ? field_of(answer, "Location") : NULL;
    _auto_free_ char *location = field ? xstrndup(field, strcspn(field, "\r\n")) : NULL;
    if (!location || !url_follow(at, location, out))
        return false;
    if (a->kind != ACTION_PROBE || str_eq(out->host, at->host))
        return true;
    url_release(out);
    return false;
}

void ask_http(struct action *a, const json_t *get)
{
    const int64_t deadline = ask_deadline(a);
    _cleanup_(url_release) struct url at = {0};
    url_of_handler(a, get, &at);
    a->outcome = ACTION_FAILED;
    for (int asked = 1;; asked++) {
        _auto_buf_ struct buf answer = BUF_INIT;
        struct url next;
        const int code = exchange(a, get, &at, deadline, &answer);
        if (code < 0)
            break;
        if (!next_of(a, &at, code, &answer, &next)) {
            judge(a, code, &answer);
            break;
        }
        if (asked == REDIRECTS_MAX) {
            _auto_free_ char *url = url_text(&at);
            a->text = xasprintf("Get \"%s\": stopped after %d redirects", url, REDIRECTS_MAX);
            url_release(&next);
            break;
        }
        url_release(&at);
        at = next;
    }
    if (a->text)
        a->error = xstrdup(a->text);
}
