/* log.c - GET pods/NAME/log: the node gives a descriptor, we send what comes out of it.
 *
 *     options, pod, container -> OPENING: asleep, while a thread asks the node
 *                                   |-> STREAMING: 200 text/plain until the end of the log
 *                                   `-> the node's refusal as a Status
 *
 * DESIGN: asking the node may block, so it is done on a short-lived thread while the connection sleeps. The log itself
 * comes out of a pipe (fd_stream.c); closing that tells the node that nobody follows any more.
 *
 * Who frees the opening: the thread, if the request was abandoned meanwhile (the server stops); else the request.
 * THREADS: log_opening.mu guards `done` and `abandoned`; request_wake() is called under it, so that the request cannot
 * end in between.
 * Source of the words: pkg/registry/core/pod/rest/log.go, apis/core/validation ValidatePodLogOptions. */
#include "api/status.h"
#include "apiserver/fd_stream_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream_int.h"
#include "apiserver/upgrade_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* -- options -- */

static int read_number(const struct request *rq, const char *key, int64_t min, const char *why, int64_t *out,
                       struct field_errors *errs, struct err *e)
{
    int rc = query_int(&rq->query, key, out, e);
    if (rc > 0 && *out < min)
        fe_invalid_int(errs, key, *out, why);
    return rc;
}

