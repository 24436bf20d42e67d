/* kubelet_int.h - what the files of this folder share.
 *
 * THREADS. Everything in a struct pod_run belongs to the loop thread, except while its one job runs (`busy`): then
 * `volumes` and the container the job starts belong to the job. Exits come from a machine thread into k->exits under
 * k->mu. Stream threads (exec, logs) read only the API objects and k->running under k->mu. LOCKS: k->mu, then nothing;
 * k->stage_mu alone. */
#ifndef STOWAGE_KUBELETSIM_KUBELET_INT_H
#define STOWAGE_KUBELETSIM_KUBELET_INT_H

#include "base/json.h"
#include "base/mem.h"
#include "base/sm.h"
#include "base/str.h"
#include "kubeletsim/kubelet.h"

#include <pthread.h>

#define NODES_MAX   16
#define POD_IPS     254
#define ROOT_DIR    "/var/lib/kubelet"
#define STAGING_DIR ROOT_DIR "/plugins/kubernetes.io/csi" /* mount points of disks */
#define BUNDLES     "/var/lib/containerd/io.containerd.runtime.v2.task/k8s.io" /* containers' roots */
#define LOG_DIR     "/var/log/pods"
#define USER_AGENT  "kubelet"
#define PATH_LEN    1024

/* -- containers -- */
enum container_state { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_EXITED };
struct container_end {
    bool set;
    int exit_code, signal;
    bool oom;
    int64_t started, finished; /* wall ns */
    char id[72];
    char reason[64];
    char *message; /* owned, or NULL */
};
struct container_run {
    const char *name; /* borrows from the pod's spec */
    bool init, sidecar;
    int state;              /* enum container_state */
    char reason[64];        /* while waiting */
    char *message;          /* owned, or NULL */
    char id[72];            /* "" before the first start */
    char *image, *image_id; /* owned: as the runtime reports them */
    int restarts;
    int64_t started; /* wall ns */
    struct container_end end, last;
    int64_t backoff_ms; /* of restarts */
    int64_t pull_backoff_ms;
    int64_t not_before; /* mono ms: earliest next start */
    int64_t failed_at;  /* mono ms: when the image could not be had */
    bool announced_backoff;
    bool stopping; /* SIGTERM sent */
};

/* -- volumes -- */
struct volume_run;
struct pod_run;
struct volume_plugin {
    const char *key; /* member of the pod's volume, or of a PV's spec */
    const char *dir; /* "kubernetes.io~configmap" */
    bool projected;  /* rewritten when what it shows changes */
    bool read_only;  /* always, in the container */
    int (*mount)(struct pod_run *p, struct volume_run *v, struct err *e); /* on a worker */
    void (*unmount)(struct pod_run *p, struct volume_run *v);             /* on a worker; may be NULL */
};
struct volume_run {
    char *name;      /* owned: of the pod's volume */
    char *spec_name; /* owned: PV name for claims, else name */
    const struct volume_plugin *plugin;
    json_t *source;                  /* owned: the member named plugin->key (of the volume, or of the PV spec) */
    json_t *pv;                      /* owned, or NULL */
    const struct csi_driver *driver; /* for csi */
    char device[64];                 /* "/dev/xvdba" from the attachment, or "" */
    char path[PATH_LEN];             /* node path that is bound into containers */
    bool block, read_only, mounted, staged;
    char *unique; /* owned: "kubernetes.io/csi/DRIVER^HANDLE" of attachables, or NULL */
};

/* -- pods -- */
enum pod_stage { POD_NEW, POD_VOLUMES, POD_SANDBOX, POD_RUN, POD_STOP, POD_CLEAN, POD_DONE, POD_STAGE_MAX };
extern const struct sm_def pod_sm;

struct pod_run {
    struct kubelet *k;
    char *ns, *name, *uid; /* owned */
    struct sobj *obj;      /* latest seen version, a reference */
    int node;              /* index */
    int stage;             /* enum pod_stage */
    bool busy;             /* a job runs */
    bool gone;             /* the API object is gone (or replaced) */
    bool rejected;
    int64_t start_time; /* wall ns */
    char ip[32];
    bool sandbox;        /* up */
    int64_t kill_at;     /* mono ms; 0 = not set */
    bool killed;         /* SIGKILL sent */
    bool refresh;        /* a ConfigMap or Secret changed */
    bool restarted_node; /* it ran before this process started */
    int64_t retry_ms;    /* back-off of volumes and sandbox */
    int64_t not_before;  /* mono ms: earliest next try of either */
    struct volume_run *volumes;
    size_t volume_count;
    struct container_run *containers; /* init containers first */
    size_t container_count, init_count;
    struct pod_run *next;
};

struct exit_note {
    struct exit_info info;
    struct exit_note *next;
};
struct running { /* container id -> pod, for exits and streams */
    char id[72];
    char *ns, *pod; /* owned */
    struct running *next;
};

struct node_run {
    char name[64];
    char ip[32];
    char zone[64];
    int index;
    bool ips[POD_IPS];   /* 10.244.index.(i+1) taken */
    json_t *in_use;      /* owned array: status.volumesInUse */
    int64_t last_status; /* mono ms */
    int64_t next_renew;  /* mono ms */
    bool announced;      /* its start-up events are out */
};

