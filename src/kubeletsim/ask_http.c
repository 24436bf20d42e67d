/* ask_http.c - an HTTP(S) request to a container, as the kubelet's probes and hooks make it.
 *
 * DESIGN: one request, one connection, and only the head of the answer: the status is all that counts. A redirect
 * counts as success: it is not followed. Over TLS nothing is verified, as the kubelet does not either.
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

#define HEAD_MAX (16 * 1024)

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

static void request_text(const struct action *a, const json_t *get, struct buf *out)
{
    const char *path = jstr_or(get, "path", "/");
    const char *agent = a->kind == ACTION_PROBE ? "kube-probe" : "kube-lifecycle";
    static const char *const usual[] = {"Host", "User-Agent", "Accept"};
    bool has[ARRAY_LEN(usual)] = {false};
    buf_addf(out, "GET %s%s HTTP/1.1\r\n", *path == '/' ? "" : "/", path);
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
        buf_addf(out, "Host: %s:%d\r\n", ask_host(a, get), a->port);
    if (!has[1])
        buf_addf(out, "User-Agent: %s/1.32\r\n", agent);
    if (!has[2])
        buf_adds(out, "Accept: */*\r\n");
    buf_adds(out, "Connection: close\r\n\r\n");
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

/* Reads the head of the answer. 1, 0 at an early end, -1 out of time. */
static int read_head(struct talk *t, struct buf *in)
{
    char chunk[4096];
    while (in->len < HEAD_MAX && !strstr(buf_str(in), "\r\n\r\n")) {
        ssize_t n = talk_read(t, chunk, sizeof chunk);
        if (n == -EAGAIN && !ready(t, POLLIN))
            return -1;
        if (n == -EAGAIN)
            continue;
        if (n <= 0)
            break;
        buf_add(in, chunk, (size_t)n);
    }
    return in->len > 0;
}

/* -- what it means -- */

static void judge(struct action *a, const struct buf *in, const char *url)
{
    int code = 0;
    size_t n = strcspn(buf_str(in), "\r\n");
    bool parsed = sscanf(buf_str(in), "HTTP/%*d.%*d %d", &code) == 1;
    a->outcome = parsed && code >= 200 && code < 400 ? ACTION_OK : ACTION_FAILED;
    if (!parsed)
        a->text =
            xasprintf("Get \"%s\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"%.*s\"",
                      url, (int)(n < 200 ? n : 200), buf_str(in));
    else if (a->outcome == ACTION_FAILED)
        a->text = xasprintf("HTTP probe failed with statuscode: %d", code);
}

static void exchange(struct action *a, struct talk *t, const json_t *get, const char *url, bool secure)
{
    static const char late[] = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    _auto_buf_ struct buf out = BUF_INIT;
    _auto_buf_ struct buf in = BUF_INIT;
    int rc = secure ? tls_start(t) : 0;
    if (rc < -1) {
        a->text = tls_text(url, rc);
        return;
    }
    request_text(a, get, &out);
    rc = rc == 0 && send_all(t, &out) ? read_head(t, &in) : -1;
    if (rc > 0)
        judge(a, &in, url);
    else
        a->text = xasprintf("Get \"%s\": %s", url, rc == 0 ? "EOF" : late);
}

void ask_http(struct action *a, const json_t *get)
{
    struct err e = ERR_INIT;
    const char *path = jstr_or(get, "path", "/");
    bool secure = str_eq(jstr(get, "scheme"), "HTTPS");
    _auto_free_ char *url = xasprintf("%s://%s:%d%s%s", secure ? "https" : "http", ask_host(a, get), a->port,
                                      *path == '/' ? "" : "/", path);
    struct talk t = {.a = a, .deadline = ask_deadline(a)};
    a->outcome = ACTION_FAILED;
    t.fd = ask_dial(a, ask_host(a, get), &e);
    if (t.fd < 0) {
        _auto_free_ char *why = ask_dial_text(a, ask_host(a, get), &e);
        a->text = xasprintf("Get \"%s\": %s", url, why);
    } else {
        fcntl(t.fd, F_SETFL, O_NONBLOCK); /* GnuTLS reads by itself */
        exchange(a, &t, get, url, secure);
    }
    talk_end(&t);
    if (a->text)
        a->error = xstrdup(a->text);
}
