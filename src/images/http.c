/* http.c - GET over plain HTTP from a server on the loopback: as much as a registry needs.
 *
 * DESIGN: one request a connection ("Connection: close"), so the body ends with its length, its last chunk, or the
 * connection. Nothing but the loopback is ever spoken to: the address is looked at, not the name. A registry that
 * redirects is not followed. THREADS: any. */
#include "images/http_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 60
#define HEAD_MAX   (64 * 1024)

struct reply {
    int sock, status;
    char *data; /* what was read and not used yet */
    size_t at, have;
    bool chunked;
    int64_t length; /* -1 = until the end */
};
enum { ROOM = HEAD_MAX };

/* ---- connecting ---- */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static int connect_to(const char *host, struct err *e)
{
    const char *colon = strrchr(host, ':');
    _auto_free_ char *name = xstrndup(host, colon ? (size_t)(colon - host) : strlen(host));
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct addrinfo *list = NULL;
    int fd = -1;
    if (getaddrinfo(name, colon ? colon + 1 : "80", &hints, &list) != 0)
        return err_set(e, ERR_NOT_FOUND, "lookup %s: no such host", name);
    err_set(e, ERR_FORBIDDEN, "%s is not on this machine", host);
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        if (!is_loopback(a->ai_addr))
            continue;
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            err_sys(e, errno, "dial tcp %s", host);
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return -1;
    err_clear(e);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static int send_request(int sock, const struct http_get *get, struct err *e)
{
    _auto_free_ char *text = xasprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\nUser-Agent: stowage\r\n"
                                       "Connection: close\r\n\r\n",
                                       get->path, get->host, get->accept);
    for (size_t at = 0, n = strlen(text); at < n;) {
        const ssize_t k = send(sock, text + at, n - at, MSG_NOSIGNAL);
        if (k < 0)
            return err_sys(e, errno, "send");
        at += (size_t)k;
    }
    return 0;
}

/* ---- reading ---- */

/* Makes some bytes available: how many; 0 at the end. */
static ssize_t more(struct reply *r, struct err *e)
{
    if (r->at < r->have)
        return (ssize_t)(r->have - r->at);
    ssize_t n;
    do
        n = recv(r->sock, r->data, ROOM, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(e, errno, "receive");
    r->at = 0;
    r->have = (size_t)n;
    return n;
}

/* A line without its end. */
static int read_line(struct reply *r, char *out, size_t size, struct err *e)
{
    size_t n = 0;
    while (true) {
        const ssize_t got = more(r, e);
        if (got <= 0)
            return got < 0 ? -1 : err_set(e, ERR_CORRUPT, "the registry's answer ends too early");
        const char c = r->data[r->at++];
        if (c == '\n')
            break;
        if (n + 1 == size)
            return err_set(e, ERR_CORRUPT, "the registry's answer has too long a line");
        out[n++] = c;
    }
    out[n - (n > 0 && out[n - 1] == '\r')] = '\0';
    return 0;
}

static int read_head(struct reply *r, struct err *e)
{
    char line[4096];
    size_t total = 0;
    if (read_line(r, line, sizeof line, e) < 0)
        return -1;
    if (sscanf(line, "HTTP/1.%*d %d", &r->status) != 1)
        return err_set(e, ERR_CORRUPT, "that is no HTTP server");
    r->length = -1;
    while (read_line(r, line, sizeof line, e) == 0) {
        char *value = strchr(line, ':');
        total += strlen(line);
        if (!line[0])
            return 0;
        if (!value || total > HEAD_MAX)
            break;
        *value++ = '\0';
        value += strspn(value, " \t");
        if (strcasecmp(line, "Content-Length") == 0 && !str_to_i64(value, &r->length))
            break;
        if (strcasecmp(line, "Transfer-Encoding") == 0)
            r->chunked = strcasecmp(value, "chunked") == 0;
    }
    return err_set(e, ERR_CORRUPT, "the registry's answer has a malformed head");
}

/* `left` bytes of body; -1 = until the end. */
static int read_plain(struct reply *r, const struct http_get *get, int64_t left, struct err *e)
{
    while (left != 0) {
        ssize_t n = more(r, e);
        if (n <= 0)
            return n < 0 ? -1 : left < 0 ? 0 : err_set(e, ERR_CORRUPT, "the registry's answer ends too early");
        if (left > 0 && n > left)
            n = (ssize_t)left;
        if (get->body(get->arg, r->data + r->at, (size_t)n, e) < 0)
            return -1;
        r->at += (size_t)n;
        left -= left > 0 ? n : 0;
    }
    return 0;
}

static int read_chunks(struct reply *r, const struct http_get *get, struct err *e)
{
    char line[256], *end;
    while (true) {
        if (read_line(r, line, sizeof line, e) < 0)
            return -1;
        const unsigned long long n = strtoull(line, &end, 16);
        if (end == line || n > INT64_MAX)
            return err_set(e, ERR_CORRUPT, "the registry's answer has a malformed chunk");
        if (n == 0)
            return 0;
        if (read_plain(r, get, (int64_t)n, e) < 0 || read_line(r, line, sizeof line, e) < 0)
            return -1;
    }
}

int http_get(const struct http_get *get, struct err *e)
{
    _auto_close_ int sock = connect_to(get->host, e);
    if (sock < 0)
        return -1;
    _auto_free_ char *data = xmalloc(ROOM);
    struct reply r = {.sock = sock, .data = data};
    if (send_request(sock, get, e) < 0 || read_head(&r, e) < 0)
        return -1;
    const int rc = r.status != 200 ? 0 : r.chunked ? read_chunks(&r, get, e) : read_plain(&r, get, r.length, e);
    return rc < 0 ? -1 : r.status;
}
