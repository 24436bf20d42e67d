/* proxy_place.c - where a request to a proxy goes: the port of a pod, or of one behind a service; and its path there.
 *
 * A service's port is found by its name (a number is that of the service, and means the port's name), then one of the
 * ready addresses in the Endpoints that have that port: any, but it must be a pod's own. A pod's port is a number (or
 * a name this machine's services file knows; not a container's name for it), else the first that a container declares,
 * else the scheme's.
 *
 * Source: pkg/registry/core/service/storage/storage.go and pkg/registry/core/pod/strategy.go (ResourceLocation),
 * apimachinery util/net/port_split.go, util/proxy/{transport,upgradeaware}.go. THREADS: on the HTTP thread. */
#include "apiserver/proxy_int.h"

#include "api/status.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream_int.h"
#include "base/clock.h"
#include "base/json.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* -- the name -- */

struct proxy_name {
    const char *scheme, *name, *port; /* "" if not said */
};

static bool split_name(struct request *rq, struct proxy_name *out)
{
    char *parts[3] = {0}, *at = arena_strdup(&rq->arena, rq->target.name);
    size_t n = 0;
    for (char *next = at; next; at = next) {
        next = strchr(at, ':');
        if (n == 3)
            return false;
        if (next)
            *next++ = '\0';
        parts[n++] = at;
    }
    *out = (struct proxy_name){n == 3 ? parts[0] : "", n == 3 ? parts[1] : parts[0], n > 1 ? parts[n - 1] : ""};
    return *out->name && (!*out->scheme || str_eq(out->scheme, "http") || str_eq(out->scheme, "https"));
}

static struct sobj *read_object(struct request *rq, const struct resource *res, const char *name)
{
    struct sobj *o = reg_read(rq->srv->registry, res, rq->target.ns, name);
    if (!o)
        reply_status(rq, status_not_found(res, name));
    return o;
}

/* -- pods -- */

static int64_t declared_port(const json_t *pod)
{
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "spec.containers"), i, c)
    {
        const json_t *first = json_array_get(jat(c, "ports"), 0);
        if (first)
            return jint(first, "containerPort", 0);
    }
    return 0;
}

/* "8080", "http"; -1: nobody knows it. */
static int64_t known_port(const char *text)
{
    int64_t n;
    if (str_to_i64(text, &n))
        return n >= 0 && n <= UINT16_MAX ? n : -1;
    struct servent s, *found = NULL;
    char room[1024];
    if (getservbyname_r(text, "tcp", &s, room, sizeof room, &found) != 0 || !found)
        return -1;
    return (uint16_t)((unsigned)s.s_port << 8 & 0xff00) | ((unsigned)s.s_port >> 8 & 0xff);
}

static bool find_in_pod(struct request *rq, const struct proxy_name *n, struct proxy_place *out)
{
    _auto_sobj_ struct sobj *pod = read_object(rq, RES.pods, n->name);
    if (!pod)
        return false;
    const char *ip = jstr_or(pod->tree, "status.podIP", "");
    if (!*ip) {
        stream_refuse(rq, ERR_BAD_REQUEST, "address not allowed");
        return false;
    }
    int64_t port = *n->port ? known_port(n->port) : declared_port(pod->tree);
    if (port < 0) {
        stream_refuse(rq, ERR_UNAVAILABLE, "error trying to reach service: dial tcp: lookup tcp/%s: unknown port",
                      n->port);
        return false;
    }
    if (port == 0)
        port = out->tls ? 443 : 80;
    out->pod = arena_strdup(&rq->arena, n->name);
    out->ip = arena_strdup(&rq->arena, ip);
    out->port = (uint16_t)port;
    return true;
}

/* -- services -- */

/* The name of the service's port with that number; NULL after the refusal was sent. In the arena. */
static const char *port_name(struct request *rq, const char *service, int64_t number)
{
    _auto_sobj_ struct sobj *o = read_object(rq, RES.services, service);
    if (!o)
        return NULL;
    size_t i;
    json_t *p;
    json_array_foreach(jat(o->tree, "spec.ports"), i, p)
    {
        if (jint(p, "port", 0) == number)
            return arena_strdup(&rq->arena, jstr_or(p, "name", ""));
    }
    stream_refuse(rq, ERR_UNAVAILABLE, "no service port %lld found for service \"%s\"", (long long)number, service);
    return NULL;
}

/* Nobody shall be led by an Endpoints object to an address that is no pod's of the namespace. */
static bool take_address(struct request *rq, const json_t *address, struct proxy_place *out)
{
    const char *ip = jstr_or(address, "ip", ""), *name = jstr_or(address, "targetRef.name", "");
    if (!str_eq(jstr(address, "targetRef.kind"), "Pod") || !str_eq(jstr(address, "targetRef.namespace"), rq->target.ns))
        return false;
    _auto_sobj_ struct sobj *pod = reg_read(rq->srv->registry, RES.pods, rq->target.ns, name);
    if (!pod || !jfind(pod->tree, "status.podIPs", "ip", ip))
        return false;
    out->pod = arena_strdup(&rq->arena, name);
    out->ip = arena_strdup(&rq->arena, ip);
    return true;
}

