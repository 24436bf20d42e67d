/* pod_int.h - a pod on its node: its stages, volumes and containers.
 *
 * THREADS. Everything in a struct pod_run belongs to the loop thread. While its one job runs (`busy`) the loop leaves
 * the pod alone: the job may read everything and write what struct job gives it and the volumes; its `after` function,
 * on the loop thread again, writes the rest. */
#ifndef STOWAGE_KUBELETSIM_POD_INT_H
#define STOWAGE_KUBELETSIM_POD_INT_H

#include "base/sm.h"
#include "kubeletsim/kubelet_int.h"
#include "kubeletsim/probe_int.h"

/* -- containers -- */
enum container_kind { CONTAINER_REGULAR, CONTAINER_INIT, CONTAINER_SIDECAR, CONTAINER_EPHEMERAL };
enum container_state { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_EXITED };
enum kill_stage { KILL_NONE, KILL_HOOK, KILL_TERM, KILL_KILL };

struct container_end {
    bool set;
    int exit_code;
    int64_t started, finished; /* wall ns */
    char id[ID_LEN];
    char reason[64];
    char *message; /* owned, or NULL */
};
struct container_run {
    const char *name; /* borrows from the pod's current version, as spec */
    const json_t *spec;
    int kind;  /* enum container_kind */
    int state; /* enum container_state */
    /* What a waiting container shows; also an ended one that `failed_start`. */
    char reason[64];
    char *message; /* owned, or NULL */
    bool failed_start;
    char id[ID_LEN];        /* "" before the first start */
    char *image, *image_id; /* owned: as the runtime reports them */
    char *spec_image;       /* owned: what the spec said when it started */
    int stop_signal;        /* what its image wants to be told; 0 = SIGTERM */
    int restarts;
    int64_t started; /* wall ns */
    struct container_end end, last;
    bool end_unread; /* its termination message is still to be read */
    /* restarts and pulls back off */
    int64_t backoff_ms, backoff_at; /* the second: wall ns of its last growth */
    int64_t pull_backoff_ms;
    int64_t not_before;   /* mono ms: earliest next try of a waiting one */
    int64_t failed_at;    /* mono ms: when the image could not be had */
    int64_t announced_at; /* mono ms: when its back-off was told; 0 = not yet */
    /* hooks, probes, stopping */
    bool hook_runs;    /* postStart: does not count as running yet */
    bool must_restart; /* whatever its exit code says */
    int kill;          /* enum kill_stage */
    int64_t kill_at;   /* mono ms: the end of its grace */
    int64_t term_at;   /* mono ms: when SIGTERM went out */
    int64_t lost_at;   /* mono ms: when the machine did not know it any more; 0 = it does */
    struct probe_run probes[PROBE_MAX];
};
static inline bool container_is_init(const struct container_run *c)
{
    return c->kind == CONTAINER_INIT || c->kind == CONTAINER_SIDECAR;
}

/* -- pods -- */
enum pod_stage {
    POD_NEW,
    POD_VOLUMES,
    POD_SANDBOX,
    POD_RUN,
    POD_STOP,
    POD_CLEAN,
    POD_KEPT,
    POD_REMOVE,
    POD_LEAVE,
    POD_DONE,
    POD_STAGE_MAX
};

struct pod_run {
    struct kubelet *k;
    char *ns, *name, *uid;                  /* owned; the last as pod_uid() has it */
    struct sobj *obj;                       /* latest seen version, a reference */
    int node;                               /* index */
    unsigned life;                          /* of the node, in which this was begun */
    int stage;                              /* enum pod_stage */
    bool busy;                              /* a job runs */
    bool gone;                              /* the API object is gone (or replaced) */
    bool from_file, file_gone;              /* static_pods.c */
    bool adopted;                           /* it ran before this process started */
    bool init_done;                         /* a regular container was started since then */
    bool asked_delete;                      /* of the API, as the last thing */
    bool refresh;                           /* what a volume shows changed */
    bool sandbox;                           /* up */
    const char *fail_reason, *fail_message; /* why the kubelet ended it, or NULL; static, or fail_text */
    char *fail_text;                        /* owned */
    bool evicted;                           /* it has no time to end */
    bool rejected;                          /* it never began */
    bool starved;                           /* because its node ran low */
    int64_t start_time;                     /* wall ns */
    int64_t began;                          /* mono ms: what probes count from */
    char ip[32];
    int64_t kill_at;    /* mono ms: the end of its grace; 0 = not set */
    int64_t token_due;  /* mono ms: when its tokens are to be renewed; 0 = it has none */
    int64_t retry_ms;   /* back-off of volumes, sandbox, cleaning */
    int64_t not_before; /* mono ms: earliest next try of these */
    int64_t wake;       /* mono ms: when to look again; 0 = when something happens */
    struct note *inbox; /* owned: what happened while a job ran */
    struct volume_run *volumes;
    size_t volume_count;
    struct container_run *containers; /* init containers, regular ones, ephemeral ones */
    size_t container_count;
    struct pod_run *next;
};
static inline const json_t *pod_tree(const struct pod_run *p)
{
    return p->obj->tree;
}
static inline const char *pod_node(const struct pod_run *p)
{
    return p->k->nodes[p->node].name;
}
/* static_pods.c: of a pod of a file only the mirror is deleted. */
void static_pod_keep(struct pod_run *p);
/* Does another pod run under what a node would call this one? What that one has on the node is not the copy's. */
bool static_pod_is_copy(const struct kubelet *k, const json_t *pod);

