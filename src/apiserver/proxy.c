/* proxy.c - pods/NAME/proxy/PATH and services/NAME/proxy/PATH: the request goes on to a pod, its answer comes back.
 *
 *     place, path -> ASKING: asleep, while a thread dials, sends the request and reads the head of the answer
 *                      |-> ANSWERING: head at once; the body as the thread brings it
 *                      |-> a stream (Upgrade): 101, and the connection is a session's (upgrade.c, proxy_tunnel.c)
 *                      `-> the words why there is no answer: 503
 *
 * DESIGN: the thread and the request share a pair of sockets: through it comes the body (without chunks: the HTTP
 * library makes its own), and its end at our side tells the thread that nobody waits any more, whatever it is doing.
 * What is about one connection stays here, and so do credentials; the pod sees who asked in X-Forwarded-For and where
 * in X-Forwarded-Uri. A Location on the pod itself is given our path in front. A request that wants another protocol
 * (Upgrade) is handed on without its query, which the real server of 1.32 loses too, and what hinders it is said
 * without a reason, as there. What a pod shows in the browser of somebody who is signed in to the console comes from
 * the console's own origin: it is confined to a sandbox, and neither sees nor sets the console's cookies. Bounds:
 * BODY_LIMIT for what is asked; a minute of silence.
 *
 * Who frees the asking: its thread, if the request was abandoned meanwhile (the server stops, the client leaves); else
 * the request, after it has waited for the thread's end, which is near once the pair is closed.
 * THREADS: asking.mu guards `done` and `abandoned`; request_wake() is called under it, so that the request cannot end
 * in between. After `done`, what the answer's head says is read-only. Source: apimachinery
 * util/proxy/{upgradeaware,transport}.go, net/http/httputil/reverseproxy.go. */
#include "apiserver/proxy_int.h"

#include "apiserver/console/console_int.h"
#include "apiserver/fd_stream_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream_int.h"
#include "apiserver/upgrade_int.h"
#include "base/mem.h"
#include "ingress/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct asking {
    struct request *rq; /* borrowed until abandoned */
    struct upgrades *busy;
    const struct node_ops *ops;
    void *self;
    char *ns, *pod, *address; /* owned; address: "10.244.0.7:80" */
    uint16_t port;
    bool tls, upgrade;  /* upgrade: the client wants another protocol */
    char *method;       /* owned */
    struct buf request; /* head and body */
    int ours;           /* owned: the request's end of the pair; -1 once given away */
    pthread_t thread;
    pthread_mutex_t mu;
    bool done, abandoned;
    /* the thread's until done */
    gnutls_certificate_credentials_t creds;
    struct io pod_io, client_io;
    struct head answer;
    struct body body;
    int code;             /* of the answer; 0: none, see err */
    atomic_bool is_whole; /* the body came to its end */
    struct err err;
};

static void asking_free(struct asking *a)
{
    io_release(&a->pod_io);
    io_release(&a->client_io);
    close_cleanup(&a->ours);
    if (a->creds)
        gnutls_certificate_free_credentials(a->creds);
    free(a->ns);
    free(a->pod);
    free(a->address);
    free(a->method);
    buf_release(&a->request);
    pthread_mutex_destroy(&a->mu);
    free(a);
}

/* -- what the pod is asked -- */

static bool is_one_of(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcasecmp(*names, name) == 0)
            return true;
    return false;
}

/* About one connection alone, in both directions. */
static const char *const hop_by_hop[] = {"Connection",
                                         "Keep-Alive",
                                         "Proxy-Connection",
                                         "Proxy-Authenticate",
                                         "Proxy-Authorization",
                                         "TE",
                                         "Trailer",
                                         "Transfer-Encoding",
                                         "Upgrade",
                                         NULL};

struct fields_out {
    struct request *rq;
    struct buf *out;
    const char *forwarded; /* X-Forwarded-For so far */
};

