/* calls.c - POST /console/api/OP: what the command line asks the control socket, asked by a page.
 *
 * DESIGN: the same table answers both (app/requests_int.h). A call may take as long as a disk does, so it runs on the
 * console's worker while the connection sleeps. An answer that is too long for the socket's packet is in a file beside
 * it there; here it is simply the body. THREADS: the request's, and the worker. */
#include "apiserver/console/console_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct call {
    struct request *rq; /* NULL: it did not wait. Guarded by console.mu */
    struct console *console;
    json_t *request, *answer; /* owned */
    struct err err;
    bool failed, done; /* done: guarded by console.mu */
};

/* Not by this way: they give a terminal, or end the server. */
static bool refused(const char *op)
{
    static const char *const ops[] = {"shell", "down", "console", "seal"};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (strcmp(op, ops[i]) == 0)
            return true;
    return false;
}

/* They reach beyond the cluster: start programs of this machine, read its files. That is for whom the owner of the
 * cluster's files gave a link, not for whoever has a token: a pod, a grading jail, a student on this machine. */
static bool of_machine(const char *op)
{
    return str_starts(op, "lab-") || str_starts(op, "class-") || strcmp(op, "image-import") == 0;
}

/* NULL: it may be asked. */
static const char *why_not(const struct request *rq, const char *op, const json_t *request)
{
    if (!json_is_object(request))
        return "the body is no JSON object";
    if (of_machine(op) && !rq->by_link)
        return "only for who signed in by a link of `stowage console`";
    return refused(op) ? "not by this way" : NULL;
}

/* What a job has to say comes so, too, its failure among it (app/requests_job.c). */
static void take_file(struct call *k, int fd)
{
    json_t *whole = fd >= 0 ? json_loadfd(fd, 0, NULL) : NULL;
    if (!whole)
        return;
    json_decref(k->answer);
    k->answer = whole;
    const char *error = json_is_object(whole) ? jstr(whole, "error") : NULL;
    if (error)
        k->failed = err_set(&k->err, (enum err_code)jint(whole, "code", ERR_INTERNAL), "%s", error) < 0;
}

static void call_free(struct call *k)
{
    json_decref(k->request);
    json_decref(k->answer);
    free(k);
}

static void run_call(void *arg)
{
    struct call *k = arg;
    struct console *c = k->console;
    int fds[4] = {-1, -1, -1, -1};
    k->failed = c->conf.answer(c->conf.arg, k->request, &k->answer, fds, &k->err) < 0;
    if (!k->failed)
        take_file(k, fds[0]);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_lock(&c->mu);
    k->done = true;
    bool awaited = k->rq != NULL;
    if (awaited)
        request_wake(k->rq);
    pthread_mutex_unlock(&c->mu);
    if (!awaited)
        call_free(k);
}

/* -- the request -- */

static void answer_with(struct request *rq, const struct call *k)
{
    struct buf b = BUF_INIT;
    json_write(&b, k->answer);
    reply_buf(rq, &(struct reply){.http = 200, .type = TYPE_JSON}, &b);
}

/* Either the worker is through with it, or the server ends and the worker is left alone with it. */
static void call_resumed(struct request *rq)
{
    struct call *k = rq->resume_arg;
    struct console *c = k->console;
    struct err e = ERR_INIT;
    pthread_mutex_lock(&c->mu);
    bool done = k->done;
    k->rq = NULL;
    pthread_mutex_unlock(&c->mu);
    if (!done) {
        err_set(&e, ERR_UNAVAILABLE, "the cluster stops");
        reply_err(rq, &e);
        return;
    }
    if (k->failed)
        reply_err(rq, &k->err);
    else
        answer_with(rq, k);
    call_free(k);
}

static void call_dropped(struct request *rq)
{
    struct call *k = rq->resume_arg;
    pthread_mutex_lock(&k->console->mu);
    const bool done = k->done;
    k->rq = NULL;
    pthread_mutex_unlock(&k->console->mu);
    if (done)
        call_free(k);
}

void console_call(struct request *rq, const char *op)
{
    struct err e = ERR_INIT;
    if (strcmp(rq->method, "POST") != 0) {
        reply_no_method(rq);
        return;
    }
    json_t *request = rq->body.len ? json_loadb(rq->body.data, rq->body.len, 0, NULL) : json_object();
    const char *why = why_not(rq, op, request);
    if (why) {
        json_decref(request);
        err_set(&e, ERR_BAD_REQUEST, "%s", why);
        reply_err(rq, &e);
        return;
    }
    json_object_set_new(request, "op", json_string(op));
    struct call *k = xcalloc(1, sizeof *k);
    *k = (struct call){.rq = rq, .console = rq->srv->console, .request = request, .err = ERR_INIT};
    request_doze(rq);
    rq->dropped = call_dropped;
    pool_submit(k->console->worker, run_call, k);
    request_park(rq, call_resumed, k);
}
