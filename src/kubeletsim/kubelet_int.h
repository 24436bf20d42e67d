/* kubelet_int.h - the kubelet as a whole: its nodes, what other threads tell it, what all files here use.
 *
 * THREADS. The loop thread owns the pods (pod_int.h). Other threads never touch a pod: they leave a note, and the loop
 * hands it over when no job of that pod runs. LOCKS: k->mu guards what is grouped under it; loop_enqueue() may be
 * called with it held. k->stage_mu stands alone; k->images_mu
 * comes before the images' own. */
#ifndef STOWAGE_KUBELETSIM_KUBELET_INT_H
#define STOWAGE_KUBELETSIM_KUBELET_INT_H

#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "ingress/ingress.h"
#include "kubeletsim/kubelet.h"

#include <pthread.h>

#define NODES_MAX   16
#define POD_IPS     253 /* 10.244.<node>.2 to .254 */
#define ROOT_DIR    "/var/lib/kubelet"
#define STAGING_DIR ROOT_DIR "/plugins/kubernetes.io/csi"                      /* mount points of disks */
#define BUNDLES     "/var/lib/containerd/io.containerd.runtime.v2.task/k8s.io" /* containers' roots */
#define LOG_DIR     "/var/log/pods"
#define USER_AGENT  "kubelet"
#define ID_PREFIX   "containerd://"
#define PATH_LEN    1024
#define ID_LEN      72

/* The hard eviction thresholds, which allocatable leaves out. */
#define RESERVED_MEMORY  (INT64_C(100) << 20)
#define NODEFS_THRESHOLD 10 /* percent */

struct pod_run;
struct action;
struct eviction;

struct node_run {
    char name[64];
    char ip[32];
    char zone[64];
    int index;
    bool ips[POD_IPS];         /* 10.244.index.(i+2) taken */
    int next_ip;               /* addresses go round before they come again */
    json_t *in_use;            /* owned array: status.volumesInUse */
    int64_t last_status;       /* mono ms */
    int64_t next_renew;        /* mono ms */
    int64_t next_look;         /* mono ms: at its folder of manifests */
    bool looked;               /* at least once */
    bool announced;            /* its start-up events are out */
    int64_t started;           /* wall ns: when it came up */
    struct eviction *eviction; /* owned, or NULL; eviction.c */
    /* power.c; atomic */
    bool off, back;   /* its machine is off; it came back and has not said so yet */
    char boot_id[40]; /* written while it is off; "": this machine's */
    unsigned lives;   /* how often it was switched off: what is known of pods of an earlier life is void */
};

/* -- notes.c: what other threads tell the loop about a pod -- */
struct note {
    char *ns, *pod, *uid; /* owned */
    bool is_exit;
    struct exit_info exit;
    struct action *action; /* owned: ended, when it is no exit */
    struct note *next;
};
void note_free(struct note *n);
/* Removes and returns the notes about that pod, oldest first. */
struct note *notes_take(struct kubelet *k, const char *ns, const char *pod);
void note_action(struct kubelet *k, struct action *take_action);
/* From here on the container's end is news of that pod. note_forget(): it never started. */
void note_expect(struct kubelet *k, const struct pod_run *p, const char *id);
void note_forget(struct kubelet *k, const char *id);
void notes_exit(void *kubelet, const struct exit_info *info); /* machine thread */
void notes_release(struct kubelet *k);

struct expected { /* container id -> pod */
    char id[ID_LEN];
    char *ns, *pod, *uid; /* owned */
    struct expected *next;
};

struct staged { /* a volume mounted once on a node, shared by its pods */
    int node;
    unsigned users;
    bool busy;    /* somebody mounts or unmounts it */
    char *unique; /* owned */
    struct staged *next;
};

struct log_reader;

