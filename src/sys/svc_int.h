/* svc_int.h - services inside the cluster network: a process of the helper that owns their addresses, leads connections
 * to pods, enforces policies and answers names. Private to sys.
 *
 * The parts are lists that the process' loop polls: x_poll() adds what it waits for to `p` (room for `max`) and returns
 * how many, x_work() gets the same entries back, in the same order. */
#ifndef STOWAGE_SYS_SVC_INT_H
#define STOWAGE_SYS_SVC_INT_H

#include "base/err.h"

#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Forks the process; *out_sock takes its tables and gives what became of them (chan.h, body: one text each).
 * `door`: to sockets of the user's own network (door_int.h), borrowed; listeners on its loopback addresses come through
 * it. */
int svc_start(int door, int *out_sock, struct err *e);

/* -- relay.c: accepted connections -- */
struct relay;
/* Takes `client`; connects it to the address. */
void relay_add(struct relay **list, int take_client, const struct sockaddr_in *to);
size_t relay_poll(struct relay *list, struct pollfd *p, size_t max);
/* Drops what has ended. */
void relay_work(struct relay **list, const struct pollfd *p, size_t count);

/* -- relay_udp.c: who sent datagrams to a listener, and where they go -- */
struct flow;
/* One datagram waits at `listener`: to `to`, or where its sender's earlier ones went. */
void flow_take(struct flow **list, int listener, const struct sockaddr_in *to);
void flow_drop(struct flow **list, int listener); /* it is about to be closed */
size_t flow_poll(struct flow *list, struct pollfd *p, size_t max);
void flow_work(struct flow *list, const struct pollfd *p, size_t count);

/* -- svc_clients.c: which pod a client of a port was given -- */
struct svc_clients {
    struct svc_client *list; /* owned */
    size_t count, room;
};
void svc_clients_release(struct svc_clients *a);
/* The pod that this client has; if he has none, `next` is his for so many seconds after the last time he is asked for.
 * Borrows until the next call. */
const struct sockaddr_in *svc_clients_choose(struct svc_clients *a, struct in_addr client, int64_t seconds,
                                             const struct sockaddr_in *next);
void svc_clients_keep(struct svc_clients *a, const struct sockaddr_in *targets,
                      size_t count); /* forgets all other pods */
void svc_clients_age(struct svc_clients *a, int64_t ms);

/* -- svc_ports.c: listening sockets, of ports on the user's loopback, and of all if the kernel has no packet filter --
 */
struct ports {
    struct port *list;
    struct relay *relays;
    struct flow *flows;
    int nl, own_net, door; /* borrowed; own_net: our network namespace */
};
/* Replaces the ports by those of `table`; `all`: also those inside the cluster, whose addresses come and go too.
 * Returns new: those that could not be had, [{"ip", "port", "protocol", "why"}]. */
json_t *ports_replace(struct ports *s, const json_t *table, bool all);
void ports_age(struct ports *s, int64_t ms); /* who has a pod by affinity is so much older */
size_t ports_poll(struct ports *s, struct pollfd *p, size_t max);
void ports_work(struct ports *s, const struct pollfd *p, size_t count);
/* A bound, listening socket, or -errno. */
int svc_socket(int type, struct in_addr ip, uint16_t number);

/* -- svc_dns.c: questions by UDP and TCP -- */
struct dns_server {
    struct in_addr ip;
    int udp, tcp; /* -1 = none */
    struct dns_client *clients;
};
void dns_open(struct dns_server *d, int nl, const char *ip);
size_t dns_poll(struct dns_server *d, struct pollfd *p, size_t max);
void dns_work(struct dns_server *d, const json_t *zone, const struct pollfd *p, size_t count);

/* -- svc_rules.c: services and policies as rules of the kernel's packet filter -- */
/* ERR_UNSUPPORTED: this kernel has none. `aged`: ms that who has a pod by affinity is older than by this machine's
 * clock. */
int rules_apply(const json_t *table, uint64_t aged, struct err *e);

/* As rules have them: network order, no holes that are not zero. */
struct svc_key { /* of a service port */
    uint32_t ip;
    uint8_t protocol, pad[3];
    uint16_t port, pad2;
};
struct svc_target {
    uint32_t ip;
    uint16_t port, pad;
};
bool svc_key_read(const json_t *rule, struct svc_key *out); /* false: it is none of those inside the cluster */
size_t svc_targets_read(const json_t *list, struct svc_target **out /* new */);

/* -- svc_sessions.c: which pod a client was given, for services with affinity -- */
struct nft;
enum { SESSION_TARGET = 4 }; /* registers: a target's address and port; those before it are the session's key */
/* The memory of sessions, with those of before that still hold. */
void sessions_add(struct nft *n, const json_t *services, uint64_t aged);
void session_known(struct nft *n, const char *chain, int64_t seconds); /* a rule: to the pod he has */
void session_begin(struct nft *n, int64_t seconds);                    /* expressions: the target is his from now on */
/* "10.244.0.5:8080" */
bool svc_target_parse(const char *text, struct sockaddr_in *out);
int svc_protocol(const json_t *rule); /* IPPROTO_… */

#endif
