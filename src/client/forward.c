/* forward.c - see forward.h.
 *
 *      pair:  accepted --error stream opened--> [reply] --data stream opened--> [reply] --> OPEN --server ends data-->
 * CLOSING CLOSING --all is written to the local side, server ends error--> gone
 *
 * DESIGN: one poll() over the WebSocket, the listeners and every pair's socket. Each pair queues what the server sent;
 * while one queue is full the server is not listened to, while much is queued for the server no local side is. A stream
 * opens with its SYN_REPLY: what was sent on it before would be dropped by a real server. INVARIANTS: the stream of
 * errors is ended by us as soon as it is open; a pair is freed in sweep() only. THREADS: the caller's. */
#include "client/forward.h"

#include "base/accept.h"
#include "base/mem.h"
#include "base/spdy.h"
#include "client/websocket_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROTOCOL "SPDY/3.1+portforward.k8s.io"
enum { CHUNK = 32768, QUEUE_MAX = 1 << 20 };

struct pair {
    const struct forward_port *port;
    unsigned request;
    uint32_t error_id, data_id;
    int fd;           /* -1: the local side is done with */
    struct buf queue; /* for the local side */
    struct buf why;   /* what the error stream said */
    bool open;        /* the data stream was accepted */
    bool local_ended; /* and told so */
    bool data_ended, error_ended;
};

struct client_forward {
    struct websocket *ws;
    struct spdy spdy;
    const struct forward_conf *conf; /* while client_forward_run() */
    struct pair **pairs;             /* owned */
    size_t count, cap;
    unsigned next_request;
    bool lost;
};

/* ---- pairs ---- */

static void pair_free(struct pair *p)
{
    if (p->fd >= 0)
        close(p->fd);
    buf_release(&p->queue);
    buf_release(&p->why);
    free(p);
}

static uint32_t open_stream(struct client_forward *f, const struct pair *p, const char *type)
{
    char port[16], request[16];
    snprintf(port, sizeof port, "%d", p->port->remote);
    snprintf(request, sizeof request, "%u", p->request);
    const struct spdy_header headers[] = {{"streamtype", type}, {"port", port}, {"requestid", request}};
    return spdy_open(&f->spdy, headers, ARRAY_LEN(headers));
}

static void pair_begin(struct client_forward *f, const struct forward_port *port, int fd)
{
    struct pair *p = xcalloc(1, sizeof *p);
    *p = (struct pair){.port = port, .request = f->next_request++, .fd = fd};
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->pairs = xrealloc(f->pairs, f->cap * sizeof *f->pairs);
    }
    f->pairs[f->count++] = p;
    p->error_id = open_stream(f, p, "error");
}

static struct pair *pair_of(const struct client_forward *f, uint32_t id)
{
    for (size_t i = 0; i < f->count; i++)
        if (id && (f->pairs[i]->data_id == id || f->pairs[i]->error_id == id))
            return f->pairs[i];
    return NULL;
}

/* The server has nothing more for the local side, or the local side is gone. */
static void pair_close(struct client_forward *f, struct pair *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    if (p->data_id && !p->data_ended)
        spdy_reset(&f->spdy, p->data_id, SPDY_RST_CANCEL);
    else if (p->open && !p->local_ended)
        spdy_data(&f->spdy, p->data_id, "", 0, true);
    p->data_ended = p->local_ended = true;
}

/* Pairs of which nothing is left; what went wrong with one ends the forward. */
static void sweep(struct client_forward *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct pair *p = f->pairs[i];
        if (p->fd >= 0 && p->data_ended && p->queue.len == 0)
            pair_close(f, p);
        if (p->error_ended && p->why.len && !f->lost) {
            f->conf->failed(f->conf->arg, p->port, buf_str(&p->why));
            f->lost = true;
        }
        if (p->fd < 0 && p->error_ended)
            pair_free(p);
        else
            f->pairs[kept++] = p;
    }
    f->count = kept;
}

/* ---- what the server says ---- */

static void on_reply(void *arg, uint32_t id)
{
    struct client_forward *f = arg;
    struct pair *p = pair_of(f, id);
    if (!p)
        return;
    if (id == p->data_id) {
        p->open = true;
        return;
    }
    spdy_data(&f->spdy, id, "", 0, true); /* nothing comes from here */
    if (!p->data_id && !p->data_ended)
        p->data_id = open_stream(f, p, "data");
}

static void on_data(void *arg, uint32_t id, const void *data, size_t len, bool fin)
{
    struct pair *p = pair_of(arg, id);
    if (!p)
        return;
    const bool error = id == p->error_id;
    if (error || p->fd >= 0)
        buf_add(error ? &p->why : &p->queue, data, len);
    if (fin)
        *(error ? &p->error_ended : &p->data_ended) = true;
}

