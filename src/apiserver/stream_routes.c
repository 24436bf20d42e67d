/* stream_routes.c - the table of stream protocols, see stream_int.h.
 *
 * When you add one: a row. A row whose open is refuse_stream answers that this server has no such stream. */
#include "apiserver/metrics_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/stream/exec_int.h"
#include "apiserver/stream_int.h"
#include "base/json.h"
#include "base/str.h"

/* Of pods, services and nodes; what can be said without one is said as by a real server. */
static void refuse_stream(struct request *rq)
{
    if (rq->res == RES.nodes) {
        node_proxy_serve(rq);
        return;
    }
    if (rq->res == RES.pods) {
        _auto_sobj_ struct sobj *pod = stream_pod(rq);
        if (!pod)
            return;
        if (str_empty(jstr(pod->tree, "status.podIP"))) {
            stream_refuse(rq, ERR_BAD_REQUEST, "address not allowed");
            return;
        }
    }
    stream_refuse(rq, ERR_UNSUPPORTED, "this server has no %s streams", rq->sub->name);
}

const struct stream_route stream_routes[] = {
    {"exec", exec_open}, {"attach", attach_open}, {"portforward", forward_open}, {"proxy", refuse_stream}, {NULL, NULL},
};
