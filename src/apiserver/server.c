/* server.c - starting and stopping, and the callbacks of the HTTP library.
 *
 * DESIGN: libmicrohttpd, one daemon with an epoll thread of its own for each processor; connections are dealt out to
 * them (listener.c). A connection's `struct conn` (with its request, arena and body buffer) is made when the client
 * connects and used for all its requests. A request is collected (headers, body up to the limit) and then handed to
 * route_request() at once, on the same thread: handlers either answer, or suspend the connection and give the thread
 * back (watches, waits, logs, creates on their way to the journal).
 *
 * Hostile clients: the number of connections is bounded, and so are header bytes (the connection's memory), body
 * bytes, idle time, and the whole time a client may take to send one request, however slowly it drips (the sweep
 * closes such connections).
 *
 * Stopping: no new connections; every sleeper and stream is woken and ends; then the library can stop.
 *
 * THREADS: the library's callbacks run on its threads, one connection always on the same one. Lock order: waker.mu,
 * conns_mu. */
#include "apiserver/server_int.h"

#include "apiserver/authn_int.h"
#include "apiserver/console/console_int.h"
#include "apiserver/listener_int.h"
#include "apiserver/pki.h"
#include "apiserver/reply_int.h"
#include "apiserver/tls_io_int.h"
#include "apiserver/upgrade_int.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_CONNECTIONS = 4096,
    DOOR_CONNECTIONS = 256, /* of the console */
    IDLE_SECONDS = 120,
    /* Headers, and afterwards the buffer of streamed answers. The library clears one and a half times as much with each
     * request: 32 KiB cost a GET 3 us of 27. */
    CONN_MEMORY = 16 * 1024,
    FIRST_PATIENCE_MS = 32 * 1000,
    NEXT_PATIENCE_MS = 190 * 1000,
    BODY_PATIENCE_MS = 60 * 1000,
    SWEEP_MS = 5 * 1000,
    DISCARD_LIMIT = 64 * 1024 * 1024, /* of a body that is too large anyway */
};

/* Only what is fast on every machine, and forward secret. */
static const char tls_priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:"
                                     "+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:"
                                     "-RSA:-DHE-RSA:%SERVER_PRECEDENCE";

/* -- slow clients -- */

static int64_t sweep(struct wake *wk, unsigned why)
{
    (void)why;
    struct apiserver *s = (struct apiserver *)((char *)wk - offsetof(struct apiserver, sweep));
    int64_t now = waker_now_ms();
    bool more = false;
    atomic_store(&s->sweeping, false);
    pthread_mutex_lock(&s->conns_mu);
    for (struct conn *c = s->conns; c; c = c->next) {
        long long since = atomic_load(&c->waiting_since);
        if (since && now - since > atomic_load(&c->patience_ms))
            shutdown(c->fd, SHUT_RDWR);
        more |= since != 0;
    }
    pthread_mutex_unlock(&s->conns_mu);
    return more && !atomic_exchange(&s->sweeping, true) ? now + SWEEP_MS : WAKE_NEVER;
}

/* From now on the client has to deliver within `patience`. */
static void conn_wait(struct conn *c, int patience_ms)
{
    struct apiserver *s = c->srv;
    atomic_store_explicit(&c->patience_ms, patience_ms, memory_order_relaxed);
    atomic_store(&c->waiting_since, waker_now_ms());
    if (!atomic_load(&s->sweeping) && !atomic_exchange(&s->sweeping, true))
        waker_arm(s->waker, &s->sweep, -1, 0, waker_now_ms() + SWEEP_MS);
}

/* -- connections -- */

static int64_t tls_goes_on(struct wake *wk, unsigned why)
{
    (void)why;
    struct conn *c = (struct conn *)((char *)wk - offsetof(struct conn, tls_wake));
    sleeper_wake(&c->tls_sleeper, WOKE_DATA);
    return WAKE_NEVER;
}

/* Forgets old wake-ups before it waits for new events: what comes in between fires at once. */
static bool tls_waits(void *arg, unsigned events)
{
    struct conn *c = arg;
    unsigned why = sleeper_reasons(&c->tls_sleeper);
    waker_arm(c->srv->waker, &c->tls_wake, c->fd, events, WAKE_NEVER);
    return sleeper_park(&c->tls_sleeper) || (why & WOKE_STOP);
}

