/* cluster.h - a running cluster: every part of the house, started in order and stopped in reverse. */
#ifndef STOWAGE_APP_CLUSTER_H
#define STOWAGE_APP_CLUSTER_H

#include "base/err.h"
#include "cli/cli.h"
#include "csi/cloud.h"
#include "registry/registry.h"
#include "sys/machine.h"

#include <jansson.h>

struct apiserver;
struct checkpoints;
struct cluster;
struct control;
struct kubelet;
struct labs;
struct shells;
struct store;

/* MUST be called while the process has one thread (the node helper is forked). On success SIGINT, SIGTERM, SIGHUP and
 * SIGPIPE are blocked in every thread: wait for them with cluster_wait(). */
int cluster_open(const struct up_conf *conf, struct cluster **out, struct err *e);
/* Blocks until it is told to stop (signal or `stowage down`), or the node helper died. 0, or -1 with why. */
int cluster_wait(struct cluster *c, struct err *e);
void cluster_close(struct cluster *c);

const char *cluster_url(const struct cluster *c);
const char *cluster_kubeconfig(const struct cluster *c); /* path */
const char *cluster_simulated(const struct cluster *c);  /* why, or "" */
const char *cluster_differs(const struct cluster *c);    /* what is not as with root, or "" */
bool cluster_ephemeral(const struct cluster *c);
struct machine *cluster_machine(struct cluster *c);
struct cloud *cluster_cloud(struct cluster *c);
struct registry *cluster_registry(struct cluster *c);
struct images *cluster_images(struct cluster *c);
struct store *cluster_store(struct cluster *c);
struct control *cluster_control(struct cluster *c);
struct kubelet *cluster_kubelet(struct cluster *c);
int cluster_nodes(const struct cluster *c); /* real ones */
struct checkpoints *cluster_checkpoints(struct cluster *c);
/* The objects were replaced: what they say of this process is put right. */
int cluster_restored(struct cluster *c, struct err *e);
struct pool *cluster_pool(struct cluster *c); /* for what takes long */
const char *cluster_data_dir(const struct cluster *c);
/* The cluster's own clock, and how far it is ahead of the machine's. */
const struct clock *cluster_clock(const struct cluster *c, int64_t *out_ahead);
int cluster_node_power(struct cluster *c, const char *node, bool on, struct err *e);
int cluster_clock_forward(struct cluster *c, int64_t ns, struct err *e);
/* 0 only asks. Returns the speed, -1 on error. */
int64_t cluster_clock_speed(struct cluster *c, int64_t times, struct err *e);
/* As apiserver_console_link(); a viewer's roles are there from then on. */
struct console_link;
int cluster_console_link(struct cluster *c, const struct console_link *link, char **out_url, struct err *e);
struct labs *cluster_labs(struct cluster *c);
struct apiserver *cluster_api(struct cluster *c);
struct shells *cluster_shells(struct cluster *c);
/* The folder of the class that it shows; NULL: none. */
const char *cluster_class(const struct cluster *c);
/* What `stowage status` shows. Returns new. */
json_t *cluster_status(struct cluster *c);
/* Is nothing under way but waiting? And what changes with every change of an object, but for the nodes' heartbeats: the
 * newest revision, and how many objects there are. */
bool cluster_quiet(struct cluster *c, uint64_t *out_revision, size_t *out_objects);
/* The node a shell goes to when none is named. Borrowed. */
const char *cluster_shell_node(const struct cluster *c);
/* Is there such a node? */
bool cluster_has_node(const struct cluster *c, const char *name);

#endif
