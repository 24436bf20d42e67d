/* door.c - the console's own address: plain HTTP on 127.0.0.1, since a browser does not know our certificate and there
 * is nobody between.
 *
 * DESIGN: one more daemon of the HTTP library with one thread, made when somebody first asks for the console. The port
 * is kept, so that a page that was open finds its cluster again after a restart. THREADS: `mu` guards the door. */
#include "apiserver/console/console_int.h"
#include "apiserver/console/sessions.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_to(int fd, uint16_t port)
{
    const struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return bind(fd, (const struct sockaddr *)&sa, sizeof sa);
}

/* The port that is wanted, or any if somebody else has it. */
static int open_socket(uint16_t port, uint16_t *out_port, struct err *e)
{
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    int one = 1;
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "the console's socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if ((bind_to(fd, port) < 0 && bind_to(fd, 0) < 0) || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &len) < 0)
        return err_sys(e, errno, "the console cannot listen on 127.0.0.1");
    *out_port = ntohs(own.sin_port);
    return TAKE_FD(fd);
}

static int open_it(struct console *c, uint16_t port, struct err *e)
{
    if (c->door)
        return 0;
    _auto_close_ int fd = open_socket(port, &c->port, e);
    if (fd < 0)
        return -1;
    c->door = server_start_plain_daemon(c->srv, fd);
    if (!c->door)
        return err_set(e, ERR_INTERNAL, "the console's HTTP server does not start");
    fd = -1; /* the library's now */
    sessions_keep_port(c->sessions, c->port);
    return 0;
}

int console_open_door(struct console *c, uint16_t port, struct err *e)
{
    pthread_mutex_lock(&c->mu);
    int rc = open_it(c, port, e);
    pthread_mutex_unlock(&c->mu);
    return rc;
}

bool console_at_door(const struct request *rq)
{
    return rq->conn->at_door;
}
