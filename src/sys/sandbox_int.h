/* sandbox_int.h - a pod's namespaces on a node. Private to sys. */
#ifndef STOWAGE_SYS_SANDBOX_INT_H
#define STOWAGE_SYS_SANDBOX_INT_H

#include "sys/node_int.h"

#include <netinet/in.h>

struct sandbox {
    struct sandbox *next;
    char *id;               /* owned */
    char *hostname;         /* owned */
    char *shm;              /* owned; node path of the pod's /dev/shm */
    uint32_t ip;            /* network order; 0 = the node's network */
    int net, ipc, uts, pid; /* namespace descriptors; -1 = the node's (pid: each container its own) */
    bool host_pid;
    struct port_map *ports; /* owned; of the node, that lead to it */
    size_t port_count;
    pid_t holder; /* first process of a shared PID namespace, 0 = none */
};
struct sandbox *sandbox_find(struct node *n, const char *id);
/* node_rules.c: the node's own ports, as its sandboxes are now. ERR_UNSUPPORTED: no nf_tables. */
int node_rules_apply(const struct node *node, struct err *e);
/* Called in a fresh child: joins the pod's network, IPC and host name. */
int sandbox_join(const struct sandbox *s, struct err *e);

#endif
