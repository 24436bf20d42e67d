/* create.c - POST: from a body to an object that is in the journal.
 *
 * DESIGN: creates come in crowds, and a transaction for each is what they cost most. So a create is begun (decoded,
 * admitted, frozen) and its connection parked; when its thread has begun everything that was ready, the gathered group
 * goes to the journal in one transaction, and all are answered. How a thread of the HTTP library knows that it is
 * through: the first create of a round is parked like the others and resumed at once, and the library looks at resumed
 * connections after those that were ready.
 *
 *     create_serve() --- refused, dry run, generated name -----------------------------> answer
 *          \-- begun --> PARKED --- told by the store, or first of the round: flush --> create_end(): answer
 *
 * Nobody is answered before the journal has the object. What is begun is ended even if nobody waits for the answer.
 *
 * THREADS: on the HTTP thread of the request, except told(). `round_first` is each thread's own. */
#include "apiserver/write_int.h"

#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

/* In the request's arena. */
struct creation {
    struct reg_ctx ctx;
    struct reg_target target;
    struct reg_later later;
};

/* The create that will flush what this thread has begun; NULL: none begun. */
static _Thread_local struct request *round_first;

static void told(void *arg)
{
    request_wake(arg);
}

static void round_end(struct request *rq)
{
    if (round_first != rq)
        return;
    round_first = NULL;
    store_flush(registry_store(rq->srv->registry));
}

static void create_end(struct request *rq, struct reg_answer *ans)
{
    struct creation *c = TAKE(rq->creation);
    struct err e = ERR_INIT;
    reg_create_end(rq->srv->registry, &c->ctx, &c->target, ans, &e);
}

static void create_resume(struct request *rq)
{
    round_end(rq);
    if (!request_woken(rq)) {
        request_park(rq, create_resume, NULL);
        return;
    }
    _auto_answer_ struct reg_answer ans = {0};
    create_end(rq, &ans);
    reply_answer(rq, &ans);
}

static void create_park(struct request *rq, struct creation *c)
{
    rq->creation = c;
    bool first = !round_first;
    if (first)
        round_first = rq;
    request_park(rq, create_resume, NULL);
    if (first && rq->asleep)
        request_yield(rq);
}

void create_abandon(struct request *rq)
{
    if (!rq->creation)
        return;
    _auto_answer_ struct reg_answer ans = {0};
    round_end(rq);
    create_end(rq, &ans);
}

void create_serve(struct request *rq)
{
    struct err e = ERR_INIT;
    struct reg_body body;
    if (!can_answer(rq) || !take_body(rq, &body) || !write_options_ok(rq, WRITE_CREATE))
        return;
    _auto_answer_ struct reg_answer ans = {0};
    struct creation *c = arena_alloc(&rq->arena, sizeof *c);
    *c = (struct creation){.ctx = request_ctx(rq), .target = request_target(rq), .later = {told, rq, NULL, NULL}};
    c->ctx.later = &c->later;
    request_doze(rq);
    reg_create(rq->srv->registry, &c->ctx, &c->target, &body, &ans, &e);
    if (c->later.write)
        create_park(rq, c);
    else
        reply_answer(rq, &ans);
}