static void conn_begin_tls(struct conn *c, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *tls = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    sleeper_init(&c->tls_sleeper, &c->srv->sleepers, mhd);
    c->tls_wake = (struct wake){.fire = tls_goes_on, .fd = -1};
    c->tls = tls_io_new(tls->tls_session, c->fd, tls_waits, c);
}

/* The API's own daemons listen to nothing themselves. */
static bool came_by_door(struct MHD_Connection *mhd)
{
    struct MHD_Daemon *d = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_DAEMON)->daemon;
    return MHD_get_daemon_info(d, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd >= 0;
}

static struct conn *conn_new(struct apiserver *s, struct MHD_Connection *mhd)
{
    struct conn *c = xcalloc(1, sizeof *c);
    atomic_load(&s->dealt); /* all that the listener did before: ThreadSanitizer does not see the library hand over */
    c->srv = s;
    c->at_door = came_by_door(mhd);
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (!s->plain_http && !c->at_door)
        conn_begin_tls(c, mhd);
    request_init(&c->rq);
    c->rq.srv = s;
    c->rq.conn = c;
    pthread_mutex_lock(&s->conns_mu);
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    pthread_mutex_unlock(&s->conns_mu);
    conn_wait(c, FIRST_PATIENCE_MS);
    return c;
}

static void conn_free(struct conn *c)
{
    struct apiserver *s = c->srv;
    if (c->upgraded)
        upgrade_settle(s->upgrades);
    pthread_mutex_lock(&s->conns_mu);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    pthread_mutex_unlock(&s->conns_mu);
    request_release(&c->rq);
    last_answer_release(&c->last);
    if (c->tls) {
        waker_disarm(s->waker, &c->tls_wake);
        sleeper_release(&c->tls_sleeper);
    }
    tls_io_free(c->tls);
    free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *ctx = conn_new(cls, mhd);
    else if (*ctx)
        conn_free(TAKE(*ctx));
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* -- requests -- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    (void)cls;
    struct conn *c = conn_of(mhd);
    request_begin(&c->rq, mhd, uri);
    return &c->rq;
}

/* The library would decode paths and arguments in place; request.c does it itself, with Go's rules. */
static size_t on_unescape(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode toe)
{
    (void)cls;
    (void)mhd;
    (void)toe;
    struct request *rq = *ctx;
    *ctx = NULL;
    if (!rq)
        return;
    if (rq->conn->tls)
        tls_io_send(rq->conn->tls);
    request_end(rq);
    conn_wait(rq->conn, NEXT_PATIENCE_MS);
}

static enum MHD_Result serve(struct request *rq)
{
    atomic_store_explicit(&rq->conn->waiting_since, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&rq->srv->requests, 1, memory_order_relaxed);
    rq->result = MHD_YES;
    route_request(rq);
    return rq->result;
}

static enum MHD_Result begin(struct request *rq, const char *method, const char *version)
{
    rq->begun = true;
    rq->method = method;
    request_note_headers(rq);
    rq->keeps = strcmp(version, "HTTP/1.1") == 0 && !request_header(rq, "Connection");
    request_take_audit_id(rq);
    const char *length = request_header(rq, "Content-Length");
    uint64_t n = 0;
    if (length && str_to_u64(length, &n) && n > BODY_LIMIT) {
        rq->keeps = false;
        rq->body_too_large = true; /* answered without reading it; the library then closes the connection */
        return serve(rq);
    }
    if (n > 0 || request_header(rq, "Transfer-Encoding"))
        conn_wait(rq->conn, BODY_PATIENCE_MS);
    return MHD_YES;
}

static enum MHD_Result take_body(struct request *rq, const char *data, size_t *size)
{
    size_t n = *size;
    *size = 0;
    if (rq->body.len + n > BODY_LIMIT)
        rq->body_too_large = true;
    if (!rq->body_too_large) {
        buf_add(&rq->body, data, n);
        return MHD_YES;
    }
    buf_release(&rq->body);
    rq->discarded += n;
    return rq->discarded > DISCARD_LIMIT ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **ctx)
{
    (void)cls;
    (void)mhd;
    (void)url;
    struct request *rq = *ctx;
    if (!rq)
        return MHD_NO;
    if (!rq->begun)
        return begin(rq, method, version);
    if (*size)
        return take_body(rq, data, size);
    if (rq->asleep)
        return request_awake(rq);
    return serve(rq);
}

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *fmt, va_list ap)
{
    (void)cls;
    char text[512];
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http", "%s", text);
}

