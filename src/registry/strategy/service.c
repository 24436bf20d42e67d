/* service.c - services: cluster IPs, node ports, IP families, and the fields that come and go with the type.
 *
 * DESIGN: what is taken is read from the store when something is to be chosen, under one lock (service_mu) that is held
 * until the commit. There is no allocator state that could leak, drift or need repair, and a cluster of this size has
 * few services.
 *
 * Kinds of service and what they own:
 *     ClusterIP     cluster IP (or None: headless)
 *     NodePort      cluster IP, a node port for each port
 *     LoadBalancer  as NodePort, node ports unless allocateLoadBalancerNodePorts is false
 *     ExternalName  nothing
 *
 * A dry run takes nothing: it answers the first address of the range, as the real server does.
 * Source: pkg/registry/core/service/{strategy.go,storage/alloc.go}. */
#include "registry/meta_int.h"
#include "registry/strategy_int.h"

#include "base/buf.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PORT_FIRST   30000
#define PORT_LAST    32767
#define CHOICE_TRIES 4096

static const char *type_of(const json_t *svc)
{
    return jstr_or(svc, "spec.type", "ClusterIP");
}

static bool needs_ip(const json_t *svc)
{
    return strcmp(type_of(svc), "ExternalName") != 0;
}

static bool needs_ports(const json_t *svc)
{
    const char *type = type_of(svc);
    return strcmp(type, "NodePort") == 0 ||
           (strcmp(type, "LoadBalancer") == 0 && jbool(svc, "spec.allocateLoadBalancerNodePorts", true));
}

static bool is_external(const json_t *svc)
{
    const char *type = type_of(svc);
    return strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0;
}

static bool is_headless(const json_t *svc)
{
    return str_eq(jstr(svc, "spec.clusterIP"), "None");
}

/* -- the two spellings of the cluster IP -- */

static void set_ip(json_t *spec, const char *ip)
{
    json_object_set_new(spec, "clusterIP", json_string(ip));
    json_object_set_new(spec, "clusterIPs", json_pack("[s]", ip));
}

static void clear_ip(json_t *spec)
{
    json_object_del(spec, "clusterIP");
    json_object_del(spec, "clusterIPs");
}

/* A client that edits only the old field means both. */
static void join_ips(json_t *spec, const json_t *old)
{
    const char *ip = jstr_or(spec, "clusterIP", "");
    json_t *ips = json_object_get(spec, "clusterIPs");
    if (!old) {
        if (*ip && json_array_size(ips) == 0)
            json_object_set_new(spec, "clusterIPs", json_pack("[s]", ip));
        return;
    }
    const char *was = jstr_or(old, "spec.clusterIP", "");
    bool same_list = json_equal(ips, jat(old, "spec.clusterIPs"));
    if (!*ip && *was && same_list)
        json_object_del(spec, "clusterIPs");
    else if (*ip && (json_array_size(ips) == 0 || (strcmp(ip, was) != 0 && same_list)))
        json_object_set_new(spec, "clusterIPs", json_pack("[s]", ip));
}

/* -- update: what was given stays unless the client says otherwise -- */

static void keep_ports(json_t *spec, const json_t *old)
{
    size_t i, j;
    json_t *p, *q;
    json_array_foreach(json_object_get(spec, "ports"), i, p)
    {
        if (jint(p, "nodePort", 0) != 0)
            continue;
        json_array_foreach(jat(old, "spec.ports"), j, q)
        {
            if (jint(p, "port", 0) == jint(q, "port", 0) && str_eq(jstr(p, "protocol"), jstr(q, "protocol")) &&
                jint(q, "nodePort", 0) != 0)
                json_object_set(p, "nodePort", json_object_get(q, "nodePort"));
        }
    }
}

static void keep_allocated(json_t *obj, const json_t *old)
{
    json_t *spec = json_object_get(obj, "spec");
    if (needs_ip(obj) && needs_ip(old) && !*jstr_or(spec, "clusterIP", "")) {
        member_copy(spec, json_object_get(old, "spec"), "clusterIP");
        if (json_array_size(json_object_get(spec, "clusterIPs")) == 0)
            member_copy(spec, json_object_get(old, "spec"), "clusterIPs");
    }
    if (needs_ports(obj) && needs_ports(old))
        keep_ports(spec, old);
}

static bool unchanged(const json_t *obj, const json_t *old, const char *member)
{
    return member_equal(json_object_get(obj, "spec"), json_object_get(old, "spec"), member);
}

