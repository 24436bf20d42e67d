/* inside.c - see apiserver_listen_inside() in apiserver.h.
 *
 * DESIGN: the HTTP library serves one listening socket of its own; connections from any other are accepted by a small
 * thread here and handed to it. Under plain HTTP whoever reaches the port is the administrator, so pods get no such
 * socket. THREADS: one, which ends when `wake` becomes readable. */
#include "apiserver/inside_int.h"

#include "apiserver/server_int.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct inside {
    struct MHD_Daemon *daemon; /* borrowed */
    int fd, wake;
    pthread_t thread;
};

static void hand_over(struct inside *i)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(i->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        MHD_add_connection(i->daemon, fd, (struct sockaddr *)&peer, len); /* closes it if it cannot take it */
}

static void *accept_all(void *arg)
{
    struct inside *i = arg;
    struct pollfd p[2] = {{i->fd, POLLIN, 0}, {i->wake, POLLIN, 0}};
    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[1].revents || p[0].revents & (POLLERR | POLLNVAL))
            break;
        if (p[0].revents)
            hand_over(i);
    }
    return NULL;
}

int apiserver_listen_inside(struct apiserver *s, int take_fd, struct err *e)
{
    _auto_close_ int fd = take_fd;
    if (s->plain_http)
        return err_set(e, ERR_UNSUPPORTED, "plain HTTP is served on loopback only");
    struct inside *i = xcalloc(1, sizeof *i);
    *i = (struct inside){s->daemon, fd, eventfd(0, EFD_CLOEXEC), 0};
    sigset_t all, old; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&i->thread, NULL, accept_all, i);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        close(i->wake);
        free(i);
        return err_sys(e, rc, "start a thread");
    }
    fd = -1;
    s->inside = i;
    return 0;
}

void inside_stop(struct inside *i)
{
    if (!i)
        return;
    uint64_t one = 1;
    ssize_t n = write(i->wake, &one, sizeof one);
    (void)n;
    pthread_join(i->thread, NULL);
    close(i->fd);
    close(i->wake);
    free(i);
}
