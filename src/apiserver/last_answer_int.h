/* last_answer_int.h - the object a connection was given last, ready to be given again.
 *
 * Clients that poll ask for the same object on the same connection. To copy its text and to make the HTTP library's
 * response with all its headers costs a sixth of such a request. */
#ifndef STOWAGE_APISERVER_LAST_ANSWER_INT_H
#define STOWAGE_APISERVER_LAST_ANSWER_INT_H

#include "apiserver/request_int.h"
#include "store/store.h"

struct last_answer {
    struct sobj *obj;              /* the version that was sent, owned; NULL: none */
    struct MHD_Response *response; /* owned; its text, and all headers */
    char audit_id[AUDIT_ID_LEN];   /* the header that is another one each time */
};

/* The response for this very version under another audit id, borrowed; or NULL. */
struct MHD_Response *last_answer_again(struct last_answer *l, const struct sobj *obj,
                                       const char audit_id[AUDIT_ID_LEN]);
/* A response that is queued already, in place of the one before. */
void last_answer_keep(struct last_answer *l, const struct sobj *obj, const char audit_id[AUDIT_ID_LEN],
                      struct MHD_Response *take_response);
void last_answer_release(struct last_answer *l);

#endif
