/* jwt_int.h - JSON Web Tokens signed with ECDSA P-256 (ES256): what service accounts carry. */
#ifndef STOWAGE_APISERVER_JWT_INT_H
#define STOWAGE_APISERVER_JWT_INT_H

#include "base/err.h"

#include <jansson.h>

struct jwt_key;

int jwt_key_load(const char *pem, struct jwt_key **out, struct err *e);
void jwt_key_free(struct jwt_key *k);
/* Returns new text. */
int jwt_sign(const struct jwt_key *k, const json_t *claims, char **out_token, struct err *e);
/* The claims of a token whose signature is ours; times are the caller's to check. Returns new; NULL if it is not. */
json_t *jwt_verify(const struct jwt_key *k, const char *token);
/* The public key as a JSON Web Key Set. Returns new. */
json_t *jwt_key_set(const struct jwt_key *k);

#endif
