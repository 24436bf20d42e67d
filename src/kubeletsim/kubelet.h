/* kubelet.h - the nodes of the cluster: registration, pod workers, volumes, containers, probes, logs and streams.
 *
 * One loop serves the pods of all nodes; what blocks runs as jobs on the worker pool, one at a time per pod; hooks and
 * probes, which may wait for seconds, run on threads of their own. Source of the behaviour: Kubernetes 1.32 pkg/kubelet
 * (statuses, events, texts, order of writes). */
#ifndef STOWAGE_KUBELETSIM_KUBELET_H
#define STOWAGE_KUBELETSIM_KUBELET_H

#include "base/clock.h"
#include "base/err.h"
#include "control/control.h"
#include "images/image.h"
#include "registry/node_ops.h"
#include "registry/registry.h"
#include "sys/machine.h"

#include <stdbool.h>
#include <stdint.h>

struct kubelet;
struct kubelet_boot;

/* Begins to start the nodes' machines and returns at once; image layers must be mounted by now. Give it to
 * kubelet_open(), or free it, which waits for what was begun and leaves it running. */
struct kubelet_boot *kubelet_boot_begin(struct machine *m, const struct clock *clock, int nodes, int64_t nodefs_bytes);
void kubelet_boot_free(struct kubelet_boot *b); /* NULL is fine */

struct kubelet_conf {
    struct registry *registry; /* borrows, as all below */
    struct machine *machine;
    struct images *images;
    const struct clock *clock;
    int nodes; /* controlplane, node01, node02, … */
    int64_t nodefs_bytes;
    const char *region;          /* "us-east-1"; zones are region + a, b, c */
    const char *zones;           /* "us-east-1a,us-east-1b": the nodes' own, in turn; NULL: as a node group has them */
    const char *cluster_dns;     /* "10.96.0.10" */
    const char *kubelet_version; /* "v1.32.13" */
    struct kubelet_boot *boot;   /* NULL: kubelet_open() begins it */
    bool step_mode;              /* tests: hooks and probes run inline, as control's jobs do */
};

/* Waits for the nodes' machines, cleans them of what pods that are no more left there, and writes their Node, CSINode
 * and Lease objects. */
int kubelet_open(const struct kubelet_conf *conf, struct kubelet **out, struct err *e);
/* Adds the loops (pods, node heartbeats) to the runtime; before control_start(). */
void kubelet_add_loops(struct kubelet *k, struct control *c);
/* How the network is, in words for the user. */
struct kubelet_net {
    char ingress[64];      /* where it is served, "127.80.9.1" or with a port; "" = it is not */
    char ingress_tls[64];  /* the same for TLS */
    char ingress_why[256]; /* then: why */
    char filter_why[256];  /* why policies are not enforced, "" = they are */
};
void kubelet_network(struct kubelet *k, struct kubelet_net *out); /* any thread */
/* What the API server asks of a node; give it to registry_set_node_ops() with `k` as self. */
const struct node_ops *kubelet_node_ops(void);
/* Switches a node's machine off (every process and mount of it ends at once, its kubelet falls silent) and on again:
 * then ready() is called (or NULL), when the machine runs and before anything else happens on it. Any thread but the
 * loops'; blocks. Disks stay attached, the node's own filesystem stays. */
int kubelet_node_power(struct kubelet *k, const char *node, bool on, int (*ready)(void *arg, struct err *e), void *arg,
                       struct err *e);
bool kubelet_node_is_on(const struct kubelet *k, int index);
/* Off and on again with other bytes on their disks: of the nodes for which which[index] is set. From begin to end
 * kubelet_node_await() and kubelet_node_power() wait. After begin no process of them is left and their disks are
 * attached nowhere (machine_ops.node_abandon). What fails is said, and stays off; end follows begin in any case. */
int kubelet_restart_begin(struct kubelet *k, const bool which[], struct err *e);
int kubelet_restart_end(struct kubelet *k, const bool which[], int (*ready)(void *arg, struct err *e), void *arg,
                        struct err *e);
/* Before something is asked of the node's machine for somebody: returns when no restart is under way. -1: it is off
 * since it could not be switched on, with why. `node` NULL: only waits. */
int kubelet_node_await(struct kubelet *k, const char *node, struct err *e);
/* After control_stop(), and when nobody calls node_ops any more. Waits for its own threads (log readers, hooks,
 * probes), which it tells to end. Leaves the machine to its owner. NULL is fine. */
void kubelet_close(struct kubelet *k);
/* "controlplane", "node01", … */
void kubelet_node_name(int index, char out[64]);
/* "us-east-1a" and "172.30.0.10" of a node. */
void kubelet_node_place(const char *region, const char *zones, int index, char zone[64], char ip[32]);

#endif
