/* svc.c - the service process: cluster addresses that work.
 *
 * DESIGN: nodes and pods send what is not for their own network to the helper's; there every service address is an
 * address of the bridge, and this process listens on it: a connection is relayed to one of the service's pods
 * (relay.c), a datagram to the DNS address is a question (dns.c). No packet filter of the kernel is needed, nothing of
 * the user's network is touched. A service without pods has its address but no listener, so the kernel refuses the
 * connection as kube-proxy would.
 *
 * A new table replaces the old one: listeners of ports that stay are kept, and so are connections.
 *
 * THREADS: none; one process, one poll loop, a child of the helper. */
#include "sys/svc_int.h"
#include "sys/chan.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/wire.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define POLL_MAX 4096

struct port {
    struct port *next;
    struct in_addr ip;
    uint16_t number;
    int fd;                      /* listening; -1 = no target, or it could not be */
    struct sockaddr_in *targets; /* owned */
    size_t target_count, turn;
};
struct svc {
    int sock, nl, dns; /* dns: UDP socket, -1 = none */
    struct in_addr dns_ip;
    json_t *table; /* owned; names are looked up in it */
    struct port *ports;
    struct relay *relays;
};

/* ---- the table ---- */

static bool parse_target(const char *text, struct sockaddr_in *out)
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

static struct port *port_read(const json_t *rule)
{
    struct in_addr ip;
    const int64_t number = jint(rule, "port", 0);
    const json_t *targets = jat(rule, "targets"), *item;
    if (inet_pton(AF_INET, jstr_or(rule, "ip", ""), &ip) != 1 || number < 1 || number > 65535)
        return NULL;
    struct port *p = xcalloc(1, sizeof *p);
    *p = (struct port){.ip = ip, .number = (uint16_t)number, .fd = -1};
    p->targets = xcalloc(json_array_size(targets), sizeof *p->targets);
    size_t i;
    json_array_foreach(targets, i, item)
    {
        p->target_count += parse_target(json_string_value(item), &p->targets[p->target_count]);
    }
    return p;
}

static void ports_free(struct port *list)
{
    for (struct port *next; list; list = next) {
        next = list->next;
        if (list->fd >= 0)
            close(list->fd);
        free(list->targets);
        free(list);
    }
}

static int take_listener(struct port *before, const struct port *p)
{
    for (; before; before = before->next)
        if (before->ip.s_addr == p->ip.s_addr && before->number == p->number)
            return TAKE_FD(before->fd);
    return -1;
}

static int open_socket(int type, struct in_addr ip, uint16_t number)
{
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number), .sin_addr = ip};
    const int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && (type == SOCK_DGRAM || listen(fd, SOMAXCONN) == 0))
        return fd;
    close(fd);
    return -1;
}

static bool has_ip(const struct port *list, struct in_addr ip)
{
    for (; list; list = list->next)
        if (list->ip.s_addr == ip.s_addr)
            return true;
    return false;
}

/* Addresses that are new come, those that are no longer named go. */
static void change_addresses(const struct svc *s, const struct port *before, const struct port *after)
{
    struct err e = ERR_INIT;
    for (const struct port *p = after; p; p = p->next)
        if (!has_ip(before, p->ip))
            nl_addr_add(s->nl, NET_BRIDGE, p->ip.s_addr, 32, &e);
    for (const struct port *p = before; p; p = p->next)
        if (!has_ip(after, p->ip) && p->ip.s_addr != s->dns_ip.s_addr)
            nl_addr_del(s->nl, NET_BRIDGE, p->ip.s_addr, 32, &e);
}

static void open_dns(struct svc *s)
{
    struct err e = ERR_INIT;
    struct in_addr ip;
    if (inet_pton(AF_INET, jstr_or(s->table, "dns", ""), &ip) != 1 || (s->dns >= 0 && ip.s_addr == s->dns_ip.s_addr))
        return;
    if (s->dns >= 0)
        close(s->dns);
    nl_addr_add(s->nl, NET_BRIDGE, ip.s_addr, 32, &e);
    s->dns_ip = ip;
    s->dns = open_socket(SOCK_DGRAM, ip, 53);
}

static void replace_table(struct svc *s, json_t *take_table)
{
    struct port *fresh = NULL;
    size_t i;
    const json_t *rule;
    json_array_foreach(jat(take_table, "services"), i, rule)
    {
        struct port *p = port_read(rule);
        if (!p)
            continue;
        p->next = fresh;
        fresh = p;
    }
    change_addresses(s, s->ports, fresh);
    for (struct port *p = fresh; p; p = p->next) {
        if (!p->target_count)
            continue;
        p->fd = take_listener(s->ports, p);
        if (p->fd < 0)
            p->fd = open_socket(SOCK_STREAM, p->ip, p->number);
    }
    ports_free(s->ports);
    s->ports = fresh;
    json_decref(s->table);
    s->table = take_table;
    open_dns(s);
}

/* ---- work ---- */

static void take_table(struct svc *s)
{
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_recv(s->sock, &m) != 1)
        _exit(0); /* the helper is gone */
    struct wire_in in = wire_reader(m.body.data, m.body.len);
    json_t *table = json_loads(wire_need_str(&in), 0, NULL);
    if (table)
        replace_table(s, table);
}

static void take_connection(struct svc *s, struct port *p)
{
    const int client = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0)
        relay_add(&s->relays, client, &p->targets[p->turn++ % p->target_count]);
}

static void take_question(struct svc *s)
{
    uint8_t in[1500], out[1500];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    const ssize_t n = recvfrom(s->dns, in, sizeof in, 0, (struct sockaddr *)&from, &len);
    const size_t answer = n > 0 ? dns_answer(jat(s->table, "names"), in, (size_t)n, out, sizeof out) : 0;
    if (answer && sendto(s->dns, out, answer, 0, (struct sockaddr *)&from, len) < 0)
        return; /* it will ask again */
}

static _Noreturn void svc_main(int sock)
{
    static struct pollfd p[POLL_MAX];
    struct err e = ERR_INIT;
    struct svc s = {.sock = sock, .nl = nl_open(&e), .dns = -1};
    for (;;) {
        size_t n = 0;
        p[n++] = (struct pollfd){s.sock, POLLIN, 0};
        p[n++] = (struct pollfd){s.dns, POLLIN, 0};
        for (const struct port *port = s.ports; port && n < POLL_MAX / 2; port = port->next)
            p[n++] = (struct pollfd){port->fd, POLLIN, 0};
        const size_t first = n, count = relay_poll(s.relays, p + n, POLL_MAX - n);
        if (poll(p, first + count, -1) <= 0)
            continue;
        relay_work(&s.relays, p + first, count);
        if (p[1].revents)
            take_question(&s);
        size_t i = 2;
        for (struct port *port = s.ports; port && i < first; port = port->next, i++)
            if (p[i].revents)
                take_connection(&s, port);
        if (p[0].revents) /* last: it changes the ports */
            take_table(&s);
    }
}

int svc_start(int *out_sock, struct err *e)
{
    int pair[2];
    if (chan_pair(pair, e) < 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0) {
        proc_reset_signals();
        signal(SIGPIPE, SIG_IGN);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "stowage-svc");
        proc_keep_fds(&pair[1], 1);
        svc_main(pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_sys(e, errno, "start the service process");
    }
    *out_sock = pair[0];
    return 0;
}
