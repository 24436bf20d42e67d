/* node_net.c - a node's end of the cluster network: eth0 (172.30.0.10+i), a bridge cni0 for its pods (10.244.<i>.1),
 * the helper's bridge as the way to everybody else.
 *
 * DESIGN: what a pod sends goes to the helper, also what is for a pod of the same node: so there is one place that
 * knows services and policies (svc_rules.c), and what it changed in a packet it changes back in the answer. Only what
 * is for the node itself stays here. Reverse path filters would take that for a forgery, so they are off.
 *
 * THREADS: none; runs once in the starting node. */
#include "sys/netlink.h"
#include "sys/node_int.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/sandbox_int.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

int node_net_setup(const struct node_boot *boot, struct err *e)
{
    char byte;
    if (read(boot->net_ready, &byte, 1) != 1)
        return err_set(e, ERR_UNAVAILABLE, "the node helper could not connect the node");
    close(boot->net_ready);
    proc_write("/proc/sys/net/ipv4/conf/all/route_localnet", "1"); /* node ports at 127.0.0.1 */
    net_relax();
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || nl_forward(nl, e) < 0 ||
        nl_addr_add(nl, "eth0", htonl(NET_NODE(boot->index)), NET_NODE_PREFIX, e) < 0 ||
        nl_link_up(nl, "eth0", NULL, e) < 0 || nl_route_add(nl, 0, 0, htonl(NET_GATEWAY), e) < 0 ||
        nl_bridge_add(nl, NET_NODE_BRIDGE, htonl(NET_PODS(boot->index) + 1), e) < 0 ||
        nl_link_up(nl, NET_NODE_BRIDGE, NULL, e) < 0 ||
        nl_route_via(nl, NET_NODE_BRIDGE, htonl(NET_GATEWAY), NET_MARK_LED, e) < 0)
        return -1;
    const struct node none = {0};
    node_rules_apply(&none, &(struct err){0}); /* without nf_tables there are no node ports on nodes */
    return 0;
}
