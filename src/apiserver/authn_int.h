/* authn_int.h - who is asking: tokens and impersonation; and issuing the tokens of service accounts. */
#ifndef STOWAGE_APISERVER_AUTHN_INT_H
#define STOWAGE_APISERVER_AUTHN_INT_H

#include "apiserver/pki.h"
#include "apiserver/request_int.h"
#include "registry/node_ops.h"

struct authn;

int authn_new(const struct pki *pki, struct registry *registry, const struct clock *clock, struct authn **out,
              struct err *e);
void authn_free(struct authn *a);
/* For registry_set_token_ops(); `self` is the struct authn. */
extern const struct token_ops authn_token_ops;
json_t *authn_key_set(const struct authn *a); /* returns new */

#define TOKEN_ISSUER "https://kubernetes.default.svc.cluster.local"

/* Fills rq->user; without credentials the user is anonymous (or the administrator, over plain HTTP). false: credentials
 * that are not good (401). */
bool authn_user(struct authn *a, struct request *rq);
/* The same by this token, wherever it was found. false: nobody's. */
bool authn_token(struct authn *a, const char *token, struct request *rq);
#define ADMIN_NAME "kubernetes-admin"
/* The request is the administrator's: somebody has proved it in another way. */
void authn_admin(struct request *rq);
/* The same of the one who only looks (apiserver.h). */
void authn_viewer(struct request *rq);
/* Impersonate-* headers. false: the refusal has been sent. */
bool authn_impersonate(struct request *rq);

#endif
