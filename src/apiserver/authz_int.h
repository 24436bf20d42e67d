/* authz_int.h - may he? */
#ifndef STOWAGE_APISERVER_AUTHZ_INT_H
#define STOWAGE_APISERVER_AUTHZ_INT_H

#include "apiserver/request_int.h"

struct access {
    const char *verb;
    bool is_resource;
    const char *group, *resource, *sub, *ns, *name; /* resources */
    const char *path;                               /* everything else */
};

bool authz_allows(const struct user *user, const struct access *a);
/* Asks for the request's own target. false: 403 has been sent. */
bool authz_request(struct request *rq);
/* Sends the authorizer's 403. */
void authz_refuse(struct request *rq, const struct access *a);

#endif
