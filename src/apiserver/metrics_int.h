/* metrics_int.h - what nodes tell of their usage, over HTTP. Private to apiserver. */
#ifndef STOWAGE_APISERVER_METRICS_INT_H
#define STOWAGE_APISERVER_METRICS_INT_H

#include "apiserver/request_int.h"

#include <stdbool.h>

/* Answers a request to metrics.k8s.io; false: it is to another group. */
bool metrics_serve(struct request *rq);
/* nodes/NAME/proxy/PATH: a page of the node's own server. */
void node_proxy_serve(struct request *rq);

#endif
