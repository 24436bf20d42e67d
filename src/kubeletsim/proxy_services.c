/* proxy_services.c - the ports of services and the pods behind each: inside the cluster, on nodes, on the user's
 * loopback.
 *
 * One rule a port and address: the cluster IP, external IPs, and for node ports the address that nodes lead to
 * (sys/node_net.c). What the user's own programs reach is marked "host": node ports on 127.0.0.1, and the loopback
 * address a load balancer was given. "service" says whose rule it is, for messages.
 *
 * Source: pkg/proxy/{topology,endpointslicecache}.go: ready endpoints; if there are none, those that still serve while
 * they end. THREADS: the loop thread. */
#include "kubeletsim/proxy_int.h"

#include <stdio.h>
#include <string.h>

#define SERVICE_LABEL "kubernetes.io/service-name"
#define NODES_LEAD_TO "172.30.0.1"
#define LOOPBACK      "127.0.0.1"

/* -- the view -- */

static void index_slices(struct proxy_view *v)
{
    v->slices_of = json_object();
    for (size_t i = 0; i < v->slices.len; i++) {
        const char *service = jmap(v->slices.trees[i], "metadata.labels", SERVICE_LABEL);
        if (!service)
            continue;
        _auto_free_ char *key = xasprintf("%s/%s", v->slices.items[i]->ns, service);
        json_t *list = json_object_get(v->slices_of, key);
        if (!list)
            json_object_set_new(v->slices_of, key, list = json_array());
        json_array_append_new(list, json_integer((json_int_t)i));
    }
}

void proxy_view_load(struct proxy_view *v, struct kubelet *k)
{
    struct registry *r = k->conf.registry;
    *v = (struct proxy_view){.cluster_dns = k->conf.cluster_dns, .owner = k};
    objlist_load(&v->services, r, RES.services->bucket, NULL);
    objlist_load(&v->slices, r, RES.endpointslices->bucket, NULL);
    objlist_load(&v->namespaces, r, RES.namespaces->bucket, NULL);
    objlist_load(&v->policies, r, RES.networkpolicies->bucket, NULL);
    if (v->policies.len)
        objlist_load(&v->pods, r, RES.pods->bucket, NULL);
    index_slices(v);
}

void proxy_view_release(struct proxy_view *v)
{
    objlist_release(&v->services);
    objlist_release(&v->slices);
    objlist_release(&v->namespaces);
    objlist_release(&v->policies);
    objlist_release(&v->pods);
    json_decref(v->slices_of);
}

const json_t *proxy_slice(const struct proxy_view *v, const struct sobj *service, size_t i)
{
    char key[512];
    snprintf(key, sizeof key, "%s/%s", service->ns, service->name);
    const json_t *at = json_array_get(json_object_get(v->slices_of, key), i);
    return at ? v->slices.trees[json_integer_value(at)] : NULL;
}

int64_t proxy_slice_port(const json_t *slice, const char *name)
{
    size_t i;
    const json_t *port;
    json_array_foreach(json_object_get(slice, "ports"), i, port)
    {
        if (str_eq(jstr_or(port, "name", ""), name))
            return jint(port, "port", 0);
    }
    return 0;
}

bool proxy_endpoint_ready(const json_t *endpoint)
{
    return jbool(endpoint, "conditions.ready", true);
}

/* -- pods behind a port -- */

static bool leaving(const json_t *endpoint)
{
    return jbool(endpoint, "conditions.serving", true) && jbool(endpoint, "conditions.terminating", false);
}

static void add_targets(json_t *targets, const json_t *slice, const char *port_name, bool (*fits)(const json_t *))
{
    const int64_t number = proxy_slice_port(slice, port_name);
    size_t i, j;
    const json_t *endpoint, *address;
    if (!str_eq(jstr_or(slice, "addressType", "IPv4"), "IPv4"))
        return;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
        {
            if (number && fits(endpoint))
                json_array_append_new(targets, json_sprintf("%s:%d", json_string_value(address), (int)number));
        }
    }
}

static json_t *targets_of(const struct proxy_view *v, const struct sobj *service, const json_t *port)
{
    bool (*const kinds[])(const json_t *) = {proxy_endpoint_ready, leaving};
    json_t *targets = json_array();
    for (size_t k = 0; k < ARRAY_LEN(kinds) && !json_array_size(targets); k++) {
        const json_t *slice;
        for (size_t i = 0; (slice = proxy_slice(v, service, i)); i++)
            add_targets(targets, slice, jstr_or(port, "name", ""), kinds[k]);
    }
    return targets;
}

/* -- rules -- */

struct rule {
    const struct sobj *service;
    const char *protocol;
    json_t *targets; /* borrowed */
    bool sticky;
};

static void add_rule(json_t *out, const struct rule *r, const char *ip, int64_t port, bool host)
{
    if (str_empty(ip) || port <= 0)
        return;
    json_t *rule = json_pack("{s:s, s:I, s:s, s:O}", "ip", ip, "port", (json_int_t)port, "protocol", r->protocol,
                             "targets", r->targets);
    if (!rule)
        return;
    if (r->sticky)
        json_object_set_new(rule, "sticky", json_true());
    if (host) {
        json_object_set_new(rule, "host", json_true());
        json_object_set_new(rule, "service", json_sprintf("%s/%s", r->service->ns, r->service->name));
    }
    json_array_append_new(out, rule);
}

static void add_port(json_t *out, const struct rule *r, const json_t *port)
{
    const json_t *svc = r->service->tree, *item;
    const int64_t number = jint(port, "port", 0), node_port = jint(port, "nodePort", 0);
    size_t i;
    add_rule(out, r, jstr(svc, "spec.clusterIP"), number, false);
    json_array_foreach(jat(svc, "spec.externalIPs"), i, item)
    {
        add_rule(out, r, json_string_value(item), number, false);
    }
    if (node_port) {
        add_rule(out, r, NODES_LEAD_TO, node_port, false);
        add_rule(out, r, LOOPBACK, node_port, true);
    }
    json_array_foreach(jat(svc, "status.loadBalancer.ingress"), i, item)
    {
        const char *ip = jstr_or(item, "ip", "");
        if (str_starts(ip, "127."))
            add_rule(out, r, ip, number, true);
    }
}

/* The API server and the DNS server listen at their addresses themselves. */
static bool serves_itself(const struct proxy_view *v, const struct sobj *service)
{
    return (str_eq(service->ns, "default") && str_eq(service->name, "kubernetes")) ||
           str_eq(jstr(service->tree, "spec.clusterIP"), v->cluster_dns);
}

json_t *proxy_services(const struct proxy_view *v)
{
    json_t *out = json_array();
    for (size_t s = 0; s < v->services.len; s++) {
        const struct sobj *service = v->services.items[s];
        const char *ip = jstr_or(service->tree, "spec.clusterIP", "");
        size_t i;
        const json_t *port;
        if (!*ip || str_eq(ip, "None") || serves_itself(v, service))
            continue;
        json_array_foreach(jat(service->tree, "spec.ports"), i, port)
        {
            _auto_json_ json_t *targets = targets_of(v, service, port);
            const struct rule r = {.service = service,
                                   .protocol = jstr_or(port, "protocol", "TCP"),
                                   .targets = targets,
                                   .sticky = str_eq(jstr(service->tree, "spec.sessionAffinity"), "ClientIP")};
            add_port(out, &r, port);
        }
    }
    return out;
}
