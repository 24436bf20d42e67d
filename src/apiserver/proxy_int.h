/* proxy_int.h - pods/NAME/proxy/PATH and services/NAME/proxy/PATH: where a request is to go, and taking it there.
 * Private to apiserver. */
#ifndef STOWAGE_APISERVER_PROXY_INT_H
#define STOWAGE_APISERVER_PROXY_INT_H

#include "apiserver/request_int.h"
#include "ingress/io.h"

/* A port of a pod; all texts are in the request's arena. */
struct proxy_place {
    bool tls;
    const char *pod, *ip;
    uint16_t port;
};
/* Reads NAME, NAME:PORT or SCHEME:NAME:PORT and looks it up; false: the refusal was sent. */
bool proxy_place_find(struct request *rq, struct proxy_place *out);

/* What the pod is asked: path and query as a request line has them, and what of our own path stands before that. In
 * the arena. */
struct proxy_path {
    const char *target; /* "/a%20b?x=1" */
    const char *own;    /* our path as asked, escaped */
    const char *prefix; /* "/api/v1/namespaces/default/pods/web/proxy" */
    bool empty;         /* nothing, not even a slash, follows "proxy" */
};
void proxy_path_of(struct request *rq, struct proxy_path *out);
/* A Location the pod named, as the client has to ask for it. In the arena. */
const char *proxy_location(struct request *rq, const struct proxy_path *path, const char *location);

/* A session (stream_int.h): bytes between its client and a pod that has answered 101, until one of them ends. */
struct upgraded;
void proxy_tunnel(struct upgraded *up, struct io *pod);

/* Pods and services; nodes have node_proxy_serve(). */
void proxy_serve(struct request *rq);

#endif
