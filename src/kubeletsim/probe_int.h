/* probe_int.h - hooks and probes: what is asked of a container while it runs, and what the answers mean. */
#ifndef STOWAGE_KUBELETSIM_PROBE_INT_H
#define STOWAGE_KUBELETSIM_PROBE_INT_H

#include "kubeletsim/kubelet_int.h"

struct container_run;

enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_MAX };
enum probe_result { PROBE_UNKNOWN, PROBE_SUCCESS, PROBE_FAILURE };

struct probe_run {
    int result;      /* enum probe_result: what counts */
    int last;        /* enum probe_result: of the latest try */
    int run;         /* how often in a row */
    int64_t next_at; /* mono ms; 0 = to be planned */
    bool asked;      /* a try is under way */
    bool over;       /* no more tries for this container */
};

/* -- action.c: something done in or to a container by a patient thread -- */
enum action_kind { ACTION_PROBE, ACTION_POST_START, ACTION_PRE_STOP, ACTION_SIGNAL };
enum action_outcome {
    ACTION_OK,
    ACTION_WARNED,  /* of a probe: it succeeded, and something is to be said */
    ACTION_FAILED,  /* the container's answer is no */
    ACTION_ERRORED, /* it could not be asked */
};
struct action {
    struct kubelet *k;
    int kind;                         /* enum action_kind */
    int probe;                        /* enum probe_kind */
    char *ns, *pod, *uid, *container; /* owned */
    char id[ID_LEN];
    const char *node; /* of the kubelet's table */
    char ip[32];
    json_t *handler;     /* owned: exec, httpGet, tcpSocket, grpc or sleep is a member */
    struct strlist argv; /* of exec, expanded */
    int port;            /* of the others, by number */
    int signal;
    int64_t timeout_ms;
    /* the end */
    int outcome; /* enum action_outcome */
    char *text;  /* owned, or NULL: output, or what went wrong */
    char *error; /* owned, or NULL: hooks: the error beside the output */
};
/* handler: borrows; may be NULL for signals. */
void action_start(struct pod_run *p, const struct container_run *c, int kind, int probe, const json_t *handler,
                  int signal, int64_t timeout_ms);
void action_free(struct action *a);

/* -- ask.c, ask_http.c, ask_grpc.c: the ways to ask; each fills outcome and text -- */
void ask_exec(struct action *a);
void ask_http(struct action *a, const json_t *get);
void ask_grpc(struct action *a, const json_t *grpc);
void ask_tcp(struct action *a, const json_t *socket);
/* Hooks without a limit still end with the kubelet. Real time: it is about file descriptors. */
int64_t ask_deadline(const struct action *a);
int ask_left(int64_t deadline);
/* Of an httpGet or tcpSocket; else the pod's address. */
const char *ask_host(const struct action *a, const json_t *what);
int ask_dial(struct action *a, const char *host, struct err *e);                    /* the descriptor, or -1 */
char *ask_dial_text(const struct action *a, const char *host, const struct err *e); /* in Go's words; returns new */

/* -- ask_url.c: where HTTP requests go -- */
struct url {
    bool secure;
    char *authority, *host, *path; /* owned: "host:port" as it was written, the host of it, path and query */
    int port;
};
void url_of_handler(const struct action *a, const json_t *get, struct url *out);
/* False: the answer's Location is none that can be asked. */
bool url_follow(const struct url *from, const char *location, struct url *out);
char *url_text(const struct url *u); /* returns new */
void url_release(struct url *u);

/* -- probes.c -- */
void probes_begin(struct container_run *c); /* a new container */
void probes_step(struct pod_run *p);
void probe_take(struct pod_run *p, struct container_run *c, const struct action *a);

#endif
