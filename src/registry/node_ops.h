/* node_ops.h - what the API server asks of a node: logs, exec, attach, port-forward. Declared here, filled by
 * kubeletsim, so that two folders of the same floor need not know each other. All calls may block briefly (they run on
 * stream threads). */
#ifndef STOWAGE_REGISTRY_NODE_OPS_H
#define STOWAGE_REGISTRY_NODE_OPS_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct exec_req {
    const char *ns, *pod, *container; /* container "" = default */
    const char *const *argv;          /* NULL-terminated; NULL for attach */
    bool stdin_, stdout_, stderr_, tty;
};
/* File descriptors of a running session; each is -1 when absent; the caller owns and closes them. With tty, `in` is the
 * pty master for reading, writing and TIOCSWINSZ, and out/err are -1. `exit_fd` gives, once, a `struct exec_exit` and
 * then EOF. */
struct exec_session {
    int in, out, err, exit_fd;
};
struct exec_exit {
    int32_t code;      /* exit code; 128+signal */
    char message[252]; /* "" or why it could not start, as the runtime words it */
};
struct log_req {
    const char *ns, *pod, *container;
    bool follow, previous, timestamps;
    int64_t since_ns;    /* wall ns, 0 = all */
    int64_t tail;        /* -1 = all */
    int64_t limit_bytes; /* -1 = all */
};
struct node_ops {
    int (*exec)(void *self, const struct exec_req *req, struct exec_session *out, struct err *e);
    int (*attach)(void *self, const struct exec_req *req, struct exec_session *out, struct err *e);
    /* A descriptor (pipe) that gives the selected log lines and EOF at the end; with follow, at the container's end or
     * when the reader closes. Errors: NOT_FOUND, BAD_REQUEST ("container \"x\" in pod \"y\" is waiting to start:
     * ContainerCreating"). */
    int (*log)(void *self, const struct log_req *req, int *out_fd, struct err *e);
    /* A connected stream socket to the pod's port inside its network namespace. */
    int (*dial)(void *self, const char *ns, const char *pod, uint16_t port, int *out_fd, struct err *e);
    /* Can the node's own server be reached? UNAVAILABLE: "dial tcp …", as Go says it. Never blocks. May be NULL. */
    int (*reach)(void *self, const char *node, struct err *e);
    /* A page of the node's own server ("/stats/summary", "/metrics"): new text; *out_type is static. NOT_FOUND, or
     * UNAVAILABLE while the node is down. Never blocks. May be NULL. */
    int (*page)(void *self, const char *node, const char *path, char **out_text, const char **out_type, struct err *e);
    /* What the node and its pods use, as /stats/summary tells it: a new tree. NOT_FOUND before the first measurement.
     * Never blocks. May be NULL. */
    int (*usage)(void *self, const char *node, json_t **out, struct err *e);
};

/* Service account tokens: issued and checked by the authenticator (apiserver/authn), asked for by registry and kubelet.
 */
struct token_req {
    const char *ns, *account, *uid; /* of the service account */
    const json_t *audiences;        /* list of texts; empty or NULL: the server itself */
    const json_t *bound; /* what its life is tied to, {"pod":{"name","uid"},"node":…,"secret":…}, or NULL */
    int64_t seconds;
};
struct token_ops {
    /* Returns new text in *out_token. */
    int (*issue)(void *self, const struct token_req *req, char **out_token, struct err *e);
    /* Whose token is it? Returns new {"username","uid","groups"[,"extra"]} in *out_user; UNAUTHORIZED if nobody's. May
     * be NULL. */
    int (*check)(void *self, const char *token, json_t **out_user, struct err *e);
};

#endif