static int read_since(struct request *rq, struct log_req *r, struct field_errors *errs, struct err *e)
{
    int64_t seconds = 0;
    int rc = query_int(&rq->query, "sinceSeconds", &seconds, e);
    if (rc < 0)
        return -1;
    const char *time = query_get(&rq->query, "sinceTime");
    if (!str_empty(time) && time_parse(time, &r->since_ns) < 0)
        return err_set(e, ERR_BAD_REQUEST,
                       "parsing time \"%s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%s\" as \"2006\"", time,
                       time);
    if (rc > 0 && !str_empty(time))
        fe_forbidden(errs, "[]", "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (rc > 0 && seconds < 1)
        fe_invalid_int(errs, "sinceSeconds", seconds, "must be greater than 0");
    else if (rc > 0)
        r->since_ns = time_after(clock_wall_ns(rq->srv->clock), -seconds, 1000000000);
    return 0;
}

static int read_options(struct request *rq, struct log_req *r, struct field_errors *errs, struct err *e)
{
    const struct query *q = &rq->query;
    *r = (struct log_req){.ns = rq->target.ns, .pod = rq->target.name, .tail = -1, .limit_bytes = -1};
    r->follow = query_bool(q, "follow");
    r->previous = query_bool(q, "previous");
    r->timestamps = query_bool(q, "timestamps");
    if (read_number(rq, "tailLines", 0, "must be greater than or equal to 0", &r->tail, errs, e) < 0 ||
        read_number(rq, "limitBytes", 1, "must be greater than 0", &r->limit_bytes, errs, e) < 0 ||
        read_since(rq, r, errs, e) < 0)
        return -1;
    if (query_get(q, "stream"))
        fe_forbidden(errs, "stream", "may not be specified");
    return 0;
}

/* -- opening -- */

struct log_opening {
    struct request *rq; /* borrowed until abandoned */
    struct upgrades *busy;
    const struct node_ops *ops;
    void *self;
    struct log_req req; /* its texts are owned */
    pthread_mutex_t mu;
    bool done, abandoned;
    int fd; /* owned; -1 if it failed */
    struct err err;
};

static void opening_free(struct log_opening *o)
{
    close_cleanup(&o->fd);
    free((char *)(uintptr_t)o->req.ns);
    free((char *)(uintptr_t)o->req.pod);
    free((char *)(uintptr_t)o->req.container);
    pthread_mutex_destroy(&o->mu);
    free(o);
}

static void *open_log(void *arg)
{
    struct log_opening *o = arg;
    struct upgrades *busy = o->busy;
    int fd = -1;
    int rc = o->ops->log(o->self, &o->req, &fd, &o->err);
    pthread_mutex_lock(&o->mu);
    o->fd = rc < 0 ? -1 : fd;
    o->done = true;
    bool abandoned = o->abandoned;
    if (!abandoned)
        request_wake(o->rq);
    pthread_mutex_unlock(&o->mu);
    if (abandoned)
        opening_free(o);
    upgrades_leave(busy);
    return NULL;
}

/* The request is awake: the node has answered, or the server stops. */
static void log_opened(struct request *rq)
{
    struct log_opening *o = rq->resume_arg;
    pthread_mutex_lock(&o->mu);
    bool done = o->done;
    o->abandoned = !done;
    pthread_mutex_unlock(&o->mu);
    if (!done) {
        stream_refuse(rq, ERR_UNAVAILABLE, "the server is stopping");
        return;
    }
    if (o->fd >= 0)
        fd_stream_reply(rq, &(struct reply){.http = 200, .type = "text/plain"}, TAKE_FD(o->fd), NULL, NULL);
    else
        reply_err(rq, &o->err);
    opening_free(o);
}

static void log_dropped(struct request *rq)
{
    struct log_opening *o = rq->resume_arg;
    pthread_mutex_lock(&o->mu);
    const bool done = o->done;
    o->abandoned = !done;
    pthread_mutex_unlock(&o->mu);
    if (done)
        opening_free(o);
}

static void ask_node(struct request *rq, const struct node_ops *ops, void *self, const struct log_req *r)
{
    struct log_opening *o = xcalloc(1, sizeof *o);
    *o = (struct log_opening){.rq = rq, .busy = rq->srv->upgrades, .ops = ops, .self = self, .req = *r, .fd = -1};
    o->req.ns = xstrdup(r->ns);
    o->req.pod = xstrdup(r->pod);
    o->req.container = xstrdup(r->container);
    pthread_mutex_init(&o->mu, NULL);
    request_sleep(rq, WAKE_NEVER, log_opened, o);
    if (!rq->asleep) { /* the server stops already */
        opening_free(o);
        return;
    }
    rq->dropped = log_dropped;
    upgrades_enter(o->busy);
    pthread_t thread;
    if (pthread_create(&thread, NULL, open_log, o) == 0) {
        pthread_detach(thread);
        return;
    }
    upgrades_leave(o->busy);
    err_set(&o->err, ERR_UNAVAILABLE, "no thread to read the log");
    o->done = true;
    request_wake(rq);
}

static bool options_ok(struct request *rq, struct log_req *r)
{
    struct err e = ERR_INIT;
    _auto_field_errors_ struct field_errors errs = {0};
    if (read_options(rq, r, &errs, &e) < 0) {
        reply_err(rq, &e);
        return false;
    }
    if (errs.len == 0)
        return true;
    reply_status(rq, status_invalid("", "PodLogOptions", rq->target.name, &errs));
    return false;
}

void log_serve(struct request *rq)
{
    struct log_req r;
    if (!options_ok(rq, &r))
        return;
    _auto_sobj_ struct sobj *pod = stream_pod(rq);
    if (!pod)
        return;
    r.container = stream_container(rq, pod->tree);
    if (!r.container)
        return;
    const char *node = jstr(pod->tree, "spec.nodeName");
    if (str_empty(node)) { /* nothing can have been written */
        reply_static(rq, &(struct reply){.http = 204}, "", 0);
        return;
    }
    const char *asking =
        arena_printf(&rq->arena, "Get \"https://%s:10250/containerLogs/%s/%s/%s\"",
                     jstr_or(pod->tree, "status.hostIP", node), rq->target.ns, rq->target.name, r.container);
    if (!stream_node(rq, pod->tree, asking))
        return;
    void *self = NULL;
    const struct node_ops *ops = registry_node_ops(rq->srv->registry, &self);
    if (!ops || !ops->log)
        stream_refuse(rq, ERR_INTERNAL, "Internal error occurred: no kubelet answers on node \"%s\"", node);
    else
        ask_node(rq, ops, self, &r);
}