static bool take_subset(struct request *rq, const json_t *subset, const char *port, struct proxy_place *out)
{
    const json_t *addresses = jat(subset, "addresses");
    const size_t count = json_array_size(addresses);
    uint32_t seed;
    random_bytes(&seed, sizeof seed);
    size_t i;
    json_t *p;
    json_array_foreach(jat(subset, "ports"), i, p)
    {
        if (!str_eq(jstr_or(p, "name", ""), port))
            continue;
        out->port = (uint16_t)jint(p, "port", 0);
        for (size_t k = 0; k < count; k++)
            if (take_address(rq, json_array_get(addresses, (seed + k) % count), out))
                return true;
    }
    return false;
}

static bool find_behind_service(struct request *rq, const struct proxy_name *n, struct proxy_place *out)
{
    int64_t number;
    const char *port = str_to_i64(n->port, &number) ? port_name(rq, n->name, number) : n->port;
    _auto_sobj_ struct sobj *endpoints = port ? read_object(rq, RES.endpoints, n->name) : NULL;
    if (!endpoints)
        return false;
    const json_t *subsets = jat(endpoints->tree, "subsets");
    const size_t count = json_array_size(subsets);
    uint32_t seed;
    random_bytes(&seed, sizeof seed);
    for (size_t i = 0; i < count; i++)
        if (take_subset(rq, json_array_get(subsets, (seed + i) % count), port, out))
            return true;
    stream_refuse(rq, ERR_UNAVAILABLE, "no endpoints available for service \"%s\"", count ? rq->target.name : n->name);
    return false;
}

bool proxy_place_find(struct request *rq, struct proxy_place *out)
{
    struct proxy_name n;
    bool of_pod = rq->res == RES.pods;
    if (!split_name(rq, &n)) {
        stream_refuse(rq, ERR_BAD_REQUEST, "invalid %s request \"%s\"", of_pod ? "pod" : "service", rq->target.name);
        return false;
    }
    *out = (struct proxy_place){.tls = str_eq(n.scheme, "https")};
    return of_pod ? find_in_pod(rq, &n, out) : find_behind_service(rq, &n, out);
}

/* -- the path -- */

/* As Go's URL.EscapedPath() of a decoded path. */
static const char *escape_path(struct arena *a, const char *path)
{
    char *out = arena_alloc(a, strlen(path) * 3 + 1), *to = out;
    for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
        if (isalnum(*p) ? *p < 128 : strchr("-_.~$&+,/:;=@", *p) != NULL) {
            *to++ = (char)*p;
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[*p >> 4];
            *to++ = "0123456789ABCDEF"[*p & 15];
        }
    }
    *to = '\0';
    return out;
}

/* As Go's path.Clean(), of a path whose first slash we add: ".." does not lead above it. */
static char *clean_path(struct arena *a, const char *path)
{
    char *out = arena_alloc(a, strlen(path) + 2);
    size_t len = 0;
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        const size_t n = strcspn(p, "/");
        if (n == 2 && strncmp(p, "..", 2) == 0) {
            while (len > 0 && out[--len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && *p == '.')) {
            out[len++] = '/';
            memcpy(out + len, p, n);
            len += n;
        }
        p += n;
    }
    out[len] = '\0';
    return out;
}

void proxy_path_of(struct request *rq, struct proxy_path *out)
{
    struct arena *a = &rq->arena;
    const char *path = rq->target.path;
    const size_t len = strlen(path), rest = strlen(rq->target.rest);
    const bool slash = str_ends(path, "/");
    size_t own = len;
    while (own > 0 && path[own - 1] == '/')
        own--;
    out->empty = rest == 0 && !slash;
    out->own = escape_path(a, path);
    out->prefix = arena_strndup(a, path, own - rest);
    const char *there = escape_path(a, clean_path(a, rq->target.rest));
    out->target = arena_printf(a, "%s%s%s%s", there, slash || !*there ? "/" : "", rq->raw_query ? "?" : "",
                               rq->raw_query ? rq->raw_query : "");
}

const char *proxy_location(struct request *rq, const struct proxy_path *path, const char *location)
{
    const char *scheme = strstr(location, "://"), *host = request_header(rq, "Host");
    const char *at = scheme && scheme < location + strcspn(location, "/?#") + 1 ? scheme + 3 : NULL;
    const char *rest = at ? at + strcspn(at, "/?#") : location;
    const bool ours = at && host && strlen(host) == (size_t)(rest - at) && strncmp(at, host, strlen(host)) == 0;
    if ((at && !ours) || *rest != '/' || str_starts(location, "//") || str_starts(rest, path->prefix))
        return arena_strdup(&rq->arena, location);
    return arena_printf(&rq->arena, "%.*s%s%s", (int)(rest - location), location, escape_path(&rq->arena, path->prefix),
                        rest);
}