static void on_reset(void *arg, uint32_t id)
{
    struct pair *p = pair_of(arg, id);
    if (!p)
        return;
    p->data_ended = true;
    if (id == p->error_id)
        p->error_ended = true;
}

static void on_goaway(void *arg)
{
    ((struct client_forward *)arg)->lost = true;
}

static const struct spdy_events events = {.data = on_data, .reset = on_reset, .goaway = on_goaway, .reply = on_reply};

static int from_server(void *arg, const uint8_t *data, size_t n, struct err *e)
{
    struct client_forward *f = arg;
    spdy_input(&f->spdy, data, n);
    return f->spdy.failed ? err_set(e, ERR_CORRUPT, "the server broke the protocol") : 0;
}

static void to_server(void *arg, const void *data, size_t len)
{
    websocket_send(((struct client_forward *)arg)->ws, "", 0, data, len);
}

/* ---- the local side ---- */

static void accept_one(struct client_forward *f, const struct forward_port *port)
{
    const int fd = accept_or_rest(port->fd, SOCK_CLOEXEC | SOCK_NONBLOCK, -1);
    if (fd < 0)
        return;
    f->conf->connected(f->conf->arg, port);
    pair_begin(f, port, fd);
}

static void from_local(struct client_forward *f, struct pair *p)
{
    char chunk[CHUNK];
    const ssize_t n = recv(p->fd, chunk, sizeof chunk, 0);
    if (n > 0) {
        spdy_data(&f->spdy, p->data_id, chunk, (size_t)n, false);
    } else if (n == 0) {
        spdy_data(&f->spdy, p->data_id, "", 0, true);
        p->local_ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        pair_close(f, p);
    }
}

static void to_local(struct client_forward *f, struct pair *p)
{
    const ssize_t n = send(p->fd, p->queue.data, p->queue.len, MSG_NOSIGNAL);
    if (n > 0)
        buf_consume(&p->queue, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        pair_close(f, p);
}

static short local_events(const struct client_forward *f, const struct pair *p)
{
    const bool read = p->open && !p->local_ended && websocket_queued(f->ws) < QUEUE_MAX;
    return (short)((read ? POLLIN : 0) | (p->queue.len ? POLLOUT : 0));
}

static bool queues_have_room(const struct client_forward *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->pairs[i]->queue.len > QUEUE_MAX)
            return false;
    return true;
}

/* ---- the pump ---- */

static int turn(struct client_forward *f, struct err *e)
{
    const struct forward_conf *conf = f->conf;
    const size_t pairs = f->count, count = conf->count + pairs;
    _auto_free_ struct pollfd *p = xcalloc(count + 1, sizeof *p);
    for (size_t i = 0; i < conf->count; i++)
        p[i] = (struct pollfd){conf->ports[i].fd, POLLIN, 0};
    for (size_t i = 0; i < pairs; i++) {
        const short wanted = local_events(f, f->pairs[i]);
        p[conf->count + i] = (struct pollfd){wanted ? f->pairs[i]->fd : -1, wanted, 0};
    }
    if (websocket_turn(f->ws, queues_have_room(f), p, count, -1, e) < 0)
        return -1;
    for (size_t i = 0; i < pairs; i++) {
        const short came = p[conf->count + i].revents;
        struct pair *pair = f->pairs[i];
        if (came && pair->fd >= 0 && pair->queue.len)
            to_local(f, pair);
        if ((came & (POLLIN | POLLHUP | POLLERR)) && pair->fd >= 0 && pair->open && !pair->local_ended)
            from_local(f, pair);
    }
    for (size_t i = 0; i < conf->count; i++)
        if (p[i].revents)
            accept_one(f, &conf->ports[i]);
    sweep(f);
    return 0;
}

int client_forward_open(struct client *c, const char *path, struct client_forward **out, struct err *e)
{
    struct client_forward *f = xcalloc(1, sizeof *f);
    const struct websocket_conf conf = {.path = path,
                                        .protocols = PROTOCOL,
                                        .message = from_server,
                                        .arg = f,
                                        .deadline = conn_now_ms() + CLIENT_TIMEOUT_MS};
    if (websocket_open(c, &conf, &f->ws, e) < 0) {
        free(f);
        return -1;
    }
    spdy_init(&f->spdy, &events, to_server, f);
    *out = f;
    return 0;
}

void client_forward_free(struct client_forward *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        pair_free(f->pairs[i]);
    free(f->pairs);
    spdy_release(&f->spdy);
    websocket_free(f->ws);
    free(f);
}

void client_forward_cleanup(struct client_forward **f)
{
    client_forward_free(*f);
}

int client_forward_run(struct client_forward *f, const struct forward_conf *conf, struct err *e)
{
    f->conf = conf;
    while (!f->lost && !websocket_ended(f->ws))
        if (turn(f, e) < 0)
            return -1;
    return err_set(e, ERR_UNAVAILABLE, "lost connection to pod");
}