struct kubelet {
    struct kubelet_conf conf;
    struct ingress *ingress; /* NULL: not open */
    struct machine *m;
    struct machine_info info;
    int64_t nodefs_bytes; /* what a node's filesystem holds, which is less than the disk under it */
    struct control *control;
    struct node_run nodes[NODES_MAX]; /* loop thread, once it runs */
    struct pod_run *pods;             /* loop thread */
    struct pool *patient;             /* hooks and probes wait here */
    int closing;                      /* eventfd: readable when the kubelet closes */

    pthread_mutex_t stage_mu;
    pthread_cond_t stage_free;
    struct staged *staged; /* under stage_mu */

    pthread_mutex_t images_mu; /* held while images are collected: all nodes have the same */

    pthread_mutex_t mu;
    /* under mu */
    struct kubelet_net net;
    struct loop *nodes_loop;
    struct loop *pods_loop; /* NULL once the loops have stopped; the loop thread may read it without the lock */
    struct note *notes, **notes_tail;
    struct expected *expected;
    struct log_reader *readers;
    pthread_cond_t readers_gone;
    bool restarting; /* kubelet_restart_begin() */
    pthread_cond_t restarted;
    struct err troubles[NODES_MAX]; /* why a node did not come on */
};

/* -- kubelet.c -- */
int kubelet_node_index(const struct kubelet *k, const char *name); /* -1: not ours */
int64_t kubelet_now(const struct kubelet *k);                      /* wall ns */
int64_t kubelet_mono(const struct kubelet *k);                     /* mono ms */
/* About a pod, or one container of it. Any thread. */
void kubelet_event(struct kubelet *k, const struct pod_run *p, const char *container /* or NULL */,
                   enum event_type type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* -- node.c -- */
int node_register(struct kubelet *k, struct node_run *n, struct err *e);
/* Tells which volumes its pods use, if that changed. */
void node_volumes_in_use(struct kubelet *k, struct node_run *n);
/* Its pressures changed: written at once. */
void node_conditions_changed(struct kubelet *k, struct node_run *n);
void node_event(struct kubelet *k, const struct node_run *n, enum event_type type, const char *reason, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));
int64_t node_allocatable(const struct kubelet *k, const char *resource); /* plain units; -1: unknown */
extern const struct loop_def nodes_loop_def;
/* -- power.c -- */
bool node_is_off(const struct node_run *n);
unsigned node_lives(const struct node_run *n);
bool node_came_back(struct node_run *n); /* true once after it was switched on */
/* -- service_proxy.c, ingress_loop.c -- */
extern const struct loop_def service_proxy_loop_def, ingress_loop_def;

/* -- boot.c: waits until the node's machine runs; wall ns since when -- */
int boot_wait(struct kubelet_boot *b, int index, int64_t *out_started, struct err *e);

/* -- leftovers.c -- */
/* Before the first pod of a node that just started. */
void node_clear_leftovers(struct kubelet *k, const struct node_run *n);
/* Names in a directory of a node; none if it is not there (or the node is simulated). */
void node_list_dir(struct kubelet *k, const char *node, const char *path, struct strlist *out);

/* -- static_pods.c -- */
extern const struct loop_def static_pods_loop_def;

/* -- streams.c, logs.c -- */
extern const struct node_ops kubelet_ops;
int node_reach(void *self, const char *node, struct err *e); /* self: the kubelet; as node_ops has it */
/* The entry of a container of any kind in the pod's status, or NULL. */
const json_t *container_status_find(const json_t *pod, const char *name);
int logs_open(void *self, const struct log_req *req, int *out_fd, struct err *e);
/* Followers of this pod's logs look whether their container still runs. */
void logs_wake(struct kubelet *k, const char *ns, const char *pod);
void logs_close(struct kubelet *k);

/* static_pods.c: does it come from a file of its node; and what a node calls it: its uid, or the hash of its file. */
bool pod_is_static(const json_t *pod);
const char *pod_uid(const json_t *pod); /* borrows */

#endif
