/* pods.h - the pod and the container that a command is for: named, or chosen among those of a deployment, a service….
 *
 * All fail with `e`, to be told by call_error(). Source: kubectl polymorphichelpers, podutils, podcmd. */
#ifndef STOWAGE_KUBECTL_PODS_H
#define STOWAGE_KUBECTL_PODS_H

#include "kubectl/call.h"

/* "name" is one of `plural`, "kind/name" any. Returns new. */
int pods_named(struct call *c, const char *plural, const char *word, json_t **out, struct err *e);
/* The same; word NULL: the one object of -f. */
int pods_target(struct call *c, const char *plural, const char *word, json_t **out, struct err *e);

/* The pod itself, or the best of those that the object has: what exec, attach and port-forward take. Waits for one that
 * long. Returns new. */
int pods_attachable(struct call *c, const json_t *object, int64_t timeout_ms, json_t **out, struct err *e);
/* Pods of an object (of a list: its items), best for logs first. Returns new. */
int pods_for_logs(struct call *c, const json_t *object, int64_t timeout_ms, json_t **out, struct err *e);
/* "app=web,tier=front": what an object chooses pods by. `verb` is in the message of one that chooses none. Appended. */
int pods_selector(const json_t *object, const char *verb, struct buf *out, struct err *e);

/* --pod-running-timeout; -1 is told. */
int pods_timeout(struct call *c, int64_t *out_ms);

/* A container of a pod's spec and where: "spec.containers", "spec.initContainers", "spec.ephemeralContainers". NULL:
 * none of that name. Borrowed. */
const json_t *pod_container(const json_t *pod, const char *name, const char **out_where);
/* The one that was asked for (name not ""), else that of the annotation, else the first, which is said to `warn`
 * (NULL: nobody) when there are more. Borrowed. */
int pod_choose_container(const json_t *pod, const char *name, FILE *warn, const json_t **out, struct err *e);
/* "a, b, debugger (ephem), setup (init)". Appended. */
void pod_container_names(const json_t *pod, struct buf *out);

#define DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"

/* "/api/v1/namespaces/ns/pods/name/sub"; sub may be NULL. Appended. */
void pod_path(const char *ns, const char *name, const char *sub, struct buf *out);
/* Waits until `done` says 1 (0: not yet, -1: `e`) of the pod; timeout 0: none. Its last state is *out (new), also when
 * `done` fails. */
int pod_await(struct call *c, const char *ns, const char *name, int64_t timeout_ms,
              int (*done)(void *arg, const json_t *pod, struct err *e), void *arg, json_t **out, struct err *e);

#define FLAG_POD_TIMEOUT(dflt)                                                                                         \
    {                                                                                                                  \
        "pod-running-timeout", 0, FLAG_DURATION, dflt, "How long to wait until a pod runs", NULL                       \
    }

#endif
