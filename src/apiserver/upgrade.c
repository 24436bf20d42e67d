/* upgrade.c - from a request to a thread with a socket, see stream_int.h.
 *
 *     ACCEPTED [upgrade_accept] --101 sent--> RUNNING [on_upgrade] --run() returns--> GONE [session_end]
 *         \-- the client is gone before the 101 ----------------------^ [upgrade_request_end]
 *
 * DESIGN: the HTTP library hands over the socket (under TLS: one end of a pair, which is left aside when the connection
 * itself can be taken over, tls_records_int.h); it is given to a detached thread. That thread is there, and so are some
 * spare descriptors, before the client is told 101: after that nothing could be said any more but goodbye. Sessions
 * stand in a list so that the server can end: shutdown() wakes their threads, and the last one to go signals. The
 * library's handle is closed by the session's thread, exactly once.
 *
 * With the pair the library tells nobody that the client has left. So the connection itself is watched, and when all it
 * brought was taken from it and forwarded, the session reads an end.
 *
 * The library (0.9.75) says that any thread may close a handle, but under TLS its own thread can see the close, forward
 * the last bytes and free the connection before the call has come to its end, which then writes into what is freed. So
 * the close is made under `mu`, and the HTTP thread takes `mu` once before the library frees a connection
 * (upgrade_settle()).
 *
 * THREADS: `mu` guards the list, and is taken before the library's own locks: never in on_completed(), which the
 * library calls with one held. A session's fields are its thread's, but for the list links. */
#include "apiserver/upgrade_int.h"

#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream_int.h"
#include "apiserver/tls_records_int.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 256 * 1024, STOP_SECONDS = 10, FORWARD_MS = 250 };
/* Descriptors that a session may need: the library's pair, a process' ends, and those of others that begin now. */
enum { SPARE = 16 };

struct upgrades {
    pthread_mutex_t mu;
    pthread_cond_t empty; /* no session, nobody busy */
    struct session *head;
    unsigned busy;
    bool stopping;
};

struct session {
    struct upgrades *all;
    void (*run)(struct upgraded *up, void *arg);
    void *arg;
    void (*done)(void *arg);
    sem_t go;                                 /* for its thread */
    struct MHD_UpgradeResponseHandle *handle; /* NULL when that may go: the upgrade did not come about */
    struct upgraded up;
    char *early; /* owned */
    struct waker *waker;
    struct wake left; /* armed while the bytes come through the pair */
    int client_fd;    /* the connection; borrowed while armed */
    struct session *prev, *next;
};

struct upgrades *upgrades_new(void)
{
    struct upgrades *u = xcalloc(1, sizeof *u);
    pthread_mutex_init(&u->mu, NULL);
    pthread_cond_init(&u->empty, NULL);
    return u;
}

void upgrades_free(struct upgrades *u)
{
    if (!u)
        return;
    pthread_mutex_destroy(&u->mu);
    pthread_cond_destroy(&u->empty);
    free(u);
}

void upgrades_stop(struct upgrades *u)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_SECONDS;
    pthread_mutex_lock(&u->mu);
    u->stopping = true;
    for (struct session *s = u->head; s; s = s->next)
        shutdown(s->up.fd, SHUT_RDWR);
    while ((u->head || u->busy) && pthread_cond_timedwait(&u->empty, &u->mu, &until) == 0)
        ;
    if (u->head || u->busy)
        BUG("a stream does not end although its socket is shut down");
    pthread_mutex_unlock(&u->mu);
}

void upgrades_end(struct upgrades *u)
{
    pthread_mutex_lock(&u->mu);
    for (struct session *s = u->head; s; s = s->next)
        shutdown(s->up.fd, SHUT_RDWR);
    pthread_mutex_unlock(&u->mu);
}

static void session_link(struct session *s)
{
    struct upgrades *u = s->all;
    pthread_mutex_lock(&u->mu);
    s->next = u->head;
    if (s->next)
        s->next->prev = s;
    u->head = s;
    if (u->stopping)
        shutdown(s->up.fd, SHUT_RDWR);
    pthread_mutex_unlock(&u->mu);
}

void upgrades_enter(struct upgrades *u)
{
    pthread_mutex_lock(&u->mu);
    u->busy++;
    pthread_mutex_unlock(&u->mu);
}

void upgrades_leave(struct upgrades *u)
{
    pthread_mutex_lock(&u->mu);
    if (--u->busy == 0)
        pthread_cond_broadcast(&u->empty);
    pthread_mutex_unlock(&u->mu);
}

void upgrade_settle(struct upgrades *u)
{
    pthread_mutex_lock(&u->mu);
    pthread_mutex_unlock(&u->mu);
}

static void session_free(struct session *s)
{
    sem_destroy(&s->go);
    free(s);
}

/* The socket is closed inside the lock: upgrades_stop() must never shut down a number that is somebody else's by then,
 * and the library must not free the connection under us.
 * One we took over is shut down first: the library closes it only after it has seen the end of both its sockets. */
