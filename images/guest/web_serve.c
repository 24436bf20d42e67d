/* web_serve.c - connections: one process, poll(), non-blocking sockets.
 *
 *      READ --(head complete)--> WRITE --(all sent)--> DROP (rest of the body) --> READ (keep-alive) or closed
 *
 * A connection costs its buffers only; idle ones end after 65 s, and the oldest idle one makes room when all places are
 * taken. */
#include "web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define IDLE_SECONDS    65

enum state { FREE, READ, WRITE, DROP };
struct connection {
    enum state state;
    int fd;
    unsigned number;
    time_t since;
    char *in; /* owned */
    size_t in_len;
    struct request request;
    struct response response;
    size_t head_sent;
};

static struct connection connections[CONNECTIONS_MAX];
static volatile sig_atomic_t stop_now, stop_soon;

static void on_stop(int sig)
{
    if (sig == SIGQUIT)
        stop_soon = 1;
    else
        stop_now = 1;
}

/* ---- logs ---- */

void web_log(const struct web *w, const char *level, const char *fmt, ...)
{
    char text[4096], line[4300], when[32];
    const time_t now = time(NULL);
    struct tm tm;
    va_list ap;
    if (strcmp(level, "notice") == 0 && !w->notices)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y/%m/%d %H:%M:%S", &tm);
    const int n = snprintf(line, sizeof line, "%s [%s] %d#%d: %s\n", when, level, (int)getpid(), (int)getpid(), text);
    if (write(w->error_fd, line, (size_t)n) < 0)
        return;
}

void web_access(const struct web *w, const struct request *r, const struct response *p)
{
    char line[4096], when[48];
    const time_t now = time(NULL);
    struct tm tm;
    const char *referer = request_header(r, "Referer"), *agent = request_header(r, "User-Agent");
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    const int n = snprintf(line, sizeof line, "%s - - [%s] \"%s\" %d %lld \"%s\" \"%s\"%s\n", r->client, when, r->line,
                           p->code, (long long)p->sent, referer ? referer : "-", agent ? agent : "-", w->log_tail);
    if (w->access_fd >= 0 && n > 0 &&
        write(w->access_fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
        return;
}

void web_drop_user(const char *user)
{
    FILE *f = getuid() == 0 && user ? fopen("/etc/passwd", "re") : NULL;
    char line[512], name[64];
    unsigned uid, gid;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%63[^:]:%*[^:]:%u:%u:", name, &uid, &gid) == 3 && strcmp(name, user) == 0) {
            if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
                break;
            break;
        }
    if (f)
        fclose(f);
}

/* ---- listening ---- */

static int listen_on(const struct listen *l)
{
    const int on = 1;
    const int fd = socket(l->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int result;
    if (l->ipv6) {
        struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(l->port)};
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        result = bind(fd, (struct sockaddr *)&a, sizeof a);
    } else {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(l->port)};
        if (*l->host)
            inet_pton(AF_INET, l->host, &a.sin_addr);
        result = bind(fd, (struct sockaddr *)&a, sizeof a);
    }
    if (result == 0 && listen(fd, 511) == 0)
        return fd;
    const int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static int find_socket(const struct sockets *s, uint16_t port, bool ipv6)
{
    for (size_t i = 0; s && i < s->count; i++)
        if (s->items[i].port == port && s->items[i].ipv6 == ipv6)
            return s->items[i].fd;
    return -1;
}

void web_close_sockets(const struct sockets *all, const struct sockets *keep)
{
    for (size_t i = 0; i < all->count; i++)
        if (find_socket(keep, all->items[i].port, all->items[i].ipv6) != all->items[i].fd)
            close(all->items[i].fd);
}

static int add_socket(const struct web *w, const struct listen *l, const struct sockets *before, struct sockets *out)
{
    if (out->count == LISTS_MAX || find_socket(out, l->port, l->ipv6) >= 0)
        return 0;
    int fd = find_socket(before, l->port, l->ipv6);
    if (fd < 0)
        fd = listen_on(l);
    if (fd < 0) {
        if (l->ipv6)
            return 0; /* a network without IPv6 */
        web_log(w, "emerg", "bind() to %s:%u failed (%d: %s)", *l->host ? l->host : "0.0.0.0", l->port, errno,
                strerror(errno));
        return -1;
    }
    out->items[out->count].fd = fd;
    out->items[out->count].port = l->port;
    out->items[out->count++].ipv6 = l->ipv6;
    return 0;
}

int web_listen(const struct web *w, const struct sockets *before, struct sockets *out)
{
    static const struct sockets none;
    struct sockets fresh = {0};
    for (const struct server *v = w->servers; v; v = v->next)
        for (size_t i = 0; i < v->listen_count; i++)
            if (add_socket(w, &v->listen[i], before, &fresh) < 0) {
                const int code = errno;
                web_close_sockets(&fresh, before ? before : &none);
                errno = code;
                return -1;
            }
    *out = fresh;
    return 0;
}

/* ---- one connection ---- */

static void end(struct connection *c)
{
    response_release(&c->response);
    request_release(&c->request);
    free(c->in);
    close(c->fd);
    memset(c, 0, sizeof *c);
}

static void describe_peer(struct connection *c)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t len = sizeof a;
    struct request *r = &c->request;
    if (getpeername(c->fd, &a.any, &len) == 0)
        inet_ntop(a.any.sa_family, a.any.sa_family == AF_INET6 ? (void *)&a.v6.sin6_addr : (void *)&a.v4.sin_addr,
                  r->client, sizeof r->client);
    len = sizeof a;
    if (getsockname(c->fd, &a.any, &len) == 0) {
        const bool v6 = a.any.sa_family == AF_INET6;
        r->local_port = ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port);
        inet_ntop(a.any.sa_family, v6 ? (void *)&a.v6.sin6_addr : (void *)&a.v4.sin_addr, r->local, sizeof r->local);
    }
    r->connection = c->number;
}