/* -- listening -- */

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

static bool is_any(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

static void name_itself(struct apiserver *s, const struct sockaddr *sa)
{
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";
    bool v6 = sa->sa_family == AF_INET6 && !is_any(sa);
    if (v6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, host, sizeof host);
    else if (!is_any(sa))
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, host, sizeof host);
    s->host_port = v6 ? xasprintf("[%s]:%u", host, s->port) : xasprintf("%s:%u", host, s->port);
    s->url = xasprintf("%s://%s", s->plain_http ? "http" : "https", s->host_port);
}

static int open_socket(struct apiserver *s, const struct sockaddr *sa, socklen_t len, const char *addr, uint16_t port,
                       struct err *e)
{
    int one = 1;
    s->listen_fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listen_fd < 0)
        return err_sys(e, errno, "cannot open a socket");
    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (is_loopback(sa)) /* nothing is congested there: no timers of a machine's default that paces; best effort */
        setsockopt(s->listen_fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (bind(s->listen_fd, sa, len) < 0 || listen(s->listen_fd, 511) < 0)
        return err_sys(e, errno, "cannot listen on %s:%u", addr, port);
    struct sockaddr_storage own;
    socklen_t own_len = sizeof own;
    if (getsockname(s->listen_fd, (struct sockaddr *)&own, &own_len) < 0)
        return err_sys(e, errno, "cannot see the port of %s", addr);
    s->port = ntohs(own.ss_family == AF_INET ? ((struct sockaddr_in *)&own)->sin_port
                                             : ((struct sockaddr_in6 *)&own)->sin6_port);
    name_itself(s, (struct sockaddr *)&own);
    return 0;
}

static int start_listening(struct apiserver *s, const struct apiserver_conf *conf, struct err *e)
{
    const char *addr = str_empty(conf->addr) ? "127.0.0.1" : conf->addr;
    char port[8];
    snprintf(port, sizeof port, "%u", conf->port);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *ai = NULL;
    int rc = getaddrinfo(strcmp(addr, "localhost") == 0 ? "127.0.0.1" : addr, port, &hints, &ai);
    if (rc != 0)
        return err_set(e, ERR_USAGE, "\"%s\" is no address to listen on: %s", addr, gai_strerror(rc));
    if (conf->plain_http && !is_loopback(ai->ai_addr))
        rc = err_set(e, ERR_USAGE,
                     "plain HTTP knows no credentials, so it is served on loopback addresses only, not on %s", addr);
    else
        rc = open_socket(s, ai->ai_addr, ai->ai_addrlen, addr, conf->port, e);
    freeaddrinfo(ai);
    return rc;
}

/* -- start and stop -- */

static unsigned thread_count(const struct apiserver_conf *conf)
{
    if (conf->threads)
        return conf->threads < MAX_THREADS ? conf->threads : MAX_THREADS;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 2 ? 2 : n > 4 ? 4 : (unsigned)n;
}

/* A third of the descriptors this process may open is left for the rest of the house. */
static unsigned connection_limit(const struct apiserver_conf *conf)
{
    unsigned want = conf->max_connections ? conf->max_connections : MAX_CONNECTIONS;
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur / 3 * 2 < want)
        want = (unsigned)(rl.rlim_cur / 3 * 2);
    return want;
}

enum {
    DAEMON_FLAGS = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG
};

/* What a daemon needs beside TLS or a socket, which `options` tell. */
static struct MHD_Daemon *start_daemon_with(struct apiserver *s, unsigned flags, unsigned connections,
                                            const struct MHD_OptionItem *options)
{
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                            s, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, s,
                            MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)(s->idle_ms / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_MEMORY,
                            MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static struct MHD_Daemon *start_daemon(struct apiserver *s, const struct apiserver_conf *conf)
{
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, conf->pki->key_pem},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, conf->pki->cert_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    const unsigned connections = connection_limit(conf) / s->threads + 1;
    if (conf->plain_http)
        return start_daemon_with(s, DAEMON_FLAGS | MHD_USE_NO_LISTEN_SOCKET, connections, &tls[3]);
    return start_daemon_with(s, DAEMON_FLAGS | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS, connections, tls);
}

