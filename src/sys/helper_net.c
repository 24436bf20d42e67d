/* helper_net.c - the cluster's network as the helper wires it: the bridge, the nodes' cables, addresses of the cluster,
 * and the process that programs services.
 *
 *      node --eth0==node<i>-- bridge (the helper's network) --listen_at()--> the API process has the socket
 *
 * The bridge is made when the first node or address needs it. THREADS: none; the helper's loop only. */
#include "sys/chan.h"
#include "sys/helper_int.h"
#include "sys/hidden_int.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/svc_int.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the bridge and the nodes' cables ---- */

int helper_network_make(struct helper *h, struct err *e)
{
    if (h->network)
        return 0;
    net_relax();
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || nl_forward(nl, e) < 0 || nl_bridge_add(nl, NET_BRIDGE, htonl(NET_GATEWAY), e) < 0 ||
        nl_link_up(nl, NET_BRIDGE, NULL, e) < 0)
        return -1;
    h->network = true;
    return 0;
}

/* The node's cable: "node<i>" on the bridge, "eth0" in the node; and the way to its pods. */
int helper_network_add_node(const struct helper_node *n, struct err *e)
{
    char name[16];
    snprintf(name, sizeof name, "node%d", n->index);
    _auto_close_ int nl = nl_open(e);
    /* The cable of a node that just died may still be there: the kernel takes namespaces down in its own time. */
    if (nl < 0 || nl_link_del(nl, name, e) < 0 || nl_veth_add(nl, name, "eth0", n->pid, -1, e) < 0 ||
        nl_link_up(nl, name, NET_BRIDGE, e) < 0)
        return -1;
    return nl_route_add(nl, htonl(NET_PODS(n->index)), NET_PODS_PREFIX, htonl(NET_NODE(n->index)), e);
}

/* ---- addresses of the cluster ---- */

/* The address becomes one of the helper's: nodes and pods send what is not theirs here. */
static int listen_at(struct helper *h, const char *ip, uint16_t port, struct err *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;
    if (inet_pton(AF_INET, ip, &at.sin_addr) != 1)
        return err_set(e, ERR_BAD_REQUEST, "invalid address \"%s\"", ip);
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || helper_network_make(h, e) < 0 || nl_addr_add(nl, NET_BRIDGE, at.sin_addr.s_addr, 32, e) < 0)
        return -1;
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
        return err_sys(e, errno, "listen on %s:%u", ip, port);
    return TAKE_FD(fd);
}

void helper_on_listen(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const char *ip = wire_need_str(in);
    _auto_close_ int fd = listen_at(h, ip, (uint16_t)wire_get_u32(in), &e);
    helper_reply(h, m->id, &e, NULL, fd);
}

/* Whoever asked waits for the connection, not we. */
void helper_on_dial_ip(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct sockaddr_in at = {.sin_family = AF_INET};
    const char *ip = wire_need_str(in);
    at.sin_port = htons((uint16_t)wire_get_u32(in));
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (in->bad || inet_pton(AF_INET, ip, &at.sin_addr) != 1)
        err_set(&e, ERR_BAD_REQUEST, "invalid address \"%s\"", ip);
    else if (fd < 0 || (connect(fd, (struct sockaddr *)&at, sizeof at) < 0 && errno != EINPROGRESS))
        err_sys(&e, errno, "connect to %s", ip);
    helper_reply(h, m->id, &e, NULL, e.code == ERR_OK ? fd : -1);
}

static void services_lost(struct helper *h)
{
    struct err e = ERR_INIT;
    close(h->services);
    h->services = -1;
    err_set(&e, ERR_UNAVAILABLE, "the service process ended");
    if (h->asked)
        helper_reply(h, h->asked, &e, NULL, -1);
    h->asked = 0;
}

/* The service process is started with the first table, and again if it died. It answers when it is done. */
void helper_on_set_services(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    (void)in; /* the service process reads it */
    for (int i = 0; i < 2; i++) {
        err_clear(&e);
        if (h->services < 0 && (helper_network_make(h, &e) < 0 || svc_start(HELPER_DOOR, &h->services, &e) < 0))
            break;
        if (chan_send(h->services, m->id, OP_SET_SERVICES, &m->body, NULL, 0, &e) == 0) {
            h->asked = m->id;
            return;
        }
        services_lost(h);
    }
    helper_reply(h, m->id, &e, NULL, -1);
}

void helper_on_services_answer(struct helper *h)
{
    struct err ok = ERR_INIT;
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_recv(h->services, &m) != 1) {
        services_lost(h);
        return;
    }
    helper_reply(h, m.id, &ok, &m.body, -1);
    h->asked = 0;
}
