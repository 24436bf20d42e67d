/* svc_dns.c - the cluster's DNS server: datagrams, and short TCP connections for answers that fit none.
 *
 * A TCP client sends a length and a question, and gets a length and an answer; he may go on asking. One that sends
 * slowly only keeps his own place; there are few places, and the oldest one is given away. THREADS: none; the service
 * process' loop. */
#include "sys/dns_int.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/svc_int.h"

#include "base/accept.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_PORT    53
#define CLIENTS_MAX 64
#define QUESTION    1500

struct dns_client {
    struct dns_client *next; /* the newest first */
    int fd;
    size_t len;
    uint8_t data[2 + QUESTION];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void dns_open(struct dns_server *d, int nl, const char *text)
{
    struct err e = ERR_INIT;
    struct in_addr ip;
    if (inet_pton(AF_INET, text, &ip) != 1 || (d->udp >= 0 && d->tcp >= 0 && ip.s_addr == d->ip.s_addr))
        return;
    close_fd(&d->udp);
    close_fd(&d->tcp);
    nl_addr_add(nl, NET_BRIDGE, ip.s_addr, 32, &e);
    d->ip = ip;
    d->udp = svc_socket(SOCK_DGRAM, ip, DNS_PORT);
    d->tcp = svc_socket(SOCK_STREAM, ip, DNS_PORT);
}

static void drop_client(struct dns_client **at)
{
    struct dns_client *c = *at;
    *at = c->next;
    close(c->fd);
    free(c);
}

static void take_client(struct dns_server *d)
{
    const int fd = accept_or_rest(d->tcp, SOCK_CLOEXEC | SOCK_NONBLOCK, -1);
    if (fd < 0)
        return;
    struct dns_client *c = xcalloc(1, sizeof *c);
    c->next = d->clients;
    c->fd = fd;
    d->clients = c;
    size_t n = 0;
    struct dns_client **at = &d->clients;
    for (; *at && n < CLIENTS_MAX; n++)
        at = &(*at)->next;
    while (*at)
        drop_client(at);
}

size_t dns_poll(struct dns_server *d, struct pollfd *p, size_t max)
{
    size_t n = 0;
    if (max < 2)
        return 0;
    p[n++] = (struct pollfd){d->udp, POLLIN, 0};
    p[n++] = (struct pollfd){d->tcp, POLLIN, 0};
    for (const struct dns_client *c = d->clients; c && n < max; c = c->next)
        p[n++] = (struct pollfd){c->fd, POLLIN, 0};
    return n;
}

static void answer_datagram(const struct dns_server *d, const json_t *zone)
{
    uint8_t in[QUESTION];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    _auto_buf_ struct buf out = BUF_INIT;
    const ssize_t n = recvfrom(d->udp, in, sizeof in, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n > 0 && dns_answer(zone, in, (size_t)n, false, &out) &&
        sendto(d->udp, out.data, out.len, MSG_DONTWAIT, (struct sockaddr *)&from, len) < 0)
        return; /* he will ask again */
}

/* Answers the questions that are complete; false: the connection is of no more use. */
static bool answer_stream(struct dns_client *c, const json_t *zone)
{
    const ssize_t n = recv(c->fd, c->data + c->len, sizeof c->data - c->len, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    c->len += (size_t)n;
    while (c->len >= 2) {
        const size_t want = (size_t)c->data[0] << 8 | c->data[1];
        _auto_buf_ struct buf out = BUF_INIT, framed = BUF_INIT;
        if (want > QUESTION)
            return false;
        if (c->len < 2 + want)
            break;
        if (!dns_answer(zone, c->data + 2, want, true, &out))
            return false;
        buf_addc(&framed, (char)(out.len >> 8));
        buf_addc(&framed, (char)out.len);
        buf_add(&framed, out.data, out.len);
        if (send(c->fd, framed.data, framed.len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)framed.len)
            return false;
        c->len -= 2 + want;
        memmove(c->data, c->data + 2 + want, c->len);
    }
    return true;
}

void dns_work(struct dns_server *d, const json_t *zone, const struct pollfd *p, size_t count)
{
    struct dns_client **at = &d->clients;
    for (size_t i = 2; *at && i < count; i++) {
        if (p[i].revents && !answer_stream(*at, zone))
            drop_client(at);
        else
            at = &(*at)->next;
    }
    if (count >= 2 && p[0].revents)
        answer_datagram(d, zone);
    if (count >= 2 && p[1].revents)
        take_client(d);
}
