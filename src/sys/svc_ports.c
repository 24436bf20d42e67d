/* svc_ports.c - the listening sockets of services.
 *
 * DESIGN: a port on the user's loopback (a node port, a load balancer's address) is a socket in his network namespace
 * that this process, in the cluster's, accepts from; connections and datagrams are carried to a pod (relay.c,
 * relay_udp.c). Where the kernel has no packet filter the addresses inside the cluster are served the same way: they
 * are addresses of the helper's bridge then. A port without pods has no listener, so the kernel refuses the connection.
 *
 * A new table replaces the old one: listeners of ports that stay are kept, and so are connections, and who has which
 * pod by affinity (svc_clients.c).
 *
 * THREADS: none; the service process' loop. */
#include "sys/door_int.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/svc_int.h"

#include "base/accept.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct port {
    struct port *next;
    struct in_addr ip;
    uint16_t number;
    int protocol;
    bool host;
    int fd;                      /* -1 = no target, or it could not be */
    struct sockaddr_in *targets; /* owned */
    size_t target_count, turn;
    int64_t sticky; /* seconds that a client keeps its pod; 0: no affinity */
    struct svc_clients clients;
};

/* ---- reading ---- */

bool svc_target_parse(const char *text, struct sockaddr_in *out)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    uint64_t port;
    char ip[INET_ADDRSTRLEN];
    if (!colon || (size_t)(colon - text) >= sizeof ip || !str_to_u64(colon + 1, &port) || port == 0 || port > 65535)
        return false;
    memcpy(ip, text, (size_t)(colon - text));
    ip[colon - text] = '\0';
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, ip, &out->sin_addr) == 1;
}

int svc_protocol(const json_t *rule)
{
    const char *name = jstr_or(rule, "protocol", "TCP");
    return str_eq(name, "UDP") ? IPPROTO_UDP : str_eq(name, "SCTP") ? IPPROTO_SCTP : IPPROTO_TCP;
}

static struct port *port_read(const json_t *rule)
{
    struct in_addr ip;
    const int64_t number = jint(rule, "port", 0);
    const json_t *targets = jat(rule, "targets"), *item;
    if (inet_pton(AF_INET, jstr_or(rule, "ip", ""), &ip) != 1 || number < 1 || number > 65535)
        return NULL;
    struct port *p = xcalloc(1, sizeof *p);
    *p = (struct port){.ip = ip,
                       .number = (uint16_t)number,
                       .protocol = svc_protocol(rule),
                       .host = jbool(rule, "host", false),
                       .sticky = jint(rule, "sticky", 0),
                       .fd = -1};
    p->targets = xcalloc(json_array_size(targets), sizeof *p->targets);
    size_t i;
    json_array_foreach(targets, i, item)
    {
        p->target_count += svc_target_parse(json_string_value(item), &p->targets[p->target_count]);
    }
    return p;
}

/* ---- sockets ---- */

static int listen_on(int take_fd, int type, struct in_addr ip, uint16_t number)
{
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number), .sin_addr = ip};
    const int on = 1, fd = take_fd;
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && (type == SOCK_DGRAM || listen(fd, SOMAXCONN) == 0))
        return fd;
    const int code = errno;
    close(fd);
    return -code;
}

int svc_socket(int type, struct in_addr ip, uint16_t number)
{
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : listen_on(fd, type, ip, number);
}

/* The listener, in the network it belongs to; or -errno. */
static int open_port(const struct ports *s, const struct port *p)
{
    const int type = p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
    if (p->protocol == IPPROTO_SCTP)
        return -EPROTONOSUPPORT;
    if (!p->host)
        return svc_socket(type, p->ip, p->number);
    const int fd = door_socket(s->door, s->own_net, type);
    return fd < 0 ? fd : listen_on(fd, type, p->ip, p->number);
}

static void ports_free(struct ports *s, struct port *list)
{
    for (struct port *next; list; list = next) {
        next = list->next;
        if (list->fd >= 0) {
            flow_drop(&s->flows, list->fd);
            close(list->fd);
        }
        svc_clients_release(&list->clients);
        free(list->targets);
        free(list);
    }
}