static void begin_response(const struct web *w, struct connection *c, size_t head)
{
    char *text = malloc(head + 1);
    memcpy(text, c->in, head);
    text[head] = '\0';
    memmove(c->in, c->in + head, c->in_len - head);
    c->in_len -= head;
    request_release(&c->request);
    describe_peer(c);
    c->response = (struct response){.file = -1};
    c->head_sent = 0;
    const int fault = request_parse(&c->request, text, head);
    if (fault) {
        c->request.keep_alive = false;
        respond_error(w, &c->request, NULL, fault, &c->response);
    } else {
        respond(w, &c->request, &c->response);
    }
    c->state = WRITE;
}

static void finish_response(const struct web *w, struct connection *c)
{
    web_access(w, &c->request, &c->response);
    const bool keep = c->request.keep_alive && !stop_soon;
    response_release(&c->response);
    if (!keep)
        shutdown(c->fd, SHUT_WR);
    if (!keep && !c->request.body_left) {
        end(c);
        return;
    }
    c->state = DROP;
    c->since = time(NULL);
}

static void do_write(const struct web *w, struct connection *c)
{
    struct response *p = &c->response;
    while (c->head_sent < p->head_len) {
        const ssize_t n =
            send(c->fd, p->head + c->head_sent, p->head_len - c->head_sent, MSG_NOSIGNAL | (p->length ? MSG_MORE : 0));
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                end(c);
            return;
        }
        c->head_sent += (size_t)n;
    }
    const int64_t total = c->request.head_only ? 0 : p->length;
    while (p->sent < total) {
        const size_t left = (size_t)(total - p->sent);
        const ssize_t n =
            p->body ? send(c->fd, p->body + p->sent, left, MSG_NOSIGNAL) : sendfile(c->fd, p->file, &p->offset, left);
        if (n <= 0) {
            if (n == 0 || (errno != EAGAIN && errno != EINTR))
                end(c); /* the file became shorter, or nobody reads */
            return;
        }
        p->sent += n;
    }
    finish_response(w, c);
}