/* -- pods.c: the table -- */
struct pod_run *pod_run_new(struct kubelet *k, struct sobj *obj, int node);
void pod_run_free(struct pod_run *p);
struct pod_run *pod_run_find(struct kubelet *k, const char *ns, const char *name);
void pod_see_version(struct pod_run *p, struct sobj *obj);
struct container_run *container_by_id(struct pod_run *p, const char *id);
struct container_run *container_by_name(struct pod_run *p, const char *name);
bool pod_being_deleted(const struct pod_run *p); /* or gone */

/* -- admit.c: why its node does not take it, or NULL; the message is new -- */
const char *pod_refusal(const struct pod_run *p, char **out_message);

/* -- worker.c: the stages -- */
extern const struct sm_def pod_sm;
void pod_step(struct pod_run *p);
void pod_take_note(struct pod_run *p, struct note *n);
void pod_wake_at(struct pod_run *p, int64_t mono_ms);
/* A job: `work` on a worker, then `after` on the loop thread. */
struct job {
    struct pod_run *pod;
    struct container_run *container; /* of starts */
    bool ok;
    struct err err;
    /* of starts: what the container has become */
    char reason[64]; /* why it did not start */
    bool pull;       /* because of its image */
    bool created;    /* there was a container, but its process did not start */
    char id[ID_LEN];
    char *image, *image_id; /* owned */
    int stop_signal;        /* the image's own, or 0 */
    int64_t started;        /* wall ns */
    void (*work)(struct job *j);
    void (*after)(struct pod_run *p, struct job *j);
};
void pod_start_job(struct pod_run *p, void (*work)(struct job *j), void (*after)(struct pod_run *p, struct job *j),
                   struct container_run *c);

/* -- run.c: what happens while its containers run -- */
void run_step(struct pod_run *p);
void run_ended(struct pod_run *p, struct container_run *c, const struct container_end *end);
bool run_deadline_passed(struct pod_run *p);

/* -- restart.c: what happens to a container that ended -- */
bool container_restarts(const struct pod_run *p, const struct container_run *c); /* by policy and exit code */
bool container_done(const struct pod_run *p, const struct container_run *c);     /* ended for good */
/* The next container to start now, or NULL; the pod is woken when one becomes due. */
struct container_run *container_next(struct pod_run *p);
/* It ended and starts again: its end becomes lastState, its back-off grows. */
void container_prepare_restart(struct pod_run *p, struct container_run *c);
/* mono ms at which an ended container may start again. */
int64_t container_restart_due(const struct pod_run *p, const struct container_run *c);
bool container_has_new_image(const struct container_run *c);
bool pod_initialized(const struct pod_run *p); /* a regular container has been started, now or in an earlier life */

/* -- kill.c -- */
void container_kill(struct pod_run *p, struct container_run *c, int64_t grace_s);
void kills_step(struct pod_run *p);
bool stop_step(struct pod_run *p); /* stops all; true when nothing runs */
void kill_take(struct pod_run *p, struct container_run *c, const struct action *a);
void kill_hook_failed(struct pod_run *p, struct container_run *c, const struct action *a); /* postStart */

/* -- start.c, pull.c, identity.c, mounts.c -- */
void container_start_job(struct job *j);
/* -- ends.c -- */
void ends_read_job(struct job *j); /* termination messages of those that are end_unread */
void termination_path(const struct pod_run *p, const struct container_run *c, char out[PATH_LEN]);

/* -- sandbox.c, pod_files.c -- */
void sandbox_start_job(struct job *j);
void pod_clean_job(struct job *j);  /* containers, sandbox, mounts */
void pod_remove_job(struct job *j); /* directories, logs */
bool pod_take_ip(struct pod_run *p);
void pod_give_ip(struct pod_run *p);
void pod_dir(const struct pod_run *p, char out[PATH_LEN]);
void pod_log_dir(const char *ns, const char *pod, const char *uid, const char *container, char out[PATH_LEN]);
void pod_hostname(const struct pod_run *p, char out[64]);
/* What its kernel knows as its name: the whole of it with setHostnameAsFQDN. Returns new. */
char *pod_kernel_hostname(const struct pod_run *p);
int pod_files_write(struct pod_run *p, struct err *e);
/* Appends a file of the node, `max` bytes at most (and what a last read brings). */
int pod_read_node_file(const struct pod_run *p, const char *path, size_t max, struct buf *out, struct err *e);

/* -- env.c, downward.c -- */
struct env {
    struct strlist own;   /* NAME=value texts: services and the spec; what $(NAME) sees */
    struct strlist whole; /* the image's and the runtime's below them */
};
#define _auto_env_ __attribute__((cleanup(env_release)))
void env_release(struct env *env);
/* Error texts are those of CreateContainerConfigError. */
int env_build(struct pod_run *p, const json_t *container, const struct image *image, struct env *out, struct err *e);
char *env_expand(const char *text, const struct strlist *env); /* $(VAR); returns new */
/* As env_expand; ERR_INVALID names the variables that are missing or empty. */
int env_expand_strict(const char *text, const struct strlist *env, char **out, struct err *e);
/* Downward API value by fieldPath; returns new, NULL if it has none. */
char *field_value(const struct pod_run *p, const char *path);
char *resource_value(const struct pod_run *p, const json_t *ref, const char *container);

/* -- status.c, conditions.c, adopt.c -- */
/* Computes the pod's status from what is known and writes it if it differs. */
void status_write(struct pod_run *p);
const char *status_phase(const struct pod_run *p);
json_t *conditions_of(const struct pod_run *p, const json_t *pod, const char *phase); /* returns new */
bool container_is_started(const struct container_run *c);
bool container_is_ready(const struct container_run *c);
/* A pod of an earlier life of the kubelet: counts and ends from its stored status. */
void pod_adopt(struct pod_run *p);

#endif
