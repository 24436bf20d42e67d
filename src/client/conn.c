/* conn.c - see conn_int.h.
 *
 * DESIGN: the socket never blocks; what would wait does so in poll() together with the descriptor that cancels. The
 * certificate is verified against the kubeconfig's authority (or the system's) and the name or address of the URL.
 * THREADS: one at a time. */
#include "client/conn_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t conn_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- where it goes ---- */

static int split_url(struct remote *r, const char *url, struct err *e)
{
    const char *rest = url;
    if (str_starts(url, "https://"))
        r->tls = true, rest += strlen("https://");
    else if (str_starts(url, "http://"))
        rest += strlen("http://");
    else
        return err_set(e, ERR_BAD_REQUEST, "server \"%s\" is no http or https URL", url);
    const size_t len = strcspn(rest, "/");
    r->authority = xstrndup(rest, len);
    r->prefix = xstrdup(rest + len);
    for (size_t n = strlen(r->prefix); n > 0 && r->prefix[n - 1] == '/'; n--)
        r->prefix[n - 1] = '\0';
    const char *end = r->authority[0] == '[' ? strchr(r->authority, ']') : NULL;
    const char *colon = strchr(end ? end : r->authority, ':');
    r->port = xstrdup(colon ? colon + 1 : r->tls ? "443" : "80");
    const char *host = r->authority + (end ? 1 : 0);
    r->host = xstrndup(host, end ? (size_t)(end - host) : colon ? (size_t)(colon - host) : strlen(host));
    if (!r->host[0])
        return err_set(e, ERR_BAD_REQUEST, "server \"%s\" has no host", url);
    return 0;
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

static int load_credentials(struct remote *r, const struct access *a, struct err *e)
{
    gnutls_certificate_allocate_credentials(&r->creds);
    if (a->ca_pem) {
        const gnutls_datum_t ca = datum(a->ca_pem);
        const int n = gnutls_certificate_set_x509_trust_mem(r->creds, &ca, GNUTLS_X509_FMT_PEM);
        if (n <= 0)
            return err_set(e, ERR_BAD_REQUEST, "unable to load root certificates: %s",
                           n < 0 ? gnutls_strerror(n) : "data does not contain any valid certificates");
    } else {
        gnutls_certificate_set_x509_system_trust(r->creds);
    }
    if (!a->cert_pem || !a->key_pem)
        return 0;
    const gnutls_datum_t cert = datum(a->cert_pem), key = datum(a->key_pem);
    const int rc = gnutls_certificate_set_x509_key_mem(r->creds, &cert, &key, GNUTLS_X509_FMT_PEM);
    return rc < 0 ? err_set(e, ERR_BAD_REQUEST, "tls: client certificate: %s", gnutls_strerror(rc)) : 0;
}

int remote_init(struct remote *r, const struct access *a, struct err *e)
{
    *r = (struct remote){.insecure = a->insecure};
    if (split_url(r, a->url, e) < 0 || (r->tls && load_credentials(r, a, e) < 0)) {
        remote_release(r);
        return -1;
    }
    r->server_name = xstrdup(a->server_name ? a->server_name : r->host);
    return 0;
}

void remote_release(struct remote *r)
{
    free(r->host);
    free(r->port);
    free(r->authority);
    free(r->prefix);
    free(r->server_name);
    if (r->creds)
        gnutls_certificate_free_credentials(r->creds);
    *r = (struct remote){0};
}

/* ---- waiting ---- */

static int await(const struct conn *c, short what, int64_t deadline, struct err *e)
{
    for (;;) {
        int64_t left = deadline < 0 ? -1 : deadline - conn_now_ms();
        if (deadline >= 0 && left < 0)
            left = 0;
        struct pollfd p[2] = {{c->fd, what, 0}, {c->cancel, POLLIN, 0}};
        const int n = poll(p, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "poll");
        if (p[1].revents)
            return err_set(e, ERR_TIMEOUT, "interrupted");
        return n > 0 ? 0 : err_set(e, ERR_TIMEOUT, "no answer in time");
    }
}

/* ---- opening ---- */

static int dial_one(struct conn *c, const struct addrinfo *a, int64_t deadline, struct err *e)
{
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return err_sys(e, errno, "socket");
    int rc = connect(c->fd, a->ai_addr, a->ai_addrlen) < 0 ? errno : 0;
    if (rc == EINPROGRESS) {
        socklen_t len = sizeof rc;
        if (await(c, POLLOUT, deadline, e) < 0)
            return -1;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &rc, &len);
    }
    const int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return rc == 0 ? 0 : err_sys(e, rc, "connect");
}

static int dial(struct conn *c, const struct remote *r, int64_t deadline, struct err *e)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const int failed = getaddrinfo(r->host, r->port, &hints, &list);
    if (failed)
        return err_set(e, ERR_UNAVAILABLE, "lookup %s: %s", r->host, gai_strerror(failed));
    int rc = -1;
    for (const struct addrinfo *a = list; a && rc < 0; a = a->ai_next) {
        if (c->fd >= 0)
            close(c->fd);
        rc = dial_one(c, a, deadline, e);
    }
    freeaddrinfo(list);
    if (rc == 0 || e->code == ERR_TIMEOUT)
        return rc;
    e->code = ERR_UNAVAILABLE; /* sys_errno stays: who calls tells a refusal from silence by it */
    return err_wrap(e, "dial tcp %s:%s", r->host, r->port);
}

