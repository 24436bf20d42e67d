/* session.h - a process in a pod joined to this command: exec and attach, with or without a terminal.
 *
 * Source: kubectl cmd/exec, cmd/attach, util/term. */
#ifndef STOWAGE_KUBECTL_SESSION_H
#define STOWAGE_KUBECTL_SESSION_H

#include "client/stream.h"
#include "kubectl/pods.h"

struct pod_session {
    const char *ns, *pod, *container;
    const char *sub;            /* "exec", "attach" */
    const char *const *command; /* of exec; NULL-terminated */
    bool in;                    /* the process's stdin is ours */
    bool tty, quiet;            /* tty: only if `in` is and our stdin is a terminal; else it is said, unless quiet */
    bool redraw;                /* another size first, so that what runs there draws itself again */
    /* In the place of our stdin and our stdout, stderr. */
    ssize_t (*supply)(void *arg, void *buf, size_t n, struct err *e);
    int (*output)(void *arg, int which, const void *data, size_t n, struct err *e);
    void *arg;
    int64_t timeout_ms; /* 0: none */
};
/* Until the process ends: 0 and its exit code. What the server refuses is a failure of the call. *out_raw, if not NULL:
 * the terminal was used. */
int pod_session_run(struct call *c, const struct pod_session *s, int *out_code, bool *out_raw, struct err *e);
/* "command terminated with exit code 3": returns the code. */
int pod_session_ended(struct call *c, int code);

/* As `kubectl attach`: container "" is chosen. `command`: how a later attach is to be typed, "kubectl attach". */
struct attachment {
    const char *container, *command;
    bool in, tty, quiet;
};
int pod_attach(struct call *c, const json_t *pod, const struct attachment *a, struct err *e);
/* The same; where that fails it is said and the log so far printed. */
int pod_attach_or_log(struct call *c, const json_t *pod, const struct attachment *a, struct err *e);
/* The log of a container (NULL: chosen) so far. */
int pod_log(struct call *c, const json_t *pod, const char *container, bool quiet, struct err *e);

#endif
