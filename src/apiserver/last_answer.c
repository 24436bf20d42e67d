/* last_answer.c - see last_answer_int.h.
 *
 * DESIGN: versions of objects are immutable, so whether an answer is still right is a comparison of two pointers: the
 * version held here, and the one the store has just handed out to a request that has passed authentication,
 * authorization and negotiation as any other. As long as it is held no other version can have its address.
 *
 * INVARIANT: at most one answer of a connection is on its way, and the next request begins after it has left: nobody
 * reads the response while its header is changed.
 * THREADS: the connection's own HTTP thread. */
#include "apiserver/last_answer_int.h"

#include <string.h>

struct MHD_Response *last_answer_again(struct last_answer *l, const struct sobj *obj, const char audit_id[AUDIT_ID_LEN])
{
    if (l->obj != obj)
        return NULL;
    if (MHD_del_response_header(l->response, "Audit-Id", l->audit_id) != MHD_YES ||
        MHD_add_response_header(l->response, "Audit-Id", audit_id) != MHD_YES) {
        last_answer_release(l); /* an id of the client's own that is no header */
        return NULL;
    }
    memcpy(l->audit_id, audit_id, sizeof l->audit_id);
    return l->response;
}

void last_answer_keep(struct last_answer *l, const struct sobj *obj, const char audit_id[AUDIT_ID_LEN],
                      struct MHD_Response *take_response)
{
    last_answer_release(l);
    l->obj = sobj_ref(obj);
    l->response = take_response;
    memcpy(l->audit_id, audit_id, sizeof l->audit_id);
}

void last_answer_release(struct last_answer *l)
{
    if (l->response)
        MHD_destroy_response(l->response);
    sobj_unref(l->obj);
    *l = (struct last_answer){0};
}
