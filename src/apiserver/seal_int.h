/* seal_int.h - private to the API server: see apiserver_seal() in apiserver.h. */
#ifndef STOWAGE_APISERVER_SEAL_INT_H
#define STOWAGE_APISERVER_SEAL_INT_H

#include "apiserver/waker_int.h"

#include <stdatomic.h>
#include <stdbool.h>

struct request;

struct seal {
    char pass[65];             /* constant */
    atomic_llong at;           /* seconds since 1970; 0: never */
    struct wake wake;          /* when it has come */
    void (*sealed)(void *arg); /* told then; NULL: nobody */
    void *arg;
};
void seal_init(struct seal *s);
/* true: the 403 has been sent, since this request might change something and the cluster is sealed. */
bool seal_refuses(struct request *rq);

#endif