/* A client that changes the type but leaves what belonged to the old one means it to go. */
static void drop_of_old_type(json_t *obj, const json_t *old)
{
    static const char *const of_ip[] = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy",
                                        "internalTrafficPolicy"};
    static const char *const of_balancer[] = {"allocateLoadBalancerNodePorts", "loadBalancerClass",
                                              "healthCheckNodePort"};
    json_t *spec = json_object_get(obj, "spec");
    for (size_t i = 0; needs_ip(old) && !needs_ip(obj) && i < ARRAY_LEN(of_ip); i++)
        if (unchanged(obj, old, of_ip[i]))
            json_object_del(spec, of_ip[i]);
    bool balanced = strcmp(type_of(old), "LoadBalancer") == 0 && strcmp(type_of(obj), "LoadBalancer") != 0;
    for (size_t i = 0; balanced && i < ARRAY_LEN(of_balancer); i++)
        if (unchanged(obj, old, of_balancer[i]))
            json_object_del(spec, of_balancer[i]);
    if (is_external(old) && !is_external(obj) && unchanged(obj, old, "externalTrafficPolicy"))
        json_object_del(spec, "externalTrafficPolicy");
    size_t i;
    json_t *p;
    if (needs_ports(old) && !needs_ports(obj))
        json_array_foreach(json_object_get(spec, "ports"), i, p) json_object_del(p, "nodePort");
}

/* -- families: this cluster has one -- */

static int set_families(struct op *op, json_t *obj)
{
    json_t *spec = json_object_get(obj, "spec");
    const char *policy = jstr_or(spec, "ipFamilyPolicy", "");
    bool both = is_headless(obj) && json_object_size(json_object_get(spec, "selector")) == 0 &&
                strcmp(policy, "SingleStack") != 0;
    if (strcmp(policy, "RequireDualStack") == 0 && !both) {
        _auto_field_errors_ struct field_errors errs = {0};
        fe_invalid_str(&errs, "spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services");
        return op_invalid(op, meta_name(obj), &errs);
    }
    if (json_array_size(json_object_get(spec, "ipFamilies")) == 0)
        json_object_set_new(spec, "ipFamilies", both ? json_pack("[ss]", "IPv4", "IPv6") : json_pack("[s]", "IPv4"));
    if (!*policy)
        json_object_set_new(spec, "ipFamilyPolicy", json_string(both ? "RequireDualStack" : "SingleStack"));
    return 0;
}

/* -- choosing -- */

struct taken {
    const char *ip;                /* is this address … */
    int64_t port;                  /* … or this node port */
    const char *own_ns, *own_name; /* the service that asks does not count */
    bool found;
};

static int look(struct sobj *svc, void *arg)
{
    struct taken *t = arg;
    if (strcmp(svc->ns, t->own_ns) == 0 && strcmp(svc->name, t->own_name) == 0)
        return 0;
    size_t i;
    json_t *v;
    json_array_foreach(jat(svc->tree, "spec.clusterIPs"), i, v) t->found =
        t->found || (t->ip && str_eq(json_string_value(v), t->ip));
    json_array_foreach(jat(svc->tree, "spec.ports"), i, v) t->found =
        t->found || (t->port && jint(v, "nodePort", 0) == t->port);
    return t->found;
}

static bool is_taken(struct op *op, const json_t *obj, const char *ip, int64_t port)
{
    struct taken t = {.ip = ip, .port = port, .own_ns = op->t->ns, .own_name = meta_name(obj)};
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, RES.services->bucket, NULL, NULL, NULL, look, &t);
    snapshot_unref(snap);
    return t.found;
}

struct range {
    uint32_t base, size;
};

static struct range service_range(const struct op *op)
{
    struct range r = {0x0a600000, 1u << 20}; /* 10.96.0.0/12 */
    _auto_free_ char *cidr = xstrdup(op->r->service_cidr);
    char *slash = strchr(cidr, '/');
    struct in_addr a;
    if (!slash)
        return r;
    *slash = 0;
    uint64_t bits = 0;
    if (!str_to_u64(slash + 1, &bits) || bits < 1 || bits > 30 || inet_pton(AF_INET, cidr, &a) != 1)
        return r;
    return (struct range){ntohl(a.s_addr), 1u << (32 - bits)};
}

static void ip_text(uint32_t ip, char out[INET_ADDRSTRLEN])
{
    struct in_addr a = {.s_addr = htonl(ip)};
    inet_ntop(AF_INET, &a, out, INET_ADDRSTRLEN);
}

static int ip_refused(struct op *op, const json_t *obj, const char *ip, const char *why)
{
    _auto_field_errors_ struct field_errors errs = {0};
    _auto_free_ char *value = xasprintf("[]string{\"%s\"}", ip);
    _auto_free_ char *detail = xasprintf("failed to allocate IP %s: %s", ip, why);
    fe_add(&errs, FE_INVALID, "spec.clusterIPs", value, detail);
    return op_invalid(op, meta_name(obj), &errs);
}

