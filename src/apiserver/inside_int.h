/* inside_int.h - a second listening socket, inside the cluster's network: nodes and pods reach the API at its Service
 * address. */
#ifndef STOWAGE_APISERVER_INSIDE_INT_H
#define STOWAGE_APISERVER_INSIDE_INT_H

#include "apiserver/apiserver.h"

struct inside;
void inside_stop(struct inside *i); /* NULL is fine */

#endif
