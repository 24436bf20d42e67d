/* listener.c - see listener_int.h.
 *
 * DESIGN: each HTTP thread is a daemon of the library without a listening socket, and connections are dealt out to them
 * in turn. Left to the library, its threads race: the first one awake takes ten in a row, and a client's sixteen
 * connections end on one thread while the others sleep. The same way serves a second socket, in the cluster's network.
 *
 * THREADS: one a listener, which ends when `wake` becomes readable. */
#include "apiserver/listener_int.h"

#include "apiserver/server_int.h"
#include "base/accept.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct listener {
    struct apiserver *srv;
    int fd, wake; /* owned */
    pthread_t thread;
};

/* The library closes what it cannot take. */
static void deal(struct listener *l)
{
    struct apiserver *s = l->srv;
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept_from_or_rest(l->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK, l->wake);
    if (fd >= 0)
        MHD_add_connection(s->daemons[atomic_fetch_add(&s->dealt, 1) % s->threads], fd, (struct sockaddr *)&peer, len);
}

static void *accept_all(void *arg)
{
    struct listener *l = arg;
    struct pollfd p[2] = {{l->fd, POLLIN, 0}, {l->wake, POLLIN, 0}};
    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[1].revents || p[0].revents & (POLLERR | POLLNVAL))
            break;
        if (p[0].revents)
            deal(l);
    }
    return NULL;
}

static void listener_free(struct listener *l)
{
    close_cleanup(&l->fd);
    close_cleanup(&l->wake);
    free(l);
}

int listener_start(struct apiserver *s, int take_fd, struct listener **out, struct err *e)
{
    struct listener *l = xcalloc(1, sizeof *l);
    *l = (struct listener){s, take_fd, eventfd(0, EFD_CLOEXEC), 0};
    sigset_t all, old; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&l->thread, NULL, accept_all, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        listener_free(l);
        return err_sys(e, rc, "start a thread");
    }
    *out = l;
    return 0;
}

void listener_stop(struct listener *l)
{
    if (!l)
        return;
    uint64_t one = 1;
    ssize_t n = write(l->wake, &one, sizeof one);
    (void)n;
    pthread_join(l->thread, NULL);
    listener_free(l);
}
