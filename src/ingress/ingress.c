/* ingress.c - listening, a thread for each connection, the table they share.
 *
 * DESIGN: connections are few (a class' browsers), so each has a thread that may wait; what they wait on includes a
 * descriptor that becomes readable when all shall end. A table is counted by its users and goes with the last.
 *
 * LOCKS: `mu` guards the current table, its count, the number of connections. Never held while waiting. */
#include "ingress/ingress.h"

#include "base/accept.h"
#include "base/mem.h"
#include "ingress/exchange_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define STACK_SIZE      (512 * 1024)

struct ingress {
    struct ingress_conf conf; /* address: not kept */
    int listeners[2];         /* plain, TLS */
    int stop;                 /* eventfd */
    pthread_t acceptor;
    atomic_uint turn;

    pthread_mutex_t mu;
    pthread_cond_t idle;
    struct table *table;                   /* under mu */
    gnutls_certificate_credentials_t fake; /* under mu until made */
    unsigned connections;                  /* under mu */
};

struct connection {
    struct ingress *in;
    int fd;
    bool tls;
    char client[INET_ADDRSTRLEN];
};

/* ---- what connections ask ---- */

struct table *ingress_table(struct ingress *in)
{
    pthread_mutex_lock(&in->mu);
    struct table *t = in->table;
    t->users++;
    pthread_mutex_unlock(&in->mu);
    return t;
}

void ingress_table_drop(struct ingress *in, struct table *t)
{
    pthread_mutex_lock(&in->mu);
    const bool last = --t->users == 0;
    pthread_mutex_unlock(&in->mu);
    if (last)
        table_free(t);
}

gnutls_certificate_credentials_t ingress_fake(struct ingress *in)
{
    pthread_mutex_lock(&in->mu);
    if (!in->fake)
        in->fake = credentials_new(NULL, NULL);
    gnutls_certificate_credentials_t c = in->fake;
    pthread_mutex_unlock(&in->mu);
    return c;
}

int ingress_dial(struct ingress *in, const char *ip, uint16_t port)
{
    return in->conf.dial(in->conf.arg, ip, port);
}

unsigned ingress_turn(struct ingress *in)
{
    return atomic_fetch_add(&in->turn, 1);
}

int ingress_stop_fd(const struct ingress *in)
{
    return in->stop;
}

uint16_t ingress_port(const struct ingress *in, bool tls)
{
    return tls ? in->conf.https_port : in->conf.http_port;
}

/* ---- connections ---- */

static void connection_end(struct ingress *in)
{
    pthread_mutex_lock(&in->mu);
    in->connections--;
    pthread_cond_signal(&in->idle);
    pthread_mutex_unlock(&in->mu);
}

static void *connection_main(void *arg)
{
    struct connection *c = arg;
    struct ingress *in = c->in;
    exchange_run(in, c->fd, c->tls, c->client);
    free(c);
    connection_end(in);
    return NULL;
}

static void start_connection(struct ingress *in, struct connection *take)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_mutex_lock(&in->mu);
    const bool room = in->connections < CONNECTIONS_MAX;
    in->connections += room;
    pthread_mutex_unlock(&in->mu);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    const bool started = room && pthread_create(&thread, &attr, connection_main, take) == 0;
    pthread_attr_destroy(&attr);
    if (started)
        return;
    close(take->fd);
    free(take);
    if (room)
        connection_end(in);
}

static void take_connection(struct ingress *in, int listener, bool tls)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    const int fd =
        accept_from_or_rest(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK, in->stop);
    if (fd < 0)
        return;
    struct connection *c = xcalloc(1, sizeof *c);
    *c = (struct connection){.in = in, .fd = fd, .tls = tls};
    inet_ntop(AF_INET, &from.sin_addr, c->client, sizeof c->client);
    start_connection(in, c);
}

static void *acceptor_main(void *arg)
{
    struct ingress *in = arg;
    for (;;) {
        struct pollfd p[] = {{in->stop, POLLIN, 0}, {in->listeners[0], POLLIN, 0}, {in->listeners[1], POLLIN, 0}};
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return NULL;
        if (p[0].revents)
            return NULL;
        for (int i = 0; i < 2; i++)
            if (p[i + 1].revents)
                take_connection(in, in->listeners[i], i == 1);
    }
}

/* ---- start and end ---- */

static int listen_at(const char *address, uint16_t port, struct err *e)
{
    const int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return err_set(e, ERR_BAD_REQUEST, "invalid address \"%s\"", address);
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
        return err_sys(e, errno, "listen on %s:%u", address, port);
    return TAKE_FD(fd);
}

/* Signals are for the main thread. */
static void start_acceptor(struct ingress *in)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&in->acceptor, NULL, acceptor_main, in))
        BUG("cannot start a thread");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int ingress_open(const struct ingress_conf *conf, struct ingress **out, struct err *e)
{
    _auto_close_ int plain = listen_at(conf->address, conf->http_port, e);
    _auto_close_ int tls = plain < 0 ? -1 : listen_at(conf->address, conf->https_port, e);
    if (tls < 0)
        return -1;
    struct ingress *in = xcalloc(1, sizeof *in);
    in->conf = *conf;
    in->conf.address = NULL;
    in->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (in->stop < 0)
        BUG("eventfd: %s", strerror(errno));
    in->listeners[0] = TAKE_FD(plain);
    in->listeners[1] = TAKE_FD(tls);
    in->table = table_new(json_object());
    in->table->users = 1;
    pthread_mutex_init(&in->mu, NULL);
    pthread_cond_init(&in->idle, NULL);
    start_acceptor(in);
    *out = in;
    return 0;
}

void ingress_set(struct ingress *in, json_t *take_table)
{
    struct table *fresh = table_new(take_table);
    fresh->users = 1;
    pthread_mutex_lock(&in->mu);
    struct table *old = in->table;
    in->table = fresh;
    pthread_mutex_unlock(&in->mu);
    ingress_table_drop(in, old);
}

void ingress_close(struct ingress *in)
{
    if (!in)
        return;
    const uint64_t one = 1;
    if (write(in->stop, &one, sizeof one) != sizeof one)
        BUG("eventfd: %s", strerror(errno));
    pthread_join(in->acceptor, NULL);
    pthread_mutex_lock(&in->mu);
    while (in->connections)
        pthread_cond_wait(&in->idle, &in->mu);
    pthread_mutex_unlock(&in->mu);
    for (int i = 0; i < 2; i++)
        close(in->listeners[i]);
    close(in->stop);
    table_free(in->table);
    if (in->fake)
        gnutls_certificate_free_credentials(in->fake);
    pthread_mutex_destroy(&in->mu);
    pthread_cond_destroy(&in->idle);
    free(in);
}
