/* router.c - the way of a request: who, may he, what, in which form; then the handler.
 *
 * DESIGN: the order is the real server's, because it decides which of several errors a client sees:
 *
 *     path and time-out (400) -> authentication (401) -> impersonation, authorization (403) -> group, resource (404)
 *     -> method (405) -> body type of a patch (415) -> Accept (406) -> the handler (400, 404, 409, 422, …)
 *
 * Source: apiserver server/config.go DefaultBuildHandlerChain, endpoints/installer.go, go-restful's router.
 * THREADS: on the HTTP thread of the request.
 * When you add a subresource with behaviour of its own: a row in sub_handlers; a kind of empty_lists: drop its row. */
#include "apiserver/authn_int.h"
#include "apiserver/authz_int.h"
#include "apiserver/components_int.h"
#include "apiserver/console/console_int.h"
#include "apiserver/metrics_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/write_int.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *sub;
    void (*serve)(struct request *rq);
} sub_handlers[] = {
    {"log", log_serve},      {"exec", stream_serve}, {"attach", stream_serve}, {"portforward", stream_serve},
    {"proxy", stream_serve},
};

static const struct {
    const char *verb;
    void (*serve)(struct request *rq);
} verb_handlers[] = {
    {"get", get_serve},       {"list", list_serve},
    {"watch", watch_serve},   {"create", create_serve},
    {"update", update_serve}, {"patch", patch_serve},
    {"delete", delete_serve}, {"deletecollection", delete_collection_serve},
};

/* -- the path -- */

/* "http://host/path" (as to a proxy) -> "/path". */
static const char *only_path(const char *raw)
{
    const char *p = raw[0] == '/' ? NULL : strstr(raw, "://");
    if (!p)
        return raw;
    p = strchr(p + 3, '/');
    return p ? p : "/";
}

static bool read_target(struct request *rq)
{
    const char *raw = only_path(rq->raw);
    const char *path = url_decode(&rq->arena, raw, strlen(raw), false);
    if (!path || path[0] != '/') {
        reply_text(rq, 400, "400 Bad Request");
        return false;
    }
    target_parse(&rq->arena, rq->method, path, &rq->query, &rq->target);
    const char *timeout = query_get(&rq->query, "timeout");
    bool to_others = strcmp(rq->target.sub, "proxy") == 0; /* whose query it is */
    if (str_empty(timeout) || to_others || duration_ok(timeout))
        return true;
    struct err e = ERR_INIT;
    err_set(&e, ERR_BAD_REQUEST, "invalid timeout specified in the request URL - time: invalid duration \"%s\"",
            timeout);
    reply_err(rq, &e);
    return false;
}

/* The console is called by its own name only, or any page could have a name of its own lead there. */
static bool by_our_name(struct request *rq)
{
    if (console_host_ours(rq))
        return true;
    reply_text(rq, 403, "403 Forbidden: this is the console of a cluster on this machine\n");
    return false;
}

/* Over plain HTTP whoever reaches the port is the administrator; a web page in the user's browser must not be that. */
static bool local_request(struct request *rq)
{
    if (console_at_door(rq))
        return by_our_name(rq);
    if (!rq->srv->plain_http)
        return true;
    const char *host = request_header(rq, "Host");
    static const char *const ours[] = {"localhost", "127.0.0.1", "[::1]", NULL};
    bool ok = !host;
    for (const char *const *o = ours; *o && !ok; o++) {
        size_t n = strlen(*o);
        ok = strncmp(host, *o, n) == 0 && (!host[n] || host[n] == ':');
    }
    if (ok && !request_header(rq, "Origin"))
        return true;
    reply_text(rq, 403, "403 Forbidden: plain HTTP is for programs on this machine\n");
    return false;
}

static bool known_user(struct request *rq)
{
    if (authn_user(rq->srv->authn, rq))
        return true;
    struct err e = ERR_INIT;
    err_set(&e, ERR_UNAUTHORIZED, "Unauthorized");
    reply_err(rq, &e);
    return false;
}

/* -- resources -- */

/* The real router's coarse look at the headers, before any handler. */
static bool headers_fit(struct request *rq)
{
    static const char *const object[] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
                                         NULL};
    static const char *const collection[] = {"application/json",
                                             "application/yaml",
                                             "application/vnd.kubernetes.protobuf",
                                             "application/json;stream=watch",
                                             "application/vnd.kubernetes.protobuf;stream=watch",
                                             NULL};
    if (rq->sub && !(rq->sub->verbs & (VERB_UPDATE | VERB_PATCH)) && strcmp(rq->method, "GET") == 0)
        return true; /* log and streams choose their own type */
    if (rq->sub && strcmp(rq->sub->name, "proxy") == 0)
        return true;
    if (strcmp(rq->method, "PATCH") == 0 && !patch_type_known(rq)) {
        reply_status(rq, patch_type_refusal());
        return false;
    }
    bool watchable = strcmp(rq->method, "GET") == 0 && rq->target.parts == 1 && (rq->res->verbs & VERB_WATCH);
    const char *const *types = watchable ? collection : object;
    if (accept_names(request_header(rq, "Accept"), types))
        return true;
    reply_not_acceptable(rq, types);
    return false;
}

static const char *bad_name(struct request *rq, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return arena_printf(&rq->arena, "may not be '%s'", name);
    return strchr(name, '%') ? "may not contain '%'" : NULL;
}

static bool name_fits(struct request *rq)
{
    if (rq->target.parts < 2 || !rq->target.name[0])
        return true;
    const char *why = bad_name(rq, rq->target.name);
    if (!why)
        return true;
    struct err e = ERR_INIT;
    err_set(&e, ERR_BAD_REQUEST, "Name parameter invalid: \"%s\": %s", rq->target.name, why);
    reply_err(rq, &e);
    return false;
}

static void serve_resource(struct request *rq)
{
    if (!headers_fit(rq) || !name_fits(rq) || metrics_serve(rq) || components_serve(rq))
        return;
    for (size_t i = 0; rq->sub && i < ARRAY_LEN(sub_handlers); i++)
        if (strcmp(rq->sub->name, sub_handlers[i].sub) == 0) {
            sub_handlers[i].serve(rq);
            return;
        }
    for (size_t i = 0; i < ARRAY_LEN(verb_handlers); i++)
        if (strcmp(rq->target.verb, verb_handlers[i].verb) == 0) {
            verb_handlers[i].serve(rq);
            return;
        }
    reply_no_method(rq);
}

static void route_resource(struct request *rq)
{
    switch (target_route(&rq->target, rq->method, &rq->res, &rq->sub)) {
    case ROUTE_OK:
        serve_resource(rq);
        return;
    case ROUTE_NO_GROUP:
        reply_no_page(rq);
        return;
    case ROUTE_NO_METHOD:
        reply_no_method(rq);
        return;
    case ROUTE_NOT_FOUND:
        break;
    }
    reply_not_found(rq);
}

void route_request(struct request *rq)
{
    if (!read_target(rq) || !local_request(rq) || console_serve_page(rq) || !known_user(rq) || !authn_impersonate(rq) ||
        !authz_request(rq) || seal_refuses(rq))
        return;
    if (rq->target.is_resource)
        route_resource(rq);
    else if (!console_serve(rq) && !paths_serve(rq))
        discovery_serve(rq);
}
