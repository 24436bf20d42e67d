/* node_rules.c - ports of a node that lead elsewhere: host ports of its pods, and node ports, which the cluster's
 * router knows (svc_rules.c).
 *
 * DESIGN: the table of the node's network namespace is made anew when a pod with host ports comes or goes; node ports
 * are one rule for their whole range. What was led by this table is marked, and marked packets take the node's plain
 * routes: they must come back through here, not through the router (node_net.c), or nobody changes the addresses back.
 *
 * A kernel without nf_tables has neither. THREADS: none; the node's loop. */
#include "sys/nft.h"
#include "sys/ops_int.h"
#include "sys/sandbox_int.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>

#define HOST_PORTS "host-ports"
#define NODE_FIRST 30000
#define NODE_LAST  32767

struct port_key {
    uint8_t protocol, pad[3];
    uint16_t port, pad2;
};
struct port_target {
    uint32_t ip;
    uint16_t port, pad;
};

static void add_map(struct nft *n, const struct node *node)
{
    nft_set(n, HOST_PORTS, sizeof(struct port_key) / 4, sizeof(struct port_target) / 4, false);
    nft_elems_begin(n, HOST_PORTS);
    for (const struct sandbox *s = node->sandboxes; s; s = s->next)
        for (size_t i = 0; i < s->port_count; i++) {
            const struct port_map *p = &s->ports[i];
            const struct port_key key = {.protocol = p->udp ? IPPROTO_UDP : IPPROTO_TCP, .port = htons(p->host)};
            const struct port_target target = {.ip = s->ip, .port = htons(p->container)};
            nft_elem(n, &key, sizeof key, &target, sizeof target);
        }
    nft_elems_end(n);
}

static void only_for_us(struct nft *n)
{
    nx_daddr_type(n, 0);
    nx_cmp_u32(n, 0, NFT_CMP_EQ, RTN_LOCAL);
}

static void add_host_ports(struct nft *n, const char *chain)
{
    nft_rule_begin(n, chain);
    only_for_us(n);
    nx_l4proto(n, 0);
    nx_dport(n, 1);
    nx_lookup_value(n, 0, HOST_PORTS, 2);
    nx_dnat(n, 2, 3);
    nft_rule_end(n);
}

static void add_node_ports(struct nft *n, const char *chain, uint8_t protocol)
{
    const uint32_t router = htonl(NET_GATEWAY);
    nft_rule_begin(n, chain);
    only_for_us(n);
    nx_l4proto(n, 0);
    nx_cmp_u8(n, 0, NFT_CMP_EQ, protocol);
    nx_dport(n, 0);
    nx_cmp_u16(n, 0, NFT_CMP_GTE, NODE_FIRST);
    nx_cmp_u16(n, 0, NFT_CMP_LTE, NODE_LAST);
    nx_value(n, 0, &router, sizeof router);
    nx_dnat(n, 0, -1);
    nft_rule_end(n);
}

/* Before routing: what is led, and what will be. */
static void add_marks(struct nft *n, const char *chain, uint32_t hook)
{
    const struct nft_hook at = {"filter", hook, -150};
    nft_chain(n, chain, &at);
    nft_rule_begin(n, chain);
    nx_led(n);
    nx_mark(n, NET_MARK_LED);
    nft_rule_end(n);
    nft_rule_begin(n, chain);
    only_for_us(n);
    nx_l4proto(n, 0);
    nx_dport(n, 1);
    nx_lookup_value(n, 0, HOST_PORTS, 2);
    nx_mark(n, NET_MARK_LED);
    nft_rule_end(n);
}

static void add_led(struct nft *n, const char *chain, uint32_t hook)
{
    const struct nft_hook at = {"nat", hook, -100};
    nft_chain(n, chain, &at);
    add_host_ports(n, chain);
    add_node_ports(n, chain, IPPROTO_TCP);
    add_node_ports(n, chain, IPPROTO_UDP);
}

/* What goes to the router must come back here, and 127.0.0.1 is nobody's address outside. */
static void add_leaving(struct nft *n)
{
    static const struct nft_hook leave = {"nat", NF_INET_POST_ROUTING, 100};
    nft_chain(n, "leave", &leave);
    nft_rule_begin(n, "leave");
    nx_led(n);
    nx_daddr(n, 1);
    nx_cmp_u32(n, 1, NFT_CMP_EQ, htonl(NET_GATEWAY));
    nx_masquerade(n);
    nft_rule_end(n);
    nft_rule_begin(n, "leave");
    nx_led(n);
    nx_saddr(n, 1);
    nx_mask(n, 1, htonl(0xff000000));
    nx_cmp_u32(n, 1, NFT_CMP_EQ, htonl(0x7f000000));
    nx_masquerade(n);
    nft_rule_end(n);
}

int node_rules_apply(const struct node *node, struct err *e)
{
    struct nft n;
    nft_begin(&n);
    add_map(&n, node);
    add_marks(&n, "mark-in", NF_INET_PRE_ROUTING);
    add_led(&n, "lead-in", NF_INET_PRE_ROUTING);
    add_led(&n, "lead-out", NF_INET_LOCAL_OUT);
    add_leaving(&n);
    const int result = nft_commit(&n, e);
    nft_release(&n);
    return result;
}
