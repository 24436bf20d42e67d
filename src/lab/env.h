/* env.h - where a lab is played and judged: a cluster, ours or any other, and a folder for scripts.
 *
 * Everything Kubernetes has a word for goes through its API. What it has none for (disks of the cloud, a node's shell)
 * is asked of a host; a cluster that is not ours has none, and what needs one is told beforehand. THREADS: one env, one
 * thread at a time. */
#ifndef STOWAGE_LAB_ENV_H
#define STOWAGE_LAB_ENV_H

#include "client/client.h"
#include "client/kinds.h"
#include "lab/janitor.h"
#include "lab/lab.h"

struct lab_host {
    /* Makes a disk. id: of the new one. */
    int (*disk)(void *self, const json_t *disk, char id[64], struct err *e);
    /* The command line that runs a shell on a node, reading its script from stdin: NULL-terminated, new. node NULL: the
     * first. */
    char **(*node_shell)(void *self, const char *node);
    const char *program, *data; /* for scripts: the program itself, and its data directory */
    void *self;
};

struct lab_env {
    const struct lab *lab;       /* borrowed */
    struct client *client;       /* owned */
    struct kinds kinds;          /* asked once, and again when a kind is not known */
    char *kubeconfig;            /* path, for scripts */
    char *work;                  /* where scripts run; the caller's to make and remove */
    char *tools;                 /* a folder in it, for their PATH: see tools.h */
    json_t *vars;                /* the lab's, and DISK_<NAME>: of its own */
    json_t *answers;             /* name of a quiz's check -> what was answered */
    const struct lab_host *host; /* borrowed; NULL: the cluster is not ours */
    struct janitor *janitor;     /* borrowed; NULL: scripts are not looked after when this process is killed */
    int patience_percent;        /* of every `within`: 100; less where nothing will change any more */
    int64_t limit_ms;            /* no check, action or script takes longer; 0: what they say themselves */
    int64_t slowest_ms;          /* the longest that one of them took so far */
    bool first_failure;          /* a step's checks end with the first that costs a point */
    /* Will waiting change nothing any more? Asked by checks that have not passed; `running`: it looks at what runs in
     * pods, not only at objects. NULL: nobody knows, all have their whole patience. */
    bool (*settled)(void *arg, bool running);
    void *settled_arg;
};
/* kubeconfig: a path. work: a directory. */
int lab_env_open(struct lab_env *env, const struct lab *lab, const char *kubeconfig, const char *work,
                 const struct lab_host *host, struct err *e);
void lab_env_close(struct lab_env *env); /* zeroed is fine */

/* So many milliseconds, or what is left of them by limit_ms. */
int64_t env_patience(const struct lab_env *env, int64_t ms);
/* The time, for measuring; and that something has taken until now since `begin`. */
int64_t env_now_ms(void);
void env_took(struct lab_env *env, int64_t begin);

/* "pvc/claim-log-1" to a path of the API. ns NULL: the context's. */
int env_path(struct lab_env *env, const char *of, const char *ns, const char *sub, struct buf *out, struct err *e);
/* The object; NOT_FOUND. Returns new in *out. */
int env_get(struct lab_env *env, const char *of, const char *ns, json_t **out, struct err *e);
/* By what it says of itself: the path of its collection (name false) or of itself. A kind that is new is asked for
 * again. */
int env_object_path(struct lab_env *env, const json_t *object, const char *ns, bool name, struct buf *out,
                    struct err *e);

#endif
