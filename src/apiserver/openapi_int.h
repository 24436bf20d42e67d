/* openapi_int.h - serving the OpenAPI documents. */
#ifndef STOWAGE_APISERVER_OPENAPI_INT_H
#define STOWAGE_APISERVER_OPENAPI_INT_H

#include "apiserver/request_int.h"

void openapi_v2_serve(struct request *rq); /* /openapi/v2 */
void openapi_v3_serve(struct request *rq); /* /openapi/v3 and below */

#endif
