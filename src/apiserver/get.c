/* get.c - GET of one object (or one of its subresources).
 *
 * DESIGN: the answer is the stored text itself. resourceVersion asks for a state at least that new; one from the
 * future is waited for (up to 3 s, without holding a thread) and then refused, as the real server's cache does.
 * THREADS: on the HTTP thread of the request. */
#include "apiserver/list_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

static void get_now(struct request *rq)
{
    struct err e = ERR_INIT;
    _auto_answer_ struct reg_answer ans = {0};
    struct reg_target t = request_target(rq);
    reg_get(rq->srv->registry, &t, &ans, &e);
    reply_answer(rq, &ans);
}

void get_serve(struct request *rq)
{
    uint64_t rv = 0;
    struct err e = ERR_INIT;
    const char *text = query_get(&rq->query, "resourceVersion");
    if (!str_empty(text) && rv_parse(text, &rv, &e) < 0) {
        reply_plain_error(rq, e.msg);
        return;
    }
    rv_wait(rq, rv, get_now);
}
