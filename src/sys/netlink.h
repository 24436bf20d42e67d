/* netlink.h - the few rtnetlink requests that a cluster network needs: links, addresses, routes. IPv4.
 *
 * Each call is one request and its acknowledgement on a socket of the *current* network namespace. Addresses are in
 * network order (inet_addr). A thing that exists already is fine. */
#ifndef STOWAGE_SYS_NETLINK_H
#define STOWAGE_SYS_NETLINK_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

int nl_open(struct err *e);
/* Before the first link is made: packets may come back another way than their answers go, nobody is told of shorter
 * ways, and bridges do not ask the packet filter. */
void net_relax(void);
/* With its address, of a network of 24 bits. */
int nl_bridge_add(int nl, const char *name, uint32_t addr, struct err *e);
/* A veth pair: `name` here, `peer` in the namespace of process `pid` (or of descriptor `ns_fd` when pid is 0). */
int nl_veth_add(int nl, const char *name, const char *peer, pid_t pid, int ns_fd, struct err *e);
/* This network passes packets on. */
int nl_forward(int nl, struct err *e);
int nl_link_up(int nl, const char *name, const char *master /* NULL = none */, struct err *e);
int nl_link_del(int nl, const char *name, struct err *e);
int nl_addr_add(int nl, const char *name, uint32_t addr, unsigned prefix, struct err *e);
int nl_addr_del(int nl, const char *name, uint32_t addr, unsigned prefix, struct err *e); /* not there is fine */
int nl_route_add(int nl, uint32_t dst, unsigned prefix, uint32_t gateway, struct err *e);
/* The address is on the other end of that link, whatever its own prefix says. */
int nl_route_link(int nl, uint32_t dst, const char *name, struct err *e);
/* What comes in by link `iif` goes to the gateway, unless it is for us or has that mark: in a table of its own. */
int nl_route_via(int nl, const char *iif, uint32_t gateway, uint32_t mark, struct err *e);

#endif
