/* proxy_services.c - the ports of services and the pods behind each: inside the cluster, on nodes, on the user's
 * loopback.
 *
 * One rule a port and address: the cluster IP, external IPs, and for node ports the address that nodes lead to
 * (sys/node_net.c). What the user's own programs reach is marked "host": node ports on 127.0.0.1, and the loopback
 * address a load balancer was given. "service" says whose rule it is, for messages. Where a traffic policy is Local,
 * "local" says which pods each node has: internal, by where the caller is; external, by which node was called. The
 * user's loopback stands for a load balancer, which calls nodes that have pods only.
 *
 * Source: pkg/proxy/{topology,endpointslicecache}.go: ready endpoints; if there are none, those that still serve while
 * they end. THREADS: the loop thread. */
#include "kubeletsim/proxy_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Pods behind a port, and which of them each node has: [[index of the node, [target…]]…]. Owned. */
struct targets {
    json_t *all, *of_nodes;
};

static void add_target(const struct proxy_view *v, struct targets *t, const json_t *endpoint, json_t *take_target)
{
    const int node = kubelet_node_index(v->owner, jstr(endpoint, "nodeName"));
    size_t i;
    json_t *pair;
    json_array_append(t->all, take_target);
    json_array_foreach(t->of_nodes, i, pair)
    {
        if (json_integer_value(json_array_get(pair, 0)) == node) {
            json_array_append_new(json_array_get(pair, 1), take_target);
            return;
        }
    }
    if (node >= 0)
        json_array_append_new(t->of_nodes, json_pack("[i, [o]]", node, take_target));
    else
        json_decref(take_target);
}

static void add_targets(const struct proxy_view *v, struct targets *t, const json_t *slice, const char *port_name,
                        bool (*fits)(const json_t *))
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
                add_target(v, t, endpoint, json_sprintf("%s:%d", json_string_value(address), (int)number));
        }
    }
}

static struct targets targets_of(const struct proxy_view *v, const struct sobj *service, const json_t *port)
{
    bool (*const kinds[])(const json_t *) = {proxy_endpoint_ready, leaving};
    struct targets t = {json_array(), json_array()};
    for (size_t k = 0; k < ARRAY_LEN(kinds) && !json_array_size(t.all); k++) {
        const json_t *slice;
        for (size_t i = 0; (slice = proxy_slice(v, service, i)); i++)
            add_targets(v, &t, slice, jstr_or(port, "name", ""), kinds[k]);
    }
    return t;
}

/* -- rules -- */

struct rule {
    const struct sobj *service;
    const char *protocol;
    const struct targets *targets;
    int64_t sticky; /* seconds; 0: no affinity */
};
enum reach { REACH_ALL, REACH_NODE, REACH_HOST }; /* all pods; the caller's node's only; the user's loopback: all */

static void add_rule(json_t *out, const struct rule *r, const char *ip, int64_t port, enum reach reach)
{
    if (str_empty(ip) || port <= 0)
        return;
    json_t *rule = json_pack("{s:s, s:I, s:s, s:O}", "ip", ip, "port", (json_int_t)port, "protocol", r->protocol,
                             "targets", r->targets->all);
    if (!rule)
        return;
    if (r->sticky)
        json_object_set_new(rule, "sticky", json_integer(r->sticky));
    if (reach == REACH_NODE)
        json_object_set(rule, "local", r->targets->of_nodes);
    if (reach == REACH_HOST) {
        json_object_set_new(rule, "host", json_true());
        json_object_set_new(rule, "service", json_sprintf("%s/%s", r->service->ns, r->service->name));
    }
    json_array_append_new(out, rule);
}

/* Whoever calls a load balancer here is 127.0.0.1. */
static bool admits_loopback(const json_t *ranges)
{
    size_t i;
    const json_t *range;
    json_array_foreach(ranges, i, range)
    {
        char text[64];
        struct in_addr ip;
        snprintf(text, sizeof text, "%s", json_string_value(range) ? json_string_value(range) : "");
        char *slash = strchr(text, '/');
        const int bits = slash ? (int)strtol(slash + 1, NULL, 10) : 32;
        if (slash)
            *slash = '\0';
        const uint32_t mask = bits <= 0 ? 0 : UINT32_MAX << (32 - (bits < 32 ? bits : 32));
        if (inet_pton(AF_INET, text, &ip) == 1 && ((ntohl(ip.s_addr) ^ INADDR_LOOPBACK) & mask) == 0)
            return true;
    }
    return json_array_size(ranges) == 0;
}

static void add_port(json_t *out, const struct rule *r, const json_t *port)
{
    const json_t *svc = r->service->tree, *item;
    const int64_t number = jint(port, "port", 0), node_port = jint(port, "nodePort", 0);
    const enum reach inside = str_eq(jstr(svc, "spec.internalTrafficPolicy"), "Local") ? REACH_NODE : REACH_ALL;
    const enum reach outside = str_eq(jstr(svc, "spec.externalTrafficPolicy"), "Local") ? REACH_NODE : REACH_ALL;
    size_t i;
    add_rule(out, r, jstr(svc, "spec.clusterIP"), number, inside);
    json_array_foreach(jat(svc, "spec.externalIPs"), i, item) /* pods that call it are inside */
    {
        add_rule(out, r, json_string_value(item), number, REACH_ALL);
    }
    if (node_port) {
        add_rule(out, r, NODES_LEAD_TO, node_port, outside);
        add_rule(out, r, LOOPBACK, node_port, REACH_HOST);
    }
    json_array_foreach(jat(svc, "status.loadBalancer.ingress"), i, item)
    {
        const char *ip = jstr_or(item, "ip", "");
        if (str_starts(ip, "127.") && admits_loopback(jat(svc, "spec.loadBalancerSourceRanges")))
            add_rule(out, r, ip, number, REACH_HOST);
    }
}

static int64_t affinity_seconds(const json_t *service)
{
    if (!str_eq(jstr(service, "spec.sessionAffinity"), "ClientIP"))
        return 0;
    return jint(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10800);
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
            const struct targets targets = targets_of(v, service, port);
            const struct rule r = {.service = service,
                                   .protocol = jstr_or(port, "protocol", "TCP"),
                                   .targets = &targets,
                                   .sticky = affinity_seconds(service->tree)};
            add_port(out, &r, port);
            json_decref(targets.all);
            json_decref(targets.of_nodes);
        }
    }
    return out;
}