/* Its listener and its clients. */
static void take_over(struct port *before, struct port *p)
{
    for (; before; before = before->next) {
        if (before->ip.s_addr != p->ip.s_addr || before->number != p->number || before->protocol != p->protocol ||
            before->host != p->host)
            continue;
        p->fd = TAKE_FD(before->fd);
        p->clients = before->clients;
        before->clients = (struct svc_clients){0};
        svc_clients_keep(&p->clients, p->targets, p->sticky ? p->target_count : 0);
        return;
    }
}

static bool has_ip(const struct port *list, struct in_addr ip)
{
    for (; list; list = list->next)
        if (!list->host && list->ip.s_addr == ip.s_addr)
            return true;
    return false;
}

/* Addresses that are new come, those that are no longer named go. */
static void change_addresses(const struct ports *s, const struct port *before, const struct port *after)
{
    struct err e = ERR_INIT;
    const uint32_t own = htonl(NET_GATEWAY);
    for (const struct port *p = after; p; p = p->next)
        if (!p->host && p->ip.s_addr != own && !has_ip(before, p->ip))
            nl_addr_add(s->nl, NET_BRIDGE, p->ip.s_addr, 32, &e);
    for (const struct port *p = before; p; p = p->next)
        if (!p->host && p->ip.s_addr != own && !has_ip(after, p->ip))
            nl_addr_del(s->nl, NET_BRIDGE, p->ip.s_addr, 32, &e);
}

static json_t *refusal(const struct port *p, int code)
{
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &p->ip, ip, sizeof ip);
    return json_pack("{s:s, s:i, s:s, s:s}", "ip", ip, "port", p->number, "protocol",
                     p->protocol == IPPROTO_UDP ? "UDP" : "TCP", "why", strerror(code));
}

json_t *ports_replace(struct ports *s, const json_t *table, bool all)
{
    struct port *fresh = NULL;
    json_t *refused = json_array();
    size_t i;
    const json_t *rule;
    json_array_foreach(jat(table, "services"), i, rule)
    {
        struct port *p = all || jbool(rule, "host", false) ? port_read(rule) : NULL;
        if (!p)
            continue;
        p->next = fresh;
        fresh = p;
    }
    change_addresses(s, s->list, fresh);
    for (struct port *p = fresh; p; p = p->next) {
        if (!p->target_count)
            continue;
        take_over(s->list, p);
        const int fd = p->fd < 0 ? open_port(s, p) : p->fd;
        if (fd < 0 && p->host)
            json_array_append_new(refused, refusal(p, -fd));
        p->fd = fd < 0 ? -1 : fd;
    }
    ports_free(s, s->list);
    s->list = fresh;
    return refused;
}

/* ---- work ---- */

void ports_age(struct ports *s, int64_t ms)
{
    for (struct port *p = s->list; p; p = p->next)
        svc_clients_age(&p->clients, ms);
}

/* The next pod in turn; with affinity the one that is this client's. */
static const struct sockaddr_in *choose(struct port *p, const struct sockaddr_in *client)
{
    const struct sockaddr_in *next = &p->targets[p->turn++ % p->target_count];
    return p->sticky ? svc_clients_choose(&p->clients, client->sin_addr, p->sticky, next) : next;
}

static void take_one(struct ports *s, struct port *p)
{
    struct sockaddr_in client = {0};
    socklen_t len = sizeof client;
    if (p->protocol == IPPROTO_UDP) {
        char first;
        if (recvfrom(p->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT, (struct sockaddr *)&client, &len) >= 0)
            flow_take(&s->flows, p->fd, choose(p, &client));
        return;
    }
    const int fd = accept_from_or_rest(p->fd, (struct sockaddr *)&client, &len, SOCK_CLOEXEC | SOCK_NONBLOCK, -1);
    if (fd >= 0)
        relay_add(&s->relays, fd, choose(p, &client));
}

size_t ports_poll(struct ports *s, struct pollfd *p, size_t max)
{
    size_t n = 0;
    for (const struct port *port = s->list; port && n < max; port = port->next)
        p[n++] = (struct pollfd){port->fd, POLLIN, 0};
    return n;
}

void ports_work(struct ports *s, const struct pollfd *p, size_t count)
{
    size_t i = 0;
    for (struct port *port = s->list; port && i < count; port = port->next, i++)
        if (p[i].revents)
            take_one(s, port);
}
