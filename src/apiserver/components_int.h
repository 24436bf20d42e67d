/* components_int.h - componentstatuses: how the parts of the control plane are. Private to apiserver. */
#ifndef STOWAGE_APISERVER_COMPONENTS_INT_H
#define STOWAGE_APISERVER_COMPONENTS_INT_H

#include "apiserver/request_int.h"

#include <stdbool.h>

/* Answers a request to componentstatuses; false: it is to another resource. */
bool components_serve(struct request *rq);

/* paths.c: what the health checks ask, too. */
bool health_of_store(struct apiserver *s);
bool health_of_loops(struct apiserver *s);

#endif