static int tls_error(struct conn *c, int rc, struct err *e)
{
    if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
        gnutls_datum_t why = {0};
        const unsigned status = gnutls_session_get_verify_cert_status(c->tls);
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0);
        err_set(e, ERR_UNAVAILABLE, "tls: failed to verify certificate: %.*s", (int)why.size, (const char *)why.data);
        gnutls_free(why.data);
        return -1;
    }
    return err_set(e, ERR_UNAVAILABLE, "tls: %s", gnutls_strerror(rc));
}

static bool is_address(const char *host)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

static int secure(struct conn *c, const struct remote *r, int64_t deadline, struct err *e)
{
    gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(c->tls);
    gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, r->creds);
    if (!is_address(r->server_name))
        gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, r->server_name, strlen(r->server_name));
    if (!r->insecure)
        gnutls_session_set_verify_cert(c->tls, r->server_name, 0);
    gnutls_transport_set_int(c->tls, c->fd);
    for (;;) {
        const int rc = gnutls_handshake(c->tls);
        if (rc == GNUTLS_E_SUCCESS)
            return 0;
        if (gnutls_error_is_fatal(rc))
            return tls_error(c, rc, e);
        if (await(c, gnutls_record_get_direction(c->tls) ? POLLOUT : POLLIN, deadline, e) < 0)
            return -1;
    }
}

int conn_open(const struct remote *r, int cancel, int64_t deadline, struct conn **out, struct err *e)
{
    struct conn *c = xcalloc(1, sizeof *c);
    *c = (struct conn){.fd = -1, .cancel = cancel, .in = xmalloc(CONN_BUFFER)};
    if (dial(c, r, deadline, e) < 0 || (r->tls && secure(c, r, deadline, e) < 0)) {
        conn_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    if (c->tls) {
        gnutls_bye(c->tls, GNUTLS_SHUT_WR);
        gnutls_deinit(c->tls);
    }
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c);
}

/* ---- bytes ---- */

/* The count, 0 at the end, -1 = not now (poll for *out_what), -2 with `e`. */
static ssize_t read_once(struct conn *c, short *out_what, struct err *e)
{
    *out_what = POLLIN;
    if (!c->tls) {
        const ssize_t n = recv(c->fd, c->in, CONN_BUFFER, 0);
        if (n >= 0)
            return n;
        if (errno == EAGAIN || errno == EINTR)
            return -1;
        err_sys(e, errno, "read");
        e->code = ERR_UNAVAILABLE;
        return -2;
    }
    const ssize_t n = gnutls_record_recv(c->tls, c->in, CONN_BUFFER);
    if (n >= 0)
        return n;
    if (n == GNUTLS_E_PREMATURE_TERMINATION)
        return 0;
    if (!gnutls_error_is_fatal((int)n)) {
        *out_what = gnutls_record_get_direction(c->tls) ? POLLOUT : POLLIN;
        return -1;
    }
    tls_error(c, (int)n, e);
    return -2;
}

ssize_t conn_poll(struct conn *c, bool *out_again, struct err *e)
{
    *out_again = false;
    if (c->at < c->have)
        return (ssize_t)(c->have - c->at);
    short what;
    const ssize_t n = read_once(c, &what, e);
    c->at = 0;
    c->have = n > 0 ? (size_t)n : 0;
    *out_again = n == -1;
    return n == -1 ? 0 : n == -2 ? -1 : n;
}

ssize_t conn_fill(struct conn *c, int64_t deadline, struct err *e)
{
    for (;;) {
        bool again;
        const ssize_t n = conn_poll(c, &again, e);
        if (n != 0 || !again)
            return n;
        const short what = c->tls && gnutls_record_get_direction(c->tls) ? POLLOUT : POLLIN;
        if (await(c, what, deadline, e) < 0)
            return -1;
    }
}

ssize_t conn_try_send(struct conn *c, const void *data, size_t n, struct err *e)
{
    if (!c->tls) {
        const ssize_t w = send(c->fd, data, n, MSG_NOSIGNAL);
        if (w >= 0 || errno == EAGAIN || errno == EINTR)
            return w < 0 ? 0 : w;
        err_sys(e, errno, "write");
        e->code = ERR_UNAVAILABLE;
        return -1;
    }
    const ssize_t w = c->held ? gnutls_record_send(c->tls, NULL, 0) : gnutls_record_send(c->tls, data, n);
    c->held = w < 0 && !gnutls_error_is_fatal((int)w);
    return w >= 0 ? w : c->held ? 0 : tls_error(c, (int)w, e);
}

int conn_send(struct conn *c, const void *data, size_t n, int64_t deadline, struct err *e)
{
    for (size_t at = 0; at < n;) {
        const ssize_t w = conn_try_send(c, (const char *)data + at, n - at, e);
        if (w < 0)
            return -1;
        at += (size_t)w;
        const short what = c->tls && !gnutls_record_get_direction(c->tls) ? POLLIN : POLLOUT;
        if (w == 0 && await(c, what, deadline, e) < 0)
            return -1;
    }
    return 0;
}

bool conn_stale(struct conn *c)
{
    struct pollfd p = {c->fd, POLLIN, 0};
    return c->at < c->have || poll(&p, 1, 0) != 0;
}
