/* stream_routes.c - the table of stream protocols, see stream_int.h.
 *
 * When you add one: a row. */
#include "apiserver/metrics_int.h"
#include "apiserver/proxy_int.h"
#include "apiserver/stream/exec_int.h"
#include "apiserver/stream_int.h"

static void proxy_open(struct request *rq)
{
    if (rq->res == RES.nodes)
        node_proxy_serve(rq);
    else
        proxy_serve(rq);
}

const struct stream_route stream_routes[] = {
    {"exec", exec_open}, {"attach", attach_open}, {"portforward", forward_open}, {"proxy", proxy_open}, {NULL, NULL},
};
