/* requests.h - answers to the local control socket: status, down, shell. */
#ifndef STOWAGE_APP_REQUESTS_H
#define STOWAGE_APP_REQUESTS_H

#include "base/err.h"

#include <jansson.h>

/* A local_handler (cli/local.h); arg is the struct cluster. */
int requests_handle(void *arg, const json_t *request, json_t **out, int fds[4], struct err *e);

#endif