struct staged { /* a volume mounted once on a node, shared by its pods */
    int node;
    unsigned users;
    char *unique; /* owned */
    struct staged *next;
};

struct kubelet {
    struct kubelet_conf conf;
    struct machine *m;
    struct machine_info info;
    struct control *control;
    struct loop *pods_loop, *nodes_loop;
    struct node_run nodes[NODES_MAX];
    struct pod_run *pods;     /* loop thread */
    pthread_mutex_t stage_mu; /* one staging or unstaging at a time */
    struct staged *staged;    /* under stage_mu */
    pthread_mutex_t mu;
    /* under mu */
    struct exit_note *exits;
    struct running *running;
};

/* -- kubelet.c -- */
int kubelet_node_index(const struct kubelet *k, const char *name); /* -1: not ours */
struct pod_run *kubelet_find(struct kubelet *k, const char *ns, const char *name, const char *uid /* NULL: any */);
void kubelet_note_running(struct kubelet *k, const struct pod_run *p, const char *id);
void kubelet_event(struct kubelet *k, const struct pod_run *p, const char *container /* or NULL */,
                   enum event_type type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
void pod_run_free(struct pod_run *p);
static inline const json_t *pod_tree(const struct pod_run *p)
{
    return p->obj->tree;
}
static inline const char *pod_node(const struct pod_run *p)
{
    return p->k->nodes[p->node].name;
}
int64_t kubelet_now(const struct kubelet *k);  /* wall ns */
int64_t kubelet_mono(const struct kubelet *k); /* mono ms */

/* -- worker.c: the pod's state machine -- */
void pod_step(struct pod_run *p);
void pod_take_exit(struct pod_run *p, const struct exit_info *info);
/* -- restart.c: what happens to a container that ended -- */
bool container_restarts(const struct pod_run *p, const struct container_run *c); /* by policy and exit code */
bool container_done(const struct pod_run *p, const struct container_run *c);     /* ended for good */
/* The next container to start now, or NULL; *out_wait_ms gets when to look again (-1: nothing is due). */
struct container_run *container_next(struct pod_run *p, int64_t *out_wait_ms);

/* -- jobs of the worker; each runs off the loop thread -- */
struct job {
    struct pod_run *pod;
    struct container_run *container; /* for starts */
    bool ok;
    struct err err;
    char reason[64];           /* of a container that did not start */
    struct volume_run *volume; /* the one that failed */
};
/* volumes.c */
int volumes_plan(struct pod_run *p, struct err *e); /* loop thread: fills p->volumes; -1 with the cause */
void volumes_mount(struct job *j);
void volumes_refresh(struct job *j);
void volumes_unmount(struct job *j);
void volumes_release(struct pod_run *p);
const struct volume_run *volume_by_name(const struct pod_run *p, const char *name);
/* containers.c */
void container_start_job(struct job *j);
void container_end_read(struct pod_run *p, struct container_run *c); /* termination message */
const json_t *container_spec_of(const struct pod_run *p, const struct container_run *c);
/* sandbox.c */
void sandbox_start_job(struct job *j);
void pod_stop_job(struct job *j); /* preStop hooks, SIGTERM */
void pod_kill_job(struct job *j); /* SIGKILL */
void pod_clean_job(struct job *j);
void pod_dir(const struct pod_run *p, char out[PATH_LEN]);
void pod_log_dir(const char *ns, const char *pod, const char *uid, const char *container, char out[PATH_LEN]);
void pod_hostname(const json_t *pod, char out[64]);

/* -- env.c -- */
/* NAME=value texts of a container, image's first. Error texts are those of CreateContainerConfigError. */
int env_build(struct pod_run *p, const json_t *container, const struct image *image, struct strlist *out,
              struct err *e);
char *env_expand(const char *text, const struct strlist *env); /* $(VAR); returns new */
/* downward API value by fieldPath; returns new, NULL if it has none */
char *field_value(const struct pod_run *p, const char *path);
char *resource_value(const struct pod_run *p, const json_t *ref, const char *container);

/* -- projection.c -- */
struct files {
    struct file_spec *items;
    size_t len, cap;
};
void files_release(struct files *f);
int project_volume(struct pod_run *p, const char *key, const json_t *source, struct files *out, struct err *e);

/* -- status.c -- */
/* Computes the pod's status from what is known and writes it if it differs. */
void status_write(struct pod_run *p);
void status_restore(struct pod_run *p); /* at adoption: counts and ends from the stored status */
const char *status_phase(const struct pod_run *p);

/* -- node.c -- */
int node_register(struct kubelet *k, struct node_run *n, struct err *e);
void node_volume_in_use(struct kubelet *k, struct node_run *n, const char *unique, bool used);
extern const struct loop_def nodes_loop_def;
/* leftovers.c: before the first pod of a node that just started. */
void node_clear_leftovers(struct kubelet *k, const struct node_run *n);

/* -- streams.c, logs.c -- */
extern const struct node_ops kubelet_ops;
int logs_open(void *self, const struct log_req *req, int *out_fd, struct err *e);

#endif
