/* watch_ws_int.h - a watch carried by a WebSocket: each event one text message. What browsers use, since they have but
 * six ordinary connections to a server. Source: apiserver endpoints/handlers/watch.go HandleWS. */
#ifndef STOWAGE_APISERVER_STREAM_WATCH_WS_INT_H
#define STOWAGE_APISERVER_STREAM_WATCH_WS_INT_H

#include "apiserver/request_int.h"

void watch_ws_open(struct request *rq);

#endif
