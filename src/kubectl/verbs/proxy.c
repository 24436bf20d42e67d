/* proxy.c - kubectl proxy: the API of the cluster on a local port, signed in as the user of the kubeconfig.
 *
 * DESIGN: a thread a connection, one request each (client/relay.h); what may be asked is said by regular expressions,
 * before anything is sent. Source: kubectl cmd/proxy, pkg/proxy. */
#include "kubectl/call.h"
#include "kubectl/klog.h"
#include "kubectl/verbs/proxy_files.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/accept.h"
#include "base/go_errno.h"
#include "base/str.h"
#include "client/relay.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MAX (64 * 1024)

static const struct kubectl_flag flags[] = {
    {"accept-hosts", 0, FLAG_TEXT, "^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$", "Hosts that may be asked for", NULL},
    {"accept-paths", 0, FLAG_TEXT, "^.*", "Paths that may be asked for", NULL},
    {"address", 0, FLAG_TEXT, "127.0.0.1", "The address to serve on", NULL},
    {"api-prefix", 0, FLAG_TEXT, "/", "Before the paths of the API", NULL},
    {"append-server-path", 0, FLAG_BOOL, NULL, "Ask below the path that the server's address has", NULL},
    {"disable-filter", 0, FLAG_BOOL, NULL, "Answer whatever is asked for, from wherever: dangerous", NULL},
    {"keepalive", 0, FLAG_DURATION, "0s", "Taken as it is: a connection is closed behind its answer", NULL},
    {"port", 'p', FLAG_INT, "8001", "The port to serve on; 0: any", NULL},
    {"reject-methods", 0, FLAG_TEXT, "^$", "Methods that are refused", NULL},
    {"reject-paths", 0, FLAG_TEXT, "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach", "Paths that are refused", NULL},
    {"unix-socket", 'u', FLAG_TEXT, NULL, "A socket to serve on, in the place of a port", NULL},
    {"www", 'w', FLAG_TEXT, NULL, "A folder whose files are served, too", NULL},
    {"www-prefix", 'P', FLAG_TEXT, "/static/", "Before the paths of its files", NULL},
    {NULL},
};

/* Expressions with commas. */
struct patterns {
    regex_t items[32];
    size_t len;
};
struct proxy {
    struct call *c;
    struct patterns hosts, paths, no_paths, no_methods;
    const char *prefix;        /* without its last slash */
    const char *www;           /* a folder; "": none */
    const char *static_prefix; /* of its files; with its last slash */
    pthread_mutex_t lock;
    pthread_cond_t gone;
    size_t live; /* visitors that are served; by the lock */
};
struct visitor {
    struct proxy *p;
    int fd;
};

static void patterns_release(struct patterns *p)
{
    for (size_t i = 0; i < p->len; i++)
        regfree(&p->items[i]);
    p->len = 0;
}

/* False: told. */
static bool patterns_read(struct call *c, const char *flag, struct patterns *out)
{
    _auto_strlist_ struct strlist parts = {0};
    strlist_split(&parts, call_text(c, flag), ',');
    for (size_t i = 0; i < parts.len && out->len < ARRAY_LEN(out->items); i++) {
        if (regcomp(&out->items[out->len], parts.items[i], REG_EXTENDED | REG_NOSUB) != 0) {
            call_fail(c, "error parsing regexp: `%s`", parts.items[i]);
            return false;
        }
        out->len++;
    }
    return true;
}

static bool fits(const struct patterns *p, const char *text)
{
    for (size_t i = 0; i < p->len; i++)
        if (regexec(&p->items[i], text, 0, NULL, 0) == 0)
            return true;
    return false;
}

/* ---- one request ---- */

struct asked {
    char *method, *path; /* owned; the path without the prefix */
    char *host;          /* owned; without its port */
    struct buf headers;  /* those that go on */
    bool upgrade;
};

static void asked_release(struct asked *a)
{
    free(a->method);
    free(a->path);
    free(a->host);
    buf_release(&a->headers);
}

/* Reads to the end of the head; where the body begins. 0: that was none. */
static size_t read_head(int fd, int cancel, struct buf *in)
{
    while (in->len < HEAD_MAX) {
        struct pollfd w[] = {{fd, POLLIN, 0}, {cancel, POLLIN, 0}};
        if ((poll(w, ARRAY_LEN(w), -1) < 0 && errno != EINTR) || w[1].revents)
            return 0;
        const ssize_t n = recv(fd, buf_reserve(in, 4096), 4096, 0);
        if (n <= 0)
            return 0;
        in->len += (size_t)n;
        in->data[in->len] = '\0';
        const char *end = strstr(in->data, "\r\n\r\n");
        if (end)
            return (size_t)(end - in->data) + 4;
    }
    return 0;
}

