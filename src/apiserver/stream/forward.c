/* forward.c - port-forward: pairs of SPDY streams (data, error), each a connection to a port of the pod.
 *
 *      pair:  [error stream came] + [data stream came] --dial--> CONNECTED --either side ends--> both streams FIN, gone
 *
 * DESIGN: one poll loop a session over the wire and every pair's socket. The SPDY bytes come straight from the
 * connection, or, with newer clients, as the payload of WebSocket messages (the tunnel), whose boundaries mean nothing.
 * Pairs are matched by `requestid`. Each pair queues what the client sent; a queue that is full stops reading from the
 * client. THREADS: one a session. Source: pkg/kubelet/cri/streaming/portforward/httpstream.go, apiserver
 * streamtunnel.go. */
#include "apiserver/stream/exec_int.h"
#include "apiserver/stream/ws_int.h"

#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spdy.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROTOCOL "portforward.k8s.io"
#define TUNNEL   "SPDY/3.1+" PROTOCOL
enum { CHUNK = 32768, PAIRS_MAX = 512, QUEUE_MAX = 1 << 20 };

struct pair {
    char *request; /* owned: requestid */
    uint32_t data_id, error_id;
    int port;
    int fd;                  /* -1 before the dial and after the end */
    struct buf queue;        /* from the client */
    bool client_ended, shut; /* shut: the client's end was passed on */
    bool dead;
};

struct forward {
    const struct node_ops *ops;
    void *ops_self;
    char *ns, *pod, *uid; /* owned */
    bool tunnel;
    struct wire wire;
    struct ws *ws; /* tunnel only */
    struct spdy spdy;
    struct pair *pairs[PAIRS_MAX];
    size_t count;
    bool over;
};

static void forward_free(void *arg)
{
    struct forward *f = arg;
    free(f->ns);
    free(f->pod);
    free(f->uid);
    free(f);
}

/* -- pairs -- */

static void pair_free(struct pair *p)
{
    if (p->fd >= 0)
        close(p->fd);
    buf_release(&p->queue);
    free(p->request);
    free(p);
}

static struct pair *pair_of_request(struct forward *f, const char *request)
{
    for (size_t i = 0; i < f->count; i++)
        if (str_eq(f->pairs[i]->request, request) && !f->pairs[i]->dead)
            return f->pairs[i];
    if (f->count == PAIRS_MAX)
        return NULL;
    struct pair *p = xcalloc(1, sizeof *p);
    p->request = xstrdup(request);
    p->fd = -1;
    f->pairs[f->count++] = p;
    return p;
}

static struct pair *pair_of_stream(struct forward *f, uint32_t data_id)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->pairs[i]->data_id == data_id)
            return f->pairs[i];
    return NULL;
}

/* Both streams say goodbye: kubectl waits for the error stream's end too. */
static void pair_end(struct forward *f, struct pair *p, const char *error)
{
    if (p->dead)
        return;
    if (error)
        spdy_data(&f->spdy, p->error_id, error, strlen(error), false);
    spdy_data(&f->spdy, p->data_id, "", 0, true);
    spdy_data(&f->spdy, p->error_id, "", 0, true);
    p->dead = true;
}

static void pair_connect(struct forward *f, struct pair *p)
{
    struct err e = ERR_INIT;
    if (f->ops->dial(f->ops_self, f->ns, f->pod, (uint16_t)p->port, &p->fd, &e) == 0)
        return;
    p->fd = -1;
    _auto_free_ char *text =
        xasprintf("error forwarding port %d to pod %s, uid %s: %s", p->port, f->pod, f->uid, e.msg);
    pair_end(f, p, text);
}

static void sweep(struct forward *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (f->pairs[i]->dead)
            pair_free(f->pairs[i]);
        else
            f->pairs[kept++] = f->pairs[i];
    }
    f->count = kept;
}

/* -- SPDY events -- */

static bool on_open(void *arg, uint32_t id, const struct spdy_headers *headers)
{
    struct forward *f = arg;
    const char *type = spdy_header(headers, "streamtype"), *request = spdy_header(headers, "requestid");
    uint64_t port;
    bool is_data = str_eq(type, "data");
    if (!str_to_u64(spdy_header(headers, "port"), &port) || port < 1 || port > 65535 ||
        (!is_data && !str_eq(type, "error")))
        return false;
    char by_id[16];
    if (!request) { /* old clients: the data stream follows its error stream */
        snprintf(by_id, sizeof by_id, "#%u", is_data ? id - 2 : id);
        request = by_id;
    }
    struct pair *p = pair_of_request(f, request);
    if (!p)
        return false;
    p->port = (int)port;
    *(is_data ? &p->data_id : &p->error_id) = id;
    return true;
}

static void on_data(void *arg, uint32_t id, const void *data, size_t len, bool fin)
{
    struct forward *f = arg;
    struct pair *p = pair_of_stream(f, id);
    if (!p || p->dead)
        return;
    buf_add(&p->queue, data, len);
    p->client_ended = p->client_ended || fin;
}

static void on_reset(void *arg, uint32_t id)
{
    struct pair *p = pair_of_stream(arg, id);
    if (p)
        p->dead = true;
}

static void on_goaway(void *arg)
{
    struct forward *f = arg;
    f->over = true;
}

static const struct spdy_events events = {.open = on_open, .data = on_data, .reset = on_reset, .goaway = on_goaway};