/* What is left without the console's own; "": nothing. In the arena. */
static const char *other_cookies(struct request *rq, const char *value)
{
    const char *out = "";
    for (const char *at = value; *at; at += strcspn(at, ";")) {
        at += strspn(at, "; ");
        if (*at && !str_starts(at, CONSOLE_COOKIE))
            out = arena_printf(&rq->arena, "%s%s%.*s", out, *out ? "; " : "", (int)strcspn(at, ";"), at);
    }
    return out;
}

static enum MHD_Result send_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    static const char *const own[] = {"Authorization", "Content-Length", "Expect", "X-Forwarded-Uri", NULL};
    struct fields_out *f = cls;
    value = value ? value : "";
    if (strcasecmp(name, "X-Forwarded-For") == 0)
        f->forwarded = arena_printf(&f->rq->arena, "%s%s, ", f->forwarded, value);
    else if (strcasecmp(name, "Cookie") == 0 && !*(value = other_cookies(f->rq, value)))
        return MHD_YES;
    else if (!is_one_of(hop_by_hop, name) && !is_one_of(own, name) && strncasecmp(name, "Impersonate-", 12) != 0 &&
             !stream_header_has(f->rq, "Connection", name))
        buf_addf(f->out, "%s: %s\r\n", name, value);
    return MHD_YES;
}