static int take_ip(struct op *op, json_t *obj, const char *ip)
{
    struct range r = service_range(op);
    struct in_addr a;
    if (inet_pton(AF_INET, ip, &a) != 1)
        return 0; /* validation words this */
    uint32_t n = ntohl(a.s_addr);
    if (n <= r.base || n >= r.base + r.size - 1) {
        _auto_free_ char *why = xasprintf(
            "the provided IP (%s) is not in the valid range. The range of valid IPs is %s", ip, op->r->service_cidr);
        return ip_refused(op, obj, ip, why);
    }
    if (op->ctx->dry_run || !is_taken(op, obj, ip, 0))
        return 0;
    return ip_refused(op, obj, ip, "provided IP is already allocated");
}

static int choose_ip(struct op *op, json_t *obj)
{
    struct range r = service_range(op);
    char text[INET_ADDRSTRLEN];
    json_t *spec = json_object_get(obj, "spec");
    if (op->ctx->dry_run) {
        ip_text(r.base, text);
        set_ip(spec, text);
        return 0;
    }
    for (int i = 0; i < CHOICE_TRIES; i++) {
        uint32_t x;
        random_bytes(&x, sizeof x);
        /* The low part of the range is left to those who choose for themselves. */
        uint32_t low = r.size > 512 ? 256 : 1;
        ip_text(r.base + low + x % (r.size - 1 - low), text);
        if (is_taken(op, obj, text, 0))
            continue;
        set_ip(spec, text);
        return 0;
    }
    return op_fail_code(op, ERR_INTERNAL, "Internal error occurred: failed to allocate a serviceIP: range is full");
}

static int port_refused(struct op *op, const json_t *obj, size_t i, int64_t port, const char *why)
{
    _auto_field_errors_ struct field_errors errs = {0};
    _auto_free_ char *field = xasprintf("spec.ports[%zu].nodePort", i);
    fe_invalid_int(&errs, field, port, why);
    return op_invalid(op, meta_name(obj), &errs);
}

/* The same node port may serve one port number over two protocols of one service. */
static bool used_by_self(const json_t *ports, size_t upto, int64_t port)
{
    for (size_t i = 0; i < upto; i++)
        if (jint(json_array_get(ports, i), "nodePort", 0) == port)
            return true;
    return false;
}

static int choose_port(struct op *op, json_t *obj, json_t *ports, json_t *p)
{
    int64_t port = PORT_FIRST;
    for (int i = 0; !op->ctx->dry_run && i < CHOICE_TRIES; i++) {
        uint32_t x;
        random_bytes(&x, sizeof x);
        port = PORT_FIRST + x % (PORT_LAST - PORT_FIRST + 1);
        if (!used_by_self(ports, json_array_size(ports), port) && !is_taken(op, obj, NULL, port))
            break;
        port = 0;
    }
    if (port == 0)
        return op_fail_code(op, ERR_INTERNAL, "Internal error occurred: failed to allocate a nodePort: range is full");
    json_object_set_new(p, "nodePort", json_integer(port));
    return 0;
}

static int take_ports(struct op *op, json_t *obj, const json_t *old)
{
    json_t *ports = jat(obj, "spec.ports");
    size_t i;
    json_t *p;
    json_array_foreach(ports, i, p)
    {
        int64_t port = jint(p, "nodePort", 0);
        if (port == 0) {
            if (choose_port(op, obj, ports, p) < 0)
                return -1;
            continue;
        }
        bool had = old && used_by_self(jat(old, "spec.ports"), json_array_size(jat(old, "spec.ports")), port);
        if (op->ctx->dry_run || had)
            continue;
        if (port < PORT_FIRST || port > PORT_LAST)
            return port_refused(op, obj, i, port,
                                "provided port is not in the valid range. The range of valid ports is 30000-32767");
        if (is_taken(op, obj, NULL, port))
            return port_refused(op, obj, i, port, "provided port is already allocated");
    }
    return 0;
}

int service_allocate(struct op *op, json_t *obj, const json_t *old)
{
    json_t *spec = json_object_get(obj, "spec");
    if (!json_is_object(spec))
        return 0;
    if (!op->holds_services)
        pthread_mutex_lock(&op->r->service_mu);
    op->holds_services = true;
    join_ips(spec, old);
    if (old) {
        keep_allocated(obj, old);
        drop_of_old_type(obj, old);
    }
    if (!needs_ip(obj)) {
        if (!*jstr_or(spec, "clusterIP", ""))
            clear_ip(spec);
        return 0;
    }
    if (set_families(op, obj) < 0)
        return -1;
    const char *ip = jstr_or(spec, "clusterIP", "");
    bool changed = !old || !needs_ip(old);
    if (*ip && strcmp(ip, "None") != 0 && changed && take_ip(op, obj, ip) < 0)
        return -1;
    if (!*ip && choose_ip(op, obj) < 0)
        return -1;
    return needs_ports(obj) ? take_ports(op, obj, old) : 0;
}

void service_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_pack("{s{}}", "loadBalancer"));
}

void service_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    (void)op;
    if (json_is_object(json_object_get(obj, "spec")))
        drop_of_old_type(obj, old);
}

void ingress_prepare_create(struct op *op, json_t *obj)
{
    service_prepare_create(op, obj);
}
