/* relay.c - see relay.h.
 *
 * DESIGN: a connection of its own for each request, which the server is asked to close at the end: so what comes back
 * need not be understood, and an upgraded stream is nothing special. */
#include "client/relay.h"

#include "base/mem.h"
#include "client/client_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE (32 * 1024)

static int write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        const ssize_t w = send(fd, data, n, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return -1;
        data += w;
        n -= (size_t)w;
    }
    return 0;
}

/* What we ask whoever asked: POLLIN, that he goes on; POLLRDHUP, only whether he has gone; 0, nothing, he has said all.
 * Who wants another protocol may go on once the server speaks it: if it does not, what follows would be a request that
 * nobody has looked at. */
static short after_answer(const char *answer, size_t n)
{
    static const char switching[] = "HTTP/1.1 101";
    return n >= sizeof switching - 1 && memcmp(answer, switching, sizeof switching - 1) == 0 ? POLLIN : POLLRDHUP;
}

/* Both ways, until the server or whoever asks has gone. */
static void pump(struct conn *conn, const struct relay_request *rq, int cancel)
{
    char piece[PIECE];
    short listen = rq->upgrade ? POLLRDHUP : POLLIN;
    bool first = rq->upgrade;
    for (;;) {
        struct err e = ERR_INIT;
        bool again = false;
        const ssize_t n = conn_poll(conn, &again, &e);
        if (n < 0 || (n == 0 && !again))
            return;
        if (n > 0 && first) {
            listen = after_answer(conn->in + conn->at, (size_t)n);
            first = false;
        }
        if (n > 0 && write_all(rq->fd, conn->in + conn->at, (size_t)n) < 0)
            return;
        conn->at += (size_t)n;
        if (n > 0)
            continue;
        struct pollfd p[] = {{conn->fd, POLLIN, 0}, {listen ? rq->fd : -1, listen, 0}, {cancel, POLLIN, 0}};
        if ((poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR) || p[2].revents || (p[1].revents && listen != POLLIN))
            return;
        if (!p[1].revents)
            continue;
        const ssize_t got = recv(rq->fd, piece, sizeof piece, 0);
        listen = got > 0 ? POLLIN : 0;
        if (got < 0 || (got > 0 && conn_send(conn, piece, (size_t)got, -1, &e) < 0))
            return;
    }
}

int client_relay(struct client *c, const struct relay_request *rq, struct err *e)
{
    const int64_t deadline = conn_now_ms() + CLIENT_TIMEOUT_MS;
    _auto_buf_ struct buf head = BUF_INIT;
    struct conn *conn = NULL;
    (rq->below ? client_head : client_head_bare)(c, rq->method, rq->path, &head);
    buf_addf(&head, "%s%s\r\n", rq->headers, rq->upgrade ? "" : "Connection: close\r\n");
    if (!rq->upgrade)
        buf_add(&head, rq->body, rq->len);
    if (conn_open(&c->remote, c->cancel, deadline, &conn, e) < 0)
        return -1;
    const int rc = conn_send(conn, head.data, head.len, deadline, e);
    if (rc == 0)
        pump(conn, rq, c->cancel);
    conn_close(conn);
    return rc;
}