static void session_end(struct session *s)
{
    struct upgrades *u = s->all;
    waker_disarm(s->waker, &s->left);
    if (s->done)
        s->done(s->arg);
    pthread_mutex_lock(&u->mu);
    if (s->prev)
        s->prev->next = s->next;
    else
        u->head = s->next;
    if (s->next)
        s->next->prev = s->prev;
    if (s->up.tls)
        shutdown(s->up.fd, SHUT_RDWR);
    MHD_upgrade_action(s->handle, MHD_UPGRADE_ACTION_CLOSE);
    if (!u->head)
        pthread_cond_broadcast(&u->empty);
    pthread_mutex_unlock(&u->mu);
    tls_records_free(s->up.tls);
    free(s->early);
    session_free(s);
}

static void *session_main(void *arg)
{
    struct session *s = arg;
    while (sem_wait(&s->go) < 0)
        ;
    if (!s->handle) {
        session_free(s);
        return NULL;
    }
    s->run(&s->up, s->arg);
    session_end(s);
    return NULL;
}

static int start_thread(struct session *s)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, session_main, s);
    pthread_attr_destroy(&attr);
    return rc;
}

/* The connection itself rather than the pair the library offers, if that is possible. */
static void take_over_tls(struct session *s, const struct request *rq)
{
    s->up.tls = rq->conn->tls ? tls_records_take(rq->conn->tls) : NULL;
    if (s->up.tls)
        s->up.fd = tls_records_fd(s->up.tls);
}

/* What was read last may still be on its way through the library: it gets a moment. */
static int64_t client_left(struct wake *wk, unsigned why)
{
    struct session *s = (struct session *)((char *)wk - offsetof(struct session, left));
    int unread = 0;
    if (why == WAKE_FD || (ioctl(s->client_fd, FIONREAD, &unread) == 0 && unread > 0))
        return waker_now_ms() + FORWARD_MS;
    shutdown(s->up.fd, SHUT_RD);
    return WAKE_NEVER;
}

static void watch_client(struct session *s, const struct request *rq)
{
    s->waker = rq->srv->waker;
    s->client_fd = rq->conn->fd;
    s->left = (struct wake){.fire = client_left, .fd = -1};
    if (rq->conn->tls && !s->up.tls)
        waker_arm(s->waker, &s->left, s->client_fd, EPOLLRDHUP, WAKE_NEVER);
}

/* What a session sends goes out at once: the library leaves the socket as answers of several parts want it, where a
 * second small write waits for the other side's delayed acknowledgement of the first, 40 ms. */
static void send_at_once(int fd)
{
    int one = 1, zero = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* a pair of the library's has neither */
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &zero, sizeof zero);
}

/* The 101 is on its way; the socket is ours until MHD_UPGRADE_ACTION_CLOSE. */
static void on_upgrade(void *cls, struct MHD_Connection *mhd, void *ctx, const char *early, size_t early_len,
                       MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    (void)mhd;
    struct request *rq = ctx;
    struct session *s = cls;
    rq->upgrade = NULL;
    rq->conn->upgraded = true;
    s->handle = handle;
    s->early = early_len ? xmemdup(early, early_len) : NULL;
    s->up = (struct upgraded){.fd = fd, .early = s->early, .early_len = early_len};
    take_over_tls(s, rq);
    send_at_once(s->up.fd);
    watch_client(s, rq);
    session_link(s);
    sem_post(&s->go);
}

/* Its thread has nothing to do. */
static void session_cancel(struct session *s)
{
    if (s->done)
        s->done(s->arg);
    sem_post(&s->go);
}

/* Can this process open some more descriptors? Else errno says why not. */
static bool has_spare(int fd)
{
    int spare[SPARE];
    size_t n = 0;
    while (n < SPARE && (spare[n] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        n++;
    const int code = errno;
    for (size_t i = 0; i < n; i++)
        close(spare[i]);
    errno = code;
    return n == SPARE;
}

/* NULL: refused, and told so; arg is done with. */
static struct session *session_new(struct request *rq, void (*run)(struct upgraded *up, void *arg), void *arg,
                                   void (*done)(void *arg))
{
    struct session *s = xcalloc(1, sizeof *s);
    *s = (struct session){.all = rq->srv->upgrades, .run = run, .arg = arg, .done = done};
    sem_init(&s->go, 0, 0);
    const int code = has_spare(rq->conn->fd) ? start_thread(s) : errno;
    if (code == 0)
        return s;
    session_free(s);
    if (done)
        done(arg);
    stream_refuse(rq, ERR_UNAVAILABLE, "no more streams can be opened now: %s", strerror(code));
    return NULL;
}

void upgrade_accept(struct request *rq, const struct upgrade_header *headers,
                    void (*run)(struct upgraded *up, void *arg), void *arg, void (*done)(void *arg))
{
    struct session *s = session_new(rq, run, arg, done);
    if (!s)
        return;
    struct MHD_Response *m = MHD_create_response_for_upgrade(on_upgrade, s);
    if (!m)
        BUG("no memory for a response");
    for (const struct upgrade_header *h = headers; h->name; h++)
        MHD_add_response_header(m, h->name, h->value);
    rq->replied = true;
    rq->result = MHD_queue_response(rq->mhd, MHD_HTTP_SWITCHING_PROTOCOLS, m);
    MHD_destroy_response(m);
    if (rq->result == MHD_YES) {
        rq->upgrade = s;
        return;
    }
    session_cancel(s);
}

void upgrade_request_end(struct request *rq)
{
    struct session *s = TAKE(rq->upgrade);
    if (s)
        session_cancel(s);
}
