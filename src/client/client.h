/* client.h - the other end of the Kubernetes API: calls to a cluster, ours or any other, over HTTP/1.1.
 *
 * DESIGN: blocking calls with a deadline; one connection that is kept alive and opened again when the server has closed
 * it. Whoever wants to wait for several things at once has several clients: they are cheap until the first call.
 * THREADS: one client, one thread at a time. Source: Kubernetes API conventions; watches: api-concepts. */
#ifndef STOWAGE_CLIENT_CLIENT_H
#define STOWAGE_CLIENT_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "client/kubeconfig.h"

#include <jansson.h>
#include <stdint.h>

struct client;

/* Nothing is sent yet. `a` is copied. BAD_REQUEST: what the URL or a certificate is not. */
int client_open(const struct access *a, struct client **out, struct err *e);
void client_free(struct client *c); /* NULL is fine */
void client_cleanup(struct client **c);
#define _auto_client_ __attribute__((cleanup(client_cleanup)))
const char *client_namespace(const struct client *c); /* of the context, or */
void client_set_namespace(struct client *c, const char *ns);
/* While this descriptor is readable every call ends with TIMEOUT: a way to stop it from another thread or a signal. -1:
 * none. Borrowed. */
void client_set_cancel(struct client *c, int fd);
/* As User-Agent tells it: "kubectl/v1.32.0 …". Field managers follow from its first word. Copied. */
void client_set_agent(struct client *c, const char *agent);
/* Every request is made as this user, with these groups (may be NULL), who signed in must be allowed to
 * (Impersonate-…). BAD_REQUEST: a name that no header can tell. */
int client_set_identity(struct client *c, const char *user, const struct strlist *groups, struct err *e);

#define CLIENT_TIMEOUT_MS 30000

struct client_request {
    const char *method; /* NULL: "GET" */
    const char *path;   /* with its query, escaped: "/api/v1/pods?limit=500" */
    const char *accept; /* NULL: "application/json" */
    const char *type;   /* of the body; NULL: "application/json" */
    const void *body;
    size_t len;
    int64_t timeout_ms; /* for the whole call; 0: CLIENT_TIMEOUT_MS, -1: none */
    /* Takes the body of a success as it comes (watches, logs); -1 ends the call with `e`, 1 ends it without. NULL: the
     * body is gathered in the answer. */
    int (*take)(void *arg, const void *data, size_t n, struct err *e);
    void *arg;
};
struct client_answer {
    int status;
    char *type; /* Content-Type, "" if there was none */
    struct buf body;
    struct strlist warnings; /* texts of Warning headers */
};
void client_answer_release(struct client_answer *a);
#define _auto_client_answer_ __attribute__((cleanup(client_answer_release)))

/* 0 when an answer came, whatever its status. UNAVAILABLE: nobody answers there; TIMEOUT; CORRUPT: that is no HTTP. */
int client_call(struct client *c, const struct client_request *rq, struct client_answer *out, struct err *e);

/* One object there and back: a failure's Status becomes `e`, its code by reason. body (borrowed) and out may be NULL.
 * type NULL: "application/json". */
int client_json(struct client *c, const char *method, const char *path, const json_t *body, const char *type,
                json_t **out, struct err *e);
/* Of a status that is no success: the error it tells. Returns -1. */
int client_failure(const struct client_answer *a, struct err *e);
/* The Status with which the server refused the last stream (stream.h, forward.h), once; NULL: there was none. Returns
 * new. */
json_t *client_take_refusal(struct client *c);

/* Events of a watch, until `on_event` returns other than 0, the server ends it, or the time is over. Returns what
 * on_event returned last, else 0; -1 with `e`. `path` has watch=true in its query. */
int client_watch(struct client *c, const char *path, int64_t timeout_ms,
                 int (*on_event)(void *arg, const char *type, json_t *object, struct err *e), void *arg, struct err *e);

/* A text for a path or a query. Appended to `out`. */
void client_escape(struct buf *out, const char *text);

#endif