static void take_header(struct asked *a, const char *line)
{
    static const char *const ours[] = {"User-Agent:", "Authorization:", "Proxy-Connection:", "Keep-Alive:"};
    if (strncasecmp(line, "Host:", 5) == 0) {
        const char *host = line + 5 + strspn(line + 5, " "), *bracket = strchr(host, ']');
        const char *colon = strchr(bracket ? bracket : host, ':');
        free(a->host);
        a->host = xstrndup(host, colon ? (size_t)(colon - host) : strlen(host));
        return;
    }
    if (strncasecmp(line, "Connection:", 11) == 0) {
        a->upgrade = strcasestr(line, "upgrade") != NULL;
        if (!a->upgrade)
            return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strncasecmp(line, ours[i], strlen(ours[i])) == 0)
            return;
    buf_addf(&a->headers, "%s\r\n", line);
}

static bool parse_head(const char *head, size_t len, struct asked *a)
{
    _auto_strlist_ struct strlist lines = {0}, words = {0};
    _auto_free_ char *text = xstrndup(head, len - 4);
    strlist_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.len; i++)
        lines.items[i][strcspn(lines.items[i], "\r")] = '\0';
    strlist_split(&words, lines.items[0], ' ');
    if (words.len != 3 || words.items[1][0] != '/')
        return false;
    a->method = xstrdup(words.items[0]);
    a->path = xstrdup(words.items[1]);
    a->host = xstrdup("");
    for (size_t i = 1; i < lines.len; i++)
        take_header(a, lines.items[i]);
    return true;
}

static void answer(int fd, int status, const char *reason, const char *body)
{
    _auto_free_ char *text = xasprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
                                       "%zu\r\nConnection: close\r\n\r\n%s",
                                       status, reason, strlen(body), body);
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        return;
}

/* A path as the server reads it. NULL: it would not. Returns new. */
static char *plain_path(const char *path)
{
    _auto_buf_ struct buf out = BUF_INIT;
    for (; *path && *path != '?'; path++) {
        char c = *path;
        if (c == '%') {
            const char digits[] = {path[1], path[1] ? path[2] : '\0', '\0'};
            if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
                return NULL;
            c = (char)strtol(digits, NULL, 16);
            path += 2;
        }
        if (!c)
            return NULL;
        buf_addc(&out, c);
    }
    return buf_steal(&out, NULL);
}

static bool may_ask(const struct proxy *p, const struct asked *a)
{
    _auto_free_ char *path = plain_path(a->path);
    if (call_bool(p->c, "disable-filter"))
        return true;
    return path && fits(&p->paths, path) && !fits(&p->no_paths, path) && !fits(&p->no_methods, a->method) &&
           fits(&p->hosts, a->host);
}

/* Files are asked for by their plain path, which nobody filters. */
static bool serve_files(const struct proxy *p, const struct asked *a, int fd)
{
    const size_t n = strlen(p->static_prefix);
    _auto_free_ char *plain = *p->www ? plain_path(a->path) : NULL;
    if (!plain || strncmp(plain, p->static_prefix, n - 1) != 0 || (plain[n - 1] != '/' && plain[n - 1] != '\0'))
        return false;
    const struct files_request rq = {a->method, a->path, plain, buf_str(&a->headers), fd};
    proxy_files_serve(p->www, p->static_prefix, &rq);
    return true;
}

static int relay(const struct proxy *p, struct client *client, const struct relay_request *rq, struct err *e)
{
    client_set_cancel(client, p->c->k->cancel);
    return client_relay(client, rq, e);
}

static void serve_api(const struct proxy *p, const struct asked *a, const char *body, size_t len, int fd)
{
    struct err e = ERR_INIT;
    _auto_client_ struct client *client = NULL;
    const size_t prefix = strlen(p->prefix);
    if (strncmp(a->path, p->prefix, prefix) != 0 || a->path[prefix] != '/') {
        answer(fd, 404, "Not Found", "404 page not found\n");
    } else if (!may_ask(p, a)) {
        answer(fd, 403, "Forbidden", "Forbidden");
    } else {
        const struct relay_request rq = {.method = a->method,
                                         .path = a->path + prefix,
                                         .headers = buf_str(&a->headers),
                                         .below = call_bool(p->c, "append-server-path"),
                                         .upgrade = a->upgrade,
                                         .body = body,
                                         .len = len,
                                         .fd = fd};
        if (client_open(&p->c->k->access, &client, &e) < 0 || relay(p, client, &rq, &e) < 0)
            answer(fd, 502, "Bad Gateway", e.msg);
    }
}

static void serve(const struct proxy *p, int fd)
{
    _auto_buf_ struct buf in = BUF_INIT;
    struct asked a = {0};
    const size_t head = read_head(fd, p->c->k->cancel, &in);
    if (head == 0 || !parse_head(in.data, head, &a))
        answer(fd, 400, "Bad Request", "400 Bad Request");
    else if (!serve_files(p, &a, fd))
        serve_api(p, &a, in.data + head, in.len - head, fd);
    asked_release(&a);
}

static void *visit(void *arg)
{
    struct visitor v = *(struct visitor *)arg;
    free(arg);
    serve(v.p, v.fd);
    shutdown(v.fd, SHUT_RDWR);
    close(v.fd);
    pthread_mutex_lock(&v.p->lock);
    if (--v.p->live == 0)
        pthread_cond_signal(&v.p->gone);
    pthread_mutex_unlock(&v.p->lock);
    return NULL;
}

