/* discovery.c - serving the documents that describe the API: /api, /apis, /apis/GROUP, …/VERSION, OpenAPI v2 and v3.
 *
 * DESIGN: the documents themselves are made by api/openapi.h, once. Here: which one, in which form, and the caching
 * headers that make kubectl ask seldom (ETag and 304; a v3 document whose hash is in the URL never changes, so it may
 * be kept for a year).
 * Source: apiserver endpoints/discovery/aggregated, kube-openapi handler and handler3.
 * THREADS: on the HTTP thread of the request. */
#include "api/openapi.h"

#include "apiserver/openapi_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool etag_known(const struct request *rq, const char *etag)
{
    const char *h = request_header(rq, "If-None-Match");
    const char *at = h && *etag ? strstr(h, etag) : NULL;
    return at && at > h && at[-1] == '"' && at[strlen(etag)] == '"';
}

/* The document with its ETag, or 304. */
static void reply_doc(struct request *rq, const struct doc *d, struct reply *r)
{
    r->etag = d->etag;
    if (etag_known(rq, d->etag)) {
        r->http = 304;
        r->type = NULL;
        reply_static(rq, r, "", 0);
        return;
    }
    r->http = 200;
    reply_static(rq, r, d->data, d->len);
}

/* -- /api and /apis -- */

static void reply_aggregated(struct request *rq, bool core, const char *version)
{
    struct doc d = discovery_aggregated(core, strcmp(version, "v2beta1") == 0);
    const char *type =
        arena_printf(&rq->arena, "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList", version);
    reply_doc(rq, &d, &(struct reply){.type = type, .cache = "public", .vary = "Accept"});
}

static void reply_legacy(struct request *rq, const struct wanted *w, const char *text, size_t len)
{
    struct buf b = BUF_INIT;
    while (len > 0 && text[len - 1] == '\n')
        len--;
    buf_add(&b, text, len);
    reply_json(rq, 200, w, &b);
}

static void serve_root(struct request *rq, bool core)
{
    struct wanted w;
    if (core && strcmp(rq->method, "GET") != 0) {
        reply_no_method(rq);
        return;
    }
    if (!reply_negotiate(rq, OFFER_DISCOVERY, &w))
        return;
    if (w.form == FORM_DISCOVERY) {
        reply_aggregated(rq, core, w.version);
    } else if (core) {
        _auto_free_ char *text = discovery_api_versions(rq->srv->host_port);
        reply_legacy(rq, &w, text, strlen(text));
    } else {
        struct doc d = discovery_group_list();
        reply_legacy(rq, &w, d.data, d.len);
    }
}

/* -- groups and versions -- */

static void serve_document(struct request *rq, struct doc d)
{
    struct wanted w;
    if (!d.data)
        reply_not_found(rq);
    else if (strcmp(rq->method, "GET") != 0)
        reply_no_method(rq);
    else if (reply_negotiate(rq, 0, &w))
        reply_legacy(rq, &w, d.data, d.len);
}

/* "apps" or "apps/v1", after /apis/ and without a slash at the end. */
static void serve_group(struct request *rq, char *rest)
{
    char *slash = strchr(rest, '/');
    if (slash)
        *slash = '\0';
    if (!*rest || !resource_has_group(rest))
        reply_no_page(rq);
    else if (!slash)
        serve_document(rq, discovery_group(rest));
    else if (strchr(slash + 1, '/'))
        reply_not_found(rq);
    else
        serve_document(rq, discovery_resource_list(rest, slash + 1));
}

void discovery_serve(struct request *rq)
{
    char *path = arena_strdup(&rq->arena, rq->target.path);
    size_t n = strlen(path);
    if (n > 1 && path[n - 1] == '/')
        path[n - 1] = '\0';
    if (strcmp(path, "/api") == 0)
        serve_root(rq, true);
    else if (strcmp(path, "/apis") == 0)
        serve_root(rq, false);
    else if (str_starts(path, "/api/"))
        serve_document(rq, discovery_resource_list("", path + strlen("/api/")));
    else if (str_starts(path, "/apis/"))
        serve_group(rq, path + strlen("/apis/"));
    else
        reply_no_page(rq);
}

/* -- OpenAPI -- */

void openapi_v2_serve(struct request *rq)
{
    /* Clients know two spellings; the answer's must be the one without "@", which is no valid media type. */
    static const char dotted[] = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    static const char *const proto[] = {"application/com.github.proto-openapi.spec.v2@v1.0+protobuf", dotted, NULL};
    static const char *const json[] = {"application/json", "application/*", NULL};
    const char *accept = request_header(rq, "Accept");
    struct reply r = {.vary = "Accept-Encoding, Accept"};
    if (accept_names(accept, json)) {
        struct doc d = openapi_v2_json();
        r.type = TYPE_JSON;
        reply_doc(rq, &d, &r);
    } else if (accept_names(accept, proto)) {
        struct doc d = openapi_v2_proto();
        r.type = dotted;
        reply_doc(rq, &d, &r);
    } else {
        r.http = 406;
        reply_static(rq, &r, "", 0);
    }
}

static const char *next_year(struct arena *a, int64_t now_ns)
{
    char text[64];
    struct tm tm;
    time_t t = (time_t)(now_ns / 1000000000) + 365 * 24 * 3600;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S UTC", &tm);
    return arena_strdup(a, text);
}

/* With the right hash the document may be kept for ever; a wrong one is sent to the right place. */
static void serve_v3_document(struct request *rq, const char *group_version)
{
    static const char *const json[] = {"application/json", "application/*", NULL};
    struct doc d = openapi_v3(group_version);
    struct reply r = {.vary = "Accept", .type = TYPE_JSON};
    if (!d.data) {
        reply_static(rq, &(struct reply){.http = 404}, "", 0);
        return;
    }
    const char *hash = query_get(&rq->query, "hash");
    if (!accept_names(request_header(rq, "Accept"), json)) {
        r.http = 406;
        r.type = NULL;
        reply_static(rq, &r, "", 0);
        return;
    }
    if (!str_empty(hash) && strcmp(hash, d.etag) != 0) {
        r = (struct reply){.http = 301, .vary = "Accept", .etag = d.etag};
        r.location = arena_printf(&rq->arena, "/openapi/v3/%s?hash=%s", group_version, d.etag);
        reply_static(rq, &r, "", 0);
        return;
    }
    if (!str_empty(hash)) {
        r.cache = "public, immutable";
        r.expires = next_year(&rq->arena, clock_wall_ns(rq->srv->clock));
    }
    reply_doc(rq, &d, &r);
}

void openapi_v3_serve(struct request *rq)
{
    static const char root[] = "/openapi/v3";
    const char *rest = rq->target.path + sizeof root - 1;
    if (!*rest) {
        struct doc d = openapi_v3_index();
        reply_static(rq, &(struct reply){.http = 200, .type = TYPE_TEXT}, d.data, d.len);
    } else {
        serve_v3_document(rq, rest + 1);
    }
}