static void client_address(const struct request *rq, char *out, size_t size)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(rq->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info ? info->client_addr : NULL;
    const bool v6 = sa && sa->sa_family == AF_INET6;
    const void *ip = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr
                        : (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
    if (!sa || !inet_ntop(sa->sa_family, ip, out, (socklen_t)size))
        *out = '\0';
}

static bool wants_upgrade(struct request *rq)
{
    return stream_header_has(rq, "Connection", "upgrade") && request_header(rq, "Upgrade");
}

static void write_request(struct request *rq, const struct proxy_path *path, struct buf *out)
{
    struct fields_out f = {rq, out, ""};
    char address[INET6_ADDRSTRLEN];
    const bool upgrade = wants_upgrade(rq);
    const int target_len = (int)(upgrade ? strcspn(path->target, "?") : strlen(path->target));
    client_address(rq, address, sizeof address);
    buf_addf(out, "%s %.*s HTTP/1.1\r\n", rq->method, target_len, path->target);
    MHD_get_connection_values(rq->mhd, MHD_HEADER_KIND, send_field, &f);
    const bool carries = rq->body.len || is_one_of((const char *const[]){"POST", "PUT", "PATCH", NULL}, rq->method);
    if (carries)
        buf_addf(out, "Content-Length: %zu\r\n", rq->body.len);
    buf_addf(out, "X-Forwarded-For: %s%s\r\n", f.forwarded, address);
    if (upgrade)
        buf_addf(out, "Connection: Upgrade\r\nUpgrade: %s\r\n\r\n", request_header(rq, "Upgrade"));
    else
        buf_addf(out, "X-Forwarded-Uri: %s\r\nConnection: close\r\n\r\n", path->own);
    buf_add(out, rq->body.data, rq->body.len);
}

/* -- the thread -- */

static int no_answer(struct asking *a, const char *why)
{
    return err_set(&a->err, ERR_UNAVAILABLE, "%s%s", a->upgrade ? "" : "error trying to reach service: ", why);
}

/* As Go words what went wrong with a socket. */
static int dial_failed(struct asking *a)
{
    static const struct {
        int code;
        const char *words;
    } known[] = {
        {ECONNREFUSED, "connect: connection refused"},
        {ETIMEDOUT, "i/o timeout"},
        {EHOSTUNREACH, "connect: no route to host"},
        {ENETUNREACH, "connect: network is unreachable"},
    };
    _auto_free_ char *why = xstrdup(a->err.msg);
    const char *words = why;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (a->err.sys_errno == known[i].code)
            words = known[i].words;
    _auto_free_ char *dialled = xasprintf("dial tcp %s: %s", a->address, words);
    return no_answer(a, dialled);
}

static int dial(struct asking *a)
{
    int fd = -1;
    if (a->ops->dial(a->self, a->ns, a->pod, a->port, &fd, &a->err) < 0)
        return dial_failed(a);
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    a->pod_io.fd = fd;
    return 0;
}

/* As the real server, we do not ask whose certificate it is. */
static int secure(struct asking *a)
{
    struct io *io = &a->pod_io;
    if (gnutls_certificate_allocate_credentials(&a->creds) < 0 ||
        gnutls_init(&io->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        BUG("no memory for TLS");
    gnutls_set_default_priority(io->tls);
    gnutls_credentials_set(io->tls, GNUTLS_CRD_CERTIFICATE, a->creds);
    gnutls_transport_set_int(io->tls, io->fd);
    for (;;) {
        const int rc = gnutls_handshake(io->tls);
        if (rc == GNUTLS_E_SUCCESS)
            return 0;
        if (rc == GNUTLS_E_UNEXPECTED_PACKET_LENGTH || rc == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
            return no_answer(a, "tls: first record does not look like a TLS handshake");
        if (gnutls_error_is_fatal(rc)) {
            _auto_free_ char *why = xasprintf("tls: %s", gnutls_strerror(rc));
            return no_answer(a, why);
        }
        if (io_await(io, gnutls_record_get_direction(io->tls)) < 0)
            return no_answer(a, "net/http: TLS handshake timeout");
    }
}

static int read_head(struct asking *a)
{
    uint64_t code = 0;
    do { /* what comes before the answer proper: 100 Continue */
        const int rc = head_read(&a->pod_io, &a->answer, IO_SILENCE_MS);
        if (rc == 0)
            return no_answer(a, a->upgrade ? "unexpected EOF" : "EOF");
        if (rc < 0)
            return no_answer(a, errno == ETIMEDOUT ? "net/http: timeout awaiting response headers"
                                : errno == ECONNRESET
                                    ? "read: connection reset by peer"
                                    : "net/http: HTTP/1.x transport connection broken: malformed HTTP "
                                      "response");
        if (!str_starts(a->answer.first[0], "HTTP/1.") || !str_to_u64(a->answer.first[1], &code) || code < 100 ||
            code > 999 || (code == 101 && !a->upgrade) ||
            body_of_answer(&a->answer, (int)code, a->method, &a->body) < 0)
            return no_answer(a, "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
    } while (code < 200 && code != 101);
    a->code = (int)code;
    return 0;
}

/* A pod may answer before it has heard all, so that only its silence counts. */
static int ask(struct asking *a)
{
    if (dial(a) < 0 || (a->tls && secure(a) < 0))
        return -1;
    if (io_write(&a->pod_io, a->request.data, a->request.len) == 0)
        buf_release(&a->request);
    return read_head(a);
}

static void *exchange(void *arg)
{
    struct asking *a = arg;
    struct upgrades *busy = a->busy;
    const bool answered = ask(a) == 0;
    pthread_mutex_lock(&a->mu);
    a->done = true;
    const bool abandoned = a->abandoned;
    if (!abandoned)
        request_wake(a->rq);
    pthread_mutex_unlock(&a->mu);
    if (abandoned)
        asking_free(a);
    upgrades_leave(busy); /* from here on it is the request that waits for us */
    if (abandoned || !answered || a->code == 101)
        return NULL;
    atomic_store(&a->is_whole, body_unwrap(&a->pod_io, &a->client_io, &a->body) == 0);
    shutdown(a->client_io.fd, SHUT_WR);
    return NULL;
}

/* -- the answer -- */

static bool is_whole(void *arg)
{
    struct asking *a = arg;
    return atomic_load(&a->is_whole);
}

static void asking_end(void *arg)
{
    struct asking *a = arg;
    pthread_join(a->thread, NULL);
    asking_free(a);
}

static const struct fd_source from_pod = {is_whole, asking_end};

/* Go's proxy lets no pod say who may read the API server's answers. */
static bool goes_back(const struct head *h, const struct field *f)
{
    static const char *const own[] = {"Content-Length",
                                      "Access-Control-Allow-Credentials",
                                      "Access-Control-Allow-Headers",
                                      "Access-Control-Allow-Methods",
                                      "Access-Control-Allow-Origin",
                                      NULL};
    const bool our_cookie = strcasecmp(f->name, "Set-Cookie") == 0 && str_starts(f->value, CONSOLE_COOKIE);
    return *f->value && !our_cookie && !is_one_of(hop_by_hop, f->name) && !is_one_of(own, f->name) &&
           !head_has(h, "Connection", f->name);
}

/* Its scripts run, but as nobody's: what they ask the API server has no cookie that counts. */
static const struct reply_header sandbox = {"Content-Security-Policy",
                                            "sandbox allow-scripts allow-forms allow-popups allow-modals "
                                            "allow-downloads"};

static const struct reply_header *headers_back(struct request *rq, const struct head *h)
{
    struct reply_header *out = arena_alloc(&rq->arena, (h->count + 2) * sizeof *out);
    struct proxy_path path;
    proxy_path_of(rq, &path);
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct field *f = &h->fields[i];
        if (!goes_back(h, f))
            continue;
        const bool location = strcasecmp(f->name, "Location") == 0;
        out[n++] = (struct reply_header){f->name, location ? proxy_location(rq, &path, f->value) : f->value};
    }
    if (rq->by_cookie)
        out[n++] = sandbox;
    out[n] = (struct reply_header){NULL, NULL};
    return out;
}

static void give_answer(struct request *rq, struct asking *a)
{
    struct reply r = {.http = (unsigned)a->code, .more = headers_back(rq, &a->answer)};
    const char *length = head_get(&a->answer, "Content-Length");
    r.sized = a->body.framing == BODY_LENGTH || a->body.framing == BODY_NONE;
    r.length = a->body.length;
    if (a->body.framing == BODY_NONE && !(str_eq(a->method, "HEAD") && str_to_u64(length ? length : "0", &r.length)))
        r.length = 0;
    fd_stream_reply(rq, &r, TAKE_FD(a->ours), &from_pod, a);
}

/* -- another protocol -- */

static void run_tunnel(struct upgraded *up, void *arg)
{
    struct asking *a = arg;
    proxy_tunnel(up, &a->pod_io);
}

static void give_tunnel(struct request *rq, struct asking *a)
{
    const struct head *h = &a->answer;
    struct upgrade_header *out = arena_alloc(&rq->arena, (h->count + 2) * sizeof *out);
    const char *protocol = head_get(h, "Upgrade");
    size_t n = 0;
    out[n++] = (struct upgrade_header){"Upgrade", protocol ? protocol : request_header(rq, "Upgrade")};
    for (size_t i = 0; i < h->count; i++)
        if (goes_back(h, &h->fields[i]))
            out[n++] = (struct upgrade_header){h->fields[i].name, h->fields[i].value};
    out[n] = (struct upgrade_header){NULL, NULL};
    upgrade_accept(rq, out, run_tunnel, a, asking_end);
}

/* What a pod that does not change the protocol says reaches the client only if it is a refusal. */
static void refuse_upgrade(struct request *rq, struct asking *a)
{
    const char *why = a->code ? arena_printf(&rq->arena, "invalid upgrade response: status code %d", a->code)
                              : arena_strdup(&rq->arena, a->err.msg);
    asking_end(a);
    reply_plain_error(rq, why);
}

/* The request is awake: the pod has answered or cannot, the server stops, or the client has left. */
static void asked(struct request *rq)
{
    struct asking *a = rq->resume_arg;
    pthread_mutex_lock(&a->mu);
    const bool done = a->done;
    const pthread_t thread = a->thread;
    int ours = done ? -1 : TAKE_FD(a->ours);
    a->abandoned = !done;
    pthread_mutex_unlock(&a->mu);
    if (!done) {
        close_cleanup(&ours); /* which tells the thread */
        pthread_detach(thread);
        stream_refuse(rq, ERR_UNAVAILABLE, "the server is stopping, or nobody waits for the answer");
    } else if (a->code == 101) {
        give_tunnel(rq, a);
    } else if (a->upgrade && a->code < 400) {
        refuse_upgrade(rq, a);
    } else if (a->code) {
        give_answer(rq, a);
    } else {
        reply_err(rq, &a->err);
        asking_end(a);
    }
}

static void asking_dropped(struct request *rq)
{
    struct asking *a = rq->resume_arg;
    pthread_mutex_lock(&a->mu);
    const bool done = a->done;
    const pthread_t thread = a->thread;
    int ours = TAKE_FD(a->ours);
    a->abandoned = !done;
    pthread_mutex_unlock(&a->mu);
    close_cleanup(&ours); /* which tells the thread */
    if (done)
        asking_end(a);
    else
        pthread_detach(thread);
}

/* -- the request -- */

static struct asking *asking_new(struct request *rq, const struct proxy_place *to, const struct proxy_path *path)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return NULL;
    struct asking *a = xcalloc(1, sizeof *a);
    a->rq = rq;
    a->busy = rq->srv->upgrades;
    a->ops = registry_node_ops(rq->srv->registry, &a->self);
    a->ns = xstrdup(rq->target.ns);
    a->pod = xstrdup(to->pod);
    a->address = xasprintf("%s:%u", to->ip, to->port);
    a->port = to->port;
    a->tls = to->tls;
    a->upgrade = wants_upgrade(rq);
    a->method = xstrdup(rq->method);
    a->ours = pair[0];
    io_init(&a->pod_io, -1, pair[1]);
    io_init(&a->client_io, pair[1], pair[1]);
    pthread_mutex_init(&a->mu, NULL);
    write_request(rq, path, &a->request);
    return a;
}

static void ask_pod(struct request *rq, const struct proxy_place *to, const struct proxy_path *path)
{
    struct asking *a = asking_new(rq, to, path);
    if (!a) {
        stream_refuse(rq, ERR_UNAVAILABLE, "error trying to reach service: %s", strerror(errno));
        return;
    }
    if (!a->ops || !a->ops->dial) {
        err_set(&a->err, ERR_UNAVAILABLE, "no kubelet answers");
        dial_failed(a);
        reply_err(rq, &a->err);
        asking_free(a);
        return;
    }
    request_doze(rq);
    upgrades_enter(a->busy);
    const int rc = pthread_create(&a->thread, NULL, exchange, a);
    if (rc != 0) {
        upgrades_leave(a->busy);
        asking_free(a);
        stream_refuse(rq, ERR_UNAVAILABLE, "error trying to reach service: %s", strerror(rc));
        return;
    }
    rq->dropped = asking_dropped;
    waker_arm(rq->srv->waker, &rq->wake, rq->conn->fd, EPOLLRDHUP, WAKE_NEVER);
    request_park(rq, asked, a);
}

/* Relative links of a page at ".../proxy" would miss it. */
static void redirect(struct request *rq)
{
    const char *query = rq->raw_query ? rq->raw_query : "";
    struct reply r = {.http = 301};
    r.location = arena_printf(&rq->arena, "%s/%s%s", rq->target.path, *query ? "?" : "", query);
    reply_static(rq, &r, "", 0);
}

void proxy_serve(struct request *rq)
{
    struct proxy_place to;
    struct proxy_path path;
    if (!proxy_place_find(rq, &to))
        return;
    proxy_path_of(rq, &path);
    if (rq->body_too_large)
        stream_refuse(rq, ERR_TOO_LARGE, "Request entity too large: limit is %zu", BODY_LIMIT);
    else if (path.empty && !wants_upgrade(rq) && (str_eq(rq->method, "GET") || str_eq(rq->method, "HEAD")))
        redirect(rq);
    else
        ask_pod(rq, &to, &path);
}