/* ---- listening ---- */

static int refuse(struct call *c, const char *network, const char *where)
{
    char text[GO_ERRNO_LEN];
    call_fail(c, "listen %s %s: bind: %s", network, where, go_errno_text(errno, text));
    return -1;
}

static int listen_unix(struct call *c, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path)
        return call_fail(c, "listen unix %s: bind: invalid argument", path), -1;
    memcpy(at.sun_path, path, strlen(path));
    _auto_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
        return refuse(c, "unix", path);
    fprintf(c->k->out, "Starting to serve on %s\n", path);
    return TAKE_FD(fd);
}

static int listen_tcp(struct call *c)
{
    const char *address = call_text(c, "address");
    const int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)call_int(c, "port"))};
    socklen_t len = sizeof at;
    _auto_free_ char *where = xasprintf("%s:%d", address, (int)call_int(c, "port"));
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return call_fail(c, "listen tcp: lookup %s: no such host", address), -1;
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        return refuse(c, "tcp", where);
    fprintf(c->k->out, "Starting to serve on %s:%d\n", address, ntohs(at.sin_port));
    return TAKE_FD(fd);
}

static void begin(struct proxy *p, int fd)
{
    pthread_t thread;
    struct visitor *v = xcalloc(1, sizeof *v);
    *v = (struct visitor){p, fd};
    pthread_mutex_lock(&p->lock);
    p->live++;
    pthread_mutex_unlock(&p->lock);
    if (pthread_create(&thread, NULL, visit, v) == 0)
        pthread_detach(thread);
    else
        visit(v);
}

/* Until it is interrupted, and those who are served then have gone. */
static void accept_all(struct proxy *p, int fd)
{
    for (;;) {
        struct pollfd w[] = {{fd, POLLIN, 0}, {p->c->k->cancel, POLLIN, 0}};
        if ((poll(w, ARRAY_LEN(w), -1) < 0 && errno != EINTR) || w[1].revents)
            break;
        const int peer = w[0].revents ? accept_or_rest(fd, SOCK_CLOEXEC, p->c->k->cancel) : -1;
        if (peer >= 0)
            begin(p, peer);
    }
    pthread_mutex_lock(&p->lock);
    while (p->live > 0)
        pthread_cond_wait(&p->gone, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* "/api/" to "/api": a path begins with it and goes on with a slash. */
static char *prefix_of(const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '/')
        n--;
    return xasprintf("%s%.*s", n > 0 && text[0] != '/' ? "/" : "", (int)n, text);
}

static void warn(struct call *c, const struct proxy *p)
{
    char why[GO_ERRNO_LEN];
    struct stat st;
    if (call_bool(c, "disable-filter") && !*call_text(c, "unix-socket"))
        klog_warning(c->k->err, "proxy.go:177",
                     "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious");
    if (*p->www && stat(p->www, &st) < 0)
        klog_warning(c->k->err, "proxy.go:200", "Failed to stat static file directory %s: stat %s: %s", p->www, p->www,
                     go_errno_text(errno, why));
    else if (*p->www && !S_ISDIR(st.st_mode))
        klog_warning(c->k->err, "proxy.go:202", "Static file directory %s is not a directory", p->www);
}

static int run_with(struct call *c, struct proxy *p)
{
    if (!patterns_read(c, "accept-hosts", &p->hosts) || !patterns_read(c, "accept-paths", &p->paths) ||
        !patterns_read(c, "reject-paths", &p->no_paths) || !patterns_read(c, "reject-methods", &p->no_methods) ||
        !call_client(c))
        return c->code;
    const char *path = call_text(c, "unix-socket");
    warn(c, p);
    _auto_close_ int fd = *path ? listen_unix(c, path) : listen_tcp(c);
    if (fd < 0)
        return c->code;
    fflush(c->k->out);
    accept_all(p, fd);
    if (*path)
        unlink(path);
    return 0;
}

static int run(struct call *c)
{
    _auto_free_ char *prefix = prefix_of(call_text(c, "api-prefix"));
    _auto_free_ char *bare = prefix_of(call_text(c, "www-prefix")), *static_prefix = xasprintf("%s/", bare);
    struct proxy p = {.c = c,
                      .prefix = prefix,
                      .www = call_text(c, "www"),
                      .static_prefix = static_prefix,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .gone = PTHREAD_COND_INITIALIZER};
    const int code = run_with(c, &p);
    patterns_release(&p.hosts);
    patterns_release(&p.paths);
    patterns_release(&p.no_paths);
    patterns_release(&p.no_methods);
    return code;
}

const struct kubectl_verb kubectl_proxy = {
    .name = "proxy",
    .summary = "Run a proxy to the Kubernetes API server",
    .usage = "[--port=PORT] [--www=FOLDER] [--www-prefix=PREFIX] [--api-prefix=PREFIX]",
    .flags = flags,
    .takes = TAKES_NONE,
    .run = run,
};