/* -- the wire: plain, or through the tunnel -- */

static void to_client(void *arg, const void *data, size_t len)
{
    struct forward *f = arg;
    if (f->tunnel)
        ws_send(f->ws, false, "", 0, data, len);
    else
        buf_add(&f->wire.out, data, len);
}

static void from_tunnel(void *arg, bool text, const uint8_t *data, size_t len)
{
    struct forward *f = arg;
    if (text)
        f->over = true;
    else
        spdy_input(&f->spdy, data, len);
}

static void take_input(void *arg)
{
    struct forward *f = arg;
    if (f->tunnel) {
        ws_input(f->ws);
        f->over = f->over || ws_closed(f->ws);
    } else if (f->wire.in.len) {
        spdy_input(&f->spdy, f->wire.in.data, f->wire.in.len);
        buf_clear(&f->wire.in);
    }
    f->over = f->over || f->spdy.failed || f->wire.ended;
}

/* -- moving bytes -- */

static void to_target(struct forward *f, struct pair *p)
{
    if (p->queue.len) {
        ssize_t n = send(p->fd, p->queue.data, p->queue.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            buf_consume(&p->queue, (size_t)n);
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            pair_end(f, p, NULL);
    }
    if (p->client_ended && p->queue.len == 0 && !p->shut) {
        shutdown(p->fd, SHUT_WR);
        p->shut = true;
    }
}

static void from_target(struct forward *f, struct pair *p)
{
    char chunk[CHUNK];
    ssize_t n = recv(p->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0)
        spdy_data(&f->spdy, p->data_id, chunk, (size_t)n, false);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        pair_end(f, p, NULL);
}

static bool queues_have_room(const struct forward *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->pairs[i]->queue.len > QUEUE_MAX)
            return false;
    return true;
}

static void turn(struct forward *f)
{
    struct pollfd p[PAIRS_MAX + 1];
    size_t count = f->count;
    bool room = f->wire.out.len < QUEUE_MAX;
    p[0] = (struct pollfd){f->wire.fd, wire_events(&f->wire, queues_have_room(f)), 0};
    for (size_t i = 0; i < count; i++)
        p[i + 1] =
            (struct pollfd){f->pairs[i]->fd, (short)((room ? POLLIN : 0) | (f->pairs[i]->queue.len ? POLLOUT : 0)), 0};
    if (poll(p, (nfds_t)count + 1, -1) < 0)
        return;
    wire_move(&f->wire, p[0].revents);
    take_input(f);
    for (size_t i = 0; i < count; i++)
        if (p[i + 1].revents & (POLLIN | POLLHUP | POLLERR))
            from_target(f, f->pairs[i]);
    for (size_t i = 0; i < f->count; i++) {
        struct pair *pair = f->pairs[i];
        if (!pair->dead && pair->fd < 0 && pair->data_id && pair->error_id)
            pair_connect(f, pair);
        if (!pair->dead && pair->fd >= 0)
            to_target(f, pair);
    }
    sweep(f);
}

static void forward_main(struct upgraded *up, void *arg)
{
    struct forward *f = arg;
    wire_init(&f->wire, up);
    spdy_init(&f->spdy, &events, to_client, f);
    if (f->tunnel)
        f->ws = ws_new(&f->wire, from_tunnel, f);
    take_input(f);
    while (!f->over)
        turn(f);
    for (size_t i = 0; i < f->count; i++)
        f->pairs[i]->dead = true;
    sweep(f);
    ws_free(f->ws);
    spdy_release(&f->spdy);
    wire_release(&f->wire);
}

/* -- the request -- */

static bool offers(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (str_eq(*list, name))
            return true;
    return false;
}

static struct forward *forward_new(struct request *rq, const json_t *pod)
{
    struct forward *f = xcalloc(1, sizeof *f);
    f->ops = registry_node_ops(rq->srv->registry, &f->ops_self);
    f->ns = xstrdup(rq->target.ns);
    f->pod = xstrdup(rq->target.name);
    f->uid = xstrdup(jstr_or(pod, "metadata.uid", ""));
    return f;
}

void forward_open(struct request *rq)
{
    _auto_sobj_ struct sobj *pod = stream_pod(rq);
    if (!pod || !stream_node(rq, pod->tree, STREAM_DIALING))
        return;
    struct forward *f = forward_new(rq, pod->tree);
    if (!f->ops) {
        stream_refuse(rq, ERR_UNAVAILABLE, "no node is running yet");
    } else if (ws_requested(rq) && offers(stream_header_list(rq, "Sec-WebSocket-Protocol"), TUNNEL)) {
        f->tunnel = true;
        ws_accept(rq, TUNNEL, forward_main, f, forward_free);
        return;
    } else if (!ws_requested(rq) && stream_header_has(rq, "Upgrade", "SPDY/3.1") &&
               offers(stream_header_list(rq, "X-Stream-Protocol-Version"), PROTOCOL)) {
        struct upgrade_header headers[] = {
            {"Upgrade", "SPDY/3.1"}, {"X-Stream-Protocol-Version", PROTOCOL}, {NULL, NULL}};
        upgrade_accept(rq, headers, forward_main, f, forward_free);
        return;
    } else {
        stream_refuse(rq, ERR_BAD_REQUEST, "Upgrade request required");
    }
    forward_free(f);
}