struct MHD_Daemon *server_start_plain_daemon(struct apiserver *s, int listen_fd)
{
    const struct MHD_OptionItem socket[] = {{MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL}, {MHD_OPTION_END, 0, NULL}};
    sigset_t all, old; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    struct MHD_Daemon *d = start_daemon_with(s, DAEMON_FLAGS, DOOR_CONNECTIONS, socket);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return d;
}

static int start_daemons(struct apiserver *s, const struct apiserver_conf *conf, struct err *e)
{
    sigset_t all, old; /* signals are the main thread's */
    s->threads = thread_count(conf);
    s->idle_ms = (conf->idle_seconds ? conf->idle_seconds : IDLE_SECONDS) * INT64_C(1000);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = true;
    for (unsigned i = 0; i < s->threads && ok; i++) {
        s->daemons[i] = start_daemon(s, conf);
        ok = s->daemons[i] != NULL;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok ? 0 : err_set(e, ERR_INTERNAL, "the HTTP server does not start");
}

static void stop_daemons(struct apiserver *s)
{
    for (unsigned i = 0; i < s->threads; i++)
        if (s->daemons[i])
            MHD_stop_daemon(s->daemons[i]);
}

static void server_free(struct apiserver *s)
{
    close_cleanup(&s->listen_fd);
    if (s->waker) {
        waker_disarm(s->waker, &s->sweep);
        waker_disarm(s->waker, &s->seal.wake);
    }
    waker_stop(s->waker);
    console_free(s->console);
    upgrades_free(s->upgrades);
    authn_free(s->authn);
    sleeper_list_release(&s->sleepers);
    pthread_mutex_destroy(&s->conns_mu);
    free(s->url);
    free(s->host_port);
    free(s);
}

int apiserver_start(const struct apiserver_conf *conf, struct apiserver **out_server, struct err *e)
{
    struct apiserver *s = xcalloc(1, sizeof *s);
    s->registry = conf->registry;
    s->control = conf->control;
    s->nodes_alive = conf->nodes_alive;
    s->nodes_arg = conf->nodes_arg;
    s->clock = conf->clock;
    s->plain_http = conf->plain_http;
    s->listen_fd = -1;
    s->started_ns = clock_wall_ns(conf->clock);
    s->sweep.fire = sweep;
    s->sweep.fd = -1;
    pthread_mutex_init(&s->conns_mu, NULL);
    sleeper_list_init(&s->sleepers);
    s->upgrades = upgrades_new();
    seal_init(&s->seal);
    if (waker_start(&s->waker, e) < 0 || authn_new(conf->pki, conf->registry, conf->clock, &s->authn, e) < 0)
        goto fail;
    registry_set_token_ops(conf->registry, &authn_token_ops, s->authn);
    s->console = console_new(s, &conf->console);
    if (start_listening(s, conf, e) < 0 || start_daemons(s, conf, e) < 0 ||
        listener_start(s, TAKE_FD(s->listen_fd), &s->outside, e) < 0)
        goto fail;
    console_resume(s->console);
    *out_server = s;
    return 0;
fail:
    stop_daemons(s);
    registry_set_token_ops(conf->registry, NULL, NULL);
    server_free(s);
    return -1;
}

/* Under plain HTTP whoever reaches the port is the administrator, so pods get no such socket. */
int apiserver_listen_inside(struct apiserver *s, int take_fd, struct err *e)
{
    if (!s->plain_http)
        return listener_start(s, take_fd, &s->inside, e);
    close(take_fd);
    return err_set(e, ERR_UNSUPPORTED, "plain HTTP is served on loopback only");
}

void apiserver_stop(struct apiserver *s)
{
    if (!s)
        return;
    listener_stop(s->inside);
    listener_stop(s->outside);
    console_quiet(s->console);
    sleeper_list_stop(&s->sleepers);
    upgrades_stop(s->upgrades);
    stop_daemons(s);
    console_stop(s->console);
    registry_set_token_ops(s->registry, NULL, NULL);
    server_free(s);
}

uint16_t apiserver_port(const struct apiserver *s)
{
    return s->port;
}

const char *apiserver_url(const struct apiserver *s)
{
    return s->url;
}
