/* own_cluster.h - a cluster that a verb starts for itself: `stowage run`, labs, grading.
 *
 * It is `stowage up --detach` in a data directory of its own, and `stowage down` at the end; what Kubernetes has no
 * word for is asked over its control socket. */
#ifndef STOWAGE_CLI_OWN_CLUSTER_H
#define STOWAGE_CLI_OWN_CLUSTER_H

#include "cli/cli.h"
#include "lab/env.h"

struct own_cluster {
    char *dir;        /* its folder: data below it */
    char *data;       /* data directory */
    char *kubeconfig; /* path */
    char *judge;      /* path of the judge's kubeconfig, once it is sealed or to be; else NULL */
    char *work;       /* where scripts run */
    const char *self_exe;
    struct lab_host host;
    bool up, ephemeral;
    struct janitor janitor; /* so that nothing stays when this process is killed */
};

/* wants: the lab's "cluster", or NULL. dir: made if absent; what runs there already is taken. NULL: a temporary one,
 * removed with own_cluster_stop(). Zeroed is fine for stop. The struct must not move while env uses its host. */
int own_cluster_start(struct own_cluster *c, const struct cli *cli, const json_t *wants, const char *dir,
                      struct err *e);
/* In a temporary folder, with its objects in memory only: for one that is never stopped and started again. */
int own_cluster_start_ephemeral(struct own_cluster *c, const struct cli *cli, const json_t *wants, struct err *e);
/* The one in that folder, whether it runs or not, to be stopped; NOT_FOUND if there is no such folder. */
int own_cluster_find(struct own_cluster *c, const struct cli *cli, const char *dir, struct err *e);
void own_cluster_stop(struct own_cluster *c, bool keep);
/* It ends, its folder stays: own_cluster_start() there goes on with it, at the same address. -1: it did not. */
int own_cluster_down(struct own_cluster *c, struct err *e);

/* From that moment on (seconds since 1970) its users only read; an earlier one stays. What this process asks of it is
 * the judge's from now on, who may do everything, by c->judge and by its control socket. *out_before: when it was to be
 * until now; 0: never. */
int own_cluster_seal(struct own_cluster *c, int64_t at, int64_t *out_before, struct err *e);

/* Is there one that answers in that data directory? */
bool own_cluster_is_up(const char *data);
/* A link that signs in to its console, once, and leads to that view ("labs"). Returns new, or NULL. */
char *own_cluster_console(const char *data, const char *view, struct err *e);

/* No cluster, only the folder: for work in somebody else's. */
int own_cluster_folder(struct own_cluster *c, const struct cli *cli, struct err *e);

/* The host of a cluster that runs already, with its data directory. */
void own_cluster_host(struct own_cluster *c, const struct cli *cli, const char *data);

#endif