/* Takes what arrived: a body to drop, then the next request. */
static void use_input(const struct web *w, struct connection *c)
{
    if (c->state == DROP) {
        const size_t n = c->request.body_left < (int64_t)c->in_len ? (size_t)c->request.body_left : c->in_len;
        memmove(c->in, c->in + n, c->in_len - n);
        c->in_len -= n;
        c->request.body_left -= (int64_t)n;
        if (c->request.body_left)
            return;
        if (!c->request.keep_alive) {
            end(c);
            return;
        }
        c->state = READ;
    }
    while (c->state == READ) {
        const ssize_t head = request_complete(c->in, c->in_len);
        if (head == 0)
            return;
        begin_response(w, c, head < 0 ? c->in_len : (size_t)head);
        do_write(w, c);
        if (c->state == DROP)
            use_input(w, c);
    }
}

static void do_read(const struct web *w, struct connection *c)
{
    const ssize_t n = recv(c->fd, c->in + c->in_len, REQUEST_MAX - c->in_len, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            end(c);
        return;
    }
    c->in_len += (size_t)n;
    c->since = time(NULL);
    use_input(w, c);
}

static struct connection *free_place(void)
{
    struct connection *oldest = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &connections[i];
        if (c->state == FREE)
            return c;
        if (c->state != WRITE && (!oldest || c->since < oldest->since))
            oldest = c;
    }
    if (oldest)
        end(oldest);
    return oldest;
}

static void take_connection(int listener)
{
    static unsigned count;
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *c = fd < 0 ? NULL : free_place();
    if (!c) {
        if (fd >= 0)
            close(fd);
        return;
    }
    *c =
        (struct connection){.state = READ, .fd = fd, .number = ++count, .since = time(NULL), .in = malloc(REQUEST_MAX)};
    c->response.file = -1;
}

/* ---- the loop ---- */

static size_t fill_poll(struct pollfd *p, struct connection **who, const struct sockets *listeners, size_t *out_first)
{
    size_t n = 0;
    for (size_t i = 0; i < listeners->count && !stop_soon; i++)
        p[n++] = (struct pollfd){listeners->items[i].fd, POLLIN, 0};
    *out_first = n;
    const time_t now = time(NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &connections[i];
        const bool idle = c->state == READ || c->state == DROP;
        if (idle && (now - c->since > IDLE_SECONDS || (stop_soon && !c->in_len)))
            end(c);
        if (c->state == FREE)
            continue;
        who[n] = c;
        p[n++] = (struct pollfd){c->fd, c->state == WRITE ? POLLOUT : POLLIN, 0};
    }
    return n;
}

void web_serve(const struct web *w, const struct sockets *listeners)
{
    static struct pollfd polled[CONNECTIONS_MAX + LISTS_MAX];
    static struct connection *who[CONNECTIONS_MAX + LISTS_MAX];
    sigset_t none;
    signal(SIGTERM, on_stop);
    signal(SIGINT, on_stop);
    signal(SIGQUIT, on_stop);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (!stop_now) {
        size_t first;
        const size_t n = fill_poll(polled, who, listeners, &first);
        if (stop_soon && n == 0)
            return;
        if (poll(polled, n, 1000) <= 0)
            continue;
        for (size_t i = 0; i < first; i++)
            if (polled[i].revents)
                take_connection(polled[i].fd);
        for (size_t i = first; i < n; i++) {
            if (!polled[i].revents || who[i]->fd != polled[i].fd)
                continue;
            if (who[i]->state == WRITE)
                do_write(w, who[i]);
            else
                do_read(w, who[i]);
            if (who[i]->state == DROP)
                use_input(w, who[i]);
        }
    }
}
