/* netlink.c - see netlink.h. A request is built in a fixed buffer: header, family struct, attributes; nested attributes
 * are closed by patching their length. THREADS: none; one socket, one request at a time. */
#include "sys/netlink.h"
#include "sys/proc_int.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    union {
        struct nlmsghdr head;
        char space[1024];
    } u;
    size_t len;
};

static void begin(struct request *r, uint16_t type, uint16_t flags, const void *family, size_t size)
{
    memset(r, 0, sizeof *r);
    r->u.head.nlmsg_type = type;
    r->u.head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    memcpy(r->u.space + NLMSG_HDRLEN, family, size);
    r->len = NLMSG_LENGTH(size);
}

static struct rtattr *attr(struct request *r, uint16_t type, const void *data, size_t size)
{
    struct rtattr *a = (struct rtattr *)(void *)(r->u.space + NLMSG_ALIGN(r->len));
    const size_t end = NLMSG_ALIGN(r->len) + RTA_LENGTH(size);
    if (end > sizeof r->u.space)
        BUG("netlink request too long");
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(a), data, size);
    r->len = end;
    return a;
}

static void attr_text(struct request *r, uint16_t type, const char *s)
{
    attr(r, type, s, strlen(s) + 1);
}

static void attr_end(struct request *r, struct rtattr *open)
{
    open->rta_len = (uint16_t)(r->u.space + r->len - (char *)open);
}

/* Sends and waits for the acknowledgement; 0 or a negative errno. */
static int transact(int nl, struct request *r)
{
    r->u.head.nlmsg_len = (uint32_t)r->len;
    if (send(nl, r->u.space, r->len, 0) < 0)
        return -errno;
    union {
        struct nlmsghdr head;
        char space[2048];
    } in;
    const ssize_t n = recv(nl, &in, sizeof in, 0);
    if (n < 0)
        return -errno;
    if ((size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || in.head.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    const struct nlmsgerr *answer = NLMSG_DATA(&in.head);
    return answer->error;
}

static int finish(int nl, struct request *r, const char *what, const char *name, struct err *e)
{
    const int code = transact(nl, r);
    return code == 0 || code == -EEXIST ? 0 : err_sys(e, -code, "network: %s %s", what, name);
}

void net_relax(void)
{
    static const char *const off[] = {"ipv4/conf/all/rp_filter",        "ipv4/conf/default/rp_filter",
                                      "ipv4/conf/all/send_redirects",   "ipv4/conf/default/send_redirects",
                                      "ipv4/conf/all/accept_redirects", "bridge/bridge-nf-call-iptables"};
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        char path[80];
        snprintf(path, sizeof path, "/proc/sys/net/%s", off[i]);
        proc_write(path, "0"); /* one that is not there is off */
    }
}

int nl_open(struct err *e)
{
    const int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return nl < 0 ? err_sys(e, errno, "network: netlink socket") : nl;
}

int nl_bridge_add(int nl, const char *name, uint32_t addr, struct err *e)
{
    struct request r;
    /* As CNI makes them from an address. A bridge without one of its own changes it as links come and go. */
    uint8_t mac[6] = {0x0a, 0x58};
    memcpy(mac + 2, &addr, sizeof addr);
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    attr_text(&r, IFLA_IFNAME, name);
    attr(&r, IFLA_ADDRESS, mac, sizeof mac);
    struct rtattr *info = attr(&r, IFLA_LINKINFO, NULL, 0);
    attr_text(&r, IFLA_INFO_KIND, "bridge");
    attr_end(&r, info);
    const int code = transact(nl, &r);
    if (code < 0 && code != -EEXIST)
        return err_sys(e, -code, "network: add bridge %s", name);
    return nl_addr_add(nl, name, addr, 24, e);
}

int nl_veth_add(int nl, const char *name, const char *peer, pid_t pid, int ns_fd, struct err *e)
{
    struct request r;
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    const uint32_t ns = pid ? (uint32_t)pid : (uint32_t)ns_fd;
    begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    attr_text(&r, IFLA_IFNAME, name);
    struct rtattr *info = attr(&r, IFLA_LINKINFO, NULL, 0);
    attr_text(&r, IFLA_INFO_KIND, "veth");
    struct rtattr *data = attr(&r, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *other = attr(&r, VETH_INFO_PEER, &link, sizeof link);
    attr_text(&r, IFLA_IFNAME, peer);
    attr(&r, pid ? IFLA_NET_NS_PID : IFLA_NET_NS_FD, &ns, sizeof ns);
    attr_end(&r, other);
    attr_end(&r, data);
    attr_end(&r, info);
    return finish(nl, &r, "add veth", name, e);
}

int nl_link_up(int nl, const char *name, const char *master, struct err *e)
{
    struct request r;
    const struct ifinfomsg link = {
        .ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name), .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    if (!link.ifi_index)
        return err_sys(e, ENODEV, "network: link %s", name);
    begin(&r, RTM_NEWLINK, 0, &link, sizeof link);
    if (master) {
        const uint32_t index = if_nametoindex(master);
        attr(&r, IFLA_MASTER, &index, sizeof index);
    }
    return finish(nl, &r, "set up", name, e);
}

int nl_link_del(int nl, const char *name, struct err *e)
{
    struct request r;
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)};
    if (!link.ifi_index)
        return 0;
    begin(&r, RTM_DELLINK, 0, &link, sizeof link);
    return finish(nl, &r, "delete", name, e);
}

