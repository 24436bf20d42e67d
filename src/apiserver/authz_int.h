/* authz_int.h - may he? */
#ifndef STOWAGE_APISERVER_AUTHZ_INT_H
#define STOWAGE_APISERVER_AUTHZ_INT_H

#include "apiserver/request_int.h"
#include "registry/rbac.h"

bool authz_allows(struct request *rq, const struct access *a);
/* Asks for the request's own target. false: 403 has been sent. */
bool authz_request(struct request *rq);
/* Sends the authorizer's 403. */
void authz_refuse(struct request *rq, const struct access *a);

#endif
