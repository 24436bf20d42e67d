/* target_int.h - what a request is about: the path and method read as Kubernetes reads them (RequestInfo), and whether
 * the resource table has such a thing (the route). */
#ifndef STOWAGE_APISERVER_TARGET_INT_H
#define STOWAGE_APISERVER_TARGET_INT_H

#include "api/resource.h"
#include "apiserver/query_int.h"

#include <stdbool.h>

struct target {
    const char *path; /* decoded */
    const char *verb; /* "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post"… */
    bool is_resource;
    bool via_watch; /* the old /api/v1/watch/… form */
    bool in_ns;     /* the path said namespaces/<ns>/ before the resource */
    const char *group, *version;
    const char *ns;       /* "" */
    const char *resource; /* plural */
    const char *name;     /* "" for a collection */
    const char *sub;      /* "" */
    const char *rest;     /* what follows the subresource, "" */
    size_t parts;         /* from the resource on */
};

/* Reads the path. All strings are in the arena. */
void target_parse(struct arena *a, const char *method, const char *path, const struct query *q, struct target *out);

enum route {
    ROUTE_OK,
    ROUTE_NO_GROUP,  /* 404 in plain text */
    ROUTE_NOT_FOUND, /* 404 Status */
    ROUTE_NO_METHOD, /* 405 */
};
/* Looks the target up in the resource table. On ROUTE_OK, *out_sub is NULL for the main resource. */
enum route target_route(const struct target *t, const char *method, const struct resource **out_res,
                        const struct subresource **out_sub);

#endif
