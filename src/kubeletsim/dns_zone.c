/* dns_zone.c - the names of the cluster's DNS, as CoreDNS makes them from services and endpoint slices.
 *
 *     web.default.svc.cluster.local              A the cluster IP; of a headless service: its ready pods
 *     db-0.web.default.svc.cluster.local         A one of those pods, by host name, or 10-244-0-5.web… by address
 *     _http._tcp.web.default.svc.cluster.local   SRV each named port
 *     out.default.svc.cluster.local              CNAME of an ExternalName
 *
 * Names above these exist with nothing of their own. Reverse names: cluster IPs and pods of headless services. Source:
 * Kubernetes DNS specification 1.1.0; CoreDNS' kubernetes plugin. THREADS: the loop thread. */
#include "kubeletsim/proxy_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ZONE "cluster.local"

struct zone {
    json_t *names, *reverse;
};

/* The records of a name; it and all above it exist from now on. Borrows. */
static json_t *records(struct zone *z, const char *name)
{
    json_t *have = json_object_get(z->names, name);
    if (have)
        return have;
    json_object_set_new(z->names, name, have = json_object());
    const char *dot = strchr(name, '.');
    if (dot && !str_eq(name, ZONE))
        records(z, dot + 1);
    return have;
}

static json_t *record_list(struct zone *z, const char *name, const char *type)
{
    json_t *all = records(z, name), *list = json_object_get(all, type);
    if (!list)
        json_object_set_new(all, type, list = json_array());
    return list;
}

static void add_address(struct zone *z, const char *name, const char *ip)
{
    jarr_add_unique(record_list(z, name, "A"), ip);
}

static void add_reverse(struct zone *z, const char *ip, const char *name)
{
    json_t *list = json_object_get(z->reverse, ip);
    if (!list)
        json_object_set_new(z->reverse, ip, list = json_array());
    jarr_add_unique(list, name);
}

/* _http._tcp.<service>; ports without a name have none. */
static void add_srv(struct zone *z, const char *service, const json_t *port, int64_t number, const char *target)
{
    char protocol[8] = "tcp";
    const char *name = jstr_or(port, "name", ""), *given = jstr_or(port, "protocol", "TCP");
    for (size_t i = 0; given[i] && i < sizeof protocol - 1; i++)
        protocol[i] = (char)tolower((unsigned char)given[i]);
    if (!*name || !number)
        return;
    _auto_free_ char *full = xasprintf("_%s._%s.%s", name, protocol, service);
    json_array_append_new(record_list(z, full, "SRV"),
                          json_pack("{s:I, s:s}", "port", (json_int_t)number, "target", target));
}

/* "db-0.web.default…" or "10-244-0-5.web.default…". Returns new. */
static char *endpoint_name(const json_t *endpoint, const char *ip, const char *service)
{
    const char *host = jstr_or(endpoint, "hostname", "");
    char *name = xasprintf("%s.%s", *host ? host : ip, service);
    for (char *c = name; !*host && c < name + strlen(ip); c++)
        *c = *c == '.' ? '-' : *c;
    return name;
}

static void add_endpoints(struct zone *z, const struct sobj *service, const char *name, const json_t *slice)
{
    size_t i, j, p;
    const json_t *endpoint, *address, *port;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
        {
            const char *ip = json_string_value(address);
            if (!ip || !proxy_endpoint_ready(endpoint))
                continue;
            _auto_free_ char *own = endpoint_name(endpoint, ip, name);
            add_address(z, name, ip);
            add_address(z, own, ip);
            add_reverse(z, ip, own);
            json_array_foreach(jat(service->tree, "spec.ports"), p, port)
            {
                add_srv(z, name, port, proxy_slice_port(slice, jstr_or(port, "name", "")), own);
            }
        }
    }
}

static void add_service(const struct proxy_view *v, struct zone *z, const struct sobj *service)
{
    const json_t *tree = service->tree, *port, *slice;
    const char *ip = jstr_or(tree, "spec.clusterIP", ""), *alias = jstr_or(tree, "spec.externalName", "");
    size_t i;
    _auto_free_ char *name = xasprintf("%s.%s.svc." ZONE, service->name, service->ns);
    if (str_eq(jstr(tree, "spec.type"), "ExternalName")) {
        const size_t len = strlen(alias);
        json_object_set_new(records(z, name), "CNAME",
                            json_stringn(alias, len && alias[len - 1] == '.' ? len - 1 : len));
        return;
    }
    if (str_eq(ip, "None")) {
        for (i = 0; (slice = proxy_slice(v, service, i)); i++)
            add_endpoints(z, service, name, slice);
        return;
    }
    if (!*ip)
        return;
    add_address(z, name, ip);
    add_reverse(z, ip, name);
    json_array_foreach(jat(tree, "spec.ports"), i, port) add_srv(z, name, port, jint(port, "port", 0), name);
}

void proxy_zone(const struct proxy_view *v, json_t *table)
{
    struct zone z = {json_object(), json_object()};
    for (size_t i = 0; i < v->namespaces.len; i++) {
        _auto_free_ char *services = xasprintf("%s.svc." ZONE, v->namespaces.items[i]->name);
        _auto_free_ char *pods = xasprintf("%s.pod." ZONE, v->namespaces.items[i]->name);
        records(&z, services);
        records(&z, pods);
    }
    for (size_t i = 0; i < v->services.len; i++)
        add_service(v, &z, v->services.items[i]);
    json_object_set_new(table, "names", z.names);
    json_object_set_new(table, "PTR", z.reverse);
}