static int addr_change(int nl, uint16_t type, uint16_t flags, const char *name, uint32_t addr, unsigned prefix)
{
    struct request r;
    const struct ifaddrmsg msg = {
        .ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix, .ifa_index = if_nametoindex(name)};
    begin(&r, type, flags, &msg, sizeof msg);
    attr(&r, IFA_LOCAL, &addr, sizeof addr);
    attr(&r, IFA_ADDRESS, &addr, sizeof addr);
    return transact(nl, &r);
}

int nl_addr_add(int nl, const char *name, uint32_t addr, unsigned prefix, struct err *e)
{
    const int code = addr_change(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, name, addr, prefix);
    return code == 0 || code == -EEXIST ? 0 : err_sys(e, -code, "network: add address to %s", name);
}

int nl_addr_del(int nl, const char *name, uint32_t addr, unsigned prefix, struct err *e)
{
    const int code = addr_change(nl, RTM_DELADDR, 0, name, addr, prefix);
    return code == 0 || code == -EADDRNOTAVAIL ? 0 : err_sys(e, -code, "network: delete address of %s", name);
}

/* The way to `dst`: through a gateway, or (0) straight out of link `index`. */
static int route_change(int nl, uint8_t table, uint32_t dst, unsigned prefix, uint32_t gateway, uint32_t index)
{
    struct request r;
    const struct rtmsg msg = {.rtm_family = AF_INET,
                              .rtm_dst_len = (uint8_t)prefix,
                              .rtm_table = table,
                              .rtm_protocol = RTPROT_BOOT,
                              .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                              .rtm_type = RTN_UNICAST};
    begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &msg, sizeof msg);
    if (prefix)
        attr(&r, RTA_DST, &dst, sizeof dst);
    if (gateway)
        attr(&r, RTA_GATEWAY, &gateway, sizeof gateway);
    if (index)
        attr(&r, RTA_OIF, &index, sizeof index);
    return transact(nl, &r);
}

int nl_route_add(int nl, uint32_t dst, unsigned prefix, uint32_t gateway, struct err *e)
{
    const int code = route_change(nl, RT_TABLE_MAIN, dst, prefix, gateway, 0);
    return code == 0 ? 0 : err_sys(e, -code, "network: add route");
}

int nl_route_link(int nl, uint32_t dst, const char *name, struct err *e)
{
    const int code = route_change(nl, RT_TABLE_MAIN, dst, 32, 0, if_nametoindex(name));
    return code == 0 ? 0 : err_sys(e, -code, "network: add route by %s", name);
}

/* Packets that come by `iif`, or (NULL) have the mark, are routed by that table. */
static int rule_add(int nl, uint8_t table, uint32_t priority, const char *iif, uint32_t mark, struct err *e)
{
    struct request r;
    const struct fib_rule_hdr rule = {.family = AF_INET, .table = table, .action = FR_ACT_TO_TBL};
    begin(&r, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule, sizeof rule);
    if (iif)
        attr_text(&r, FRA_IIFNAME, iif);
    else
        attr(&r, FRA_FWMARK, &mark, sizeof mark);
    attr(&r, FRA_PRIORITY, &priority, sizeof priority);
    return finish(nl, &r, "add rule for", iif ? iif : "marks", e);
}

int nl_route_via(int nl, const char *iif, uint32_t gateway, uint32_t mark, struct err *e)
{
    enum { TABLE = 100 };
    const int code = route_change(nl, TABLE, 0, 0, gateway, 0);
    if (code < 0)
        return err_sys(e, -code, "network: add route");
    return rule_add(nl, RT_TABLE_MAIN, TABLE - 1, NULL, mark, e) < 0 ? -1 : rule_add(nl, TABLE, TABLE, iif, 0, e);
}

/* The kernel does not wait for its lock of networks here: it tries again and again, on a processor, for as long as
 * somebody on the machine makes or ends one. Whoever has just had the lock finds it free. */
int nl_forward(int nl, struct err *e)
{
    _auto_close_ int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
    if (nl_link_up(nl, "lo", NULL, e) < 0)
        return -1;
    return fd >= 0 && write(fd, "1", 1) < 0 ? err_sys(e, errno, "network: forwarding") : 0;
}
